/** A small Snappy block encoder for tests; `pick` chooses among equivalent elements so that every form occurs. */

/** Compresses `data` into one block. */
export function snappyEncode(data: Uint8Array, pick: (choices: number) => number = () => 0): Uint8Array {
  const out: number[] = [];
  for (let rest = data.length; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) {
      out.push(rest);
      break;
    }
    out.push((rest % 128) | 0x80);
  }
  const seen = new Map<number, number>();
  const literals = (start: number, end: number) => {
    const last = end - start - 1;
    if (last < 0) return;
    const form = last < 60 ? pick(5) : last < 256 ? 1 + pick(4) : last < 65536 ? 2 + pick(3) : 3 + pick(2);
    out.push(form === 0 ? last << 2 : (59 + form) << 2);
    for (let i = 0; i < form; i++) out.push(Math.floor(last / 256 ** i) & 0xff);
    for (let i = start; i < end; i++) out.push(data[i] as number);
  };
  let literalStart = 0;
  for (let at = 0; at + 3 < data.length; ) {
    const key = new DataView(data.buffer, data.byteOffset).getUint32(at, true);
    const from = seen.get(key);
    seen.set(key, at);
    if (from === undefined || pick(8) === 1) {
      at++;
      continue;
    }
    literals(literalStart, at);
    let length = 4;
    while (length < 64 && at + length < data.length && data[from + length] === data[at + length]) length++;
    const distance = at - from;
    if (length <= 11 && distance < 2048 && pick(2) === 0) {
      out.push(((distance >> 8) << 5) | ((length - 4) << 2) | 1, distance & 0xff);
    } else if (distance < 65536 && pick(3) !== 1) {
      out.push(((length - 1) << 2) | 2, distance & 0xff, distance >> 8);
    } else {
      out.push(((length - 1) << 2) | 3, distance & 0xff, (distance >> 8) & 0xff, (distance >> 16) & 0xff, 0);
    }
    at += length;
    literalStart = at;
  }
  literals(literalStart, data.length);
  return Uint8Array.from(out);
}
