/** `runq`: who runs and who waits on each CPU's run queue. */

import { InquestError, LookupError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { cpuMasks } from "../linux/cpu.ts";
import { isGroup, type QueueEntry } from "../linux/queued-tasks.ts";
import { type ClassQueue, type RunQueue, readRunQueue } from "../linux/run-queue-state.ts";
import { taskAt } from "../linux/task.ts";
import { rootTaskGroup } from "../linux/task-groups.ts";
import { lastArrival } from "../linux/task-times.ts";
import { viewApi } from "./api/views.ts";
import { defineCommand } from "./command.ts";
import { groupLines, lagLines, queueLines, timeLines } from "./runq/text.ts";
import { parseCpuList } from "./support/cpu-list.ts";
import { type Quantity, quantity } from "./support/quantity.ts";
import { type TaskReference, taskReference } from "./support/task-reference.ts";

/** A task, or a group with its own queue. */
export type RunqEntry = RunqTask | RunqGroup;

/** A task on a run queue. */
export interface RunqTask {
  readonly task: TaskReference;
  readonly priority?: number;
  readonly current?: true;
  readonly delayed?: true;
}

/** A task group on a run queue, with what it has queued. */
export interface RunqGroup {
  readonly group?: bigint;
  readonly queue: bigint;
  readonly name?: string;
  readonly throttled: boolean;
  readonly priority?: number;
  readonly entries: readonly RunqEntry[];
}

/** The tasks and groups that a scheduling class has queued. */
export interface RunqQueue {
  readonly address: bigint;
  readonly entries: readonly RunqEntry[];
  /** Part of the queue could not be read: more tasks may wait (notes tell). */
  readonly incomplete?: true;
}

/** A CPU's run queue. Times in nanoseconds. */
export interface RunqCpu {
  readonly cpu: number;
  /** struct rq. */
  readonly address: bigint;
  readonly current?: TaskReference;
  /** What the kernel counts. */
  readonly running?: number;
  /** Nanoseconds. */
  readonly clock?: Quantity;
  /** The queue's clock when the running task got the CPU; 0 for an idle task. */
  readonly arrival?: Quantity;
  /** Nanoseconds since then. */
  readonly onCpu?: number;
  /** Nanoseconds behind the newest clock of all CPUs. */
  readonly lag?: number;
  readonly stop?: TaskReference;
  readonly deadline?: RunqQueue;
  readonly realtime: RunqQueue & { readonly queue: bigint };
  readonly fair: RunqQueue & { readonly queue: bigint };
  readonly extensible?: RunqQueue;
  readonly core?: { readonly leader: bigint; readonly cookie: bigint; readonly waiting: readonly RunqTask[] };
  readonly notes?: readonly string[];
}

export interface RunqResult {
  readonly view: "queues" | "times" | "lag" | "running" | "groups";
  readonly cpus: readonly RunqCpu[];
  readonly rootGroup?: bigint;
}

export const runq = defineCommand<RunqResult>({
  spec: {
    name: "runq",
    summary: "run queues",
    synopsis: ["[-t | -T | -m | -g] [-c cpus]"],
    description: [
      "Shows for each CPU the task that runs and the tasks that wait to run, by scheduling class: deadline, realtime, fair (CFS, EEVDF) and, where a BPF scheduler is loaded, sched_ext. The number in brackets is the task's priority (task_struct.prio): 0 to 99 realtime, 100 to 139 for nice -20 to 19.",
      "A task of EEVDF (6.12 and later) that went to sleep and has not left the queue yet is marked DELAYED.",
    ],
    options: [
      { flag: "-t", help: "each queue's clock, and its value when the running task got the CPU" },
      { flag: "-T", help: "how far each CPU's clock is behind the newest: a CPU that is far behind takes no ticks" },
      { flag: "-m", help: "how long the running task has had its CPU" },
      { flag: "-g", help: "by task group, with names, and with groups that are throttled" },
      { flag: "-c", argument: "cpus", help: "these CPUs: 0  1,3  0-2,5  a" },
    ],
    operands: [],
    examples: [
      ["runq", "tasks on the run queues"],
      ["runq -m", "who has been on a CPU for how long"],
      ["runq -T", "CPUs whose clock stands still"],
    ],
    differences: [
      "Deadline and sched_ext queues, a waiting stop task and core scheduling are shown where there is something in them.",
      "Groups of tasks are shown with their names, without -g too.",
      "-T obeys -c.",
    ],
  },
  run(session, args) {
    const { kernel } = session;
    const possible = cpuMasks(kernel).possible;
    const chosen = new Set(parseCpuList(args.value("-c") ?? "a", possible));
    const view = args.has("-g") ? "groups" : args.has("-m") ? "running" : args.has("-T") ? "lag" : args.has("-t") ? "times" : "queues";
    const queues = possible.flatMap((cpu) => readRunQueue(kernel, cpu, view === "groups") ?? []);
    if (queues.length === 0)
      throw new LookupError(
        `runq: no run queue can be read: ${kernel.tryAddress("runqueues") === undefined ? '"runqueues" is not among this kernel\'s symbols' : "struct rq is not known"}`,
      );
    const newest = queues.reduce((most, { clock }) => (clock !== undefined && clock > most ? clock : most), 0n);
    const root = rootTaskGroup(kernel);
    return {
      view,
      cpus: queues.filter(({ cpu }) => chosen.has(cpu)).map((queue) => cpuResult(kernel, queue, newest)),
      ...(root === undefined ? {} : { rootGroup: root }),
    };
  },
  api: viewApi("return { cpus: kernel.runQueues() };", ["-t", "-T", "-m"]),
  *text({ view, cpus, rootGroup }) {
    if (view === "lag") yield* lagLines(cpus);
    else if (view === "times" || view === "running") yield* timeLines(cpus, view);
    else {
      for (const [i, cpu] of cpus.entries()) {
        if (i > 0) yield "";
        yield* view === "groups" ? groupLines(cpu, rootGroup) : queueLines(cpu);
      }
    }
    for (const note of new Set(cpus.flatMap(({ notes }) => notes ?? []))) yield `(${note})`;
  },
});

function cpuResult(kernel: Kernel, queue: RunQueue, newest: bigint): RunqCpu {
  const { cpu, address, current, running, clock, deadline, realtime, fair, extensible, stop, core, notes } = queue;
  const arrival = current === undefined ? undefined : arrivalOf(kernel, current);
  return {
    cpu,
    address,
    ...(current === undefined ? {} : { current: taskReference(kernel, current) }),
    ...(running === undefined ? {} : { running }),
    ...(clock === undefined ? {} : { clock: quantity(clock), lag: Number(newest - clock) }),
    ...(arrival === undefined ? {} : { arrival: quantity(arrival) }),
    ...(arrival === undefined || clock === undefined ? {} : { onCpu: Math.max(0, Number(clock - arrival)) }),
    ...(stop === undefined ? {} : { stop: taskReference(kernel, stop) }),
    ...(deadline === undefined ? {} : { deadline: queueResult(kernel, deadline) }),
    realtime: { ...queueResult(kernel, realtime), queue: realtime.queue },
    fair: { ...queueResult(kernel, fair), queue: fair.queue },
    ...(extensible === undefined ? {} : { extensible: queueResult(kernel, extensible) }),
    ...(core === undefined ? {} : { core: { ...core, waiting: core.waiting.map((task) => entryResult(kernel, task) as RunqTask) } }),
    ...(notes.length === 0 ? {} : { notes }),
  };
}

function arrivalOf(kernel: Kernel, task: NonNullable<RunQueue["current"]>): bigint | undefined {
  try {
    return lastArrival(kernel, taskAt(kernel, task));
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    return undefined;
  }
}

function queueResult(kernel: Kernel, { address, entries, whole }: ClassQueue<QueueEntry>): RunqQueue {
  return { address, entries: entries.map((entry) => entryResult(kernel, entry)), ...(whole ? {} : { incomplete: true as const }) };
}

function entryResult(kernel: Kernel, entry: QueueEntry): RunqEntry {
  if (isGroup(entry)) {
    const { group, queue, name, throttled, priority, entries } = entry;
    return {
      ...(group === undefined ? {} : { group }),
      queue,
      ...(name === undefined ? {} : { name }),
      throttled,
      ...(priority === undefined ? {} : { priority }),
      entries: entries.map((each) => entryResult(kernel, each)),
    };
  }
  const { task, priority, current, delayed } = entry;
  return {
    task: taskReference(kernel, task),
    ...(priority === undefined ? {} : { priority }),
    ...(current === undefined ? {} : { current }),
    ...(delayed === undefined ? {} : { delayed }),
  };
}
