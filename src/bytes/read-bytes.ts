/**
 * Reading a piece of a source whose place and length come from the file itself, hence are not to be trusted: the length is held
 * against a limit and against the file's size before anything is allocated.
 */
import type { ByteSource } from "./byte-source.ts";
import { FormatError } from "./errors.ts";

/** Up to `length` bytes at `offset`; fewer when the file ends before. `length` must come from us, not from the file. */
export function readUpTo(source: ByteSource, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, source.readInto(bytes, offset));
}

/**
 * Exactly `length` bytes at `offset`. Throws FormatError, naming `what`, when the length is above `limit` or the file ends before.
 */
export function readExactly(source: ByteSource, offset: number, length: number, what: string, limit: number): Uint8Array {
  if (!(length >= 0 && length <= limit)) {
    throw new FormatError(source.name, `${what} claims ${length} bytes, more than the ${limit} that are believable`, offset);
  }
  if (!(offset >= 0 && offset + length <= source.size)) {
    throw new FormatError(source.name, `${what} (${length} bytes) lies beyond the end of the file (${source.size} bytes)`, offset);
  }
  const bytes = new Uint8Array(length);
  const count = source.readInto(bytes, offset);
  if (count < length) throw new FormatError(source.name, `${what}: the file ends after ${count} of ${length} bytes`, offset);
  return bytes;
}
