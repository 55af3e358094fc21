/**
 * A ByteSource that reads ahead where its user reads on: tables of the kernel are read page by page, and a read of a few kilobytes costs
 * mostly the call. Only a read that begins where the last one ended (or shortly after) fetches a window, so random reads pay nothing.
 *
 *   reads  [4K][4K]→ window of 128 KiB ├────────────────┤   …   [4K] elsewhere: read as it is
 */
import type { ByteSource } from "./byte-source.ts";

const WINDOW = 128 << 10;
/** Reads this large gain nothing from a window. */
const LARGE = 32 << 10;
/** Compressed pages that are skipped in between. */
const GAP = 16 << 10;

export class ReadAhead implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #source: ByteSource;
  readonly #window = new Uint8Array(WINDOW);
  #windowStart = 0;
  #windowLength = 0;
  #lastEnd = -1;

  constructor(source: ByteSource) {
    this.name = source.name;
    this.size = source.size;
    this.#source = source;
  }

  readInto(target: Uint8Array, offset: number): number {
    const end = offset + target.length;
    const inside = offset - this.#windowStart;
    if (inside >= 0 && end <= this.#windowStart + this.#windowLength) {
      target.set(this.#window.subarray(inside, inside + target.length));
      this.#lastEnd = end;
      return target.length;
    }
    const readsOn = offset >= this.#lastEnd && offset - this.#lastEnd <= GAP && this.#lastEnd >= 0;
    this.#lastEnd = end;
    if (!readsOn || target.length > LARGE) return this.#source.readInto(target, offset);
    this.#windowLength = 0;
    this.#windowLength = this.#source.readInto(this.#window, offset);
    this.#windowStart = offset;
    const count = Math.min(target.length, this.#windowLength);
    target.set(this.#window.subarray(0, count));
    return count;
  }

  close(): void {
    this.#source.close();
  }
}
