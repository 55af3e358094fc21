/**
 * Locks between processes that share the cache: a file holding the owner's process id, made exclusively. A lock whose owner is gone is
 * taken over.
 */
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDir } from "./paths.ts";
import { waitUntil } from "./process.ts";

/** A guard older than this was left by a process that died holding it. */
const GUARD_LASTS_MS = 10_000;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function tryTake(path: string): boolean {
  try {
    writeFileSync(path, `${process.pid}\n`, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  if (ownerIsGone(path)) removeStale(path);
  return false;
}

function ownerIsGone(path: string): boolean {
  try {
    const owner = Number.parseInt(readFileSync(path, "utf8"), 10);
    return Number.isInteger(owner) && !isAlive(owner);
  } catch {
    // the owner let go between the two looks
    return false;
  }
}

/** Only one process at a time removes a stale lock, and only after looking again: the next owner's lock must not go with it. */
function removeStale(path: string): void {
  const guard = `${path}.takeover`;
  try {
    writeFileSync(guard, "", { flag: "wx" });
  } catch {
    if (existsSync(guard) && Date.now() - statSync(guard).mtimeMs > GUARD_LASTS_MS) rmSync(guard, { force: true });
    return;
  }
  if (ownerIsGone(path)) rmSync(path, { force: true });
  rmSync(guard, { force: true });
}

const waitingHere = new Map<string, Promise<unknown>>();

/** Do `work` while holding the named lock; waits for other holders (in this process and others) up to `timeoutMs`. */
export async function withLock<T>(name: string, work: () => Promise<T>, timeoutMs = 1_800_000): Promise<T> {
  const path = join(cacheDir("locks"), `${name.replaceAll("/", "_")}.lock`);
  const before = waitingHere.get(path) ?? Promise.resolve();
  const mine = before
    .catch(() => {})
    .then(async () => {
      if (!(await waitUntil(() => tryTake(path), timeoutMs, 200))) throw new Error(`the lab's lock ${path} was not free in time`);
      try {
        return await work();
      } finally {
        rmSync(path, { force: true });
      }
    });
  waitingHere.set(path, mine);
  return mine;
}
