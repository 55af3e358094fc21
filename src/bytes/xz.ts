/**
 * .xz files: modules (.ko.xz) and .gnu_debugdata. Format: "The .xz File Format", version 1.2.
 *
 *   stream   │ FD "7zXZ" 00 │ flags u16 │ crc32 │ block … │ index │ crc32, size, flags, "YZ" │ zeroes │ next stream …
 *   block    │ header size │ flags │ sizes │ filters │ crc32 │ LZMA2 … │ padding to 4 │ check of the content │
 *
 * The packages there are run as streams in the background (and one is native code): readers here are synchronous. Filters for machine
 * code are not used for modules and not known here.
 */
import { crc32 } from "./inflate-node.ts";
import { Lzma2Decoder } from "./lzma2.ts";

const HEADER = 12;
const FOOTER = 12;
const LZMA2 = 0x21;
const MAX_BLOCKS = 1 << 20;

/** Bytes of the check by its number. */
const CHECK_SIZES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];
const CHECK_CRC32 = 1;
const CHECK_CRC64 = 4;

/** True when bytes begin as an .xz file does. */
export function isXz(bytes: Uint8Array): boolean {
  return [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0].every((byte, i) => bytes[i] === byte);
}

/** Unpacks a whole .xz file of at most `maxLength` bytes; a text says what is wrong with it. CRC-32 and CRC-64 checks are verified. */
export function unxz(input: Uint8Array, maxLength: number): Uint8Array | string {
  const decoder = new Lzma2Decoder(input, maxLength);
  let at = 0;
  while (at < input.length) {
    const next = unpackStream(input, at, decoder);
    if (typeof next === "string") return `xz: ${next}`;
    at = next;
    while (at + 4 <= input.length && input[at] === 0 && input[at + 1] === 0 && input[at + 2] === 0 && input[at + 3] === 0) at += 4;
  }
  return input.length === 0 ? "xz: no input" : decoder.output.subarray(0, decoder.length);
}

/** Unpacks one stream; returns where the next may begin. */
function unpackStream(input: Uint8Array, start: number, decoder: Lzma2Decoder): number | string {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  if (start + HEADER + FOOTER > input.length || !isXz(input.subarray(start))) return "not an .xz stream";
  if (crc32(input.subarray(start + 6, start + 8)) !== view.getUint32(start + 8, true)) return "damaged stream header";
  const check = view.getUint8(start + 7);
  if (view.getUint8(start + 6) !== 0 || check > 15) return "unknown stream flags";
  let at = start + HEADER;
  for (let block = 0; block < MAX_BLOCKS; block++) {
    const size = input[at];
    if (size === undefined) return "the file ends early";
    if (size === 0) return skipIndex(input, at);
    const next = unpackBlock(input, at, (size + 1) * 4, check, decoder);
    if (typeof next === "string") return next;
    at = next;
  }
  return `more than ${MAX_BLOCKS} blocks`;
}

function unpackBlock(input: Uint8Array, start: number, headerSize: number, check: number, decoder: Lzma2Decoder): number | string {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const body = start + headerSize;
  if (body > input.length) return "the file ends early";
  if (crc32(input.subarray(start, body - 4)) !== view.getUint32(body - 4, true)) return "damaged block header";
  const flags = view.getUint8(start + 1);
  if ((flags & 3) !== 0) return "filters other than LZMA2";
  const fields = { at: start + 2 };
  if ((flags & 0x40) !== 0) variableInteger(input, fields);
  const claimed = (flags & 0x80) !== 0 ? variableInteger(input, fields) : undefined;
  const filter = variableInteger(input, fields);
  if (filter !== LZMA2) return `unknown filter 0x${filter.toString(16)}`;

  const before = decoder.length;
  const end = decoder.decode(body);
  if (typeof end === "string") return end;
  const length = decoder.length - before;
  if (claimed !== undefined && claimed !== length) return `a block of ${length} bytes instead of ${claimed}`;
  const checkAt = body + Math.ceil((end - body) / 4) * 4;
  const next = checkAt + (CHECK_SIZES[check] as number);
  if (next > input.length) return "the file ends early";
  const content = decoder.output.subarray(before, decoder.length);
  if (check === CHECK_CRC32 && crc32(content) !== view.getUint32(checkAt, true)) return "the CRC-32 of a block differs";
  if (check === CHECK_CRC64 && crc64(content) !== view.getBigUint64(checkAt, true)) return "the CRC-64 of a block differs";
  return next;
}

/** │ 0 │ count │ (sizes) × count │ padding to 4 │ crc32 │, then the stream's footer. */
function skipIndex(input: Uint8Array, start: number): number | string {
  const fields = { at: start + 1 };
  const count = variableInteger(input, fields);
  if (count > MAX_BLOCKS) return "damaged index";
  for (let i = 0; i < 2 * count; i++) variableInteger(input, fields);
  const end = start + Math.ceil((fields.at - start) / 4) * 4 + 4 + FOOTER;
  if (end > input.length) return "the file ends early";
  return input[end - 2] === 0x59 && input[end - 1] === 0x5a ? end : "damaged stream footer";
}

/** Seven bits a byte, lowest first; NaN-free also for damaged input: what lies beyond the end counts as 0. */
function variableInteger(input: Uint8Array, fields: { at: number }): number {
  let value = 0;
  for (let i = 0; i < 9; i++) {
    const byte = input[fields.at++] ?? 0;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) break;
  }
  return value;
}

/** Table of CRC-64 (ECMA-182, reflected: 0xc96c5795d7870f42) as low and high halves, made on first use. */
let table: { readonly low: Uint32Array; readonly high: Uint32Array } | undefined;

function crc64(bytes: Uint8Array): bigint {
  table ??= crc64Table();
  const { low, high } = table;
  let a = 0xffffffff;
  let b = 0xffffffff;
  for (const byte of bytes) {
    const index = (a ^ byte) & 0xff;
    a = ((a >>> 8) | (b << 24)) ^ (low[index] as number);
    b = (b >>> 8) ^ (high[index] as number);
  }
  return (BigInt(~b >>> 0) << 32n) | BigInt(~a >>> 0);
}

function crc64Table(): { low: Uint32Array; high: Uint32Array } {
  const low = new Uint32Array(256);
  const high = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let value = BigInt(byte);
    for (let bit = 0; bit < 8; bit++) value = (value & 1n) === 1n ? (value >> 1n) ^ 0xc96c5795d7870f42n : value >> 1n;
    low[byte] = Number(value & 0xffffffffn);
    high[byte] = Number(value >> 32n);
  }
  return { low, high };
}
