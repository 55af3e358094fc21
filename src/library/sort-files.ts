/**
 * Which of the files on the command line is what: by content, so that they may stand in any order. An ELF executable or shared object is
 * the kernel's vmlinux (a second one of the same build its separate debug file); a relocatable ELF file, packed or not, is a module's debug
 * file; a symbol list is System.map; everything else belongs to the dump.
 */

import { UsageError } from "../bytes/errors.ts";
import { fileExists, openFile } from "../bytes/file-source.ts";
import { packingOf } from "../bytes/packed-file.ts";
import { readUpTo } from "../bytes/read-bytes.ts";
import { moduleOfFile } from "../debug-info/debug-file-paths.ts";
import { Elf } from "../debug-info/elf.ts";
import { ELF_HEADER_SIZE, ET_DYN, ET_EXEC, ET_REL, parseElfHeader } from "../dump/elf-header.ts";

export interface SortedFiles {
  readonly dump: readonly string[];
  /** The vmlinux: of several files of one build the one with the program itself. */
  readonly namelist: string | undefined;
  /** Other files of the vmlinux's build: its debug information. */
  readonly debugFiles: readonly string[];
  /** Modules (.ko, .ko.debug, packed or not). */
  readonly modules: readonly string[];
  readonly systemMap: string | undefined;
}

type Kind = "dump" | "program" | "module" | "systemMap";

/** Throws UsageError when two files claim the same part, or when no file can be the dump. */
export function sortFiles(paths: readonly string[]): SortedFiles {
  const sorted = new Map<Kind, string[]>([
    ["dump", []],
    ["program", []],
    ["module", []],
    ["systemMap", []],
  ]);
  for (const path of paths) sorted.get(kindOf(path))?.push(path);
  const of = (kind: Kind) => sorted.get(kind) as string[];
  const [namelist, ...debugFiles] = programs(of("program"));
  const systemMap = of("systemMap").at(-1);
  if (of("dump").length === 0) {
    const only = namelist ?? of("module")[0] ?? systemMap;
    const what = only === namelist ? "a vmlinux" : only === systemMap ? "a System.map" : "a module";
    throw new UsageError(`${only} is ${what}, not a dump; the dump's file is missing`);
  }
  return { dump: of("dump"), namelist, debugFiles, modules: of("module"), systemMap };
}

/** Several programs are one kernel when their build-ids are the same; the one whose program is in it comes first. */
function programs(paths: readonly string[]): readonly string[] {
  const [first] = paths;
  if (first === undefined || paths.length === 1) return paths;
  const opened = paths.map((path) => {
    const source = openFile(path);
    try {
      const elf = Elf.open(source);
      return { path, id: elf.buildId(), debugOnly: elf.debugOnly };
    } finally {
      source.close();
    }
  });
  const other = opened.find(({ id }) => id === undefined || id !== opened[0]?.id);
  if (other !== undefined) {
    const second = other.path === first ? paths[1] : other.path;
    throw new UsageError(`${first} and ${second} are both ELF programs, of different builds; one vmlinux is enough`);
  }
  return [...opened.filter(({ debugOnly }) => !debugOnly), ...opened.filter(({ debugOnly }) => debugOnly)].map(({ path }) => path);
}

function kindOf(path: string): Kind {
  // file@address is raw memory; a file whose name holds an @ is still found.
  if (!fileExists(path)) return "dump";
  const source = openFile(path);
  try {
    const head = readUpTo(source, 0, 256);
    if (packingOf(head) !== undefined && moduleOfFile(path) !== undefined) return "module";
    const header = parseElfHeader(head.subarray(0, ELF_HEADER_SIZE), path);
    if (header !== undefined) {
      if (header.type === ET_REL) return "module";
      return header.type === ET_EXEC || header.type === ET_DYN ? "program" : "dump";
    }
    return /^[0-9a-f]{8,16} [A-Za-z] \S+\n/.test(new TextDecoder("latin1").decode(head)) ? "systemMap" : "dump";
  } finally {
    source.close();
  }
}
