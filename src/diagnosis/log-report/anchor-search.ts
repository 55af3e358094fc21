/**
 * Finds the lines worth reading in a log of any size: one pass over the bytes for all anchors at once, before anything is decoded.
 *
 * All anchors have the same length L. A table over pairs of bytes tells how far the search may go on when the pair ends a window of L
 * bytes (Wu and Manber, "A fast algorithm for multi-pattern searching", 1994): most steps skip L - 1 bytes.
 *
 *   … eth0: link becomes ready\n[  12.3] BUG: KASAN …
 *          └─L─┘ no anchor holds the last two bytes: go on L - 1 bytes
 */

const encoder = new TextEncoder();

export class AnchorSearch {
  readonly #length: number;
  readonly #shift = new Uint8Array(1 << 16);
  /** Anchors by their last two bytes. */
  readonly #ends = new Map<number, Uint8Array[]>();

  /** The anchors must all have the same length of at least 3 bytes; throws a RangeError otherwise. */
  constructor(anchors: readonly string[]) {
    const patterns = [...new Set(anchors)].map((text) => encoder.encode(text));
    this.#length = patterns[0]?.length ?? 0;
    if (this.#length < 3 || patterns.some(({ length }) => length !== this.#length)) throw new RangeError("anchors must have one length");
    this.#shift.fill(this.#length - 1);
    for (const pattern of patterns) {
      for (let at = 1; at < this.#length; at++) {
        const pair = ((pattern[at - 1] ?? 0) << 8) | (pattern[at] ?? 0);
        this.#shift[pair] = Math.min(this.#shift[pair] ?? 0, this.#length - 1 - at);
        if (at === this.#length - 1) this.#ends.set(pair, [...(this.#ends.get(pair) ?? []), pattern]);
      }
    }
  }

  /** How many bytes an anchor has. */
  get length(): number {
    return this.#length;
  }

  /** Offset of the first anchor in `bytes` at or after `from` that ends before `to`, or -1. */
  find(bytes: Uint8Array, from: number, to = bytes.length): number {
    const shift = this.#shift;
    let at = from + this.#length - 1;
    while (at < to) {
      const pair = ((bytes[at - 1] as number) << 8) | (bytes[at] as number);
      const step = shift[pair] as number;
      if (step > 0) {
        at += step;
        continue;
      }
      for (const pattern of this.#ends.get(pair) ?? []) {
        let same = 0;
        const start = at - this.#length + 1;
        while (same < this.#length && pattern[same] === bytes[start + same]) same++;
        if (same === this.#length) return start;
      }
      at++;
    }
    return -1;
  }
}
