/** zlib streams (RFC 1950), gzip files (RFC 1952) and their CRC-32 through Node's own zlib. A browser build replaces this file. */
import { gunzipSync, inflateSync, crc32 as nodeCrc32 } from "node:zlib";

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

/** Inflates a stream of any length that must give exactly `size` bytes; a text says what is wrong with it. `size` is the caller's to limit. */
export function inflate(input: Uint8Array, size: number): Uint8Array | string {
  try {
    // A little room beyond the end keeps zlib from setting up a second buffer of this size.
    const output = inflateSync(input, { chunkSize: Math.max(64, size + 64), maxOutputLength: size });
    if (output.length !== size) return `zlib: ${output.length} bytes instead of ${size}`;
    return new Uint8Array(output.buffer, output.byteOffset, output.length);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === "ERR_BUFFER_TOO_LARGE" ? `zlib: more than ${size} bytes` : `zlib: ${message}`;
  }
}

/** Unpacks a gzip file (RFC 1952) of at most `maxLength` bytes; a text says what is wrong with it. */
export function gunzip(input: Uint8Array, maxLength: number): Uint8Array | string {
  try {
    return gunzipSync(input, { maxOutputLength: maxLength });
  } catch (error) {
    return `gzip: ${(error as Error).message}`;
  }
}

/** CRC-32 of the bytes, unsigned; `before` is that of what precedes them. */
export function crc32(bytes: Uint8Array, before = 0): number {
  return nodeCrc32(bytes, before);
}
