/**
 * All FDEs of one section by address: where each begins, how far it reaches, where it stands. Only headers are read, in one pass of some
 * milliseconds over the section; the instructions are left for the row that is wanted.
 *
 *   starts   sorted signed doubles │ lengths │ offsets of the FDEs in the section
 */
import { InquestError } from "../../bytes/errors.ts";
import {
  type CommonEntry,
  entryHeader,
  type FrameSection,
  parseCommonEntry,
  readCommonEntry,
  readLength,
  readStart,
} from "./call-frame-entry.ts";
import { DW_EH_PE_absptr } from "./constants.ts";
import { DwarfReader } from "./dwarf-reader.ts";
import { signedAddress, signedAddressOf } from "./link-address.ts";
import { sortedOrder } from "./sorted-order.ts";

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
  /** The CIE met last, and its bytes. */
  #newest: { readonly bytes: Uint8Array; readonly cie: CommonEntry | null } | undefined;
  readonly #starts: Float64Array;
  readonly #lengths: Float64Array;
  readonly #offsets: Float64Array;

  constructor(section: FrameSection) {
    this.#section = section;
    this.#where = `${section.file}: ${section.data.name}`;
    const found = this.#scan();
    const order = sortedOrder(found.starts.subarray(0, found.count));
    this.#starts = new Float64Array(order.length);
    this.#lengths = new Float64Array(order.length);
    this.#offsets = new Float64Array(order.length);
    for (let to = 0; to < order.length; to++) {
      const from = order[to]!;
      this.#starts[to] = found.starts[from]!;
      this.#lengths[to] = found.lengths[from]!;
      this.#offsets[to] = found.offsets[from]!;
    }
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
    return tried(() => readCommonEntry(this.#section, offset));
  }

  /** Collects all FDEs. What comes behind a damaged length cannot be found, and is left out. */
  #scan(): Collected {
    const { data, kind } = this.#section;
    const found = new Collected(Math.min(MAX_ENTRIES, Math.ceil(data.size / 40)));
    let bytes: Uint8Array = new Uint8Array(0);
    let view = new DataView(bytes.buffer);
    let reader = new DwarfReader(bytes, this.#where);
    let base = 0;
    // The CIE seen last, when its FDEs are what compilers write by the 50,000: 32-bit DWARF with plain addresses.
    let plain = -1;
    for (let offset = 0, count = 0; offset + 4 <= data.size && count < MAX_ENTRIES; count++) {
      if (Math.min(offset + HEADER, data.size) > base + bytes.length) {
        bytes = data.read(offset, Math.min(WINDOW, data.size - offset));
        view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        reader = new DwarfReader(bytes, this.#where, offset);
        base = offset;
      }
      const at = offset - base;
      if (at + 24 <= bytes.length && view.getUint32(at + 4, true) === plain) {
        const length = view.getUint32(at, true);
        if (length >= 20 && length < 0xfffffff0) {
          const start = signedAddressOf(view.getInt32(at + 12, true), view.getUint32(at + 8, true));
          found.add(start, signedAddressOf(view.getInt32(at + 20, true), view.getUint32(at + 16, true)), offset);
          offset += 4 + length;
          continue;
        }
      }
      const header = tried(() => this.#visit(reader, base, offset, found));
      if (header === null || header.end > data.size) break;
      if (kind === "debug" && header.cie === undefined) {
        const cie = this.#common(offset);
        plain = cie?.encoding === DW_EH_PE_absptr && cie.addressSize === 8 ? offset : -1;
      }
      offset = header.end;
    }
    return found;
  }

  /** Any entry. @param reader over bytes of the section from `base` on */
  #visit(reader: DwarfReader, base: number, offset: number, found: Collected): { readonly end: number; readonly cie: number | undefined } {
    reader.position = offset - base;
    const header = entryHeader(reader, this.#section.kind, base);
    if (header === undefined) return { end: offset + 4, cie: undefined };
    if (header.cie === undefined) {
      // One for each object file, taken from what is read already; in a kernel they are all the same.
      const end = header.end - base;
      if (end > reader.end) return header;
      const from = header.body - base;
      if (this.#newest === undefined || !repeats(reader.bytes, from, end, this.#newest.bytes)) {
        this.#newest = { bytes: reader.bytes.slice(from, end), cie: tried(() => parseCommonEntry(reader, end)) };
      }
      this.#commons.set(offset, this.#newest.cie);
      return header;
    }
    const cie = this.#common(header.cie);
    if (cie !== undefined) {
      const start = readStart(reader, cie, signedAddress(this.#section.data.address) + header.body);
      found.add(start, readLength(reader, cie), offset);
    }
    return header;
  }
}

/** Entries as they are met. */
class Collected {
  starts: Float64Array;
  lengths: Float64Array;
  offsets: Float64Array;
  count = 0;

  /** @param expected number of entries */
  constructor(expected: number) {
    this.starts = new Float64Array(expected + 1);
    this.lengths = new Float64Array(expected + 1);
    this.offsets = new Float64Array(expected + 1);
  }

  /** Leaves out what covers nothing. Functions that the linker threw away are left at address 0. */
  add(start: number, length: number, offset: number): void {
    if (!(length > 0) || start === 0 || Number.isNaN(start)) return;
    const { count } = this;
    if (count === this.starts.length) {
      this.starts = doubled(this.starts);
      this.lengths = doubled(this.lengths);
      this.offsets = doubled(this.offsets);
    }
    this.starts[count] = start;
    this.lengths[count] = length;
    this.offsets[count] = offset;
    this.count = count + 1;
  }
}

/** Are the bytes from … end the same as these? */
function repeats(bytes: Uint8Array, from: number, end: number, known: Uint8Array): boolean {
  if (end - from !== known.length) return false;
  for (let i = 0; i < known.length; i++) if (bytes[from + i] !== known[i]) return false;
  return true;
}

function doubled(array: Float64Array): Float64Array {
  const larger = new Float64Array(array.length * 2);
  larger.set(array);
  return larger;
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
