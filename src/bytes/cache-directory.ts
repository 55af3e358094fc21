/**
 * Files kept from run to run: $INQUEST_CACHE_DIR, else $XDG_CACHE_HOME/inquest, else ~/.cache/inquest (XDG Base Directory Specification).
 * Nothing depends on them. A directory that cannot be written is no error; a file is complete or not there, since it is written under
 * another name and renamed; of two processes that write the same one the later wins. A browser build replaces this file.
 *
 *   ~/.cache/inquest/  0f3c…e1.names  ◄─rename── .0f3c…e1.names.4711-1.tmp
 */
import { closeSync, fstatSync, futimesSync, openSync, readdirSync, readSync, renameSync, rmSync, statSync, writevSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { makeDirectory } from "./make-directory.ts";

export interface CacheSettings {
  /** False: nothing is read or written (`--no-cache`). */
  enabled: boolean;
  /** Instead of the environment's. */
  directory: string | undefined;
  /** Bytes that all files may have together; the ones not used for longest are removed. */
  limit: number;
}

export const cacheSettings: CacheSettings = { enabled: true, directory: undefined, limit: 2 ** 30 };

/** No index is larger. */
const MAX_FILE = 1 << 28;
/** The time of use is noted when the last note is older. */
const USED_STEP_MS = 3_600_000;
/** What a process that died left behind. */
const STALE_MS = 86_400_000;
const NAME = /^[0-9A-Za-z][0-9A-Za-z._-]{0,200}$/;

let temporaries = 0;

/** Where the files are; undefined when nothing is to be kept. The directory need not exist. */
export function cacheDirectory(): string | undefined {
  if (!cacheSettings.enabled) return undefined;
  const { INQUEST_CACHE_DIR, XDG_CACHE_HOME, HOME } = process.env;
  const given = cacheSettings.directory ?? (INQUEST_CACHE_DIR === "" ? undefined : INQUEST_CACHE_DIR);
  if (given !== undefined) return given;
  // Relative paths are to be ignored, says the specification.
  if (XDG_CACHE_HOME !== undefined && isAbsolute(XDG_CACHE_HOME)) return join(XDG_CACHE_HOME, "inquest");
  const home = homeDirectory(HOME);
  return home === undefined ? undefined : join(home, ".cache", "inquest");
}

function homeDirectory(given: string | undefined): string | undefined {
  const home = given === undefined || given === "" ? attempt(homedir) : given;
  return home !== undefined && isAbsolute(home) ? home : undefined;
}

/** A home that does not exist (/nonexistent is that of system users) is not made. */
function inMissingHome(directory: string): boolean {
  const home = homeDirectory(process.env.HOME);
  return home !== undefined && directory === join(home, ".cache", "inquest") && attempt(() => statSync(home)) === undefined;
}

/** Content of a file, at the start of an ArrayBuffer of its own; undefined when it is not there or cannot be read. */
export function readCached(name: string): Uint8Array<ArrayBuffer> | undefined {
  const directory = cacheDirectory();
  if (directory === undefined || !NAME.test(name)) return undefined;
  return attempt(() => {
    const descriptor = openSync(join(directory, name), "r");
    try {
      const { size, mtimeMs } = fstatSync(descriptor);
      if (size > MAX_FILE) return undefined;
      const bytes = new Uint8Array(size);
      for (let done = 0; done < size; ) {
        const count = readSync(descriptor, bytes, done, size - done, done);
        if (count === 0) return undefined;
        done += count;
      }
      const now = Date.now();
      if (Math.abs(now - mtimeMs) > USED_STEP_MS) attempt(() => futimesSync(descriptor, now / 1000, now / 1000));
      return bytes;
    } finally {
      closeSync(descriptor);
    }
  });
}

/** Writes a file, then removes the ones not used for longest when all together are too large. Tells whether it is there now. */
export function writeCached(name: string, content: readonly Uint8Array[]): boolean {
  const directory = cacheDirectory();
  const size = content.reduce((sum, part) => sum + part.length, 0);
  if (directory === undefined || !NAME.test(name) || size > Math.min(MAX_FILE, cacheSettings.limit)) return false;
  if (inMissingHome(directory)) return false;
  const temporary = join(directory, `.${name}.${process.pid}-${++temporaries}.tmp`);
  const written = attempt(() => {
    makeDirectory(directory);
    const descriptor = openSync(temporary, "wx", 0o600);
    try {
      if (writevSync(descriptor, content) !== size) return false;
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, join(directory, name));
    return true;
  });
  if (written !== true) attempt(() => rmSync(temporary, { force: true }));
  trim(directory, name);
  return written === true;
}

/** Removes what is too much: files of old, and leftovers of writers that did not end. Never the file just written. */
function trim(directory: string, keep: string): void {
  attempt(() => {
    const files = readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isFile() && (NAME.test(entry.name) || entry.name.endsWith(".tmp")))
      .flatMap(({ name }) => attempt(() => [{ name, ...pick(statSync(join(directory, name))) }]) ?? [])
      .sort((a, b) => a.used - b.used);
    let total = files.reduce((sum, { size }) => sum + size, 0);
    for (const { name, size, used } of files) {
      const stale = name.endsWith(".tmp") && Date.now() - used > STALE_MS;
      if (!stale && (total <= cacheSettings.limit || name === keep || name.endsWith(".tmp"))) continue;
      attempt(() => rmSync(join(directory, name), { force: true }));
      total -= size;
    }
  });
}

function pick({ size, mtimeMs }: { size: number; mtimeMs: number }): { readonly size: number; readonly used: number } {
  return { size, used: mtimeMs };
}

/** The result; undefined when the system refuses. */
function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return undefined;
  }
}
