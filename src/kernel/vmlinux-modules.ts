/**
 * Modules' files beside a vmlinux that stands for a kernel (vmlinux-kernel.ts). Nobody says where they lay, so each gets a place of its
 * own below the kernel; reports tell places within functions, so any place will do.
 *
 *   NAME.ko[.debug]   .text │ .init.text │ .data …  ──one after the other──►  0xffffffff00000000 + …
 */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import { FormatError, UsageError } from "../bytes/errors.ts";
import { openPacked } from "../bytes/packed-file.ts";
import { DebugFile } from "../debug-info/debug-file.ts";
import { moduleOfFile } from "../debug-info/debug-file-paths.ts";
import type { Elf, ElfSection } from "../debug-info/elf.ts";
import { ElfSymbols } from "../debug-info/elf-symbols.ts";
import { machineName } from "../debug-info/machine-name.ts";
import type { BoundDebugInfo } from "./debug-info.ts";
import { dwarfDebugInfo } from "./dwarf-factory.ts";
import type { KernelModule } from "./modules.ts";

const SHF_ALLOC = 2;
/** Below every kernel's image and above every user's memory, on both machines; modules lie a page apart. */
const FIRST = 0xffff_ffff_0000_0000n;
const PAGE = 4096n;

/** A module of which only the file is at hand. */
export interface PlacedModule {
  readonly module: KernelModule;
  readonly debug: BoundDebugInfo | undefined;
  /** Bytes of one section, as the file has them: not relocated. */
  bytesAt(address: bigint, length: number): Uint8Array | undefined;
}

/** The modules that were wanted so far; each file is opened when its module is first asked for. */
export class VmlinuxModules {
  readonly #find: (name: string) => string | undefined;
  readonly #machine: number;
  readonly #placed = new Map<string, PlacedModule | undefined>();
  #next = FIRST;

  /** @param find the file of a module, by its name */
  constructor(machine: number, find: (name: string) => string | undefined) {
    this.#machine = machine;
    this.#find = find;
  }

  get modules(): readonly KernelModule[] {
    return this.#all().map(({ module }) => module);
  }

  /** Opens the file of this module, if there is one. Throws FormatError, UsageError for one that does not fit. */
  want(name: string): void {
    if (this.#placed.has(name)) return;
    this.#placed.set(name, undefined);
    const path = this.#find(name);
    if (path !== undefined) this.#placed.set(name, this.#open(name, path));
  }

  debug(module: KernelModule): BoundDebugInfo | undefined {
    return this.#placed.get(module.name)?.debug;
  }

  bytesAt(address: bigint, length: number): Uint8Array | undefined {
    for (const placed of this.#all()) {
      const found = placed.bytesAt(address, length);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #all(): readonly PlacedModule[] {
    return [...this.#placed.values()].filter((each) => each !== undefined);
  }

  #open(name: string, path: string): PlacedModule {
    const file = DebugFile.open(openPacked(path));
    if (file.elf.type !== "relocatable") throw new FormatError(path, "is not a module: it is an ELF file, but not a relocatable one");
    if (file.machine !== this.#machine)
      throw new UsageError(`${path} is for ${machineName(file.machine)}; the vmlinux is for ${machineName(this.#machine)}`);
    const base = this.#next;
    const places = new Map<ElfSection, bigint>();
    for (const section of file.elf.sections) {
      if ((section.flags & SHF_ALLOC) === 0 || section.size === 0) continue;
      places.set(section, this.#next);
      // Each begins a page, as its region of the kernel's memory does.
      this.#next = (this.#next + BigInt(section.size) + PAGE - 1n) & ~(PAGE - 1n);
    }
    const end = this.#next;
    this.#next = end + PAGE;
    const named = new Map([...places].map(([section, address]) => [section.name, address]));
    const placed = DebugFile.open(openPacked(path), { addresses: named });
    const symbols = ElfSymbols.open(placed.elf, { module: name, addresses: named });
    const start = virtual(base);
    return {
      module: {
        name,
        address: start,
        base: start,
        size: Number(end - base),
        regions: [{ kind: "text", start, size: Number(end - base) }],
        state: 0,
        taints: 0n,
        symbols: () => symbols,
      },
      debug: placed.hasDebugInfo ? { module: name, path, info: dwarfDebugInfo(placed, name, undefined), bias: 0n } : undefined,
      bytesAt: (address, length) => bytesOf(file.elf, places, virtual(address), length),
    };
  }
}

function bytesOf(elf: Elf, places: ReadonlyMap<ElfSection, bigint>, address: VirtualAddress, length: number): Uint8Array | undefined {
  for (const [section, start] of places) {
    const from = address - start;
    if (from < 0n || from + BigInt(length) > BigInt(section.size) || !elf.hasContent(section)) continue;
    return elf.read(section, Number(from), length);
  }
  return undefined;
}

/** Files by the module they are of; a debug file comes before the module that it is of. */
export function moduleFiles(paths: readonly string[]): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const path of [...paths].sort((a, b) => Number(/\.debug(\.|$)/.test(a)) - Number(/\.debug(\.|$)/.test(b)))) {
    const name = moduleOfFile(path);
    if (name !== undefined) files.set(name, path);
  }
  return files;
}
