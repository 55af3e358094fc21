/** Addresses that may be the lock a task waits for: what task_struct names, registers, words of the waiting frames. */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { StackFrame } from "../../stack/frame.ts";
import type { Task } from "../task.ts";
import { lockLayouts } from "./layout.ts";
import type { LockKind } from "./lock.ts";
import { frameWords } from "./stack-values.ts";
import type { WaitFrames } from "./wait-functions.ts";

export interface Candidate {
  readonly value: VirtualAddress;
  /** Where it was found: "r12 of __mutex_lock". */
  readonly from: string;
}

const MAX_CANDIDATES = 512;

/** What may be the lock: what the task names itself, then registers and words of the waiting frames and of their caller. */
export function candidateLocks(
  kernel: Kernel,
  frames: readonly StackFrame[],
  { first, last }: WaitFrames,
  named: Candidate | undefined,
): readonly Candidate[] {
  const found = new Map<bigint, Candidate>();
  const add = (value: bigint, from: string) => {
    if (found.size < MAX_CANDIDATES && (value & 3n) === 0n && kernel.arch.isKernelAddress(value) && !found.has(value))
      found.set(value, { value: virtual(value), from });
  };
  if (named !== undefined) add(named.value, named.from);
  for (let i = first; i <= last + 1 && i < frames.length; i++) {
    const frame = frames[i] as StackFrame;
    for (const [name, value] of Object.entries(frame.registers.record())) add(value, `${name} of ${frame.function ?? "?"}`);
  }
  for (const { word, frame } of frameWords(kernel, frames, first, last + 1)) add(word, `a word of ${frame.function ?? "?"}'s frame`);
  return [...found.values()];
}

/** enum of include/linux/hung_task.h. */
const BLOCKER_KINDS: readonly LockKind[] = ["mutex", "semaphore", "rwsem", "rwsem"];

/** task->blocked_on (6.17+ for mutexes), task->blocker (6.16+). */
export function namedByTask(kernel: Kernel, task: Task, kind: LockKind): Candidate | undefined {
  const { blockedOn, blockedOnNames, blocker } = lockLayouts(kernel).task;
  const direct = blockedOnNames === "mutex" && kind === "mutex" ? (blockedOn?.pointer(task.address) ?? 0n) : 0n;
  if (direct !== 0n && kernel.arch.isKernelAddress(direct)) return { value: virtual(direct), from: "task->blocked_on" };
  const word = blocker?.bigint(task.address) ?? 0n;
  if (word !== 0n && BLOCKER_KINDS[Number(word & 3n)] === kind) return { value: virtual(word & ~3n), from: "task->blocker" };
  return undefined;
}
