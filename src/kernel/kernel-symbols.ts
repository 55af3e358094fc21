/**
 * All symbols of the dead kernel as one table: vmlinux, what is known beside its kallsyms (VMCOREINFO, exports), and the modules, whose
 * tables are read when an address falls into them or a name is found nowhere else.
 */
import { distance, type VirtualAddress } from "../bytes/address.ts";
import type { KernelSymbol, SymbolAt, SymbolTable } from "../debug-info/symbols.ts";
import type { KernelModule } from "./modules.ts";

/** Symbols of functions on text pages that no table lists lie at most this far behind the last listed one. */
const MAX_DISTANCE = 1 << 24;

export class KernelSymbols implements SymbolTable {
  readonly kernel: SymbolTable;
  readonly #extra: ReadonlyMap<string, KernelSymbol>;
  readonly #modules: () => readonly KernelModule[];
  readonly #fallback: (name: string) => KernelSymbol | undefined;
  /** First and last address of the kernel image, where known: outside, kallsyms' nearest symbol means nothing. */
  readonly #imageEnd: VirtualAddress | undefined;
  readonly #percpuEnd: VirtualAddress | undefined;
  #all: readonly SymbolTable[] | undefined;

  /**
   * @param extra symbols that kallsyms lacks; kallsyms wins where both know a name
   * @param fallback asked for names that no table has
   */
  constructor(
    kernel: SymbolTable,
    extra: ReadonlyMap<string, KernelSymbol>,
    modules: () => readonly KernelModule[],
    fallback: (name: string) => KernelSymbol | undefined = () => undefined,
  ) {
    this.kernel = kernel;
    this.#extra = extra;
    this.#modules = modules;
    this.#fallback = fallback;
    this.#imageEnd = kernel.byName("_end")?.address;
    this.#percpuEnd = kernel.byName("__per_cpu_end")?.address;
  }

  get count(): number {
    return this.#tables().reduce((sum, table) => sum + table.count, 0);
  }

  at(index: number): KernelSymbol {
    let rest = index;
    const tables = this.#tables();
    for (const table of tables) {
      if (rest < table.count) return table.at(rest);
      rest -= table.count;
    }
    throw new RangeError(`symbol ${index} of ${this.count}`);
  }

  byName(name: string): KernelSymbol | undefined {
    const own = this.kernel.byName(name) ?? this.#extra.get(name);
    if (own !== undefined) return own;
    for (const module of this.#modules()) {
      const found = module.symbols()?.byName(name);
      if (found !== undefined) return found;
    }
    return this.#fallback(name);
  }

  allByName(name: string): readonly KernelSymbol[] {
    const found = this.#tables().flatMap((table) => table.allByName(name));
    if (found.length > 0) return found;
    const other = this.#extra.get(name) ?? this.#fallback(name);
    return other === undefined ? [] : [other];
  }

  byAddress(address: VirtualAddress): SymbolAt | undefined {
    for (const module of this.#modules()) {
      for (const region of module.regions) {
        const offset = distance(address, region.start);
        if (offset < 0 || offset >= region.size) continue;
        const found = module.symbols()?.byAddress(address);
        return found !== undefined && distance(found.symbol.address, region.start) >= 0 ? found : undefined;
      }
    }
    if (this.#imageEnd !== undefined && address >= this.#imageEnd) return undefined;
    const found = this.kernel.byAddress(address);
    if (found === undefined || found.offset > MAX_DISTANCE) return undefined;
    // Zero-based per-CPU symbols (x86-64 before 6.15) are offsets, not addresses: small numbers have no names.
    if (this.#percpuEnd !== undefined && this.#percpuEnd < 0x1000_0000n && address < 0x1000_0000n) return undefined;
    return found;
  }

  neighbours(address: VirtualAddress): { readonly previous: KernelSymbol | undefined; readonly next: KernelSymbol | undefined } {
    for (const module of this.#modules()) {
      const inside = module.regions.some((region) => distance(address, region.start) >= 0 && distance(address, region.start) < region.size);
      const table = inside ? module.symbols() : undefined;
      if (table !== undefined) return table.neighbours(address);
    }
    return this.kernel.neighbours(address);
  }

  prefix(prefix: string, limit: number): readonly string[] {
    const names = new Set(this.#tables().flatMap((table) => table.prefix(prefix, limit)));
    for (const name of this.#extra.keys()) if (name.startsWith(prefix)) names.add(name);
    return [...names].sort().slice(0, limit);
  }

  *matching(text: string): Iterable<KernelSymbol> {
    for (const table of this.#tables()) yield* table.matching(text);
  }

  /** Asked for each symbol of a walk over all. */
  #tables(): readonly SymbolTable[] {
    this.#all ??= [this.kernel, ...this.#modules().flatMap((module) => module.symbols() ?? [])];
    return this.#all;
  }
}
