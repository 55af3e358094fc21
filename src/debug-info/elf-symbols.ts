/**
 * The symbol table of an ELF file (.symtab with .strtab) as a SymbolTable. Specification: System V ABI, chapter 4, "Symbol Table".
 *
 *   │ name u32 │ info u8: bind:4 type:4 │ other u8 │ shndx u16 │ value u64 │ size u64 │
 *
 * Type letters are made up as `nm` does: by section and binding. Absolute symbols are no addresses (constants of assembly sources, the
 * __crc_ of exports) and are left out, as kallsyms leaves them out.
 */
import { FormatError } from "../bytes/errors.ts";
import type { Elf, ElfSection } from "./elf.ts";
import { SortedSymbols } from "./sorted-symbols.ts";

const SYMBOL = 24;
const SHT_SYMTAB = 2;
const SHT_NOBITS = 8;
const SHF_WRITE = 1;
const SHF_ALLOC = 2;
const SHF_EXEC = 4;
const SHN_UNDEF = 0;
const SHN_ABS = 0xfff1;
const SHN_LORESERVE = 0xff00;
const STT_SECTION = 3;
const STT_FILE = 4;
const STB_WEAK = 2;
const STB_GLOBAL = 1;

const utf8 = new TextDecoder("utf-8", { fatal: false });
const encoder = new TextEncoder();

/** Symbols of a vmlinux. */
export class ElfSymbols extends SortedSymbols {
  readonly #view: DataView;
  readonly #strings: Uint8Array;
  readonly #sections: readonly ElfSection[];
  /** Place of each symbol, in address order. */
  readonly #places: Uint32Array;
  #names: NameHash | undefined;

  private constructor(
    addresses: BigUint64Array,
    places: Uint32Array,
    view: DataView,
    strings: Uint8Array,
    sections: readonly ElfSection[],
    module: string | undefined,
  ) {
    super(addresses, module, undefined);
    this.#places = places;
    this.#view = view;
    this.#strings = strings;
    this.#sections = sections;
  }

  /**
   * Opens the symbol table of a file; undefined when it has none. Throws FormatError.
   * @param relocated for a module's file: its name, and where its sections lie; symbols of other sections are left out
   */
  static open(elf: Elf, relocated?: { readonly module: string; readonly addresses: ReadonlyMap<string, bigint> }): ElfSymbols | undefined {
    const table = elf.sections.find((section) => section.type === SHT_SYMTAB);
    const names = table === undefined ? undefined : elf.sections[table.link];
    if (table === undefined || names === undefined || !elf.hasContent(table) || !elf.hasContent(names)) return undefined;
    if (elf.contentSize(table) / SYMBOL > MAX_SYMBOLS) throw new FormatError(elf.source.name, `more than ${MAX_SYMBOLS} symbols`);
    const bytes = elf.read(table);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const places = new Uint32Array(Math.floor(bytes.length / SYMBOL));
    const low = new Uint32Array(places.length);
    const high = new Uint32Array(places.length);
    let count = 0;
    for (let at = 0; at + SYMBOL <= view.byteLength; at += SYMBOL) {
      const type = view.getUint8(at + 4) & 15;
      const section = view.getUint16(at + 6, true);
      if (view.getUint32(at, true) === 0 || section === SHN_UNDEF || section === SHN_ABS) continue;
      if (type === STT_SECTION || type === STT_FILE) continue;
      const start = relocated === undefined ? 0n : relocated.addresses.get(elf.sections[section]?.name ?? "");
      if (start === undefined) continue;
      const address = view.getBigUint64(at + 8, true) + start;
      places[count] = at;
      low[count] = Number(address & 0xffff_ffffn);
      high[count] = Number((address >> 32n) & 0xffff_ffffn);
      count++;
    }
    const order = sortedOrder(low.subarray(0, count), high.subarray(0, count));
    const addresses = new BigUint64Array(count);
    const halves = new Uint32Array(addresses.buffer);
    const sorted = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      const from = order[i] as number;
      halves[2 * i] = low[from] as number;
      halves[2 * i + 1] = high[from] as number;
      sorted[i] = places[from] as number;
    }
    return new ElfSymbols(addresses, sorted, view, elf.read(names), elf.sections, relocated?.module);
  }

  protected override nameAt(index: number): string {
    const start = this.#view.getUint32(this.#places[index] as number, true);
    if (start >= this.#strings.length) return "";
    const end = this.#strings.indexOf(0, start);
    return utf8.decode(this.#strings.subarray(start, end < 0 ? this.#strings.length : end));
  }

  protected override typeAt(index: number): string {
    const at = this.#places[index] as number;
    const bind = this.#view.getUint8(at + 4) >>> 4;
    const section = this.#view.getUint16(at + 6, true);
    if (bind === STB_WEAK) return (this.#view.getUint8(at + 4) & 15) === 1 ? "V" : "W";
    const letter = section >= SHN_LORESERVE ? "?" : sectionLetter(this.#sections[section]);
    return bind === STB_GLOBAL ? letter.toUpperCase() : letter;
  }

  protected override sizeAt(index: number): number | undefined {
    const size = Number(this.#view.getBigUint64((this.#places[index] as number) + 16, true));
    return size > 0 ? size : undefined;
  }

  protected override *find(name: string): Iterable<number> {
    const wanted = encoder.encode(name);
    this.#names ??= new NameHash(this.count, (index) => this.#nameStart(index), this.#strings);
    for (const index of this.#names.candidates(wanted)) {
      const start = this.#nameStart(index);
      if (this.#startsWith(start, wanted) && (this.#strings[start + wanted.length] ?? 0) === 0) yield index;
    }
  }

  protected override *startingWith(prefix: string): Iterable<number> {
    const wanted = encoder.encode(prefix);
    for (let index = 0; index < this.count; index++) if (this.#startsWith(this.#nameStart(index), wanted)) yield index;
  }

  #nameStart(index: number): number {
    return this.#view.getUint32(this.#places[index] as number, true);
  }

  #startsWith(start: number, wanted: Uint8Array): boolean {
    for (let i = 0; i < wanted.length; i++) if (this.#strings[start + i] !== wanted[i]) return false;
    return true;
  }
}

/**
 * Names by hash, in two typed arrays: a chain of symbols for each bucket, in ascending order. For 190,000 symbols it is made in some
 * milliseconds, where a Map of decoded names takes a hundred.
 */
class NameHash {
  readonly #heads: Int32Array;
  readonly #next: Int32Array;
  readonly #mask: number;

  constructor(count: number, start: (index: number) => number, strings: Uint8Array) {
    this.#mask = 2 ** Math.ceil(Math.log2(Math.max(16, count))) - 1;
    this.#heads = new Int32Array(this.#mask + 1).fill(-1);
    this.#next = new Int32Array(count);
    for (let index = count - 1; index >= 0; index--) {
      let hash = 0;
      for (let at = start(index), end = at + MAX_HASHED; at < end; at++) {
        const byte = strings[at];
        if (byte === undefined || byte === 0) break;
        hash = (Math.imul(hash, 31) + byte) | 0;
      }
      const bucket = mix(hash) & this.#mask;
      this.#next[index] = this.#heads[bucket] as number;
      this.#heads[bucket] = index;
    }
  }

  /** Symbols that may have this name, ascending. */
  *candidates(name: Uint8Array): Iterable<number> {
    let hash = 0;
    for (let i = 0; i < name.length && i < MAX_HASHED; i++) hash = (Math.imul(hash, 31) + (name[i] as number)) | 0;
    for (let index = this.#heads[mix(hash) & this.#mask] as number; index >= 0; index = this.#next[index] as number) yield index;
  }
}

/** Bytes of a name that its hash is made of: a damaged table may have no end of names. */
const MAX_HASHED = 512;

function mix(hash: number): number {
  return (hash ^ (hash >>> 15)) >>> 0;
}

/** Symbols that an index of 21 bits can number: ten times as many as a kernel has. */
const MAX_SYMBOLS = 1 << 21;

/**
 * Indexes in ascending order of high:low, equal ones as they stand. The high halves of a kernel's symbols are few, and a low half with the
 * index behind it is exact in a double, which sorts natively: 190,000 symbols take some 10 ms, a tenth of what a comparing function takes.
 */
function sortedOrder(low: Uint32Array, high: Uint32Array): Uint32Array {
  // A group is a high half; most symbols have that of the one before them.
  const groups = new Map<number, number>();
  const counts: number[] = [];
  const groupOf = new Uint32Array(low.length);
  let last = -1;
  let group = 0;
  for (let i = 0; i < low.length; i++) {
    const value = high[i] as number;
    if (value !== last) {
      group = groups.get(value) ?? groups.size;
      if (group === groups.size) {
        groups.set(value, group);
        counts.push(0);
      }
      last = value;
    }
    groupOf[i] = group;
    counts[group] = (counts[group] as number) + 1;
  }
  const ends: number[] = [];
  let sum = 0;
  for (const [, each] of [...groups].sort(([a], [b]) => a - b)) {
    ends[each] = sum;
    sum += counts[each] as number;
  }
  const keys = new Float64Array(low.length);
  for (let i = 0; i < low.length; i++) {
    const each = groupOf[i] as number;
    const at = ends[each] as number;
    keys[at] = (low[i] as number) * MAX_SYMBOLS + i;
    ends[each] = at + 1;
  }
  for (const [each, end] of ends.entries()) keys.subarray(end - (counts[each] as number), end).sort();
  const order = new Uint32Array(low.length);
  for (let i = 0; i < order.length; i++) order[i] = (keys[i] as number) % MAX_SYMBOLS;
  return order;
}

function sectionLetter(section: ElfSection | undefined): string {
  if (section === undefined) return "?";
  if ((section.flags & SHF_EXEC) !== 0) return "t";
  if ((section.flags & SHF_ALLOC) === 0) return "n";
  if ((section.flags & SHF_WRITE) === 0) return "r";
  return section.type === SHT_NOBITS ? "b" : "d";
}
