/**
 * Snappy decompression of one block. Format: google/snappy, format_description.txt.
 *
 *   uncompressed length as a varint, then elements by the low two bits of their first byte:
 *   LLLLLL00 [1–4 bytes]   L + 1 literals; L = 60 … 63: the length - 1 is in the next 1 … 4 bytes, little-endian
 *   DDDLLL01 d             L + 4 bytes from distance (D << 8) + d
 *   LLLLLL10 d d           L + 1 bytes from a 16-bit distance
 *   LLLLLL11 d d d d       L + 1 bytes from a 32-bit distance
 */

const CUT_OFF = "snappy: the input ends too early";
const TOO_LONG = "snappy: more output than announced";

/** Decodes `input` into `target`, which it must fill exactly. Returns undefined on success, else what is wrong. Never throws. */
export function snappyInto(input: Uint8Array, target: Uint8Array): string | undefined {
  const inputEnd = input.length;
  const targetEnd = target.length;
  let from = 0;
  let announced = 0;
  for (let scale = 1; ; scale *= 128) {
    if (from >= inputEnd || from > 4) return CUT_OFF;
    const byte = input[from++] as number;
    announced += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  if (announced !== targetEnd) return `snappy: announces ${announced} bytes instead of ${targetEnd}`;
  let to = 0;
  while (from < inputEnd) {
    const tag = input[from++] as number;
    let length = tag >> 2;
    let distance: number;
    if ((tag & 3) === 0) {
      if (length >= 60) {
        const size = length - 59;
        if (from + size > inputEnd) return CUT_OFF;
        length = littleEndian(input, from, size);
        from += size;
      }
      length++;
      if (from + length > inputEnd) return CUT_OFF;
      if (to + length > targetEnd) return TOO_LONG;
      if (length > 48) target.set(input.subarray(from, from + length), to);
      else for (let i = 0; i < length; i++) target[to + i] = input[from + i] as number;
      from += length;
      to += length;
      continue;
    }
    if ((tag & 3) === 1) {
      if (from >= inputEnd) return CUT_OFF;
      distance = ((tag >> 5) << 8) | (input[from++] as number);
      length = (length & 7) + 4;
    } else {
      const size = (tag & 3) === 2 ? 2 : 4;
      if (from + size > inputEnd) return CUT_OFF;
      distance = littleEndian(input, from, size);
      from += size;
      length++;
    }
    if (distance === 0 || distance > to) return "snappy: a copy from before the start";
    if (to + length > targetEnd) return TOO_LONG;
    for (let source = to - distance, stop = to + length; to < stop; ) target[to++] = target[source++] as number;
  }
  return to === targetEnd ? undefined : `snappy: ${to} bytes instead of ${targetEnd}`;
}

function littleEndian(input: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + (input[at + i] as number);
  return value;
}
