/**
 * Start-up files: `.inquestrc`, else crash's `.crashrc`, of the home directory and then of the working directory.
 *
 * A dump is often looked at in a directory that came with it. A file of the working directory may therefore set, alias and run
 * commands, and not start programs or write files.
 */
import { existsSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

export interface RcFile {
  readonly path: string;
  /** May use the shell and write files. */
  readonly trusted: boolean;
}

const NAMES = [".inquestrc", ".crashrc"];

/** The files that exist, in the order they are run. */
export function rcFiles(environment: NodeJS.ProcessEnv, working = process.cwd()): RcFile[] {
  const home = environment.HOME || homedir();
  const found: RcFile[] = [];
  for (const directory of new Set([home, working])) {
    const path = NAMES.map((name) => join(directory, name)).find((candidate) => existsSync(candidate));
    if (path !== undefined && !found.some((other) => realpathSync(other.path) === realpathSync(path)))
      found.push({ path, trusted: directory === home });
  }
  return found;
}

/** crash's own start-up files load its extensions, which are shared objects. */
export function loadsSharedObject(line: string): boolean {
  return /^extend\b.*\.so\b/.test(line.trim());
}
