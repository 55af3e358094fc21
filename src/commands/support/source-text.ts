/**
 * Source text behind a place of the debug information, from a source tree that the user has (`--src`, `set src`). The tree need not lie
 * where the kernel was built: the longest end of the path that names a file in it is taken.
 *
 *   /build/reproducible-path/linux-6.1.192/arch/x86/entry/entry_64.S  ─►  SRC/arch/x86/entry/entry_64.S
 *   debian/build/build_amd64_none_cloud-amd64/kernel/panic.c          ─►  SRC/kernel/panic.c
 *   /usr/src/debug/kernel-4.18.0/linux-4.18.0.x86_64/mm/slub.c        ─►  SRC/mm/slub.c
 */
import { latin1 } from "../../bytes/cursor.ts";
import { InquestError } from "../../bytes/errors.ts";
import { fileExists, openFile } from "../../bytes/file-source.ts";
import { readUpTo } from "../../bytes/read-bytes.ts";
import type { Settings } from "../command.ts";

/** Lines before the one that is meant: half of gdb's `listsize`. */
const BEFORE = 5;
/** The kernel's largest sources, generated register headers, have 20 MB. */
const MAX_FILE = 32 << 20;
/** Directories in a path. */
const MAX_PARTS = 64;

export interface SourceLine {
  readonly line: number;
  readonly text: string;
  /** The line that was asked for. */
  readonly here: boolean;
}

export type SourceText =
  | { readonly path: string; readonly lines: readonly SourceLine[] }
  /** Why there is none, and what would help. */
  | { readonly missing: string };

/**
 * Some lines around one: five before it, and after it `count`, or the rest of the function, which ends with a brace in the first column.
 * @param file as debug information has it; @param shown the same without the directory of the build, for the message
 */
export function sourceText(settings: Settings, file: string, shown: string, line: number, count: number | undefined): SourceText {
  const { src } = settings;
  const path = src === "" ? undefined : sourcePath(src, file);
  if (src === "") return { missing: "no source tree is known: set src DIRECTORY, or --src" };
  if (path === undefined) return { missing: `there is no ${join(src, shown.replace(/^\/+/, ""))}` };
  try {
    const all = linesOf(path);
    if (all.length < line) return { missing: `${path} has only ${all.length} lines: it is another version` };
    const end = count === undefined ? endOfFunction(all, line) : Math.min(all.length, line + count);
    const lines: SourceLine[] = [];
    for (let at = Math.max(1, line - BEFORE); at <= end; at++) lines.push({ line: at, text: all[at - 1] ?? "", here: at === line });
    return { path, lines };
  } catch (error) {
    if (error instanceof InquestError) return { missing: error.message };
    throw error;
  }
}

/** The file in a tree that a path of the build means; undefined when the tree has none. */
function sourcePath(directory: string, file: string): string | undefined {
  const parts = file.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..") || parts.length > MAX_PARTS) return undefined;
  // A file name alone could be any of that name.
  const shortest = Math.min(2, parts.length);
  for (let from = 0; from <= parts.length - shortest; from++) {
    const path = join(directory, parts.slice(from).join("/"));
    if (fileExists(path)) return path;
  }
  return undefined;
}

function join(directory: string, file: string): string {
  return `${directory.replace(/\/+$/, "")}/${file}`;
}

/** Line of the next closing brace in the first column, from a line on; else the last one. */
function endOfFunction(lines: readonly string[], line: number): number {
  for (let at = line; at <= lines.length; at++) if (lines[at - 1]?.startsWith("}")) return at;
  return lines.length;
}

const decoder = new TextDecoder();

function linesOf(path: string): readonly string[] {
  const source = openFile(path, "source");
  try {
    if (source.size > MAX_FILE) return [];
    const bytes = readUpTo(source, 0, source.size);
    const text = bytes.includes(0) ? latin1(bytes) : decoder.decode(bytes);
    const lines = text.split("\n");
    if (lines.at(-1) === "") lines.pop();
    return lines;
  } finally {
    source.close();
  }
}
