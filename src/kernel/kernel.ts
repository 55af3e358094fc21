/**
 * The dead kernel as one object: memory, symbols, types, and how they fit together. Built by open.ts; read by everything above.
 */

import type { Architecture } from "../arch/architecture.ts";
import { add, type VirtualAddress } from "../bytes/address.ts";
import { LookupError } from "../bytes/errors.ts";
import { interruptions } from "../bytes/interruption.ts";
import type { CType } from "../debug-info/c-type.ts";
import type { KernelSymbol, SymbolTable } from "../debug-info/symbols.ts";
import type { Dump } from "../dump/dump.ts";
import type { PhysicalMemory } from "../dump/physical-memory.ts";
import type { VmcoreInfo } from "../dump/vmcoreinfo.ts";
import type { AddressSpace } from "./address-space.ts";
import { KernelDebugInfo } from "./debug-info.ts";
import { NO_DATA_SYMBOLS, SYMBOLS_LOST } from "./extra-symbols.ts";
import { globalType } from "./globals.ts";
import { namesOfLongestPrefix } from "./longest-prefix.ts";
import type { KernelModule } from "./modules.ts";
import { OrcTables } from "./orc-tables.ts";
import type { Types } from "./types.ts";
import { Value } from "./value.ts";

export interface KernelParts {
  readonly dump: Dump;
  readonly physical: PhysicalMemory;
  readonly memory: AddressSpace;
  readonly arch: Architecture;
  readonly vmcoreinfo: VmcoreInfo | undefined;
  readonly symbols: SymbolTable;
  readonly types: Types;
  /** vmlinux and modules' files; absent: none. */
  readonly debugInfo?: KernelDebugInfo;
  readonly modules: () => readonly KernelModule[];
  readonly perCpuOffsets: () => readonly (VirtualAddress | undefined)[];
  /** Grows as more is read. */
  readonly notes: string[];
}

/** The engine: an opened kernel with its symbols, types, memory and debug information. Scripts use the library's Kernel above it. */
export class Kernel {
  readonly dump: Dump;
  readonly physical: PhysicalMemory;
  /** Kernel virtual memory through init_mm's page tables. */
  readonly memory: AddressSpace;
  readonly arch: Architecture;
  readonly vmcoreinfo: VmcoreInfo | undefined;
  /** vmlinux and all modules. */
  readonly symbols: SymbolTable;
  readonly types: Types;
  /** Lines, scopes and unwind rows of the vmlinux and the modules' files; `present` is false without. */
  readonly debugInfo: KernelDebugInfo;
  /**
   * What a user should know of this dump, one line each: learnt on opening (no VMCOREINFO, no KALLSYMS_ALL, …) or later, when a part that
   * is read on first use turns out to be incomplete (modules, tasks).
   */
  readonly notes: readonly string[];
  readonly #modules: () => readonly KernelModule[];
  readonly #perCpuOffsets: () => readonly (VirtualAddress | undefined)[];
  /** Memo of answers that helpers settle once per dump; keyed by the helper's own object. */
  readonly #memo = new Map<object, unknown>();

  constructor(parts: KernelParts) {
    this.dump = parts.dump;
    this.physical = parts.physical;
    this.memory = parts.memory;
    this.arch = parts.arch;
    this.vmcoreinfo = parts.vmcoreinfo;
    this.symbols = parts.symbols;
    this.types = parts.types;
    this.debugInfo = parts.debugInfo ?? new KernelDebugInfo(undefined, parts.modules);
    this.notes = parts.notes;
    this.#modules = parts.modules;
    this.#perCpuOffsets = parts.perCpuOffsets;
  }

  /** Adds a line to `notes`, once. */
  note(text: string): void {
    if (!this.notes.includes(text)) (this.notes as string[]).push(text);
  }

  /** Loaded modules in the kernel's order (newest first). Read on first use. */
  get modules(): readonly KernelModule[] {
    return this.#modules();
  }

  /** ORC unwind tables of the kernel and its modules; empty on machines and kernels that have none. */
  get orc(): OrcTables {
    return this.memo(OrcTables, () => new OrcTables(this));
  }

  /** Address of a symbol; throws LookupError with the nearest names. */
  address(name: string): VirtualAddress {
    const symbol = this.symbols.byName(name);
    if (symbol === undefined) throw this.unknownSymbol(name);
    return symbol.address;
  }

  /** Address of a symbol, or undefined. */
  tryAddress(name: string): VirtualAddress | undefined {
    return this.symbols.byName(name)?.address;
  }

  /** A global variable whose C declaration is known (BTF's VAR entries, globals.ts, or DWARF); throws LookupError. */
  variable(name: string): Value {
    const type = this.variableType(name);
    if (type === undefined) throw new LookupError(`the type of "${name}" is not known without a vmlinux`);
    return new Value(this.memory, type, this.address(name));
  }

  /** variable(), or undefined when the symbol or its type is missing. */
  tryVariable(name: string): Value | undefined {
    const type = this.variableType(name);
    const address = this.tryAddress(name);
    return type === undefined || address === undefined ? undefined : new Value(this.memory, type, address);
  }

  /** Declared type of a global variable (per-CPU ones: of one CPU's copy), or undefined; `of` is its symbol where it is at hand. */
  variableType(name: string, of?: KernelSymbol): CType | undefined {
    // A module's variable may share its name with one of the kernel that has another type.
    if (of?.module !== undefined) return this.#describedType(name);
    const known = this.types.find("variable", name, { modules: false }) ?? globalType(name, this.types);
    return known ?? this.#describedType(name);
  }

  /** Debug information may know several variables of one name (static ones): it is the one at the symbol's address. */
  #describedType(name: string): CType | undefined {
    if (!this.debugInfo.present) return undefined;
    const symbol = this.symbols.byName(name);
    if (symbol === undefined) return undefined;
    const module = symbol.module === undefined ? undefined : this.modules.find((each) => each.name === symbol.module);
    const owner = module === undefined ? this.debugInfo.vmlinux : this.debugInfo.module(module);
    if (owner === undefined) return undefined;
    const all = owner.info.variables(name);
    // Zero-based per-CPU variables are the same number in both; all others are moved by the bias.
    const here = all.find(({ address }) => address === symbol.address || address === BigInt.asUintN(64, symbol.address - owner.bias));
    // One without an address is only declared here (the linker places jiffies); one at another address is another variable.
    const declared = all.length === 1 && all[0]?.address === undefined ? all[0] : undefined;
    return (here ?? declared)?.type;
  }

  /** One CPU's copy of a per-CPU variable. Throws LookupError (symbol, type, CPU). */
  perCpu(name: string, cpu: number): Value {
    const type = this.variableType(name);
    if (type === undefined) throw new LookupError(`the type of per-CPU "${name}" is not known without a vmlinux`);
    return new Value(this.memory, type, this.perCpuAddress(this.address(name), cpu));
  }

  /** Address of one CPU's copy, from the address of the per-CPU symbol (or an __percpu pointer). */
  perCpuAddress(address: VirtualAddress, cpu: number): VirtualAddress {
    const offset = this.#perCpuOffsets()[cpu];
    if (offset === undefined) throw new LookupError(`CPU ${cpu} has no per-CPU area in this dump`);
    return add(address, offset);
  }

  /** __per_cpu_offset[], index = CPU; undefined where the CPU is not possible. On a !SMP kernel one zero. */
  get perCpuOffsets(): readonly (VirtualAddress | undefined)[] {
    return this.#perCpuOffsets();
  }

  /** "symbol+0x12" or "symbol+0x12 [module]"; undefined when no symbol is near. */
  symbolize(address: VirtualAddress): string | undefined {
    const found = this.symbols.byAddress(address);
    if (found === undefined) return undefined;
    const suffix = found.symbol.module === undefined ? "" : ` [${found.symbol.module}]`;
    return `${found.symbol.name}${found.offset === 0 ? "" : `+0x${found.offset.toString(16)}`}${suffix}`;
  }

  /** Computes once per dump: `kernel.memo(taskLayout, () => …)`; the key is an object or function that belongs to the caller. */
  memo<T>(key: object, compute: () => T): T {
    if (!this.#memo.has(key)) this.#memo.set(key, compute());
    return this.#memo.get(key) as T;
  }

  /**
   * Drops all answers of memo(). For after work that was ended from outside (Ctrl-C, a time limit): V8 runs no `finally` then, so what a
   * helper was in the midst of stays half made, or marked as busy, and would answer wrongly from then on. What is kept elsewhere is sound at
   * every step (bytes/interruption.ts).
   */
  forget(): void {
    interruptions.count++;
    this.#memo.clear();
  }

  /** The error for a name that is no symbol: with the nearest names, and with the reason why a variable may be missing. */
  unknownSymbol(name: string, nearest: readonly string[] = this.nearestSymbols(name)): LookupError {
    const why = this.notes.includes(NO_DATA_SYMBOLS)
      ? "; this kernel lists functions only (no CONFIG_KALLSYMS_ALL): most variables need its vmlinux"
      : this.notes.some((note) => note.endsWith(SYMBOLS_LOST))
        ? "; parts of the kernel's symbol table cannot be read"
        : "";
    return new LookupError(`no symbol named "${name}" in this dump${why}`, nearest);
  }

  /** Up to five symbol names that share the longest prefix with this one. */
  nearestSymbols(name: string): readonly string[] {
    return namesOfLongestPrefix(name, (prefix) => this.symbols.prefix(prefix, 5));
  }
}
