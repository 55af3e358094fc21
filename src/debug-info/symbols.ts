/**
 * Symbols as every symbol table presents them: the kernel's own (kallsyms.ts), a module's (module-kallsyms.ts) and an ELF file's
 * (elf-symbols.ts).
 *
 *   index   0         1         2              sorted by address; several symbols may share one
 *   address ffff…000  ffff…040  ffff…040
 */
import type { VirtualAddress } from "../bytes/address.ts";

/** A symbol of the kernel or of a module. */
export interface KernelSymbol {
  readonly name: string;
  readonly address: VirtualAddress;
  /** Letter as `nm` and /proc/kallsyms print it: "T" text, "d" local data, "A" absolute … */
  readonly type: string;
  /** The module's name; undefined for the kernel itself. */
  readonly module: string | undefined;
  /** Bytes as the table says, else the distance to the next symbol at another address; undefined for the last one. */
  readonly size: number | undefined;
}

/** The symbol that an address lies in, and how far behind its start, in bytes. */
export interface SymbolAt {
  readonly symbol: KernelSymbol;
  readonly offset: number;
}

/** A table of symbols, sorted by address. Names are decoded when asked for. */
export interface SymbolTable {
  readonly count: number;
  /** The symbol at an index of the address order, 0 … count-1. */
  at(index: number): KernelSymbol;
  /** The first symbol of that name in address order. */
  byName(name: string): KernelSymbol | undefined;
  /** Every symbol of that name (static functions may share one). */
  allByName(name: string): readonly KernelSymbol[];
  /**
   * The symbol at or before the address. Of several at one address it is the first in the table, as the kernel itself chooses in its
   * reports, except that mapping symbols ($x, $d), `__pfx_`/`__cfi_` prologues, `__pi_`/`__kvm_nvhe_` aliases, section boundaries (_stext, __start_…)
   * and lockdep's keys (__key.1; empty without lockdep) come last.
   * undefined before the first symbol and, when the table knows its end, past it.
   */
  byAddress(address: VirtualAddress): SymbolAt | undefined;
  /** Nearest symbols at other addresses below and above (crash's `sym -p`, `sym -n`). */
  neighbours(address: VirtualAddress): { readonly previous: KernelSymbol | undefined; readonly next: KernelSymbol | undefined };
  /** Names that start with the prefix, sorted and without duplicates, at most `limit`. */
  prefix(prefix: string, limit: number): readonly string[];
  /** Symbols whose name contains the text, in address order. */
  matching(text: string): Iterable<KernelSymbol>;
}
