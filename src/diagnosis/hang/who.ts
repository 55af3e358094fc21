/** Tasks, ages and participants in words: what all detectors of hangs say alike. */

import { lockLayouts } from "../../linux/locking/layout.ts";
import type { ContendedLock, LockTask } from "../../linux/locking/lock.ts";
import type { Evidence, LockName, Participant } from "../verdict.ts";
import type { HangEdge } from "./edges.ts";
import { lockName, lockText } from "./lock-object.ts";
import type { Standstill } from "./standstill.ts";
import { servedOver, stoppedCpus } from "./stopped-cpu.ts";

/** "lab-ab (127)". A task may call itself anything. */
export function who({ comm, pid }: Pick<LockTask, "comm" | "pid">): string {
  return `${comm.replace(/[^\x20-\x7e]/g, "?")} (${pid})`;
}

/** The same, but of a CPU that an interrupt or softirq keeps: "CPU 1 in a softirq over swapper/1 (0)". The task has no part in it. */
export function actor(still: Standstill, task: Pick<LockTask, "comm" | "pid" | "address">): string {
  const cpu = stoppedCpus(still).find((each) => each.task.address === task.address);
  const over = cpu === undefined ? undefined : servedOver(cpu);
  return over === undefined ? who(task) : `CPU ${cpu?.cpu} in ${over} over ${who(task)}`;
}

/** "122 s", "2 h 5 min". */
export function ageText(seconds: number): string {
  if (seconds < 600) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** " for 122 s", or nothing. */
export function forText(seconds: number | undefined): string {
  return seconds === undefined ? "" : ` for ${ageText(seconds)}`;
}

/** "a, b and 3 more". */
export function someOf(names: readonly string[], most = 8): string {
  if (names.length <= most) return names.join(", ");
  return `${names.slice(0, most).join(", ")} and ${names.length - most} more`;
}

/** What an edge's task waits for, to stand behind "waits for". */
export function awaited(still: Standstill, edge: HangEdge): string {
  return edge.via === "lock" && edge.lock !== undefined ? lockText(lockName(still, edge.lock)) : edge.what;
}

/** A task that waits; `holds` are the locks that others wait for. */
export function waiter(still: Standstill, edge: HangEdge, holds: readonly LockName[], central: boolean): Participant {
  const held = holds.length === 0 ? "" : `holds ${holds.map(lockText).join(", ")}, `;
  return {
    pid: edge.from.pid,
    comm: edge.from.comm,
    task: edge.from.address,
    role: `${held}waits for ${awaited(still, edge)}`,
    ...(holds.length === 0 ? {} : { holds }),
    ...(edge.lock === undefined ? {} : { waitsFor: lockName(still, edge.lock) }),
    ...(edge.seconds === undefined ? {} : { blockedFor: edge.seconds }),
    ...(central ? { central: true as const } : {}),
  };
}

/** That the lock's own fields name its owner. */
export function ownerEvidence(still: Standstill, lock: ContendedLock): Evidence[] {
  const { state } = lock;
  const { mutex, rwsem, rtMutex } = lockLayouts(still.kernel);
  const field =
    state.kind === "mutex" ? mutex?.owner : state.kind === "rwsem" ? rwsem?.owner : state.kind === "rt_mutex" ? rtMutex?.owner : undefined;
  const name = lockText(lockName(still, lock));
  if (field === undefined) {
    const word = state.kind === "spinlock" ? still.kernel.memory.tryU32(state.address) : undefined;
    if (word === undefined) return [];
    return [
      {
        claim: `${name} is taken: ${word.toString(16)}`,
        command: `rd -32 ${state.address.toString(16)}`,
        values: [{ address: state.address, value: BigInt(word) }],
      },
    ];
  }
  const at = field.address(state.address);
  const value = still.kernel.memory.tryU64(at);
  if (value === undefined || value === 0n) return [];
  const owner = lock.holders[0]?.task;
  return [
    {
      claim: `the owner word of ${name} names ${owner === undefined ? "no task that exists" : who(owner)}`,
      command: `rd ${at.toString(16)}`,
      values: [{ address: at, value }],
    },
  ];
}

/** That a task is linked in the lock's list of waiters. */
export function waiterEvidence(still: Standstill, edge: HangEdge): Evidence[] {
  const { lock, from } = edge;
  const wait = still.waitOf(from.address);
  if (lock === undefined || wait?.waiter === undefined || !wait.verified) return [];
  const layouts = lockLayouts(still.kernel);
  const kind = lock.state.kind;
  const field =
    kind === "mutex"
      ? layouts.mutex?.waiter.task
      : kind === "rwsem"
        ? layouts.rwsem?.waiter.task
        : kind === "semaphore"
          ? layouts.semaphore?.waiter.task
          : kind === "completion"
            ? layouts.completion?.waiter.task
            : undefined;
  if (field === undefined) return [];
  const at = field.address(wait.waiter);
  if (still.kernel.memory.tryU64(at) !== from.address) return [];
  return [
    {
      claim: `${who(from)} is linked in the list of waiters of ${lockText(lockName(still, lock))}`,
      command: `rd ${at.toString(16)}`,
      values: [{ address: at, value: from.address }],
    },
  ];
}
