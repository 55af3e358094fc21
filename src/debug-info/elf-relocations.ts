/**
 * Relocations of a relocatable file's debug sections (ET_REL: a module's .ko), applied to the bytes of a range when they are read.
 * Specifications: System V ABI (gABI), chapter 4, "Relocation"; x86-64 psABI 4.4; AArch64 ELF ABI (aaelf64) 5.7.
 *
 *   .rela.debug_info   │ offset u64 │ type u32, symbol u32 │ addend i64 │ …      value = S + A, or S + A - P
 *
 * S is a symbol's place: its section's address in the dump plus its value. A large module has a million relocations: they stay in the
 * bytes they came in, and sums are made of two 32-bit halves.
 */
import { FormatError, UnsupportedError } from "../bytes/errors.ts";
import { type Elf, type ElfSection, EM_AARCH64, EM_X86_64 } from "./elf.ts";

const SHT_SYMTAB = 2;
const SHT_RELA = 4;
const SHT_REL = 9;
const SHT_SYMTAB_SHNDX = 18;
const SHN_LORESERVE = 0xff00;
const SHN_XINDEX = 0xffff;
const SHN_ABS = 0xfff1;

const RELA = 24;
const SYMBOL = 24;
const TWO_32 = 0x1_0000_0000;
/** The widest field, less one: a relocation may begin this far before a range and reach into it. */
const REACH = 7;

/** How a type is applied: bytes of its field; negative when relative to the place; 0 for none. */
const KINDS: ReadonlyMap<number, ReadonlyMap<number, number>> = new Map([
  [
    EM_X86_64,
    new Map([
      [0, 0], // NONE
      [1, 8], // 64
      [2, -4], // PC32
      [4, -4], // PLT32
      [10, 4], // 32
      [11, 4], // 32S
      [24, -8], // PC64
    ]),
  ],
  [
    EM_AARCH64,
    new Map([
      [0, 0], // NONE
      [256, 0], // NONE, as once numbered
      [257, 8], // ABS64
      [258, 4], // ABS32
      [259, 2], // ABS16
      [260, -8], // PREL64
      [261, -4], // PREL32
      [262, -2], // PREL16
    ]),
  ],
]);

/** Values of a symbol table, as halves. */
interface SymbolValues {
  readonly low: Uint32Array;
  readonly high: Uint32Array;
}

/** Relocates the sections of one file. */
export class ElfRelocations {
  readonly #elf: Elf;
  readonly #addresses: ReadonlyMap<string, bigint>;
  readonly #symbols = new Map<number, SymbolValues>();

  /** @param addresses where sections lay in memory, by name; those that are not listed (all debug sections) count as 0 */
  constructor(elf: Elf, addresses: ReadonlyMap<string, bigint>) {
    this.#elf = elf;
    this.#addresses = addresses;
  }

  /** What relocates a section's bytes; undefined when it has no relocations. Throws FormatError, UnsupportedError. */
  of(section: ElfSection): SectionRelocations | undefined {
    const { sections, source } = this.#elf;
    const index = sections.indexOf(section);
    const table = sections.find(({ type, info }) => (type === SHT_RELA || type === SHT_REL) && info === index);
    if (table === undefined || !this.#elf.hasContent(table)) return undefined;
    if (table.type === SHT_REL) throw new UnsupportedError(`${source.name}: ${table.name} has relocations without addends`);
    const kinds = KINDS.get(this.#elf.machine);
    if (kinds === undefined) throw new UnsupportedError(`${source.name}: relocations of machine ${this.#elf.machine}`);
    const values = this.#values(table.link);
    const address = this.#addresses.get(section.name) ?? 0n;
    return new SectionRelocations(source.name, section.name, this.#elf.contentSize(section), this.#elf.read(table), values, kinds, address);
  }

  /** S of each symbol of the table in that section. */
  #values(tableIndex: number): SymbolValues {
    const known = this.#symbols.get(tableIndex);
    if (known !== undefined) return known;
    const { sections, source } = this.#elf;
    const table = sections[tableIndex];
    if (table === undefined || table.type !== SHT_SYMTAB || !this.#elf.hasContent(table))
      throw new FormatError(source.name, `the relocations' symbol table (section ${tableIndex}) is missing`);
    const view = viewOf(this.#elf.read(table));
    const extended = sections.find(({ type, link }) => type === SHT_SYMTAB_SHNDX && link === tableIndex);
    const indexes = extended === undefined || !this.#elf.hasContent(extended) ? undefined : viewOf(this.#elf.read(extended));
    const bases = BigUint64Array.from(sections, ({ name }) => this.#addresses.get(name) ?? 0n);
    const count = Math.floor(view.byteLength / SYMBOL);
    const values = { low: new Uint32Array(count), high: new Uint32Array(count) };
    const split = new BigUint64Array(1);
    const halves = new Uint32Array(split.buffer);
    for (let i = 0; i < count; i++) {
      const at = i * SYMBOL;
      const index = view.getUint16(at + 6, true);
      const far = index === SHN_XINDEX && indexes !== undefined && 4 * i + 4 <= indexes.byteLength;
      // Symbols that are common or defined elsewhere (index 0) count as 0, as for every reader of a file that was not linked.
      if (index >= SHN_LORESERVE && index !== SHN_ABS && !far) continue;
      const base = far ? bases[indexes.getUint32(4 * i, true)] : index === SHN_ABS ? 0n : bases[index];
      split[0] = view.getBigUint64(at + 8, true) + (base ?? 0n);
      values.low[i] = halves[0] as number;
      values.high[i] = halves[1] as number;
    }
    this.#symbols.set(tableIndex, values);
    return values;
  }
}

/** The relocations of one section. */
export class SectionRelocations {
  readonly #file: string;
  readonly #section: string;
  /** Bytes of the section's content. */
  readonly #size: number;
  readonly #entries: DataView;
  readonly #count: number;
  readonly #symbols: SymbolValues;
  readonly #kinds: ReadonlyMap<number, number>;
  readonly #addressLow: number;
  readonly #addressHigh: number;
  /** Entries by ascending offset; undefined when they are in that order already, as linkers write them. */
  readonly #order: Uint32Array | undefined;

  constructor(
    file: string,
    section: string,
    size: number,
    entries: Uint8Array,
    symbols: SymbolValues,
    kinds: ReadonlyMap<number, number>,
    address: bigint,
  ) {
    this.#file = file;
    this.#section = section;
    this.#size = size;
    this.#entries = viewOf(entries);
    this.#count = Math.floor(entries.length / RELA);
    this.#symbols = symbols;
    this.#kinds = kinds;
    this.#addressLow = Number(address & 0xffffffffn);
    this.#addressHigh = Number((address >> 32n) & 0xffffffffn);
    this.#order = this.#sorted();
  }

  /** Relocates the bytes that lie at `offset` in the section. Throws FormatError for a relocation that is not known or does not fit. */
  apply(bytes: Uint8Array, offset: number): void {
    const target = viewOf(bytes);
    const end = offset + bytes.length;
    for (let i = this.#firstAt(offset - REACH); i < this.#count; i++) {
      const entry = (this.#order === undefined ? i : (this.#order[i] as number)) * RELA;
      const place = this.#place(entry);
      if (place >= end) return;
      const kind = this.#kinds.get(this.#entries.getUint32(entry + 8, true));
      if (kind === undefined) throw this.#bad(entry, place, "is not known");
      if (kind !== 0) this.#relocate(target, entry, place, offset, kind);
    }
  }

  #relocate(target: DataView, entry: number, place: number, offset: number, kind: number): void {
    const symbol = this.#entries.getUint32(entry + 12, true);
    if (symbol >= this.#symbols.low.length) throw this.#bad(entry, place, `names symbol ${symbol}, which does not exist`);
    let low = (this.#symbols.low[symbol] as number) + this.#entries.getUint32(entry + 16, true);
    let high = (this.#symbols.high[symbol] as number) + this.#entries.getUint32(entry + 20, true) + (low >= TWO_32 ? 1 : 0);
    const width = Math.abs(kind);
    if (place + width > this.#size) throw this.#bad(entry, place, "reaches beyond the section");
    if (kind < 0) {
      const at = this.#addressLow + place;
      const difference = (low >>> 0) - (at >>> 0);
      high = high - this.#addressHigh - Math.floor(at / TWO_32) - (difference < 0 ? 1 : 0);
      low = difference;
    }
    low >>>= 0;
    const at = place - offset;
    if (at >= 0 && at + width <= target.byteLength) {
      if (width === 2) target.setUint16(at, low & 0xffff, true);
      else target.setUint32(at, low, true);
      if (width === 8) target.setUint32(at + 4, high >>> 0, true);
      return;
    }
    // The field lies across the edge of the range: those of its bytes that are within.
    for (let i = 0; i < width; i++) {
      if (at + i >= 0 && at + i < target.byteLength) target.setUint8(at + i, ((i < 4 ? low : high >>> 0) >>> (8 * (i & 3))) & 0xff);
    }
  }

  /** Index of the first relocation at or behind an offset. */
  #firstAt(offset: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#place((this.#order === undefined ? middle : (this.#order[middle] as number)) * RELA) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #place(entry: number): number {
    return this.#entries.getUint32(entry, true) + this.#entries.getUint32(entry + 4, true) * TWO_32;
  }

  #sorted(): Uint32Array | undefined {
    let last = -1;
    let ascending = true;
    for (let i = 0; i < this.#count && ascending; i++) {
      const place = this.#place(i * RELA);
      ascending = place >= last;
      last = place;
    }
    if (ascending) return undefined;
    const places = Float64Array.from({ length: this.#count }, (_, i) => this.#place(i * RELA));
    return Uint32Array.from(places.keys()).sort((a, b) => (places[a] as number) - (places[b] as number) || a - b);
  }

  #bad(entry: number, place: number, what: string): FormatError {
    const type = this.#entries.getUint32(entry + 8, true);
    return new FormatError(this.#file, `relocation of type ${type} at ${this.#section}+0x${place.toString(16)} ${what}`);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
