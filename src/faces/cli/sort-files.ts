/**
 * Which of the files on the command line is what: by content, so that they may stand in any order. An ELF executable or shared object is
 * the kernel's vmlinux; a symbol list is System.map; everything else belongs to the dump.
 */

import { UsageError } from "../../bytes/errors.ts";
import { fileExists, openFile } from "../../bytes/file-source.ts";
import { readUpTo } from "../../bytes/read-bytes.ts";
import { ELF_HEADER_SIZE, ET_DYN, ET_EXEC, parseElfHeader } from "../../dump/elf-header.ts";

export interface SortedFiles {
  readonly dump: readonly string[];
  readonly namelist: string | undefined;
  readonly systemMap: string | undefined;
}

/** Throws UsageError when two files claim the same part, or when no file can be the dump. */
export function sortFiles(paths: readonly string[]): SortedFiles {
  const dump: string[] = [];
  let namelist: string | undefined;
  let systemMap: string | undefined;
  for (const path of paths) {
    const kind = kindOf(path);
    if (kind === "dump") dump.push(path);
    else if (kind === "namelist") {
      if (namelist !== undefined) throw new UsageError(`${namelist} and ${path} are both ELF programs; one vmlinux is enough`);
      namelist = path;
    } else systemMap = path;
  }
  if (dump.length === 0) {
    const only = namelist ?? systemMap;
    throw new UsageError(`${only} is ${only === namelist ? "a vmlinux" : "a System.map"}, not a dump; the dump's file is missing`);
  }
  return { dump, namelist, systemMap };
}

function kindOf(path: string): "dump" | "namelist" | "systemMap" {
  // file@address is raw memory; a file whose name holds an @ is still found.
  if (!fileExists(path)) return "dump";
  const source = openFile(path);
  try {
    const head = readUpTo(source, 0, 256);
    const header = parseElfHeader(head.subarray(0, ELF_HEADER_SIZE), path);
    if (header !== undefined) return header.type === ET_EXEC || header.type === ET_DYN ? "namelist" : "dump";
    return /^[0-9a-f]{8,16} [A-Za-z] \S+\n/.test(new TextDecoder("latin1").decode(head)) ? "systemMap" : "dump";
  } finally {
    source.close();
  }
}
