/**
 * LZO1X decompression of one block. Format: Linux Documentation/staging/lzo.rst (the stream of liblzo's lzo1x_*; not lzo-rle).
 *
 *   instruction      copies                           distance                      low two bits S of the last
 *   0000LLLL         literals: 3 + L (after none)     -                             byte: S literals follow
 *   0000DDSS H       2 bytes (after 1–3 literals)     (H << 2) + D + 1
 *   0000DDSS H       3 bytes (after 4+ literals)      (H << 2) + D + 2049
 *   0001HLLL ext w   2 + L bytes                      (H << 14) + (w >> 2) + 16384; exactly 16384 ends the stream
 *   001LLLLL ext w   2 + L bytes                      (w >> 2) + 1
 *   01LDDDSS H       3 + L bytes                      (H << 3) + D + 1
 *   1LLDDDSS H       5 + L bytes                      (H << 3) + D + 1
 *
 * L = 0 in the forms with "ext" (and literals): 255 for each zero byte that follows, plus the next byte, plus the field's maximum.
 */

const CUT_OFF = "lzo: the input ends too early";
const TOO_LONG = "lzo: more output than the page holds";

/** Decodes `input` into `target`, which it must fill exactly. Returns undefined on success, else what is wrong. Never throws. */
export function lzo1xInto(input: Uint8Array, target: Uint8Array): string | undefined {
  const inputEnd = input.length;
  const targetEnd = target.length;
  let from = 0;
  let to = 0;
  /** Literals before the next instruction: 0, 1 … 3, or 4 for any longer run. */
  let state = 0;
  if (inputEnd > 0 && (input[0] as number) > 17) {
    const count = (input[0] as number) - 17;
    from = 1;
    if (from + count > inputEnd) return CUT_OFF;
    if (to + count > targetEnd) return TOO_LONG;
    for (let i = 0; i < count; i++) target[to++] = input[from++] as number;
    state = Math.min(count, 4);
  }
  while (from < inputEnd) {
    const instruction = input[from++] as number;
    let length: number;
    let distance: number;
    let next: number;
    if (instruction < 16 && state === 0) {
      length = instruction;
      if (length === 0) {
        while (from < inputEnd && input[from] === 0) {
          length += 255;
          from++;
        }
        if (from >= inputEnd) return CUT_OFF;
        length += 15 + (input[from++] as number);
      }
      length += 3;
      if (from + length > inputEnd) return CUT_OFF;
      if (to + length > targetEnd) return TOO_LONG;
      for (let i = 0; i < length; i++) target[to++] = input[from++] as number;
      state = 4;
      continue;
    }
    if (instruction < 16 || instruction >= 64) {
      if (from >= inputEnd) return CUT_OFF;
      const high = input[from++] as number;
      next = instruction & 3;
      if (instruction >= 64) {
        length = (instruction >> 5) + 1;
        distance = (high << 3) + ((instruction >> 2) & 7) + 1;
      } else {
        length = state === 4 ? 3 : 2;
        distance = (high << 2) + (instruction >> 2) + (state === 4 ? 2049 : 1);
      }
    } else {
      const field = instruction >= 32 ? 31 : 7;
      length = instruction & field;
      if (length === 0) {
        while (from < inputEnd && input[from] === 0) {
          length += 255;
          from++;
        }
        if (from >= inputEnd) return CUT_OFF;
        length += field + (input[from++] as number);
      }
      length += 2;
      if (from + 2 > inputEnd) return CUT_OFF;
      const word = (input[from] as number) | ((input[from + 1] as number) << 8);
      from += 2;
      next = word & 3;
      distance = word >> 2;
      if (instruction >= 32) {
        distance += 1;
      } else {
        distance += (instruction & 8) << 11;
        if (distance === 0) return finish(from === inputEnd, to, targetEnd);
        distance += 16384;
      }
    }
    if (distance > to) return "lzo: a copy from before the start";
    if (to + length > targetEnd) return TOO_LONG;
    for (let source = to - distance, stop = to + length; to < stop; ) target[to++] = target[source++] as number;
    if (from + next > inputEnd) return CUT_OFF;
    if (to + next > targetEnd) return TOO_LONG;
    for (let i = 0; i < next; i++) target[to++] = input[from++] as number;
    state = next;
  }
  return CUT_OFF;
}

function finish(allRead: boolean, written: number, expected: number): string | undefined {
  if (!allRead) return "lzo: bytes after the end of the stream";
  return written === expected ? undefined : `lzo: ${written} bytes instead of ${expected}`;
}
