/** Snappy frame streams for tests (google/snappy, framing_format.txt). */
import { crc32c } from "../crc32c.ts";
import { snappyEncode } from "./snappy-encode.ts";

/** Which chunks a stream is made of. */
export interface FrameStreamOptions {
  /** Uncompressed bytes per chunk; 65536 unless told. */
  readonly chunk?: number;
  /** Every nth chunk is stored plain; none unless told. */
  readonly plainEvery?: number;
  /** Adds a skippable chunk before each data chunk. */
  readonly padding?: boolean;
}

/** Encodes `data` as one stream, identifier included. */
export function snappyFramesEncode(data: Uint8Array, options: FrameStreamOptions = {}): Uint8Array {
  const { chunk = 65536, plainEvery = 0, padding = false } = options;
  const parts: Uint8Array[] = [Uint8Array.of(0xff, 6, 0, 0, 0x73, 0x4e, 0x61, 0x50, 0x70, 0x59)];
  for (let at = 0, index = 1; at < data.length; at += chunk, index++) {
    const piece = data.subarray(at, at + chunk);
    if (padding) parts.push(Uint8Array.of(0xfe, 3, 0, 0, 1, 2, 3));
    const plain = plainEvery > 0 && index % plainEvery === 0;
    const body = plain ? piece : snappyEncode(piece);
    const length = body.length + 4;
    const sum = crc32c(piece);
    const masked = (((sum >>> 15) | (sum << 17)) + 0xa282ead8) >>> 0;
    parts.push(Uint8Array.of(plain ? 1 : 0, length & 0xff, (length >> 8) & 0xff, length >> 16));
    parts.push(Uint8Array.of(masked & 0xff, (masked >> 8) & 0xff, (masked >> 16) & 0xff, masked >>> 24), body);
  }
  return concatenate(parts);
}

/** Joins byte arrays. */
export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
