/**
 * A directory with the ones above it. Node's own recursive mkdir never returns where the system says ENOENT although the directory above
 * is there, as below /proc (seen in Node 20).
 */
import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";

/** Makes what is missing, for the user alone. Throws the system's error; a directory that is there is none. */
export function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  const above = dirname(path);
  if (above !== path) makeDirectory(above);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process was faster.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
