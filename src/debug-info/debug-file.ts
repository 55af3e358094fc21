/**
 * A file with debug information, and the files it names: the separate debug file (.gnu_debuglink, build-id directories), the
 * supplementary one (dwz), the split parts (.dwo, .dwp). A vmlinux, a module, or one of these others.
 *
 *   vmlinux ──.gnu_debuglink──► vmlinux.debug ──.gnu_debugaltlink──► shared.debug
 *                                     └──DW_AT_dwo_name──► file.dwo │ vmlinux.dwp
 *
 * A section comes from the first of them that has it with content, under its canonical name (debug-sections.ts).
 */
import type { ByteSource } from "../bytes/byte-source.ts";
import { InquestError } from "../bytes/errors.ts";
import { canonicalPath, fileExists, openBriefly, openFile } from "../bytes/file-source.ts";
import { crc32 } from "../bytes/inflate-node.ts";
import { baseName, directoryOf, joinPath } from "../bytes/paths.ts";
import { buildIdPaths, debugLinkPaths, parseAltLink, parseDebugLink, parseDebugSup, type SupplementaryLink } from "./debug-links.ts";
import type { DebugSections, SectionData } from "./debug-sections.ts";
import { Elf } from "./elf.ts";
import { ElfRelocations } from "./elf-relocations.ts";
import { openSection } from "./section-data.ts";

export interface DebugFileOptions {
  /** For a relocatable file: where its sections lay, by name. */
  readonly addresses?: ReadonlyMap<string, bigint>;
  /** Directories of separate debug files, such as /usr/lib/debug. */
  readonly directories?: readonly string[];
  /** Files that may be the separate debug file, tried first. */
  readonly candidates?: readonly string[];
  /** Split DWARF: its sections' names end in .dwo. */
  readonly split?: boolean;
}

/** Split files that are kept open as objects; a reader that wants more gets them opened again. */
const MAX_SPLIT = 4096;
/** Sections that name another file are one name and one checksum long. */
const MAX_LINK = 1 << 16;
const CRC_STEP = 1 << 20;

/** One file with debug information. */
export class DebugFile implements DebugSections {
  readonly file: string;
  readonly machine: number;
  readonly buildId: string | undefined;
  readonly split: boolean;
  readonly reopenable: boolean;
  /** The file itself. */
  readonly elf: Elf;
  /** The separate debug file, when its debug information lies there. */
  readonly separate: Elf | undefined;
  /** What was found out on the way: a separate file that does not fit. */
  readonly notes: readonly string[];
  readonly #options: DebugFileOptions;
  readonly #sections = new Map<string, SectionData | undefined>();
  readonly #relocations = new Map<Elf, ElfRelocations>();
  readonly #splits = new Map<string, DebugSections | undefined>();
  #supplementary: DebugSections | undefined | null = null;

  private constructor(elf: Elf, separate: Elf | undefined, options: DebugFileOptions, notes: readonly string[]) {
    this.file = (separate ?? elf).source.name;
    this.machine = elf.machine;
    this.buildId = elf.buildId() ?? separate?.buildId();
    this.split = options.split ?? false;
    const holder = separate ?? elf;
    // What is compressed would be unpacked by each thread again.
    const packed = holder.sections.some((each) => /^\.z?debug_info$/.test(each.name) && holder.isCompressed(each));
    this.reopenable = holder.type !== "relocatable" && !this.split && !packed;
    this.elf = elf;
    this.separate = separate;
    this.notes = notes;
    this.#options = options;
  }

  /** Opens a file and, when it carries no debug information itself, the one that it names. Throws FormatError, UnsupportedError. */
  static open(source: ByteSource, options: DebugFileOptions = {}): DebugFile {
    const elf = Elf.open(source);
    const notes: string[] = [];
    const separate = options.split === true || hasDebugInfo(elf) ? undefined : findSeparate(elf, options, notes);
    return new DebugFile(elf, separate, options, notes);
  }

  /** True when there is DWARF in it. */
  get hasDebugInfo(): boolean {
    return this.section(".debug_info") !== undefined;
  }

  section(name: string): SectionData | undefined {
    if (!this.#sections.has(name)) this.#sections.set(name, this.#open(name));
    return this.#sections.get(name);
  }

  supplementary(): DebugSections | undefined {
    if (this.#supplementary === null) this.#supplementary = this.#findSupplementary();
    return this.#supplementary;
  }

  splitUnit(name: string | undefined, directory: string | undefined, _id: bigint): DebugSections | undefined {
    for (const path of this.#splitPaths(name, directory)) {
      if (!this.#splits.has(path)) {
        if (this.#splits.size >= MAX_SPLIT) this.#splits.clear();
        this.#splits.set(path, this.#openSplit(path));
      }
      const found = this.#splits.get(path);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #open(name: string): SectionData | undefined {
    for (const elf of this.separate === undefined ? [this.elf] : [this.separate, this.elf]) {
      const section = this.#names(name)
        .map((each) => elf.section(each))
        .find((each) => each !== undefined && elf.hasContent(each));
      if (section === undefined) continue;
      if (elf.type !== "relocatable") return openSection(elf, section, name, section.address, undefined);
      let relocations = this.#relocations.get(elf);
      if (relocations === undefined) {
        relocations = new ElfRelocations(elf, this.#options.addresses ?? new Map());
        this.#relocations.set(elf, relocations);
      }
      const address = this.#options.addresses?.get(section.name) ?? section.address;
      return openSection(elf, section, name, address, relocations.of(section));
    }
    return undefined;
  }

  /** The names in the file that stand for a canonical one. */
  #names(name: string): readonly string[] {
    if (!name.startsWith(".debug_")) return [name];
    const suffix = this.split ? [".dwo", ""] : [""];
    return suffix.flatMap((end) => [name + end, `.z${name.slice(1)}${end}`]);
  }

  #findSupplementary(): DebugSections | undefined {
    const links: [string, (bytes: Uint8Array) => SupplementaryLink | undefined][] = [
      [".gnu_debugaltlink", parseAltLink],
      [".debug_sup", parseDebugSup],
    ];
    for (const [name, parse] of links) {
      const section = this.section(name);
      const link = section === undefined || section.size > MAX_LINK ? undefined : parse(section.read(0, section.size));
      if (link === undefined || link.isSupplementary) continue;
      const beside = directoryOf(canonicalPath(this.file));
      const directories = this.#options.directories ?? [];
      const paths = [
        joinPath(beside, link.name),
        ...buildIdPaths(link.id, directories),
        ...directories.map((each) => joinPath(each, link.name)),
      ];
      for (const path of paths) {
        const file = attempt(path, (source) => DebugFile.open(source));
        if (file !== undefined && (file.buildId === link.id || supplementaryId(file) === link.id)) return file;
      }
    }
    return undefined;
  }

  #splitPaths(name: string | undefined, directory: string | undefined): readonly string[] {
    const own = canonicalPath(this.file);
    const beside = directoryOf(own);
    const packages = [`${own}.dwp`, ...(/\.debug$/.test(own) ? [own.replace(/debug$/, "dwp")] : [])];
    if (name === undefined) return packages;
    const from = directory === undefined ? beside : joinPath(beside, directory);
    return [...new Set([joinPath(from, name), joinPath(beside, name), joinPath(beside, baseName(name)), ...packages])];
  }

  #openSplit(path: string): DebugSections | undefined {
    const file = attempt(path, (source) => DebugFile.open(source, { split: true }), openBriefly);
    return file?.hasDebugInfo === true && file.machine === this.machine ? file : undefined;
  }
}

function supplementaryId(file: DebugFile): string | undefined {
  const section = file.section(".debug_sup");
  const link = section === undefined || section.size > MAX_LINK ? undefined : parseDebugSup(section.read(0, section.size));
  return link?.isSupplementary === true ? link.id : undefined;
}

function hasDebugInfo(elf: Elf): boolean {
  return elf.sections.some((section) => /^\.z?debug_info$/.test(section.name) && elf.hasContent(section));
}

/** The separate debug file of one without: proved by its build-id, else by the checksum in the link. */
function findSeparate(elf: Elf, { directories = [], candidates = [] }: DebugFileOptions, notes: string[]): Elf | undefined {
  const id = elf.buildId();
  const section = elf.section(".gnu_debuglink");
  const link = section === undefined || section.size > MAX_LINK || !elf.hasContent(section) ? undefined : parseDebugLink(elf.read(section));
  const own = canonicalPath(elf.source.name);
  const byId = [...candidates, ...(id === undefined ? [] : buildIdPaths(id, directories))];
  for (const path of [...byId, ...(link === undefined ? [] : debugLinkPaths(own, link.name, directories))]) {
    const found = canonicalPath(path) === own ? undefined : attempt(path, (source) => Elf.open(source));
    if (found === undefined || !hasDebugInfo(found)) continue;
    const foundId = found.buildId();
    const known = id !== undefined && foundId !== undefined;
    if (known ? id === foundId : link !== undefined && !byId.includes(path) && checksum(found.source) === link.crc) return found;
    found.source.close();
    notes.push(
      `${path} is not the debug file of ${elf.source.name}: ${known ? `build-id ${foundId} against ${id}` : "its checksum differs from the one in .gnu_debuglink"}`,
    );
  }
  return undefined;
}

function checksum(source: ByteSource): number {
  const step = new Uint8Array(CRC_STEP);
  let crc = 0;
  for (let at = 0; at < source.size; at += CRC_STEP) {
    const count = source.readInto(step, at);
    crc = crc32(step.subarray(0, count), crc);
    if (count < CRC_STEP) break;
  }
  return crc;
}

/** What a file that merely may be there gives; undefined when it is not there or is nothing of the kind. */
function attempt<T>(path: string, open: (source: ByteSource) => T, from: (path: string) => ByteSource = openFile): T | undefined {
  if (!fileExists(path)) return undefined;
  let source: ByteSource | undefined;
  try {
    source = from(path);
    return open(source);
  } catch (error) {
    source?.close();
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}
