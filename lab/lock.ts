/**
 * Locks between processes that share the cache: a file holding the owner's process id, made exclusively. A lock whose owner is gone is
 * taken over.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDir } from "./paths.ts";
import { waitUntil } from "./process.ts";

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
  try {
    const owner = Number.parseInt(readFileSync(path, "utf8"), 10);
    if (Number.isInteger(owner) && !isAlive(owner)) rmSync(path, { force: true });
  } catch {
    // the owner let go between the two looks
  }
  return false;
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
