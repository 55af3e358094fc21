/**
 * What one task waits for and holds: from the locks that are waited for, from lockdep where the kernel has it, and from its own stack, where
 * a word that points to a mutex or rw_semaphore whose owner is this very task is no chance.
 */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { StackFrame } from "../../stack/frame.ts";
import type { Task } from "../task.ts";
import { lockLayouts } from "./layout.ts";
import type { ContendedLock, HeldLock, LockCertainty, LockReport, LockState, LockTask, LockWait } from "./lock.ts";
import { lockTask } from "./lock-tasks.ts";
import { hasLockdep, heldLocks } from "./lockdep.ts";
import type { StackReader } from "./mentions.ts";
import { readLock } from "./read-lock.ts";
import { frameWords } from "./stack-values.ts";

/** A lock that a task holds, or may. */
export interface TaskHold {
  readonly lock: LockState;
  readonly certainty: LockCertainty;
  readonly evidence: string;
  /** How many wait for it. */
  readonly waiting: number;
}

export interface TaskLocks {
  readonly task: LockTask;
  readonly waits: LockWait | undefined;
  readonly holds: readonly TaskHold[];
  /** Undefined on kernels without lockdep. */
  readonly lockdep: readonly HeldLock[] | undefined;
  readonly notes: readonly string[];
}

export function taskLocks(kernel: Kernel, task: Task, reader: StackReader, report: LockReport): TaskLocks {
  const notes: string[] = [];
  const waits = [...report.locks.flatMap((lock) => lock.waits), ...report.unknown].find((wait) => wait.task.address === task.address);
  const holds: TaskHold[] = report.locks.flatMap((lock) => contendedHold(lock, task));
  const known = new Set<bigint>(report.locks.map(({ state }) => state.address));
  try {
    for (const state of ownedOnStack(kernel, task, reader)) {
      if (known.has(state.address)) continue;
      known.add(state.address);
      holds.push({
        lock: state,
        certainty: "exact",
        evidence: "its stack names the lock, whose owner field names the task",
        waiting: state.waiters.length,
      });
    }
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    notes.push(`its stack cannot be read: ${error.message}`);
  }
  const held = heldLocks(kernel, task.address, waits?.lock);
  if (held?.problem !== undefined) notes.push(`lockdep: ${held.problem}`);
  if (!hasLockdep(kernel))
    notes.push(
      "this kernel keeps no list of what a task holds (no CONFIG_LOCKDEP): locks that neither have waiters nor stand on the stack are not known",
    );
  return { task: lockTask(task), waits, holds, lockdep: held?.locks, notes };
}

function contendedHold({ state, holders, waits }: ContendedLock, task: Task): TaskHold[] {
  const own = holders.find((holder) => holder.task.address === task.address);
  return own === undefined ? [] : [{ lock: state, certainty: own.certainty, evidence: own.evidence, waiting: waits.length }];
}

/** Words of one stack that are tried. */
const MAX_TRIED = 4096;

/** Mutexes and rw_semaphores that words of the stack or registers point to and that name the task as their owner. */
function* ownedOnStack(kernel: Kernel, task: Task, reader: StackReader): Iterable<LockState> {
  const { frames } = reader.unwind(task);
  const { mutex, rwsem } = lockLayouts(kernel);
  const tried = new Set<bigint>();
  for (const value of values(kernel, frames)) {
    if (tried.has(value) || tried.size >= MAX_TRIED || (value & 7n) !== 0n || !kernel.arch.isKernelAddress(value)) continue;
    tried.add(value);
    const at = virtual(value);
    for (const [kind, owner] of [
      ["mutex", mutex?.owner],
      ["rwsem", rwsem?.owner],
    ] as const) {
      if (owner === undefined || !ownerIs(kernel, owner.address(at), task.address)) continue;
      const state = sane(kernel, kind, at, frames);
      if (state !== undefined) yield state;
    }
  }
}

function* values(kernel: Kernel, frames: readonly StackFrame[]): Iterable<bigint> {
  for (const { word } of frameWords(kernel, frames, 0, frames.length - 1)) yield word;
  for (const value of Object.values(frames[0]?.registers.record() ?? {})) yield value;
}

function ownerIs(kernel: Kernel, at: VirtualAddress, task: VirtualAddress): boolean {
  const word = kernel.memory.tryU64(at);
  return word !== undefined && (word & ~7n) === task;
}

/** The lock, when all of it reads as one: its list is whole, and it is no word of the task's own stack. */
function sane(kernel: Kernel, kind: "mutex" | "rwsem", at: VirtualAddress, frames: readonly StackFrame[]): LockState | undefined {
  if (frames.some(({ stack }) => at >= stack.start && at < stack.end)) return undefined;
  try {
    const state = readLock(kernel, kind, at);
    const agrees = kind === "mutex" ? state.held === "held" : state.held === "write" || state.held === "read";
    // A reader's count says how many there are: more than tasks there can be is no count.
    const counted = state.readers === undefined || state.readers < 1 << 22;
    return agrees && counted && state.waitersComplete && state.problems.length === 0 ? state : undefined;
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}
