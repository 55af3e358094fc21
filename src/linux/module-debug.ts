/**
 * Debug files of loaded modules: found by build-id, among the files that were given, or by name below the directories of the release;
 * relocated to where the module's sections lay, and bound to it.
 *
 *   module ──build-id──► D/.build-id/ab/cdef….debug
 *          ──name──────► given files, roots/…/NAME.ko[.debug][.xz|.zst|.gz]  ──► relocated ──► BoundDebugInfo
 */
import { FormatError, InquestError, LookupError, UsageError } from "../bytes/errors.ts";
import { fileExists, readDirectory } from "../bytes/file-source.ts";
import { openPacked } from "../bytes/packed-file.ts";
import { joinPath } from "../bytes/paths.ts";
import { DebugFile } from "../debug-info/debug-file.ts";
import { debugDirectories, moduleOfFile, moduleRoots } from "../debug-info/debug-file-paths.ts";
import { buildIdPaths } from "../debug-info/debug-links.ts";
import { EM_AARCH64, EM_X86_64 } from "../debug-info/elf.ts";
import { machineName } from "../debug-info/machine-name.ts";
import type { BoundDebugInfo, ModuleDebugLoader } from "../kernel/debug-info.ts";
import { dwarfDebugInfo } from "../kernel/dwarf-factory.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { KernelModule } from "../kernel/modules.ts";
import type { DebugInfoFactory } from "../kernel/vmlinux-file.ts";
import { moduleBuildId, moduleSectionAddresses } from "./module-identity.ts";
import { utsname } from "./utsname.ts";

/** Where debug files of modules may lie. */
export interface ModuleDebugOptions {
  /** How debug information is made of a file; DWARF by default. */
  readonly debugInfo?: DebugInfoFactory;
  /** Module files that were given; each is known by its name. */
  readonly files?: readonly string[];
  /** Directories that were named, before the system's own. */
  readonly directories?: readonly string[];
  /** False: only files that were given, no directory is searched. */
  readonly search?: boolean;
}

/** Bounds of the walk below one root. */
const MAX_ENTRIES = 200_000;
const MAX_DEPTH = 16;

/** The debug files of one kernel's modules. */
export class ModuleDebug {
  readonly #kernel: Kernel;
  readonly #options: ModuleDebugOptions;
  readonly #directories: readonly string[];
  #roots: readonly string[] | undefined;
  /** Files by the module's name, for each root that was walked. */
  readonly #indexes = new Map<string, ReadonlyMap<string, readonly string[]>>();
  /** Roots whose packed files hold no debug information: unpacking the others would only cost time. */
  readonly #stripped = new Set<string>();

  constructor(kernel: Kernel, options: ModuleDebugOptions) {
    this.#kernel = kernel;
    this.#options = options;
    this.#directories = options.search === false ? [] : debugDirectories(options.directories ?? []);
  }

  /** For the kernel: never throws; what was found and does not fit is told in its notes. */
  readonly load: ModuleDebugLoader = (module) => {
    try {
      return this.#search(module, this.#candidates(module), (text) => this.#kernel.note(text));
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      this.#kernel.note(`module ${module.name}: ${error.message}`);
      return undefined;
    }
  };

  /** The module's debug information from this file, or from where it is found below this directory. Throws with one line why not. */
  open(module: KernelModule, path?: string): BoundDebugInfo {
    if (path !== undefined && readDirectory(path) === undefined) return this.#openFile(module, path, moduleBuildId(this.#kernel, module));
    const candidates = path === undefined ? this.#candidates(module) : (this.#index(path).get(module.name) ?? []);
    const reasons: string[] = [];
    const found = this.#search(module, candidates, (text) => reasons.push(text), true);
    if (found !== undefined) return found;
    const where = path ?? this.#moduleRoots().join(", ");
    throw new LookupError(
      reasons[0] ??
        `no debug information found for module ${module.name}${where === "" ? "" : ` in ${where}`}; give its file: mod -s ${module.name} FILE`,
    );
  }

  /** @param thorough also files that are likely stripped */
  #search(
    module: KernelModule,
    candidates: Iterable<string>,
    refused: (text: string) => void,
    thorough = false,
  ): BoundDebugInfo | undefined {
    const wanted = moduleBuildId(this.#kernel, module);
    for (const path of candidates) {
      if (!fileExists(path)) continue;
      const root = this.#moduleRoots().find((each) => path.startsWith(`${each}/`));
      const packed = /\.(xz|gz|zst)$/.test(path);
      if (packed && !thorough && root !== undefined && this.#stripped.has(root)) continue;
      try {
        return this.#openFile(module, path, wanted);
      } catch (error) {
        if (error instanceof NoDebugInfo) {
          if (packed && root !== undefined) this.#stripped.add(root);
        } else if (error instanceof InquestError) refused(error.message);
        else throw error;
      }
    }
    return undefined;
  }

  #openFile(module: KernelModule, path: string, wanted: string | undefined): BoundDebugInfo {
    const addresses = moduleSectionAddresses(this.#kernel, module);
    const file = DebugFile.open(openPacked(path), { addresses, directories: this.#directories });
    const { type, machine } = file.elf;
    if (type !== "relocatable") throw new FormatError(path, "is not a module: it is an ELF file, but not a relocatable one");
    const own = this.#kernel.arch.name === "x86_64" ? EM_X86_64 : EM_AARCH64;
    if (machine !== own) throw new UsageError(`${path} is for ${machineName(machine)}; the dump is of ${machineName(own)}`);
    const found = file.buildId;
    if (wanted !== undefined && found !== undefined && found !== wanted)
      throw new UsageError(`${path} is of another build of module ${module.name}: build-id ${found} against ${wanted}`);
    if (wanted === undefined || found === undefined) {
      const name = moduleOfFile(path);
      if (name !== module.name) throw new UsageError(`${path} cannot be told to belong to module ${module.name}: no build-id to compare`);
    }
    if (!file.hasDebugInfo) throw new NoDebugInfo(`${path} has no debug information: it is stripped`);
    if (addresses.size === 0)
      throw new LookupError(`module ${module.name}: the kernel kept no list of its sections: where they lay is not known`);
    const types = this.#kernel.types;
    const complete = (key: Parameters<typeof types.find>[0], name: string) => types.find(key, name, { modules: false });
    return { module: module.name, path, info: (this.#options.debugInfo ?? dwarfDebugInfo)(file, module.name, complete), bias: 0n };
  }

  /** Where the release's modules are, and directories of module files without the tree of a release. */
  #moduleRoots(): readonly string[] {
    if (this.#roots === undefined) {
      const release = this.#kernel.vmcoreinfo?.osrelease?.trim() ?? utsname(this.#kernel).release;
      const own = moduleRoots(release, this.#directories, this.#kernel.debugInfo.vmlinux?.path).filter(fileExists);
      const flat = (this.#options.directories ?? []).filter((each) => !own.some((root) => root.startsWith(`${each}/`)));
      this.#roots = this.#options.search === false ? [] : [...flat, ...own];
    }
    return this.#roots;
  }

  *#candidates(module: KernelModule): Iterable<string> {
    for (const file of this.#options.files ?? []) if (moduleOfFile(file) === module.name) yield file;
    const id = this.#directories.length === 0 ? undefined : moduleBuildId(this.#kernel, module);
    if (id !== undefined) yield* buildIdPaths(id, this.#directories);
    for (const root of this.#moduleRoots()) yield* this.#index(root).get(module.name) ?? [];
    // Given files whose name tells nothing.
    for (const file of this.#options.files ?? []) if (moduleOfFile(file) !== module.name && id !== undefined) yield file;
  }

  /** Module files below a directory, by the name of the module; walked once. */
  #index(root: string): ReadonlyMap<string, readonly string[]> {
    let index = this.#indexes.get(root);
    if (index === undefined) {
      index = walk(root);
      this.#indexes.set(root, index);
    }
    return index;
  }
}

/** A module's file that is what it should be, but stripped. */
class NoDebugInfo extends InquestError {
  readonly kind = "format";
}

/** Links to directories (build, source) are not followed: they lead out of the tree. */
function walk(root: string): ReadonlyMap<string, readonly string[]> {
  const files = new Map<string, string[]>();
  let level = [root];
  let entries = 0;
  for (let depth = 0; depth < MAX_DEPTH && level.length > 0; depth++) {
    const next: string[] = [];
    for (const directory of level) {
      for (const { name, directory: isDirectory } of readDirectory(directory) ?? []) {
        if (++entries > MAX_ENTRIES) return files;
        const path = joinPath(directory, name);
        if (isDirectory) next.push(path);
        const module = isDirectory ? undefined : moduleOfFile(name);
        if (module === undefined) continue;
        const same = files.get(module);
        if (same === undefined) files.set(module, [path]);
        else same.push(path);
      }
    }
    level = next;
  }
  return files;
}

/** The debug files of a kernel's modules; the first caller's options hold. */
export function moduleDebug(kernel: Kernel, options: ModuleDebugOptions = {}): ModuleDebug {
  return kernel.memo(ModuleDebug, () => new ModuleDebug(kernel, options));
}
