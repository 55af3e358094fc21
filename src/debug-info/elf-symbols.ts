/**
 * The symbol table of an ELF file (.symtab with .strtab) as a SymbolTable. Specification: System V ABI, chapter 4, "Symbol Table".
 *
 *   │ name u32 │ info u8: bind:4 type:4 │ other u8 │ shndx u16 │ value u64 │ size u64 │
 *
 * Type letters are made up as `nm` does: by section and binding.
 */
import type { Elf, ElfSection } from "./elf.ts";
import { SortedSymbols } from "./sorted-symbols.ts";

const SYMBOL = 24;
const SHT_SYMTAB = 2;
const SHT_NOBITS = 8;
const SHF_WRITE = 1;
const SHF_ALLOC = 2;
const SHF_EXEC = 4;
const SHN_ABS = 0xfff1;
const SHN_LORESERVE = 0xff00;
const STT_SECTION = 3;
const STT_FILE = 4;
const STB_WEAK = 2;
const STB_GLOBAL = 1;

const utf8 = new TextDecoder("utf-8", { fatal: false });

/** Symbols of a vmlinux. */
export class ElfSymbols extends SortedSymbols {
  readonly #view: DataView;
  readonly #strings: Uint8Array;
  readonly #sections: readonly ElfSection[];
  /** Place of each symbol, in address order. */
  readonly #places: Uint32Array;
  #byName: Map<string, number[]> | undefined;

  private constructor(
    addresses: BigUint64Array,
    places: Uint32Array,
    view: DataView,
    strings: Uint8Array,
    sections: readonly ElfSection[],
  ) {
    super(addresses, undefined, undefined);
    this.#places = places;
    this.#view = view;
    this.#strings = strings;
    this.#sections = sections;
  }

  /** Opens the symbol table of a file; undefined when it has none. Throws FormatError. */
  static open(elf: Elf): ElfSymbols | undefined {
    const table = elf.sections.find((section) => section.type === SHT_SYMTAB);
    const names = table === undefined ? undefined : elf.sections[table.link];
    if (table === undefined || names === undefined || !elf.hasContent(table) || !elf.hasContent(names)) return undefined;
    const bytes = elf.read(table);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const kept: number[] = [];
    for (let at = 0; at + SYMBOL <= view.byteLength; at += SYMBOL) {
      const type = view.getUint8(at + 4) & 15;
      if (view.getUint32(at, true) !== 0 && view.getUint16(at + 6, true) !== 0 && type !== STT_SECTION && type !== STT_FILE) kept.push(at);
    }
    const values = BigUint64Array.from(kept, (at) => view.getBigUint64(at + 8, true));
    const order = Uint32Array.from(kept.keys()).sort((a, b) => {
      const x = values[a] as bigint;
      const y = values[b] as bigint;
      return x < y ? -1 : x > y ? 1 : a - b;
    });
    return new ElfSymbols(
      BigUint64Array.from(order, (i) => values[i] as bigint),
      Uint32Array.from(order, (i) => kept[i] as number),
      view,
      elf.read(names),
      elf.sections,
    );
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
    const letter = section === SHN_ABS ? "a" : section >= SHN_LORESERVE ? "?" : sectionLetter(this.#sections[section]);
    return bind === STB_GLOBAL ? letter.toUpperCase() : letter;
  }

  protected override sizeAt(index: number): number | undefined {
    const size = Number(this.#view.getBigUint64((this.#places[index] as number) + 16, true));
    return size > 0 ? size : undefined;
  }

  protected override *find(name: string): Iterable<number> {
    yield* this.#index().get(name) ?? [];
  }

  protected override *startingWith(prefix: string): Iterable<number> {
    for (const [name, indexes] of this.#index()) if (name.startsWith(prefix)) yield* indexes;
  }

  #index(): Map<string, number[]> {
    if (this.#byName === undefined) {
      this.#byName = new Map();
      for (let index = 0; index < this.count; index++) {
        const name = this.nameAt(index);
        const same = this.#byName.get(name);
        if (same === undefined) this.#byName.set(name, [index]);
        else same.push(index);
      }
    }
    return this.#byName;
  }
}

function sectionLetter(section: ElfSection | undefined): string {
  if (section === undefined) return "?";
  if ((section.flags & SHF_EXEC) !== 0) return "t";
  if ((section.flags & SHF_ALLOC) === 0) return "n";
  if ((section.flags & SHF_WRITE) === 0) return "r";
  return section.type === SHT_NOBITS ? "b" : "d";
}
