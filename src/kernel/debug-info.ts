/**
 * Debug information bound to the dead kernel: which file describes which code, and how its link-time addresses become addresses of the
 * dump. A vmlinux is shifted by KASLR as a whole; a module's file is relocated to where its sections lay, so nothing is added.
 *
 *   runtime address ──at()──► file that describes it ──link address──► line, scopes, frame rows
 */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import type { CType, TypeKey } from "../debug-info/c-type.ts";
import type { DebugInfo, LineRow, Scope } from "../debug-info/debug-info.ts";
import type { SymbolTable } from "../debug-info/symbols.ts";
import type { KernelModule } from "./modules.ts";

/** One file of debug information and where its code lies. */
export interface BoundDebugInfo {
  /** undefined for the kernel itself. */
  readonly module: string | undefined;
  /** The file's path. */
  readonly path: string;
  readonly info: DebugInfo;
  /** Runtime minus link-time address; 0 for a relocated module. */
  readonly bias: bigint;
  /** Bytes at a link-time address as they stand in the file; absent where nothing wants them. */
  readonly bytesAt?: (address: bigint, length: number) => Uint8Array | undefined;
}

/** An address seen through the file that describes it. */
export interface DescribedAddress extends BoundDebugInfo {
  /** Link-time address. */
  readonly link: bigint;
}

/** A module's debug information found on disk, opened and relocated; undefined when there is none. Throws nothing: says why in notes. */
export type ModuleDebugLoader = (module: KernelModule) => BoundDebugInfo | undefined;

export class KernelDebugInfo {
  readonly #vmlinux: BoundDebugInfo | undefined;
  readonly #modules: () => readonly KernelModule[];
  readonly #loaded = new Map<string, BoundDebugInfo | undefined>();
  readonly #load: ModuleDebugLoader | undefined;

  constructor(vmlinux: BoundDebugInfo | undefined, modules: () => readonly KernelModule[], load?: ModuleDebugLoader) {
    this.#vmlinux = vmlinux;
    this.#modules = modules;
    this.#load = load;
  }

  /** The kernel's own file; undefined without a vmlinux. */
  get vmlinux(): BoundDebugInfo | undefined {
    return this.#vmlinux;
  }

  /** False when every answer below is empty; modules' files may still turn out not to be there. */
  get present(): boolean {
    return this.#vmlinux !== undefined || this.#load !== undefined || this.files.length > 0;
  }

  /** Files in use: the kernel's, then those of modules that were wanted so far. */
  get files(): readonly BoundDebugInfo[] {
    return [this.#vmlinux, ...this.#loaded.values()].filter((each) => each !== undefined);
  }

  /** The kernel's file, then every module's, each searched for when it is pulled. */
  *all(): Iterable<BoundDebugInfo> {
    if (this.#vmlinux !== undefined) yield this.#vmlinux;
    if (this.#load === undefined && this.#loaded.size === 0) return;
    for (const module of this.#modules()) {
      const found = this.module(module);
      if (found !== undefined) yield found;
    }
  }

  /** The file of one module, searched for and opened on first need. */
  module(module: KernelModule): BoundDebugInfo | undefined {
    if (!this.#loaded.has(module.name)) this.#loaded.set(module.name, this.#load?.(module));
    return this.#loaded.get(module.name);
  }

  /** Uses this file for a module from now on (`mod -s`), or none (`mod -d`). */
  setModule(name: string, info: BoundDebugInfo | undefined): void {
    this.#loaded.set(name, info);
  }

  /** The file that describes an address, and the address as that file has it. */
  at(address: VirtualAddress): DescribedAddress | undefined {
    const owner = this.#owner(address);
    return owner === undefined ? undefined : { ...owner, link: BigInt.asUintN(64, address - owner.bias) };
  }

  /** Source line of an instruction. For a return address pass the address minus 1. */
  line(address: VirtualAddress): LineRow | undefined {
    const found = this.at(address);
    return found?.info.lineAt(found.link);
  }

  /** The source line that gdb shows for an instruction: where several begin at one address, the last that begins a statement. */
  statement(address: VirtualAddress): LineRow | undefined {
    const found = this.at(address);
    return found?.info.statementAt === undefined ? found?.info.lineAt(found.link) : found.info.statementAt(found.link);
  }

  /** Scopes around an instruction, innermost first, the function last; addresses in them are link-time. */
  scopes(address: VirtualAddress): readonly Scope[] {
    const found = this.at(address);
    return found === undefined ? [] : found.info.scopesAt(found.link);
  }

  /** A link-time address of one of the files, in the dump. */
  runtime(owner: BoundDebugInfo, link: bigint): VirtualAddress {
    return virtual(link + owner.bias);
  }

  #owner(address: VirtualAddress): BoundDebugInfo | undefined {
    for (const module of this.#modules()) {
      const inside = module.regions.some(({ start, size }) => address >= start && address < start + BigInt(size));
      if (inside) return this.module(module);
    }
    return this.#vmlinux;
  }
}

/** Finds the definition of what is only declared; undefined when it is not known there. */
export type TypeCompleter = (key: TypeKey, name: string) => CType | undefined;

/** What opening a kernel needs of a vmlinux; made by the finder of debug files. */
export interface VmlinuxFile {
  readonly path: string;
  /** Symbols at link-time addresses; undefined when it is stripped. */
  readonly symbols: SymbolTable | undefined;
  /** `Linux version …` as linked into it; undefined when its data are not in the file. */
  readonly banner: string | undefined;
  readonly buildId: string | undefined;
  /**
   * Its debug information, or that of the separate file it names; undefined when it has none. Cheap: nothing is parsed yet.
   * @param complete definitions from elsewhere (the dump's BTF) for what a compile unit only declares
   */
  describe(complete?: TypeCompleter): DebugInfo | undefined;
  /** A loaded section's place, for ranges that the dump's own symbols do not give. */
  section(name: string): { readonly address: bigint; readonly size: number } | undefined;
  /** Bytes at a link-time address as they stand in the file: what the dump excluded and what text should be. */
  bytesAt(address: bigint, length: number): Uint8Array | undefined;
}
