/** zlib streams (RFC 1950) through Node's own zlib. A browser build replaces this file. */
import { gunzipSync, inflateSync } from "node:zlib";

/**
 * Inflates `input` into `target`. Returns undefined when the stream is sound and fills the target exactly, else what is wrong with it.
 * The output limit stops a crafted stream from growing beyond the page.
 */
export function inflateInto(input: Uint8Array, target: Uint8Array): string | undefined {
  let output: Uint8Array;
  try {
    output = inflateSync(input, { chunkSize: Math.max(64, target.length), maxOutputLength: target.length });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === "ERR_BUFFER_TOO_LARGE" ? `zlib: more than ${target.length} bytes` : `zlib: ${message}`;
  }
  if (output.length !== target.length) return `zlib: ${output.length} bytes instead of ${target.length}`;
  target.set(output);
  return undefined;
}

/** Unpacks a gzip file (RFC 1952) of at most `maxLength` bytes; a text says what is wrong with it. */
export function gunzip(input: Uint8Array, maxLength: number): Uint8Array | string {
  try {
    return gunzipSync(input, { maxOutputLength: maxLength });
  } catch (error) {
    return `gzip: ${(error as Error).message}`;
  }
}
