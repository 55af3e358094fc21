/**
 * A plain Snappy compressor and its framing format (github.com/google/snappy: format_description.txt, framing_format.txt):
 *
 *   raw block   varint length, then elements; low two bits of the tag byte: 00 literal, 01 copy (4..11 bytes, 11-bit offset),
 *               10 copy (1..64 bytes, 16-bit offset)
 *   framing     ff 06 00 00 "sNaPpY", then chunks {type u8, length u24, masked CRC-32C of the plain data u32, data}:
 *               00 compressed, 01 plain; at most 65536 plain bytes each
 */

const CRC_TABLE = new Uint32Array(256).map((_, index) => {
  let crc = index;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** CRC-32C, masked as the framing format stores it. */
export function maskedCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = CRC_TABLE[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

const HASH_BITS = 12;
const MIN_MATCH = 4;

/** Compress up to 64 KiB. */
export function snappyCompress(input: Uint8Array): Uint8Array {
  const out = new Uint8Array(input.length + Math.ceil(input.length / 60) + 16);
  let to = 0;
  for (let length = input.length; ; length >>>= 7) {
    out[to++] = length > 0x7f ? (length & 0x7f) | 0x80 : length;
    if (length <= 0x7f) break;
  }
  const emitLiteral = (from: number, end: number) => {
    for (let at = from; at < end; at += 60) {
      const part = input.subarray(at, Math.min(at + 60, end));
      out[to++] = (part.length - 1) << 2;
      out.set(part, to);
      to += part.length;
    }
  };
  const emitCopy = (offset: number, length: number) => {
    for (let left = length; left > 0; ) {
      const part = Math.min(left, 64);
      out[to++] = ((part - 1) << 2) | 2;
      out[to++] = offset & 0xff;
      out[to++] = offset >>> 8;
      left -= part;
    }
  };
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const seen = new Int32Array(1 << HASH_BITS).fill(-1);
  let literal = 0;
  let at = 0;
  while (at + MIN_MATCH <= input.length) {
    const word = view.getUint32(at, true);
    const slot = Math.imul(word, 0x1e35a7bd) >>> (32 - HASH_BITS);
    const candidate = seen[slot]!;
    seen[slot] = at;
    if (candidate < 0 || at - candidate > 0xffff || view.getUint32(candidate, true) !== word) {
      at++;
      continue;
    }
    let length = MIN_MATCH;
    while (at + length < input.length && input[candidate + length] === input[at + length]) length++;
    emitLiteral(literal, at);
    emitCopy(at - candidate, length);
    at += length;
    literal = at;
  }
  emitLiteral(literal, input.length);
  return out.slice(0, to);
}

const STREAM_HEADER = Uint8Array.from([0xff, 6, 0, 0, 0x73, 0x4e, 0x61, 0x50, 0x70, 0x59]);
const CHUNK = 65536;

/** A whole framed stream. Chunks that do not shrink are stored plain. */
export function snappyFrames(input: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [STREAM_HEADER];
  for (let at = 0; at < input.length; at += CHUNK) {
    const plain = input.subarray(at, Math.min(at + CHUNK, input.length));
    const compressed = snappyCompress(plain);
    const stored = compressed.length < plain.length - plain.length / 8 ? compressed : plain;
    const header = Buffer.alloc(8);
    header.writeUInt8(stored === plain ? 1 : 0, 0);
    header.writeUIntLE(stored.length + 4, 1, 3);
    header.writeUInt32LE(maskedCrc32c(plain), 4);
    parts.push(header, stored);
  }
  return Buffer.concat(parts);
}
