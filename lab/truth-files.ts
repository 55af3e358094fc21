/**
 * The guest's own word as files laid out as in /proc and /sys: a directory, or (for the committed samples) one text file holding them all:
 *
 *   ==> proc/1/stack <==
 *   [<0>] do_wait+0x1a5/0x2f0
 *   ==> proc/modules <==
 *   ...
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

export interface TruthFiles {
  /** A file's text, or undefined when it was not recorded. */
  read(path: string): string | undefined;
  /** Names directly inside a directory. */
  list(path: string): string[];
}

function directory(root: string): TruthFiles {
  return {
    read(path) {
      const file = join(root, path);
      return existsSync(file) && statSync(file).isFile() ? readFileSync(file, "latin1") : undefined;
    },
    list(path) {
      const dir = join(root, path);
      return existsSync(dir) && statSync(dir).isDirectory() ? readdirSync(dir) : [];
    },
  };
}

const MARK = /^==> (\S+) <==\n/gm;

/** The files of a bundle's text. */
export function parseBundle(text: string): Map<string, string> {
  const files = new Map<string, string>();
  const marks = [...text.matchAll(MARK)];
  marks.forEach((mark, index) => {
    files.set(mark[1]!, text.slice(mark.index + mark[0].length, marks[index + 1]?.index));
  });
  return files;
}

function bundle(text: string): TruthFiles {
  const files = parseBundle(text);
  return {
    read: (path) => files.get(path),
    list(path) {
      const prefix = path === "" ? "" : `${path}/`;
      const inside = [...files.keys()].filter((name) => name.startsWith(prefix));
      return [...new Set(inside.map((name) => name.slice(prefix.length).split("/")[0]!))];
    },
  };
}

/** Open a truth directory or bundle. */
export function openTruthFiles(path: string): TruthFiles {
  return statSync(path).isDirectory() ? directory(path) : bundle(readFileSync(path, "latin1"));
}

function* walk(files: TruthFiles, path: string): Generator<readonly [string, string]> {
  const text = files.read(path);
  if (text !== undefined) yield [path, text];
  else for (const name of files.list(path).sort()) yield* walk(files, path === "" ? name : `${path}/${name}`);
}

/** One text with the files that `keep` returns text for. */
export function bundleTruth(files: TruthFiles, keep: (path: string, text: string) => string | undefined): string {
  let out = "";
  for (const [path, text] of walk(files, "")) {
    const kept = keep(path, text);
    if (kept) out += `==> ${path} <==\n${kept.endsWith("\n") ? kept : `${kept}\n`}`;
  }
  return out;
}
