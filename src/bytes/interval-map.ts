/**
 * Ranges of numbers, each with a place in a file; where ranges overlap, the one added last wins. Built once, then searched.
 *
 *   added:    [a a a a a a)         [c c c)
 *                  [b b b b)
 *   searched: [a a)[b b b b)        [c c c)        sorted, not overlapping, in typed arrays
 *
 * Serves ELF program headers (100,000 of them), the records of a flattened stream (millions) and LiME ranges.
 */

/** Start, end (exclusive) and file position of the start of each range, sorted by start. */
export class IntervalMap {
  readonly count: number;
  readonly starts: Float64Array;
  readonly ends: Float64Array;
  /** Place of each range's first byte; a negative value (the same for the whole range) means that the range has no place. */
  readonly places: Float64Array;
  #last = 0;

  constructor(count: number, starts: Float64Array, ends: Float64Array, places: Float64Array) {
    this.count = count;
    this.starts = starts;
    this.ends = ends;
    this.places = places;
  }

  /** Index of the first range that ends above `value`: the one that holds it, or else the next one; `count` when there is none. */
  seek(value: number): number {
    // Neighbouring reads mostly stay in one range or step into the next.
    const last = this.#last;
    if (last < this.count && (this.starts[last] as number) <= value) {
      if (value < (this.ends[last] as number)) return last;
      if (last + 1 < this.count && value < (this.ends[last + 1] as number)) {
        this.#last = last + 1;
        return last + 1;
      }
    }
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.ends[middle] as number) <= value) low = middle + 1;
      else high = middle;
    }
    this.#last = low;
    return low;
  }
}

/** Collects ranges in growing typed arrays: 24 bytes a range, no objects. */
export class IntervalMapBuilder {
  #count = 0;
  #starts = new Float64Array(64);
  #ends = new Float64Array(64);
  #places = new Float64Array(64);

  get count(): number {
    return this.#count;
  }

  /** Adds [start, end); an empty range is ignored. Ranges added later hide earlier ones. */
  add(start: number, end: number, place: number): void {
    if (!(end > start)) return;
    if (this.#count === this.#starts.length) {
      this.#starts = grown(this.#starts);
      this.#ends = grown(this.#ends);
      this.#places = grown(this.#places);
    }
    this.#starts[this.#count] = start;
    this.#ends[this.#count] = end;
    this.#places[this.#count++] = place;
  }

  /** Sorts and resolves overlaps. The builder must not be used afterwards. */
  build(): IntervalMap {
    const count = this.#count;
    let ordered = true;
    for (let i = 1; i < count && ordered; i++) ordered = (this.#starts[i] as number) >= (this.#ends[i - 1] as number);
    if (ordered) {
      return new IntervalMap(count, this.#starts.subarray(0, count), this.#ends.subarray(0, count), this.#places.subarray(0, count));
    }
    return this.#sweep(startOrder(this.#starts, count));
  }

  /**
   * Walks over the starts in order, keeping the ranges that cover the current point in a heap whose top is the one added last.
   * Each range can be cut by the start or the end of another, hence at most 2 n pieces.
   */
  #sweep(order: Uint32Array): IntervalMap {
    const starts = this.#starts;
    const ends = this.#ends;
    const heap = new LatestFirst(order.length);
    const out = new IntervalMapBuilder();
    let next = 0;
    let at = 0;
    let previous = -1;
    while (next < order.length || heap.size > 0) {
      if (heap.size === 0) at = starts[order[next] as number] as number;
      while (next < order.length && (starts[order[next] as number] as number) <= at) heap.push(order[next++] as number);
      while (heap.size > 0 && (ends[heap.top] as number) <= at) heap.pop();
      if (heap.size === 0) continue;
      const top = heap.top;
      const stop = next < order.length ? Math.min(ends[top] as number, starts[order[next] as number] as number) : (ends[top] as number);
      if (previous === top && out.#ends[out.#count - 1] === at) {
        out.#ends[out.#count - 1] = stop;
      } else {
        const place = this.#places[top] as number;
        out.add(at, stop, place < 0 ? place : place + (at - (starts[top] as number)));
        previous = top;
      }
      at = stop;
    }
    return new IntervalMap(out.#count, out.#starts.slice(0, out.#count), out.#ends.slice(0, out.#count), out.#places.slice(0, out.#count));
  }
}

/** Binary heap of range numbers, the highest on top. */
class LatestFirst {
  size = 0;
  readonly #items: Uint32Array;

  constructor(capacity: number) {
    this.#items = new Uint32Array(capacity);
  }

  get top(): number {
    return this.#items[0] as number;
  }

  push(item: number): void {
    const items = this.#items;
    let at = this.size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((items[parent] as number) >= item) break;
      items[at] = items[parent] as number;
      at = parent;
    }
    items[at] = item;
  }

  pop(): void {
    const items = this.#items;
    const item = items[--this.size] as number;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.size) break;
      if (child + 1 < this.size && (items[child + 1] as number) > (items[child] as number)) child++;
      if ((items[child] as number) <= item) break;
      items[at] = items[child] as number;
      at = child;
    }
    items[at] = item;
  }
}

/** Numbers of the ranges in order of their starts; equal starts in order of addition. */
function startOrder(starts: Float64Array, count: number): Uint32Array {
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  return order.sort((a, b) => (starts[a] as number) - (starts[b] as number) || a - b);
}

function grown(array: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(array.length * 2);
  larger.set(array);
  return larger;
}
