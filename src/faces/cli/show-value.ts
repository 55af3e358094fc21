/**
 * What a script returns or `js` evaluates to, as text for people: bigints are addresses or raw words and stand in hexadecimal, values of
 * the dead kernel as gdb prints them, everything else as Node shows it.
 */
import { inspect } from "node:util";
import { sanitize } from "./sanitize.ts";

const MAX_DEPTH = 6;
/** Elements of one array or iterator that are shown. */
const MAX_ELEMENTS = 1000;
/** Objects that are looked into: the graph of a type or of the engine has no end. */
const MAX_OBJECTS = 20_000;

/** Text without control characters; strings as they are. */
export function showValue(value: unknown): string {
  return sanitize(
    typeof value === "string"
      ? value
      : inspect(prepared(value, { objects: MAX_OBJECTS }, 0), { depth: MAX_DEPTH + 1, maxArrayLength: MAX_ELEMENTS + 1 }),
  );
}

/** A copy in which bigints and kernel values know how to show themselves. */
function prepared(value: unknown, left: { objects: number }, depth: number): unknown {
  if (typeof value === "bigint") return shown(value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`);
  if (typeof value !== "object" || value === null || depth > MAX_DEPTH) return value;
  if (left.objects-- <= 0) return shown("…");
  if (isKernelValue(value)) return shown(String(value));
  if (inspect.custom in value) return value;
  if (value instanceof Error || value instanceof Date || ArrayBuffer.isView(value)) return value;
  if (value instanceof Map)
    return new Map([...value].map(([key, entry]) => [prepared(key, left, depth + 1), prepared(entry, left, depth + 1)]));
  if (Symbol.iterator in value) {
    const elements: unknown[] = [];
    for (const entry of value as Iterable<unknown>) {
      if (elements.length === MAX_ELEMENTS) {
        elements.push(shown(more(value)));
        break;
      }
      elements.push(prepared(entry, left, depth + 1));
    }
    return elements;
  }
  if ("toJSON" in value && typeof value.toJSON === "function") return prepared(value.toJSON(), left, depth);
  return Object.fromEntries(
    Object.keys(value)
      .map((key) => [key, read(value, key)] as const)
      .filter(([, entry]) => typeof entry !== "function")
      .map(([key, entry]) => [key, prepared(entry, left, depth + 1)]),
  );
}

/** A getter may fail, as memory of the dead kernel may be missing: the rest is shown all the same. */
function read(value: object, key: string): unknown {
  try {
    return (value as Readonly<Record<string, unknown>>)[key];
  } catch (error) {
    const message = typeof error === "object" && error !== null && "message" in error ? error.message : error;
    return shown(`<${String(message)}>`);
  }
}

/** What stands for the elements that are not shown. An iterator does not say how many there are. */
function more(value: object): string {
  const length = Array.isArray(value) ? value.length : value instanceof Set ? value.size : undefined;
  return length === undefined ? "… more elements" : `… ${length - MAX_ELEMENTS} more elements`;
}

/** A Value of the library or its interactive form; told by their shape, since scripts bring a copy of the library of their own. */
function isKernelValue(value: object): boolean {
  return "$value" in value || ("typeName" in value && "dereference" in value);
}

function shown(text: string): object {
  return { [inspect.custom]: () => text };
}
