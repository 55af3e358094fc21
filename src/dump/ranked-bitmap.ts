/**
 * A bitmap in a file, one bit a page (bit n of byte m is page 8 m + n), with rank: how many bits are set before a page. KDUMP keeps
 * page descriptors only for dumped pages, so the rank of a page is the number of its descriptor.
 *
 *   file:    |........ 64 KiB chunk ........|........ chunk ........|   524,288 pages each; the last used 64 stay in memory
 *   ranks:   ^ total before the chunk (all chunks, counted once, when a rank is first asked for)
 *            | ^ count before each 64-byte group within the chunk  |   (of the chunks in memory)
 *
 * Memory stays below 5 MiB whatever the size of the machine; bytes before the end of the bitmap that the file does not have
 * are reported as unknown.
 */
import type { ByteSource } from "../bytes/byte-source.ts";

const CHUNK = 1 << 16;
const GROUP = 64;
const SLOTS = 64;
const PAGES_PER_CHUNK = CHUNK * 8;

const POPCOUNT = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let bits = byte; bits !== 0; bits >>= 1) count += bits & 1;
  return count;
});

export class RankedBitmap {
  /** Bits that the file really holds. */
  readonly bits: number;
  readonly #source: ByteSource;
  readonly #offset: number;
  readonly #bytes: number;
  readonly #chunks: number;
  readonly #slots: number;
  readonly #slab: Uint8Array;
  readonly #words: Uint32Array;
  readonly #groups: Uint32Array;
  readonly #tags: Int32Array;
  #before: Float64Array | undefined;

  /** @param bytes length that the header gives the bitmap; what lies beyond the end of the file is cut off */
  constructor(source: ByteSource, offset: number, bytes: number) {
    this.#source = source;
    this.#offset = offset;
    this.#bytes = Math.max(0, Math.min(bytes, source.size - offset));
    this.bits = this.#bytes * 8;
    this.#chunks = Math.ceil(this.#bytes / CHUNK);
    this.#slots = Math.min(SLOTS, this.#chunks);
    const buffer = new ArrayBuffer(this.#slots * CHUNK);
    this.#slab = new Uint8Array(buffer);
    this.#words = new Uint32Array(buffer);
    this.#groups = new Uint32Array(this.#slots * (CHUNK / GROUP));
    this.#tags = new Int32Array(this.#slots).fill(-1);
  }

  /** Whether the bit is set; false outside of the bitmap. */
  has(pfn: number): boolean {
    if (!(pfn < this.bits)) return false;
    const chunk = Math.floor(pfn / PAGES_PER_CHUNK);
    const bit = pfn - chunk * PAGES_PER_CHUNK;
    return (((this.#slab[this.#load(chunk) * CHUNK + (bit >> 3)] as number) >> (bit & 7)) & 1) === 1;
  }

  /** Number of set bits below `pfn`. */
  rank(pfn: number): number {
    this.#before ??= this.#countAll();
    if (pfn >= this.bits) return this.#before[this.#chunks] as number;
    const chunk = Math.floor(pfn / PAGES_PER_CHUNK);
    const bit = pfn - chunk * PAGES_PER_CHUNK;
    const slot = this.#load(chunk);
    const group = Math.floor(bit / (GROUP * 8));
    let count = (this.#before[chunk] as number) + (this.#groups[slot * (CHUNK / GROUP) + group] as number);
    const base = slot * CHUNK;
    const last = bit >> 3;
    for (let byte = group * GROUP; byte < last; byte++) count += POPCOUNT[this.#slab[base + byte] as number] as number;
    return count + (POPCOUNT[(this.#slab[base + last] as number) & ((1 << (bit & 7)) - 1)] as number);
  }

  /** Calls `visit` with each run [start, end) of set bits below `limit`, in order, until it answers false. */
  forEachRun(limit: number, visit: (start: number, end: number) => boolean): void {
    const stop = Math.min(limit, this.bits);
    let start = -1;
    for (let chunk = 0; chunk < this.#chunks; chunk++) {
      const base = this.#load(chunk) * CHUNK;
      const first = chunk * PAGES_PER_CHUNK;
      for (let byte = 0; byte < CHUNK; byte++) {
        const value = this.#slab[base + byte] as number;
        // Whole bytes that change nothing are the common case by far.
        if (value === (start < 0 ? 0 : 0xff)) continue;
        for (let bit = 0; bit < 8; bit++) {
          const pfn = first + byte * 8 + bit;
          if (pfn >= stop) break;
          if (((value >> bit) & 1) === 1) {
            if (start < 0) start = pfn;
          } else if (start >= 0) {
            if (!visit(start, pfn)) return;
            start = -1;
          }
        }
      }
    }
    if (start >= 0) visit(start, stop);
  }

  /** Slot that holds the chunk, after reading it if need be. */
  #load(chunk: number): number {
    const slot = chunk % this.#slots;
    if (this.#tags[slot] === chunk) return slot;
    this.#tags[slot] = -1;
    const base = slot * CHUNK;
    const target = this.#slab.subarray(base, base + CHUNK);
    const length = Math.min(CHUNK, this.#bytes - chunk * CHUNK);
    const count = this.#source.readInto(target.subarray(0, length), this.#offset + chunk * CHUNK);
    target.fill(0, count);
    let total = 0;
    const words = this.#words;
    for (let group = 0; group < CHUNK / GROUP; group++) {
      this.#groups[slot * (CHUNK / GROUP) + group] = total;
      const from = (base + group * GROUP) >> 2;
      for (let word = from; word < from + GROUP / 4; word++) total += popcount32(words[word] as number);
    }
    this.#tags[slot] = chunk;
    return slot;
  }

  /** Set bits before each chunk, and in all. */
  #countAll(): Float64Array {
    const before = new Float64Array(this.#chunks + 1);
    let total = 0;
    const perChunk = CHUNK / GROUP;
    for (let chunk = 0; chunk < this.#chunks; chunk++) {
      before[chunk] = total;
      const slot = this.#load(chunk);
      const lastGroup = (slot * CHUNK + CHUNK - GROUP) >> 2;
      total += this.#groups[slot * perChunk + perChunk - 1] as number;
      for (let word = lastGroup; word < lastGroup + GROUP / 4; word++) total += popcount32(this.#words[word] as number);
    }
    before[this.#chunks] = total;
    return before;
  }
}

function popcount32(value: number): number {
  let bits = value - ((value >>> 1) & 0x5555_5555);
  bits = (bits & 0x3333_3333) + ((bits >>> 2) & 0x3333_3333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}
