/**
 * A small LZO1X encoder for tests. It prefers variety to density: `pick` decides between the instructions that could say the same, so
 * that property tests meet every form the decoder has to know. Stream format: Linux Documentation/staging/lzo.rst.
 */

/** Compresses `data`; `pick(n)` returns a number below n and steers the choices. */
export function lzo1xEncode(data: Uint8Array, pick: (choices: number) => number = () => 0): Uint8Array {
  const out: number[] = [];
  const seen = new Map<number, number[]>();
  let literalStart = 0;
  /** Where the two low bits live that hold a run of up to three literals after a match; -1 before the first match. */
  let stateByte = -1;

  const extended = (length: number, bits: number) => {
    // Lengths above the field: zero field, then 255 for each zero byte, then the rest.
    let rest = length - (2 ** bits - 1);
    while (rest > 255) {
      out.push(0);
      rest -= 255;
    }
    out.push(rest);
  };

  /** Emits data[literalStart, to) and returns the decoder's state afterwards: 0 none, 1–3 a short run, 4 a long one. */
  const literals = (to: number): number => {
    const count = to - literalStart;
    if (count === 0) return stateByte < 0 ? -1 : 0;
    let state = 4;
    if (out.length === 0 && count <= 238 && (count < 4 || pick(2) === 0)) {
      out.push(count + 17);
      state = Math.min(count, 4);
    } else if (stateByte >= 0 && count <= 3) {
      out[stateByte] = (out[stateByte] as number) | count;
      state = count;
    } else if (count - 3 <= 15) {
      out.push(count - 3);
    } else {
      out.push(0);
      extended(count - 3, 4);
    }
    for (let i = literalStart; i < to; i++) out.push(data[i] as number);
    literalStart = to;
    return state;
  };

  const match = (state: number, length: number, distance: number) => {
    const forms: (() => void)[] = [];
    if (length === 2 && distance <= 1024 && state >= 1 && state <= 3) {
      forms.push(() => {
        stateByte = out.length;
        out.push(((distance - 1) & 3) << 2, (distance - 1) >> 2);
      });
    }
    if (length === 3 && distance >= 2049 && distance <= 3072 && state === 4) {
      forms.push(() => {
        stateByte = out.length;
        out.push(((distance - 2049) & 3) << 2, (distance - 2049) >> 2);
      });
    }
    if (length >= 3 && length <= 8 && distance <= 2048) {
      forms.push(() => {
        stateByte = out.length;
        out.push(((length - 1) << 5) | (((distance - 1) & 7) << 2), (distance - 1) >> 3);
      });
    }
    if (length >= 3 && distance <= 16384) {
      forms.push(() => {
        out.push(32 | (length - 2 <= 31 ? length - 2 : 0));
        if (length - 2 > 31) extended(length - 2, 5);
        stateByte = out.length;
        out.push(((distance - 1) << 2) & 0xff, (distance - 1) >> 6);
      });
    }
    if (length >= 3 && distance > 16384 && distance <= 49151) {
      forms.push(() => {
        const far = distance - 16384;
        out.push(16 | ((far >> 11) & 8) | (length - 2 <= 7 ? length - 2 : 0));
        if (length - 2 > 7) extended(length - 2, 3);
        stateByte = out.length;
        out.push((far << 2) & 0xff, (far >> 6) & 0xff);
      });
    }
    const form = forms[pick(forms.length)];
    if (form === undefined) return false;
    form();
    return true;
  };

  const key = (at: number) => (data[at] as number) | ((data[at + 1] as number) << 8);
  for (let at = 0; at + 1 < data.length; ) {
    const candidates = seen.get(key(at)) ?? [];
    const pendingLiterals = at - literalStart;
    let done = false;
    if (candidates.length > 0) {
      const from = candidates[pick(candidates.length)] as number;
      let length = 2;
      while (at + length < data.length && data[from + length] === data[at + length]) length++;
      if (length > 2 && pick(4) === 1) length = 3;
      const distance = at - from;
      const fits = length >= 3 ? distance <= 49151 : distance <= 1024 && pendingLiterals >= 1 && pendingLiterals <= 3;
      if (fits) {
        const state = literals(at);
        done = match(state, length, distance);
        if (done) {
          for (let i = at; i < at + length && i + 1 < data.length; i++) remember(seen, key(i), i);
          at += length;
          literalStart = at;
        }
      }
    }
    if (!done) {
      remember(seen, key(at), at);
      at++;
    }
  }
  literals(data.length);
  out.push(17, 0, 0);
  return Uint8Array.from(out);
}

function remember(seen: Map<number, number[]>, key: number, at: number): void {
  const list = seen.get(key) ?? [];
  list.push(at);
  if (list.length > 8) list.shift();
  seen.set(key, list);
}
