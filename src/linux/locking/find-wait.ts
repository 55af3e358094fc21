/**
 * What a sleeping task waits for, from its stack.
 *
 *   __schedule, schedule …            skipped
 *   __mutex_lock         ┐ the waiting function's frames: the waiter structure lies in them, names the task
 *   mutex_lock           ┘ and is linked ─► its ring's head lies in the lock
 *   caller                 registers and words here may hold the lock's address: for locks without a head in the ring (7.x)
 *
 * A lock is believed when its own list holds the waiter. Where the list tells nothing (the waiter has just been taken off, a percpu_rwsem's
 * writer) a word is taken only if what lies there can be such a lock, and the wait says that it is not verified.
 */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import { containerOf } from "../../kernel/field.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { StackFrame, UnwoundStack } from "../../stack/frame.ts";
import type { Task } from "../task.ts";
import { bitWait } from "./bit-wait.ts";
import { type ListLockLayout, lockLayouts, type WaiterLayout } from "./layout.ts";
import type { LockKind, LockWait } from "./lock.ts";
import { type Candidate, candidateLocks, namedByTask } from "./lock-candidates.ts";
import { lockTask, secondsSinceRun } from "./lock-tasks.ts";
import { readLock } from "./read-lock.ts";
import { rtWriterWait } from "./rt-lock.ts";
import { frameWords } from "./stack-values.ts";
import { plainName, type WaitFrames, waitFrames } from "./wait-functions.ts";
import { isLinked, waiterRing } from "./wait-list.ts";

/** What is found of a wait before it is dressed as one. */
export interface FoundWait {
  readonly lock: VirtualAddress | undefined;
  readonly waiter: VirtualAddress | undefined;
  readonly verified: boolean;
  readonly evidence: string;
  readonly mode?: "read" | "write";
  readonly bit?: number;
  readonly flag?: string;
  readonly kind?: LockKind;
}

const NOT_FOUND = "the lock's address was found neither in a list of waiters nor in registers";

/** What this task waits for; undefined when no function that waits for a lock is at the inner end of its stack. */
export function findWait(kernel: Kernel, task: Task, stack: UnwoundStack): LockWait | undefined {
  const frames = stack.frames;
  const place = waitFrames(frames);
  if (place === undefined) return undefined;
  let found: FoundWait;
  try {
    found = search(kernel, task, frames, place);
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    found = { lock: undefined, waiter: undefined, verified: false, evidence: error.message };
  }
  const caller = frames[place.last + 1];
  const through = plainName(frames[place.first]?.function ?? "");
  const { lock, waiter, verified, evidence } = found;
  return {
    task: lockTask(task),
    kind: found.kind ?? place.kind,
    lock,
    mode: found.mode ?? modeOf(frames, place),
    ...(found.bit === undefined ? {} : { bit: found.bit }),
    ...(found.flag === undefined ? {} : { flag: found.flag }),
    waiter,
    through,
    caller: caller?.function,
    module: caller?.module,
    seconds: secondsSinceRun(kernel, task),
    verified,
    evidence,
  };
}

function modeOf(frames: readonly StackFrame[], { kind, first, last }: WaitFrames): "read" | "write" | undefined {
  if (kind !== "rwsem" && kind !== "percpu_rwsem") return undefined;
  const names = frames.slice(first, last + 1).map((frame) => frame.function ?? "");
  return names.some((name) => /_read/.test(name)) ? "read" : names.some((name) => /_write/.test(name)) ? "write" : undefined;
}

/** PREEMPT_RT: rwlock_t goes through the same functions (spinlock_rt.c). */
function isRtRwsem(frames: readonly StackFrame[], { first, last }: WaitFrames): boolean {
  const names = frames.slice(first, last + 2).map((frame) => plainName(frame.function ?? ""));
  return names.some((name) => /^_*rwbase_/.test(name)) && !names.some((name) => /^rt_(?:read|write)_lock/.test(name));
}

function rtModeOf(frames: readonly StackFrame[], { first, last }: WaitFrames): "read" | "write" {
  return frames.slice(first, last + 1).some((frame) => /rwbase_read/.test(frame.function ?? "")) ? "read" : "write";
}

function search(kernel: Kernel, task: Task, frames: readonly StackFrame[], place: WaitFrames): FoundWait {
  const layouts = lockLayouts(kernel);
  const { kind } = place;
  if (kind === "folio" || kind === "bit") return bitWait(kernel, task, frames, place);
  const priority = layouts.task.piBlockedOn?.pointer(task.address) ?? 0n;
  const semaphore = layouts.rtMutexIn.rwsem !== undefined && isRtRwsem(frames, place);
  if (priority !== 0n && layouts.rtMutex !== undefined) {
    const { waiter } = layouts.rtMutex;
    const lock = waiter.lock.pointer(priority as VirtualAddress);
    const own = waiter.task.pointer(priority as VirtualAddress) === task.address;
    const listed = own && readLock(kernel, "rt_mutex", lock).waiters.some(({ address }) => address === priority);
    const outer = semaphore ? layouts.rtMutexIn.rwsem : undefined;
    return {
      lock: outer === undefined ? lock : containerOf(lock, outer),
      waiter: virtual(priority),
      verified: listed,
      evidence: listed ? "task->pi_blocked_on, in the lock's tree of waiters" : "task->pi_blocked_on; the lock's tree does not hold it",
      kind: outer === undefined ? "rt_mutex" : "rwsem",
      ...(outer === undefined ? {} : { mode: rtModeOf(frames, place) }),
    };
  }
  if (semaphore) {
    const found = rtWriterWait(kernel, task.address, candidateLocks(kernel, frames, place, undefined));
    if (found !== undefined) {
      const evidence = `${found.candidate.from}; the lock's rt_mutex is the task's, and readers are inside`;
      return { lock: found.lock, waiter: found.waiter, verified: true, kind: "rwsem", mode: "write", evidence };
    }
  }
  const layout = listLayout(kernel, kind);
  const named = namedByTask(kernel, task, kind);
  if (layout === undefined) {
    return named === undefined ? { lock: undefined, waiter: undefined, verified: false, evidence: NOT_FOUND } : unverified(named);
  }
  const waiter = findWaiter(kernel, task, frames, place, layout.waiter);
  const candidates = candidateLocks(kernel, frames, place, named).filter(({ value }) => !isQueuedWaiter(kernel, layout, waiter, value));
  if (waiter !== undefined) {
    const found = lockOfWaiter(kernel, layout, waiter, candidates);
    if (found !== undefined) return { ...found, waiter, ...waiterMode(layout, waiter) };
  }
  if (kind === "percpu_rwsem") {
    const writer = percpuWriter(kernel, task, candidates);
    if (writer !== undefined) return writer;
  }
  const listed = lockThatLists(kernel, task, kind, candidates);
  if (listed !== undefined) return listed;
  const guess = plausibleLock(kernel, kind, candidates);
  const why =
    waiter === undefined
      ? "no waiter of it is linked in a list: it has just been woken, or the list is damaged"
      : "its waiter is linked, but in no lock that registers or the stack name";
  if (named !== undefined) return { ...unverified(named), waiter };
  if (guess === undefined) return { lock: undefined, waiter, verified: false, evidence: `${NOT_FOUND}; ${why}` };
  return { lock: guess.value, waiter, verified: false, evidence: `${guess.from} names what can be such a lock; ${why}` };
}

/** Bytes of a waiter's structure on its task's stack. */
const WAITER_BYTES = 64n;

/** The entry of another waiter, before or behind this one in the list: registers have its address, and it is no lock. */
function isQueuedWaiter(kernel: Kernel, layout: ListLockLayout, waiter: VirtualAddress | undefined, value: bigint): boolean {
  const ring = waiter === undefined ? undefined : waiterRing(kernel, layout.waiter, waiter);
  if (ring === undefined) return false;
  // Thousands may stand in the list: it is not gone through for each.
  for (let into = value & 7n; into < WAITER_BYTES; into += 8n) if (ring.waiters.has(value - into)) return true;
  return false;
}

function unverified({ value, from }: Candidate): FoundWait {
  return { lock: value, waiter: undefined, verified: false, evidence: `${from}; its list of waiters does not hold the task` };
}

function waiterMode(layout: ListLockLayout, waiter: VirtualAddress): { mode?: "read" | "write" } {
  const type = layout.waiter.type?.number(waiter);
  return type === 0 ? { mode: "write" } : type === 1 ? { mode: "read" } : {};
}

function listLayout(kernel: Kernel, kind: LockKind): ListLockLayout | undefined {
  const layouts = lockLayouts(kernel);
  switch (kind) {
    case "mutex":
      return layouts.mutex;
    case "rwsem":
      return layouts.rwsem;
    case "semaphore":
      return layouts.semaphore;
    case "completion":
      return layouts.completion;
    case "percpu_rwsem":
      return layouts.percpuRwsem;
    default:
      return undefined;
  }
}

/** A linked waiter of this task in the waiting function's frames, innermost first. */
function findWaiter(
  kernel: Kernel,
  task: Task,
  frames: readonly StackFrame[],
  { first, last }: WaitFrames,
  layout: WaiterLayout,
): VirtualAddress | undefined {
  // arm64's compilers may keep locals below the frame's record: in what is counted to the next frame inwards.
  for (const { at, word } of frameWords(kernel, frames, first - 1, last)) {
    if (word !== task.address) continue;
    const waiter = containerOf(at, layout.task);
    if (isLinked(kernel, layout.list.address(waiter))) return waiter;
  }
  return undefined;
}

/** The lock whose list holds the waiter. */
function lockOfWaiter(
  kernel: Kernel,
  layout: ListLockLayout,
  waiter: VirtualAddress,
  candidates: readonly Candidate[],
): Pick<FoundWait, "lock" | "verified" | "evidence"> | undefined {
  const ring = waiterRing(kernel, layout.waiter, waiter);
  const { head } = layout;
  if (ring === undefined) {
    // A broken ring may still be one that a known lock begins.
    const lock = candidates.find(
      ({ value }) => kernel.memory.tryU64((layout.head ?? layout.first)?.address(value) ?? value) === layout.waiter.list.address(waiter),
    );
    return lock === undefined
      ? undefined
      : { lock: lock.value, verified: true, evidence: `${lock.from}; its waiter is the first of the lock's list, which breaks further on` };
  }
  if (head !== undefined && ring.head !== undefined) {
    return { lock: containerOf(ring.head, head), verified: true, evidence: "its waiter is in the lock's list of waiters" };
  }
  const { first } = layout;
  if (first === undefined) return undefined;
  const lock = candidates.find(({ value }) => {
    const pointer = kernel.memory.tryU64(first.address(value));
    return pointer !== undefined && ring.waiters.has(pointer);
  });
  return lock === undefined
    ? undefined
    : { lock: lock.value, verified: true, evidence: `${lock.from}; its waiter is in the lock's ring of waiters` };
}

/** percpu_down_write() waits in rcuwait for readers to leave: the lock's writer is the task. */
function percpuWriter(kernel: Kernel, task: Task, candidates: readonly Candidate[]): FoundWait | undefined {
  const writer = lockLayouts(kernel).percpuRwsem?.writer;
  if (writer === undefined) return undefined;
  const lock = candidates.find(({ value }) => kernel.memory.tryU64(writer.address(value)) === task.address);
  return lock === undefined
    ? undefined
    : {
        lock: lock.value,
        waiter: undefined,
        verified: true,
        mode: "write",
        evidence: `${lock.from}; the lock names the task as its writer`,
      };
}

/** Candidates whose list of waiters is walked: those that look like a lock at all end at once where they are none. */
const MAX_WALKED = 64;

/** A candidate whose own list holds a waiter of the task, wherever that lies. */
function lockThatLists(kernel: Kernel, task: Task, kind: LockKind, candidates: readonly Candidate[]): FoundWait | undefined {
  for (const { value, from } of candidates.slice(0, MAX_WALKED)) {
    try {
      const waiter = readLock(kernel, kind, value).waiters.find((each) => each.task?.address === task.address);
      if (waiter === undefined) continue;
      const mode = waiter.mode === undefined ? {} : { mode: waiter.mode };
      return {
        lock: value,
        waiter: waiter.address,
        verified: true,
        ...mode,
        evidence: `${from}; the lock's list of waiters holds the task`,
      };
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
  }
  return undefined;
}

/** A candidate that reads as such a lock, held by a live task; only owners make a lock tell itself from other memory. */
function plausibleLock(kernel: Kernel, kind: LockKind, candidates: readonly Candidate[]): Candidate | undefined {
  if (kind !== "mutex" && kind !== "rwsem") return undefined;
  const fit = candidates.filter(({ value }) => {
    try {
      const state = readLock(kernel, kind, value);
      return state.owner !== undefined && state.problems.length === 0;
    } catch (error) {
      if (error instanceof InquestError) return false;
      throw error;
    }
  });
  return fit.length === 1 ? fit[0] : undefined;
}
