/**
 * Tasks that hang, and what each hangs on in the end.
 *
 *   a task hangs when the kernel reported it and it still sleeps, or when it has slept as khungtaskd counts it for longer than its timeout:
 *   TASK_UNINTERRUPTIBLE, not TASK_KILLABLE, not TASK_IDLE (kernel/hung_task.c, check_hung_uninterruptible_tasks)
 *
 * The root of a chain of waits is the task that no further edge leads on from.
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import { secondsSinceRun } from "../../linux/locking/lock-tasks.ts";
import { isKernelThread, type Task, taskTable } from "../../linux/task.ts";
import { TASK_UNINTERRUPTIBLE } from "../../linux/task-state.ts";
import { chainFrom, type HangEdge, hangEdges } from "./edges.ts";
import { DEFAULT_TIMEOUT, hungTaskTimeout } from "./hung-timeout.ts";
import type { ReportedStall } from "./reported.ts";
import type { Standstill } from "./standstill.ts";

const TASK_WAKEKILL = 0x100;
const TASK_NOLOAD = 0x400;

/** Part of the longest sleep that makes others as hung, where the kernel's own timeout is not known. */
const AS_LONG = 0.5;

export interface HungTask {
  readonly task: Task;
  /** Seconds since it last ran. */
  readonly seconds: number | undefined;
  /** The kernel said so, and of how many seconds. */
  readonly reported: boolean;
}

export interface HungGroup {
  /** The task that all of them wait for in the end; the hung task itself when it waits for none. */
  readonly root: Task;
  readonly hung: readonly HungTask[];
  /** From the longest waiting of them to the root. */
  readonly chain: readonly HangEdge[];
  readonly reported: boolean;
}

/** Sleeps as the kernel's detector counts it. */
export function sleepsHung({ state, exitState, active, idle }: Task): boolean {
  return !active && !idle && exitState === 0 && (state & TASK_UNINTERRUPTIBLE) !== 0 && (state & (TASK_WAKEKILL | TASK_NOLOAD)) === 0;
}

export function hungTasks(still: Standstill, reported: readonly ReportedStall[]): readonly HungTask[] {
  const { kernel } = still;
  const told = reported.filter(({ kind }) => kind === "hung task");
  const pids = new Set(told.flatMap(({ pid }) => pid ?? []));
  const timeouts = told.flatMap(({ seconds }) => seconds ?? []);
  const asleep = taskTable(kernel).tasks.flatMap((task) => (sleepsHung(task) ? [{ task, seconds: secondsSinceRun(kernel, task) }] : []));
  const longest = Math.max(0, ...asleep.map(({ seconds }) => seconds ?? 0));
  // It panicked, and neither whom it reported nor after what time is left: the one that has slept longest is one of them.
  const gone = told.length > 0 && pids.size === 0 && longest > 0;
  const configured = hungTaskTimeout(kernel);
  // What the kernel calls too long counts for all; unasked nobody is accused of less than its default.
  const limit =
    gone && configured === undefined
      ? longest * AS_LONG
      : told.length > 0
        ? Math.min(...timeouts, configured ?? DEFAULT_TIMEOUT)
        : Math.max(DEFAULT_TIMEOUT, configured ?? 0);
  return asleep.flatMap(({ task, seconds }): HungTask[] => {
    const isReported = pids.has(task.pid) || (gone && seconds === longest);
    const long = seconds !== undefined && seconds >= limit;
    // Threads of the kernel may sleep so for as long as nothing is to do.
    const counts = isReported || (long && (told.length > 0 || !isKernelThread(task) || hangEdges(still).has(task.address)));
    return counts ? [{ task, seconds, reported: isReported }] : [];
  });
}

/** By root, the group of what was reported first, then the largest. Tasks whose chain comes round are left out: those are deadlocks. */
export function hungGroups(still: Standstill, reported: readonly ReportedStall[]): readonly HungGroup[] {
  const edges = hangEdges(still);
  const groups = new Map<VirtualAddress, { root: Task; hung: HungTask[]; chain: readonly HangEdge[] }>();
  for (const each of hungTasks(still, reported)) {
    const chain = chainFrom(edges, each.task.address);
    const end = chain.at(-1)?.to.address ?? each.task.address;
    if (chain.some(({ from }) => from.address === end)) continue;
    const root = still.task(end);
    if (root === undefined) continue;
    const known = groups.get(end);
    if (known === undefined) groups.set(end, { root, hung: [each], chain });
    else {
      known.hung.push(each);
      if (chain.length > known.chain.length) known.chain = chain;
    }
  }
  // Longest first; of several the kernel names in any order.
  return [...groups.values()]
    .map(({ root, hung, chain }) => ({
      root,
      chain,
      hung: hung.sort((a, b) => (b.seconds ?? 0) - (a.seconds ?? 0) || a.task.pid - b.task.pid),
      reported: hung.some((each) => each.reported),
    }))
    .sort(
      (a, b) =>
        Number(b.reported) - Number(a.reported) || b.hung.length - a.hung.length || (b.hung[0]?.seconds ?? 0) - (a.hung[0]?.seconds ?? 0),
    );
}
