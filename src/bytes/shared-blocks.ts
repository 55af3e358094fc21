/**
 * Small reads out of something large, without copying: blocks are read once into arrays that are never written to again, and a read is a
 * view of one. A block that leaves the cache lives on as long as a view of it does. What is larger than half a block is read as it is: a unit
 * of debug information is parsed as a whole.
 *
 *   read(offset, 20) ──► block offset >> 16 ──► slot ──► view of its array
 */

export class SharedBlocks {
  readonly size: number;
  readonly #fill: (target: Uint8Array, offset: number) => void;
  readonly #shift: number;
  /** Reads of at least this many bytes go past the cache, so others touch two blocks at most. */
  readonly #direct: number;
  readonly #blocks: (Uint8Array | undefined)[];
  readonly #numbers: Float64Array;

  /**
   * @param size bytes there are; @param fill reads a range within them, throws when it cannot
   * @param shift log2 of the block size; @param slots blocks that are kept
   */
  constructor(size: number, fill: (target: Uint8Array, offset: number) => void, shift = 16, slots = 32) {
    this.size = size;
    this.#fill = fill;
    this.#shift = shift;
    this.#direct = 2 ** (shift - 1);
    this.#blocks = new Array<Uint8Array | undefined>(slots).fill(undefined);
    this.#numbers = new Float64Array(slots).fill(-1);
  }

  /** Bytes `offset … offset + length`, which must lie within `size`. The result is shared: not to be written to. */
  read(offset: number, length: number): Uint8Array {
    const number = Math.floor(offset / 2 ** this.#shift);
    const inside = offset - number * 2 ** this.#shift;
    if (length < this.#direct && inside + length <= 2 ** this.#shift) return this.#block(number).subarray(inside, inside + length);
    const bytes = new Uint8Array(length);
    if (length >= this.#direct) {
      this.#fill(bytes, offset);
      return bytes;
    }
    const first = this.#block(number).subarray(inside);
    bytes.set(first);
    bytes.set(this.#block(number + 1).subarray(0, length - first.length), first.length);
    return bytes;
  }

  #block(number: number): Uint8Array {
    const slot = number % this.#numbers.length;
    const known = this.#blocks[slot];
    if (known !== undefined && this.#numbers[slot] === number) return known;
    const start = number * 2 ** this.#shift;
    const block = new Uint8Array(Math.min(2 ** this.#shift, this.size - start));
    this.#fill(block, start);
    this.#blocks[slot] = block;
    this.#numbers[slot] = number;
    return block;
  }
}
