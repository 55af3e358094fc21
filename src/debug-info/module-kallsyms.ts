/**
 * The symbol table of one loaded module. Sources: struct mod_kallsyms in include/linux/module.h, kernel/module/kallsyms.c.
 *
 *   symtab    Elf64_Sym[num_symtab]   │ name u32 │ info u8 │ other u8 │ shndx u16 │ value u64 │ size u64 │    values are addresses
 *   strtab    names; offset 0 is empty
 *   typetab   one letter for each symbol (5.2 on)
 *
 * Without typetab the letter overwrites another field: st_info up to 4.20, st_size in 5.0 and 5.1 (5439c985c5a8), where sizes are lost.
 */
import type { VirtualAddress } from "../bytes/address.ts";
import { FormatError } from "../bytes/errors.ts";
import { type MemoryReader, readSparse } from "./memory-reader.ts";
import { SortedSymbols } from "./sorted-symbols.ts";
import type { SymbolAt } from "./symbols.ts";

/** Where the tables of one module lie. */
export interface ModuleKallsymsLocation {
  readonly module: string;
  readonly symtab: VirtualAddress;
  /** num_symtab */
  readonly count: number;
  readonly strtab: VirtualAddress;
  readonly typetab: VirtualAddress | undefined;
  /** Memory of the module: an address outside is in none of its symbols. */
  readonly regions: readonly { readonly start: VirtualAddress; readonly size: number }[];
}

const SYMBOL = 24;
const UNDEFINED_SECTION = 0;
const MAX_SYMBOLS = 1 << 20;
const MAX_NAME = 512;
/** Names of the largest modules take 1 MB. */
const MAX_STRINGS = 16 << 20;

const utf8 = new TextDecoder("utf-8", { fatal: false });

/** Symbols of one module. */
export class ModuleKallsyms extends SortedSymbols {
  readonly #strings: Uint8Array;
  readonly #names: Uint32Array;
  readonly #types: Uint8Array;
  readonly #sizes: Float64Array;
  readonly #regions: ModuleKallsymsLocation["regions"];
  #byName: ReadonlyMap<string, readonly number[]> | undefined;

  private constructor(module: string, table: Columns, strings: Uint8Array, regions: ModuleKallsymsLocation["regions"]) {
    super(table.addresses, module, undefined);
    this.#names = table.names;
    this.#types = table.types;
    this.#sizes = table.sizes;
    this.#strings = strings;
    this.#regions = regions;
  }

  /** Reads a module's table; throws FaultError when symtab cannot be read, FormatError when its size makes no sense. */
  static open(memory: MemoryReader, at: ModuleKallsymsLocation): ModuleKallsyms {
    if (!Number.isInteger(at.count) || at.count < 0 || at.count > MAX_SYMBOLS)
      throw new FormatError(`symbols of module ${at.module}`, `${at.count} symbols`);
    const symtab = memory.bytes(at.symtab, at.count * SYMBOL);
    const typetab = at.typetab === undefined ? undefined : readSparse(memory, at.typetab, at.count).bytes;
    const columns = readColumns(new DataView(symtab.buffer, symtab.byteOffset, symtab.byteLength), typetab);
    const length = columns.names.reduce((most, name) => (name > most && name < MAX_STRINGS ? name : most), 0) + MAX_NAME;
    return new ModuleKallsyms(at.module, columns, readSparse(memory, at.strtab, length).bytes, at.regions);
  }

  override byAddress(address: VirtualAddress): SymbolAt | undefined {
    const region = this.#regions.find(({ start, size }) => address >= start && address < start + BigInt(size));
    if (region === undefined) return undefined;
    const found = super.byAddress(address);
    return found !== undefined && found.symbol.address >= region.start ? found : undefined;
  }

  protected override nameAt(index: number): string {
    const start = this.#names[index] as number;
    const limit = Math.min(start + MAX_NAME, this.#strings.length);
    let end = start;
    while (end < limit && this.#strings[end] !== 0) end++;
    return utf8.decode(this.#strings.subarray(start, end));
  }

  protected override typeAt(index: number): string {
    return String.fromCharCode(this.#types[index] as number);
  }

  protected override sizeAt(index: number): number | undefined {
    const size = this.#sizes[index] as number;
    return size > 0 ? size : undefined;
  }

  protected override *find(name: string): Iterable<number> {
    yield* this.#index().get(name) ?? [];
  }

  protected override *startingWith(prefix: string): Iterable<number> {
    for (const [name, indexes] of this.#index()) if (name.startsWith(prefix)) yield* indexes;
  }

  #index(): ReadonlyMap<string, readonly number[]> {
    this.#byName ??= this.#indexNames();
    return this.#byName;
  }

  #indexNames(): Map<string, number[]> {
    const byName = new Map<string, number[]>();
    for (let index = 0; index < this.count; index++) {
      const name = this.nameAt(index);
      const same = byName.get(name);
      if (same === undefined) byName.set(name, [index]);
      else same.push(index);
    }
    return byName;
  }
}

interface Columns {
  readonly addresses: BigUint64Array;
  readonly names: Uint32Array;
  readonly types: Uint8Array;
  readonly sizes: Float64Array;
}

function isLetter(code: number): boolean {
  return (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a) || code === 0x3f;
}

/** Keeps defined symbols with a name, sorted by address; those at one address stay in the table's order. */
function readColumns(symtab: DataView, typetab: Uint8Array | undefined): Columns {
  const kept: number[] = [];
  for (let at = 0; at + SYMBOL <= symtab.byteLength; at += SYMBOL) {
    if (symtab.getUint32(at, true) !== 0 && symtab.getUint16(at + 6, true) !== UNDEFINED_SECTION) kept.push(at);
  }
  kept.sort((a, b) => {
    const x = symtab.getBigUint64(a + 8, true);
    const y = symtab.getBigUint64(b + 8, true);
    return x < y ? -1 : x > y ? 1 : a - b;
  });
  // No binding is 4 … 7, so a real st_info is never a letter.
  const inInfo = kept.every((at) => isLetter(symtab.getUint8(at + 4)));
  const inSize = typetab === undefined && !inInfo;
  return {
    addresses: BigUint64Array.from(kept, (at) => symtab.getBigUint64(at + 8, true)),
    names: Uint32Array.from(kept, (at) => symtab.getUint32(at, true)),
    types: Uint8Array.from(kept, (at) => {
      const letter = typetab !== undefined ? (typetab[at / SYMBOL] as number) : symtab.getUint8(at + (inSize ? 16 : 4));
      return isLetter(letter) ? letter : 0x3f;
    }),
    sizes: Float64Array.from(kept, (at) => (inSize ? 0 : Number(symtab.getBigUint64(at + 16, true)))),
  };
}
