/**
 * All FDEs of one section by address: where each begins, how far it reaches, where it stands. Only headers are read, in one pass of some
 * milliseconds over the section; the instructions are left for the row that is wanted.
 *
 *   starts   sorted signed doubles │ lengths │ offsets of the FDEs in the section
 */
import { InquestError } from "../../bytes/errors.ts";
import { type CommonEntry, entryHeader, type FrameSection, readCommonEntry, readLength, readStart } from "./call-frame-entry.ts";
import { DwarfReader } from "./dwarf-reader.ts";
import { signedAddress } from "./link-address.ts";

/** An FDE, as far as a look-up needs it. */
export interface FoundEntry {
  readonly start: number;
  readonly length: number;
  /** Its instructions. */
  readonly instructions: Uint8Array;
  readonly cie: CommonEntry;
}

/** A section is read in pieces of this size; larger than any header. */
const WINDOW = 1 << 18;
const HEADER = 64;
/** Kernels have below 100,000 functions; an FDE has 16 bytes at least. */
const MAX_ENTRIES = 1 << 22;
const MAX_INSTRUCTIONS = 1 << 20;

export class CallFrameTable {
  readonly #section: FrameSection;
  readonly #where: string;
  readonly #commons = new Map<number, CommonEntry | null>();
  readonly #starts: Float64Array;
  readonly #lengths: Float64Array;
  readonly #offsets: Float64Array;

  constructor(section: FrameSection) {
    this.#section = section;
    this.#where = `${section.file}: ${section.data.name}`;
    const starts: number[] = [];
    const lengths: number[] = [];
    const offsets: number[] = [];
    this.#scan((start, length, offset) => {
      starts.push(start);
      lengths.push(length);
      offsets.push(offset);
    });
    const order = sortedOrder(starts);
    this.#starts = Float64Array.from(order, (i) => starts[i]!);
    this.#lengths = Float64Array.from(order, (i) => lengths[i]!);
    this.#offsets = Float64Array.from(order, (i) => offsets[i]!);
  }

  /** Number of FDEs. */
  get size(): number {
    return this.#starts.length;
  }

  /** The FDE that covers a link-time address. Throws FormatError when it is damaged. */
  find(address: bigint): FoundEntry | undefined {
    const wanted = signedAddress(address);
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#starts[middle]! <= wanted) low = middle + 1;
      else high = middle;
    }
    const index = low - 1;
    const start = this.#starts[index];
    const length = this.#lengths[index];
    if (start === undefined || length === undefined || !(wanted < start + length)) return undefined;
    return this.#entry(this.#offsets[index]!, start, length);
  }

  #entry(offset: number, start: number, length: number): FoundEntry | undefined {
    const { data, kind } = this.#section;
    const head = new DwarfReader(data.read(offset, Math.min(24, data.size - offset)), this.#where, offset);
    const header = entryHeader(head, kind, offset);
    const cie = header?.cie === undefined ? undefined : this.#common(header.cie);
    if (header === undefined || cie === undefined) return undefined;
    const size = Math.min(header.end, data.size) - header.body;
    if (size > MAX_INSTRUCTIONS) head.fail(`an FDE of ${size} bytes`);
    const reader = new DwarfReader(data.read(header.body, size), this.#where, header.body);
    readStart(reader, cie, 0);
    readLength(reader, cie);
    if (cie.sized) reader.skip(reader.uleb());
    return { start, length, instructions: reader.take(reader.end - reader.position), cie };
  }

  /** A CIE by its offset; undefined when it cannot be understood. */
  #common(offset: number): CommonEntry | undefined {
    let found = this.#commons.get(offset);
    if (found === undefined) {
      found = this.#readCommon(offset);
      this.#commons.set(offset, found);
    }
    return found ?? undefined;
  }

  #readCommon(offset: number): CommonEntry | null {
    if (!(offset >= 0 && offset < this.#section.data.size)) return null;
    try {
      return readCommonEntry(this.#section, offset);
    } catch (error) {
      if (error instanceof InquestError) return null;
      throw error;
    }
  }

  /** Visits all FDEs. What comes behind a damaged length cannot be found, and is left out. */
  #scan(visit: (start: number, length: number, offset: number) => void): void {
    const { data, kind } = this.#section;
    const base = signedAddress(data.address);
    let window = new DwarfReader(new Uint8Array(0), this.#where);
    let windowStart = 0;
    let count = 0;
    for (let offset = 0; offset + 4 <= data.size && count < MAX_ENTRIES; ) {
      const room = Math.min(HEADER, data.size - offset);
      if (offset + room > windowStart + window.end) {
        window = new DwarfReader(data.read(offset, Math.min(WINDOW, data.size - offset)), this.#where, offset);
        windowStart = offset;
      }
      window.position = offset - windowStart;
      const header = tried(() => entryHeader(window, kind, windowStart));
      if (header === null) return;
      if (header === undefined) {
        offset += 4;
        continue;
      }
      if (header.cie !== undefined) {
        const cie = this.#common(header.cie);
        if (cie !== undefined) {
          const start = readStart(window, cie, base + header.body);
          const length = readLength(window, cie);
          // Functions that the linker threw away are left at address 0.
          if (length > 0 && start !== 0 && Number.isSafeInteger(start)) visit(start, length, offset);
          count++;
        }
      }
      if (header.end <= offset || header.end > data.size) return;
      offset = header.end;
    }
  }
}

/** null for what is damaged. */
function tried<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof InquestError) return null;
    throw error;
  }
}

/**
 * Indexes in ascending order of their keys. A comparison function costs 20 ms for a kernel; where keys and indexes fit one double
 * together (a kernel's text is below 2^30 long), the engine sorts plain numbers.
 */
function sortedOrder(keys: readonly number[]): Float64Array | number[] {
  const { length } = keys;
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  let ascending = true;
  for (let i = 0; i < length; i++) {
    const key = keys[i]!;
    if (key < least) least = key;
    if (key < most) ascending = false;
    else most = key;
  }
  if (ascending) return Array.from({ length }, (_, i) => i);
  if ((most - least + 1) * length > Number.MAX_SAFE_INTEGER) {
    return Array.from({ length }, (_, i) => i).sort((a, b) => keys[a]! - keys[b]! || a - b);
  }
  const combined = Float64Array.from(keys, (key, i) => (key - least) * length + i).sort();
  return combined.map((value) => value % length);
}
