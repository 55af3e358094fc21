/**
 * A ByteSource in front of another that keeps the last used blocks: many small reads near each other become one read.
 * Direct-mapped (block number modulo the number of slots), so its memory is constant and nothing is allocated per read.
 *
 *   offset ──► block number ──► slot = number mod slots ──► slab[slot * blockSize …]
 */
import type { ByteSource } from "./byte-source.ts";

export class BlockCache implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #source: ByteSource;
  readonly #blockSize: number;
  readonly #slots: number;
  readonly #slab: Uint8Array;
  readonly #tags: Float64Array;
  /** How many bytes of each slot are filled: less than blockSize at the end of the file. */
  readonly #filled: Uint32Array;

  constructor(source: ByteSource, blockSize = 1 << 16, slots = 16) {
    this.name = source.name;
    this.size = source.size;
    this.#source = source;
    this.#blockSize = blockSize;
    this.#slots = slots;
    this.#slab = new Uint8Array(blockSize * slots);
    this.#tags = new Float64Array(slots).fill(-1);
    this.#filled = new Uint32Array(slots);
  }

  readInto(target: Uint8Array, offset: number): number {
    let done = 0;
    while (done < target.length) {
      const block = Math.floor((offset + done) / this.#blockSize);
      const slot = block % this.#slots;
      const base = slot * this.#blockSize;
      if (this.#tags[slot] !== block) {
        this.#tags[slot] = -1;
        this.#filled[slot] = this.#source.readInto(this.#slab.subarray(base, base + this.#blockSize), block * this.#blockSize);
        this.#tags[slot] = block;
      }
      const inBlock = offset + done - block * this.#blockSize;
      const count = Math.min(target.length - done, (this.#filled[slot] as number) - inBlock);
      if (count <= 0) break;
      target.set(this.#slab.subarray(base + inBlock, base + inBlock + count), done);
      done += count;
    }
    return done;
  }

  close(): void {
    this.#source.close();
  }
}
