/**
 * Results as JSON text: a bigint is an address or a raw word and becomes "0x…"; a number stays; lazy sequences are drained into
 * arrays; what a value must not hold (functions, undefined) is left out.
 *
 *   {"command":"bt","args":["-a"],"ok":true,"result":{…}}
 *   {"command":"bt","args":["-a"],"ok":false,"error":{"kind":"lookup","message":"…"}}
 *
 * The text comes in chunks: a result of millions of lines may exceed the longest string JavaScript can hold.
 */
import { InquestError } from "../bytes/errors.ts";

const CHUNK = 1 << 16;
/** Results are trees a few levels deep; more is a cycle. */
const MAX_DEPTH = 200;

/** JSON text of any result, in chunks. Throws what a lazy sequence throws. */
export function jsonChunks(value: unknown): string[] {
  const writer = new Writer();
  if (!writer.value(value, 0)) writer.put("null");
  return writer.finish();
}

/** The line (without its end) that a face prints for a command that succeeded. */
export function outcomeJson(command: string, args: readonly string[], result: unknown): string[] {
  return jsonChunks({ command, args, ok: true, result: result === undefined ? null : result });
}

/** The line for a command that failed. */
export function errorJson(command: string, args: readonly string[], error: unknown): string[] {
  return jsonChunks({ command, args, ok: false, error: describeError(error) });
}

/** Stable word and one line of text for any error; what is not an InquestError is a bug of ours and is called "internal". */
export function describeError(error: unknown): { readonly kind: string; readonly message: string } {
  if (error instanceof InquestError) return { kind: error.kind, message: error.message };
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { kind: "internal", message: message.replace(/\s*\n\s*/g, " ") };
}

class Writer {
  readonly #chunks: string[] = [];
  #text = "";

  put(text: string): void {
    this.#text += text;
    if (this.#text.length >= CHUNK) {
      this.#chunks.push(this.#text);
      this.#text = "";
    }
  }

  finish(): string[] {
    if (this.#text !== "") this.#chunks.push(this.#text);
    return this.#chunks;
  }

  /** Writes a value; returns false (and writes nothing) for what JSON leaves out. */
  value(value: unknown, depth: number): boolean {
    switch (typeof value) {
      case "bigint":
        this.put(`"${hexadecimal(value)}"`);
        return true;
      case "number":
        this.put(Number.isFinite(value) ? String(value) : "null");
        return true;
      case "string":
        this.put(quote(value));
        return true;
      case "boolean":
        this.put(value ? "true" : "false");
        return true;
      case "object":
        this.#object(value, depth);
        return true;
      default:
        return false;
    }
  }

  #object(value: object | null, depth: number): void {
    if (value === null) {
      this.put("null");
      return;
    }
    if (depth > MAX_DEPTH) throw new RangeError("result is nested too deeply for JSON");
    if (value instanceof Error) {
      this.#record(Object.entries(describeError(value)), depth);
    } else if (value instanceof Map) {
      this.#record(
        [...value].map(([key, entry]) => [typeof key === "bigint" ? hexadecimal(key) : String(key), entry]),
        depth,
      );
    } else if (value instanceof ArrayBuffer) {
      this.#sequence(new Uint8Array(value), depth);
    } else if (value instanceof DataView) {
      this.#sequence(new Uint8Array(value.buffer, value.byteOffset, value.byteLength), depth);
    } else if ("toJSON" in value && typeof value.toJSON === "function") {
      if (!this.value(value.toJSON(), depth + 1)) this.put("null");
    } else if (Symbol.iterator in value) {
      this.#sequence(value as Iterable<unknown>, depth);
    } else {
      this.#record(Object.entries(value), depth);
    }
  }

  #sequence(values: Iterable<unknown>, depth: number): void {
    this.put("[");
    let first = true;
    for (const entry of values) {
      if (!first) this.put(",");
      first = false;
      if (!this.value(entry, depth + 1)) this.put("null");
    }
    this.put("]");
  }

  #record(entries: Iterable<readonly [string, unknown]>, depth: number): void {
    this.put("{");
    let first = true;
    for (const [key, entry] of entries) {
      if (entry === undefined || typeof entry === "function" || typeof entry === "symbol") continue;
      if (!first) this.put(",");
      first = false;
      this.put(`${quote(key)}:`);
      this.value(entry, depth + 1);
    }
    this.put("}");
  }
}

function hexadecimal(value: bigint): string {
  return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

/**
 * A JSON string that is safe on a terminal too: what JSON.stringify leaves as it is and a terminal obeys (DEL, C1 controls, marks
 * that reorder text) becomes \uXXXX.
 */
function quote(text: string): string {
  // Most strings are names: letters that need no escape.
  if (/^[\w .:/+<>()[\],=*#@-]*$/.test(text)) return `"${text}"`;
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
