/**
 * A kernel's vmlinux as opening a kernel wants it: symbols, the banner, loaded bytes, and its debug information, which may lie in a file of
 * its own. Nothing is read but headers until it is asked for.
 *
 *   vmlinux (stripped) ──.gnu_debuglink, build-id──► vmlinux.debug          either may be given
 */
import { FormatError, InquestError, UnsupportedError } from "../bytes/errors.ts";
import { fileExists, openFile } from "../bytes/file-source.ts";
import { prepareZstd } from "../bytes/zstd.ts";
import { DebugFile } from "../debug-info/debug-file.ts";
import { debugDirectories, vmlinuxPaths } from "../debug-info/debug-file-paths.ts";
import type { DebugInfo } from "../debug-info/debug-info.ts";
import type { DebugSections } from "../debug-info/debug-sections.ts";
import { Elf, EM_AARCH64, EM_X86_64 } from "../debug-info/elf.ts";
import { ElfSymbols } from "../debug-info/elf-symbols.ts";
import { machineName } from "../debug-info/machine-name.ts";
import { miniSymbols } from "../debug-info/mini-symbols.ts";
import type { SymbolTable } from "../debug-info/symbols.ts";
import type { TypeCompleter, VmlinuxFile } from "./debug-info.ts";
import { dwarfDebugInfo } from "./dwarf-factory.ts";
import { isWholeBanner } from "./kernel-identity.ts";

/**
 * Makes debug information of a file's sections.
 * @param owner "vmlinux" or the module's name; @param complete definitions for what the file only declares
 */
export type DebugInfoFactory = (sections: DebugSections, owner: string, complete: TypeCompleter | undefined) => DebugInfo;

/** Where the separate debug file of a vmlinux may lie. */
export interface VmlinuxOptions {
  /** How debug information is made of the file; DWARF by default. */
  readonly debugInfo?: DebugInfoFactory;
  /** Directories of separate debug files, such as /usr/lib/debug. */
  readonly directories?: readonly string[];
  /** Files that may hold its debug information, tried first. */
  readonly candidates?: readonly string[];
}

/** "Linux version 6.1.0-56-cloud-amd64 (…) …\n" is a few hundred bytes long. */
const MAX_BANNER = 1024;
const BANNER = /^Linux version \d[\x20-\x7e]*/;
const SCAN_STEP = 1 << 20;

/** A vmlinux that was opened, with what its user must know of it. */
export interface OpenedVmlinux extends VmlinuxFile {
  readonly machine: number;
  /** True when there is DWARF in it or in the file it names. */
  readonly hasDebugInfo: boolean;
  /** What is missing from it, in words; undefined for a whole one. */
  readonly lack: string | undefined;
  readonly notes: readonly string[];
  /** Closes its files; nothing of it may be asked for afterwards. */
  close(): void;
}

/** Opens a vmlinux. Throws FormatError or UnsupportedError with one line that says what the file is instead. */
export async function openVmlinux(path: string, options: VmlinuxOptions = {}): Promise<OpenedVmlinux> {
  const source = openFile(path, "vmlinux");
  try {
    requireKernel(Elf.open(source));
    const file = DebugFile.open(source, { directories: options.directories ?? [], candidates: options.candidates ?? [] });
    if (file.elf.usesZstd() || file.separate?.usesZstd() === true) await prepareZstd();
    return new ElfVmlinux(path, file, options.debugInfo ?? dwarfDebugInfo);
  } catch (error) {
    source.close();
    throw error;
  }
}

/** Refuses what cannot be a vmlinux; which architecture fits is known once the dump is open. */
function requireKernel(elf: Elf): void {
  const { name } = elf.source;
  if (elf.type === "relocatable") throw new FormatError(name, "is a module or an object file (ET_REL), not a vmlinux");
  if (elf.type === "core") throw new FormatError(name, "is a core dump, not a vmlinux");
  if (elf.machine !== EM_X86_64 && elf.machine !== EM_AARCH64)
    throw new UnsupportedError(`${name}: is for ${machineName(elf.machine)}; only x86-64 and arm64 kernels can be analysed`);
}

/** What a vmlinux is looked for by. */
export interface FindOptions extends VmlinuxOptions {
  readonly release: string | undefined;
  /** Only a file of this build-id is taken. */
  readonly buildId: string;
  /** Beside the usual places, in this order before them. */
  readonly paths?: readonly string[];
  /** Told of each file that lies where a vmlinux would, and why it is not taken. */
  readonly refused?: (path: string, why: string) => void;
}

/** The vmlinux of a release and build-id where distributions put it (debug-file-paths.ts); undefined when there is none with debug information. */
export async function findVmlinux(options: FindOptions): Promise<OpenedVmlinux | undefined> {
  const { release, buildId, paths = [], directories = debugDirectories([]) } = options;
  for (const path of [...paths, ...vmlinuxPaths(release, buildId, directories)]) {
    if (!fileExists(path)) continue;
    try {
      const found = await openVmlinux(path, { ...options, directories });
      if (found.buildId === buildId && found.hasDebugInfo) return found;
      const other = `it is of another build: build-id ${found.buildId ?? "(none)"} against ${buildId}`;
      options.refused?.(path, found.buildId === buildId ? "it has no debug information" : other);
      found.close();
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      options.refused?.(path, error.message);
    }
  }
  return undefined;
}

class ElfVmlinux implements OpenedVmlinux {
  readonly path: string;
  readonly machine: number;
  readonly buildId: string | undefined;
  readonly notes: readonly string[];
  readonly #file: DebugFile;
  readonly #factory: DebugInfoFactory;
  #symbols: SymbolTable | undefined | null = null;
  #banner: string | undefined | null = null;
  #info: DebugInfo | undefined;

  constructor(path: string, file: DebugFile, factory: DebugInfoFactory) {
    this.path = path;
    this.machine = file.machine;
    this.buildId = file.buildId;
    this.notes = file.notes;
    this.#file = file;
    this.#factory = factory;
  }

  get hasDebugInfo(): boolean {
    return this.#file.hasDebugInfo;
  }

  get lack(): string | undefined {
    if (this.hasDebugInfo) return undefined;
    return this.symbols === undefined
      ? "stripped: it has neither debug information nor symbols"
      : "stripped: it has symbols but no debug information";
  }

  get symbols(): SymbolTable | undefined {
    if (this.#symbols === null) {
      const { elf, separate } = this.#file;
      this.#symbols = ElfSymbols.open(elf) ?? (separate === undefined ? undefined : ElfSymbols.open(separate)) ?? miniSymbols(elf);
    }
    return this.#symbols;
  }

  get banner(): string | undefined {
    if (this.#banner === null) this.#banner = this.#readBanner();
    return this.#banner;
  }

  describe(complete?: TypeCompleter): DebugInfo | undefined {
    if (this.#info === undefined && this.hasDebugInfo) this.#info = this.#factory(this.#file, "vmlinux", complete);
    return this.#info;
  }

  section(name: string): { readonly address: bigint; readonly size: number } | undefined {
    const section = this.#file.elf.section(name);
    return section === undefined || section.address === 0n ? undefined : { address: section.address, size: section.size };
  }

  bytesAt(address: bigint, length: number): Uint8Array | undefined {
    const { elf, separate } = this.#file;
    return elf.bytesAt(address, length) ?? separate?.bytesAt(address, length);
  }

  close(): void {
    this.#file.elf.source.close();
    this.#file.separate?.source.close();
  }

  #readBanner(): string | undefined {
    const symbol = this.symbols?.byName("linux_banner");
    if (symbol === undefined) return this.#scanForBanner();
    const length = Math.min(symbol.size ?? MAX_BANNER, MAX_BANNER);
    return bannerIn(this.bytesAt(symbol.address, length));
  }

  /** Without symbols: the text in .rodata; the others like it there are formats and have no number after the word version. */
  #scanForBanner(): string | undefined {
    const { elf } = this.#file;
    const section = elf.section(".rodata");
    if (section === undefined || !elf.hasContent(section)) return undefined;
    for (let from = 0; from < section.size; from += SCAN_STEP) {
      const bytes = elf.read(section, from, Math.min(SCAN_STEP + MAX_BANNER, section.size - from));
      for (let at = bytes.indexOf(0x4c); at >= 0; at = bytes.indexOf(0x4c, at + 1)) {
        if (bytes[at + 1] !== 0x69 || bytes[at + 6] !== 0x76) continue;
        const banner = bannerIn(bytes.subarray(at, at + MAX_BANNER));
        if (banner !== undefined && isWholeBanner(banner)) return banner;
      }
    }
    return undefined;
  }
}

/** The banner at the start of some bytes, without its line feed. */
function bannerIn(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : BANNER.exec(String.fromCharCode(...bytes))?.[0];
}
