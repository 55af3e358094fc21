/** Ranges of addresses with what they are: sorted typed arrays and a binary search, so a look-up costs the same for ten and for 100,000. */

export interface AddressRange<T> {
  readonly start: bigint;
  /** Exclusive. */
  readonly end: bigint;
  readonly value: T;
}

/** Ranges that may lie in front of the one that holds an address and begin behind its start. */
const DEPTH = 8;

export class AddressTable<T> {
  readonly #starts: BigUint64Array;
  readonly #ranges: readonly AddressRange<T>[];
  #last = 0;

  /** Empty ranges are left out; of two that overlap, the one that begins later is found in the overlap. */
  constructor(ranges: Iterable<AddressRange<T>>) {
    const sorted = [...ranges].filter(({ start, end }) => end > start).sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
    this.#ranges = sorted;
    this.#starts = BigUint64Array.from(sorted, ({ start }) => start);
  }

  get size(): number {
    return this.#ranges.length;
  }

  /** The range that holds the address; undefined when none does. */
  find(address: bigint): AddressRange<T> | undefined {
    const last = this.#ranges[this.#last];
    // Words that lie together often lead to one place.
    if (last !== undefined && address >= last.start && address < last.end && !this.#startsWithin(last.start, address)) return last;
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] as bigint) <= address) low = middle + 1;
      else high = middle;
    }
    // Behind the end of a range that lies in another one it is the other.
    for (let index = low - 1; index >= 0 && index >= low - DEPTH; index--) {
      const found = this.#ranges[index];
      if (found === undefined || address >= found.end) continue;
      this.#last = index;
      return found;
    }
    return undefined;
  }

  /** True when the next range begins between the two: then it may be the better answer. */
  #startsWithin(start: bigint, address: bigint): boolean {
    const next = this.#starts[this.#last + 1];
    return next !== undefined && next > start && next <= address;
  }
}
