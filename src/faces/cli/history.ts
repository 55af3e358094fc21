/**
 * The prompt's history in a file of the user's state directory, one command a line, oldest first. Several sessions may append at the
 * same time: each change is made under a lock file, so nobody's lines are lost when another shortens the file.
 *
 *   $XDG_STATE_HOME/inquest/history   (~/.local/state/inquest/history)   mode 0600
 */
import {
  appendFileSync,
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { makeDirectory } from "../../bytes/make-directory.ts";

const MAX_ENTRIES = 2000;
const MAX_LENGTH = 4096;
/** A lock older than this was left by a process that died. */
const STALE_LOCK_MS = 5000;
const LOCK_TRIES = 50;
const clock = new Int32Array(new SharedArrayBuffer(4));

export function historyPath(environment: NodeJS.ProcessEnv): string {
  return join(environment.XDG_STATE_HOME || join(environment.HOME || homedir(), ".local", "state"), "inquest", "history");
}

export class History {
  /** Oldest first. */
  readonly entries: string[];
  readonly #path: string | undefined;
  readonly #limit: number;

  /** @param path undefined keeps the history in memory */
  constructor(path: string | undefined, limit = MAX_ENTRIES) {
    this.#path = path;
    this.#limit = limit;
    this.entries = path === undefined ? [] : readEntries(path).slice(-limit);
  }

  /** Remembers a command; one that repeats the last is not added again. A file that cannot be written is no reason to fail. */
  add(line: string): void {
    const entry = line.replace(/[\r\n]+/g, " ").slice(0, MAX_LENGTH);
    if (entry === "" || this.entries.at(-1) === entry) return;
    this.entries.push(entry);
    const path = this.#path;
    if (path === undefined) return;
    try {
      if (inMissingHome(path)) return;
      makeDirectory(dirname(path));
      locked(`${path}.lock`, () => {
        appendFileSync(path, `${entry}\n`, { mode: 0o600 });
        if (statSync(path).size > this.#limit * 64) this.#shorten(path);
      });
    } catch {
      // A home that is read-only or full.
    }
  }

  #shorten(path: string): void {
    const entries = readEntries(path);
    if (entries.length <= this.#limit * 1.5) return;
    const temporary = `${path}.${process.pid}`;
    writeFileSync(temporary, `${entries.slice(-this.#limit).join("\n")}\n`, { mode: 0o600 });
    chmodSync(temporary, 0o600);
    renameSync(temporary, path);
  }

  /**
   * What `!!`, `!N`, `!prefix`, `r`, `r N` and `r prefix` stand for; the line itself when it is none of these.
   * @returns undefined when nothing in the history fits
   */
  expand(line: string): string | undefined {
    if (line === "!!" || line === "r") return this.entries.at(-1);
    const found = /^(?:!|r\s+)(.+)$/.exec(line);
    // `!command` of the shell has letters; only numbers and the explicit `r` look into the history, as in crash.
    if (found === null || (line.startsWith("!") && !/^!\d+$/.test(line))) return line;
    const key = (found[1] as string).trim();
    if (/^\d+$/.test(key)) return this.entries[Number(key) - 1];
    return this.entries.findLast((entry) => entry.startsWith(key));
  }
}

/** A home that does not exist (/nonexistent is that of system users) is not made. */
function inMissingHome(path: string): boolean {
  const [, home] = /^(.+)\/\.local\/state\/inquest\/history$/.exec(path) ?? [];
  return home !== undefined && !existsSync(home);
}

function readEntries(path: string): string[] {
  try {
    return readFileSync(path, "utf8")
      .split("\n")
      .filter((line) => line !== "" && line.length <= MAX_LENGTH);
  } catch {
    return [];
  }
}

/** Runs the work while no other process holds the lock; after a while without it: a history is not worth waiting for. */
function locked(path: string, work: () => void): void {
  let held = false;
  for (let attempt = 0; attempt < LOCK_TRIES && !held; attempt++) {
    try {
      closeSync(openSync(path, "wx", 0o600));
      held = true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      removeStale(path);
      Atomics.wait(clock, 0, 0, 4);
    }
  }
  try {
    if (held) work();
  } finally {
    if (held) unlinkSync(path);
  }
}

function removeStale(path: string): void {
  try {
    if (Date.now() - statSync(path).mtimeMs > STALE_LOCK_MS) unlinkSync(path);
  } catch {
    // Its owner removed it meanwhile.
  }
}
