/**
 * Typed values as plain data for JSON and for comparisons: integers are numbers where those are exact and bigints else, pointers are
 * bigints, character arrays are text up to their NUL, enums are their names, structures are objects with the anonymous members' names
 * merged into them. What cannot be read says why in its place.
 */
import { FaultError } from "../bytes/errors.ts";
import { type CType, strip } from "../debug-info/c-type.ts";
import type { Value } from "./value.ts";

/** Elements of an array that are taken; more are told by a last element `…`. */
const MAX_ELEMENTS = 4096;

/** @param depth structures and arrays nested deeper become undefined */
export function plain(value: Value, depth: number): unknown {
  const type = strip(value.type);
  try {
    switch (type.kind) {
      case "struct":
      case "union":
        return depth <= 0 ? undefined : Object.fromEntries(value.members().map((name) => [name, plain(value.member(name), depth - 1)]));
      case "array":
        return array(value, type.element, type.length, depth);
      case "int":
        if (type.encoding === "bool") return value.boolean();
        return exact(value.bigint());
      case "enum": {
        const bits = value.bigint();
        return type.enumerators.find((each) => each.value === bits)?.name ?? exact(bits);
      }
      case "pointer":
        return value.pointer();
      default:
        return value.address;
    }
  } catch (error) {
    if (error instanceof FaultError) return { unreadable: error.message };
    throw error;
  }
}

function array(value: Value, element: CType, length: number, depth: number): unknown {
  const inner = strip(element);
  if (inner.kind === "int" && inner.encoding === "char") return value.string();
  if (depth <= 0) return undefined;
  const taken: unknown[] = Array.from(value.elements(Math.min(length, MAX_ELEMENTS)), (each) => plain(each, depth - 1));
  if (length > MAX_ELEMENTS) taken.push("…");
  return taken;
}

function exact(value: bigint): number | bigint {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= BigInt(Number.MIN_SAFE_INTEGER) ? Number(value) : value;
}
