/**
 * Where the lab keeps things. Everything it downloads or makes lives outside the repository, under one cache directory
 * (`INQUEST_LAB_DIR`, or `inquest-lab` in the user's cache directory); its own sources are found from this file's place.
 */
import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the lab's cache. */
export function labDir(): string {
  const cacheHome = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return process.env.INQUEST_LAB_DIR || join(cacheHome, "inquest-lab");
}

/** A directory under the cache, made on first use. */
export function cacheDir(...parts: string[]): string {
  const dir = join(labDir(), ...parts);
  mkdirSync(dir, { recursive: true });
  return dir;
}

/** The repository's root, found upwards from this file (which may be running from `lab/` or from `dist/lab/`). */
export function repositoryRoot(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(dir, "package.json"))) {
    const parent = dirname(dir);
    if (parent === dir) throw new Error("the repository's package.json was not found above the lab");
    dir = parent;
  }
  return dir;
}

/** A file of the lab's own sources (C modules, guest scripts). */
export function labSource(...parts: string[]): string {
  return join(repositoryRoot(), "lab", ...parts);
}
