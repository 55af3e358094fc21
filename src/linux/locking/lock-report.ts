/**
 * All locks that somebody waits for, and how the waits hang together.
 *
 *   tasks ─► what each waits for (find-wait.ts, spin-wait.ts) ─► locks ─► owners ─► edges task → task ─► circles, chains to the root
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type Task, taskTable } from "../task.ts";
import { findWait } from "./find-wait.ts";
import { lockLayouts } from "./layout.ts";
import type { ContendedLock, LockKind, LockOwner, LockReport, LockState, LockWait } from "./lock.ts";
import { findCycles, longestChains } from "./lock-graph.ts";
import { lockTask } from "./lock-tasks.ts";
import { blank } from "./lock-words.ts";
import { findMentions, type Mention, type StackReader } from "./mentions.ts";
import { readLock } from "./read-lock.ts";
import { spinWait } from "./spin-wait.ts";
import { isScheduling } from "./wait-functions.ts";

/** Kinds of which somebody who does not wait may be the holder. A completion has none: whoever is to complete it need not know it yet. */
const HOLDABLE: ReadonlySet<LockKind> = new Set([
  "mutex",
  "rwsem",
  "rt_mutex",
  "semaphore",
  "percpu_rwsem",
  "spinlock",
  "rwlock",
  "folio",
  "bit",
]);
/** Holders by mention that are listed of one lock. */
const MAX_HOLDERS = 16;

/** @param progress called as tasks are done */
export type LockProgress = (what: string, done: number, total: number) => void;

export function lockReport(kernel: Kernel, reader: StackReader, progress?: LockProgress): LockReport {
  const { tasks } = taskTable(kernel);
  const notes: string[] = [];
  const waits: LockWait[] = [];
  let failed = 0;
  for (const [done, task] of tasks.entries()) {
    if ((done & 63) === 0) progress?.("unwinding stacks:", done, tasks.length);
    try {
      const wait = waitOf(kernel, task, reader);
      if (wait !== undefined) waits.push(wait);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      failed++;
    }
  }
  if (failed > 0) notes.push(`${failed} of ${tasks.length} tasks have stacks that cannot be read: what they wait for is not known`);
  const contended = contendedLocks(kernel, waits);
  const locks = withHolders(kernel, contended, tasks, reader);
  const cycles = findCycles(locks);
  const circled = new Set(cycles.flatMap((cycle) => cycle.waits.map(({ lock }) => lock)));
  const seconds = (lock: ContendedLock) => Math.max(0, ...lock.waits.map((wait) => wait.seconds ?? 0));
  locks.sort(
    (a, b) =>
      Number(circled.has(b.state.address)) - Number(circled.has(a.state.address)) ||
      b.waits.length - a.waits.length ||
      seconds(b) - seconds(a) ||
      (a.state.address < b.state.address ? -1 : 1),
  );
  return { locks, unknown: waits.filter(({ lock }) => lock === undefined), cycles, chains: longestChains(locks, cycles), notes };
}

/** What one task waits for or spins on. */
export function waitOf(kernel: Kernel, task: Task, reader: StackReader): LockWait | undefined {
  // An idle CPU waits for nothing of its own; an interrupt or softirq that it serves may spin.
  if (task.idle && !task.active) return undefined;
  const stack = reader.unwind(task);
  return task.active ? spinWait(kernel, task, stack) : findWait(kernel, task, stack);
}

function contendedLocks(kernel: Kernel, waits: readonly LockWait[]): ContendedLock[] {
  const byLock = new Map<string, LockWait[]>();
  for (const wait of waits) {
    if (wait.lock === undefined) continue;
    const key = `${wait.lock} ${wait.kind} ${wait.bit ?? ""}`;
    const known = byLock.get(key);
    if (known === undefined) byLock.set(key, [wait]);
    else known.push(wait);
  }
  return [...byLock.values()].map((group) => {
    const [first] = group as [LockWait];
    const state = readOrTell(kernel, first.kind, first.lock as VirtualAddress);
    return { state, waits: inListOrder(group, state), holders: state.owner === undefined ? [] : [state.owner] };
  });
}

function readOrTell(kernel: Kernel, kind: LockKind, address: VirtualAddress): LockState {
  try {
    return readLock(kernel, kind, address);
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    return { ...blank(kernel, kind, address), held: "unknown", waiters: [], waitersComplete: false, problems: [error.message] };
  }
}

/** As the lock's list has them; those that are not on it behind, the longest wait first. */
function inListOrder(waits: readonly LockWait[], { waiters }: LockState): LockWait[] {
  const place = new Map(waiters.map(({ address }, index) => [address, index]));
  const rank = (wait: LockWait) => (wait.waiter === undefined ? undefined : place.get(wait.waiter)) ?? waiters.length;
  return [...waits].sort((a, b) => rank(a) - rank(b) || (b.seconds ?? 0) - (a.seconds ?? 0) || a.task.pid - b.task.pid);
}

/** Adds those who may hold the locks whose fields name no owner for certain. */
function withHolders(kernel: Kernel, locks: readonly ContendedLock[], tasks: readonly Task[], reader: StackReader): ContendedLock[] {
  const open = locks.filter(
    ({ state, waits }) =>
      HOLDABLE.has(state.kind) && state.held !== "free" && state.owner?.certainty !== "exact" && waits.some(({ verified }) => verified),
  );
  if (open.length === 0) return [...locks];
  const wanted = new Set(open.map(({ state }) => state.address as bigint));
  const spun = new Set(open.filter(({ state }) => isSpinning(state.kind)).map(({ state }) => state.address as bigint));
  const found = new Map<bigint, Mention[]>();
  for (const mention of findMentions(kernel, tasks, wanted, reader)) {
    const known = found.get(mention.lock);
    if (known === undefined) found.set(mention.lock, [mention]);
    else known.push(mention);
  }
  return locks.map((lock) => {
    if (!open.includes(lock)) return lock;
    const waiting = new Set([...lock.waits.map(({ task }) => task.address), ...lock.state.waiters.map(({ task }) => task?.address)]);
    const known = new Set(lock.holders.map(({ task }) => task.address));
    const others = (found.get(lock.state.address) ?? []).filter(({ task }) => !waiting.has(task.address) && !known.has(task.address));
    // Who holds a spinlock does not sleep: a sleeping task that names it is asked only when no running one does.
    const running = others.filter(({ task }) => task.active);
    // Of several that sleep none is more than one that happens to have the number.
    const sleeping = others.length === 1 ? others : [];
    const chosen = !spun.has(lock.state.address) ? others : running.length > 0 ? running : sleeping;
    const more = chosen.slice(0, MAX_HOLDERS).map((mention) => holderOf(mention, lock.state, chosen.length));
    return { ...lock, holders: [...lock.holders, ...more] };
  });
}

function isSpinning(kind: LockKind): boolean {
  return kind === "spinlock" || kind === "rwlock";
}

function holderOf({ task, function: name, offset, register }: Mention, state: LockState, count: number): LockOwner {
  const place = name === undefined ? "its stack" : `${name}${offset === undefined ? "" : `+0x${offset.toString(16)}`}`;
  const evidence = isScheduling(name)
    ? "a register that it saved when it went to sleep names the lock"
    : register === undefined
      ? `its stack names the lock in ${place}`
      : `${register} of ${place} names the lock`;
  const sure = count === 1 && (!isSpinning(state.kind) || task.active);
  return { task: lockTask(task), mode: state.held === "read" ? "reader" : "owner", certainty: sure ? "likely" : "possible", evidence };
}

/** What this kernel's types leave out, one line each. */
export function lockingNotes(kernel: Kernel): readonly string[] {
  const layouts = lockLayouts(kernel);
  const kinds: readonly (readonly [string, unknown])[] = [
    ["mutexes", layouts.mutex ?? layouts.rtMutexIn.mutex],
    ["rw_semaphores", layouts.rwsem ?? layouts.rtMutexIn.rwsem],
    ["semaphores", layouts.semaphore],
    ["completions", layouts.completion],
    ["wait queues", layouts.waitEntry],
  ];
  const missing = kinds.filter(([, layout]) => layout === undefined).map(([name]) => name);
  return missing.length === 0
    ? []
    : [`the dump's types do not tell how ${missing.join(", ")} are laid out: waits for them are told by function only`];
}
