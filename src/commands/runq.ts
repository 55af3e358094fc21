/** `runq`: who runs and who waits on each CPU's run queue. */
import { hex16 } from "../bytes/address.ts";
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
import { parseCpuList } from "./support/cpu-list.ts";
import { type Quantity, quantity } from "./support/quantity.ts";
import { type TaskReference, taskReference, taskReferenceText } from "./support/task-reference.ts";

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

const isRunqGroup = (entry: RunqEntry): entry is RunqGroup => "entries" in entry;

function* queueLines(cpu: RunqCpu): Iterable<string> {
  yield `CPU ${cpu.cpu} RUNQUEUE: ${hex16(cpu.address)}`;
  yield currentLine(cpu);
  if (cpu.stop !== undefined) yield `  STOP: ${taskReferenceText(cpu.stop)}`;
  if ((cpu.deadline?.entries.length ?? 0) > 0 || cpu.deadline?.incomplete === true) yield* section("DL RB_ROOT", cpu.deadline as RunqQueue);
  yield* section("RT PRIO_ARRAY", cpu.realtime);
  yield* section("CFS RB_ROOT", cpu.fair);
  if ((cpu.extensible?.entries.length ?? 0) > 0) yield* section("SCX RUNNABLE_LIST", cpu.extensible as RunqQueue);
  if (cpu.core !== undefined) {
    yield `  CORE: ${hex16(cpu.core.leader)}  COOKIE: ${cpu.core.cookie.toString(16)}`;
    for (const task of cpu.core.waiting) yield taskLine(task, 5);
  }
}

function currentLine({ current }: RunqCpu): string {
  return `  CURRENT: ${current === undefined ? "(unreadable)" : taskReferenceText(current)}`;
}

/** The running task stands in the line above, and not in its queue. */
function* section(label: string, { address, entries, incomplete }: RunqQueue): Iterable<string> {
  yield `  ${label}: ${hex16(address)}`;
  const waiting = [...waitingLines(entries, 5)];
  if (waiting.length === 0) yield emptyLine(incomplete);
  yield* waiting;
}

function emptyLine(incomplete: boolean | undefined): string {
  return incomplete === true ? "     (unreadable)" : "     [no tasks queued]";
}

function* waitingLines(entries: readonly RunqEntry[], indent: number): Iterable<string> {
  for (const entry of entries) {
    if (!isRunqGroup(entry)) {
      if (entry.current !== true) yield taskLine(entry, indent);
      continue;
    }
    const below = [...waitingLines(entry.entries, indent + 3)];
    if (below.length === 0) continue;
    yield groupLine(entry, indent);
    yield* below;
  }
}

function taskLine({ task, priority, current, delayed }: RunqTask, indent: number): string {
  const marks = `${current === true ? " [CURRENT]" : ""}${delayed === true ? " [DELAYED]" : ""}`;
  return `${" ".repeat(indent)}[${String(priority ?? "?").padStart(3)}] ${taskReferenceText(task)}${marks}`;
}

function groupLine({ group, queue, name, throttled, priority }: RunqGroup, indent: number): string {
  const level = priority === undefined ? "" : `[${String(priority).padStart(3)}] `;
  const kind = priority === undefined ? "CFS_RQ" : "RT_RQ";
  const title = name === undefined || name === "" ? "" : `  <${name}>`;
  return `${" ".repeat(indent)}${level}TASK_GROUP: ${group === undefined ? "?" : hex16(group)}  ${kind}: ${hex16(queue)}${title}${throttled ? " (THROTTLED)" : ""}`;
}

function* groupLines(cpu: RunqCpu, rootGroup: bigint | undefined): Iterable<string> {
  yield `CPU ${cpu.cpu}`;
  yield currentLine(cpu);
  const root = rootGroup === undefined ? "" : `ROOT_TASK_GROUP: ${hex16(rootGroup)}  `;
  if (cpu.realtime.entries.length > 0 || cpu.realtime.incomplete === true) yield* groupSection(`${root}RT_RQ`, cpu.realtime);
  yield* groupSection(`${root}CFS_RQ`, cpu.fair);
}

function* groupSection(label: string, { queue, entries, incomplete }: RunqCpu["fair"]): Iterable<string> {
  yield `  ${label}: ${hex16(queue)}`;
  if (entries.length === 0) yield emptyLine(incomplete);
  yield* nestedLines(entries, 5);
}

function* nestedLines(entries: readonly RunqEntry[], indent: number): Iterable<string> {
  for (const entry of entries) {
    if (isRunqGroup(entry)) {
      yield groupLine(entry, indent);
      yield* nestedLines(entry.entries, indent + 3);
    } else yield taskLine(entry, indent);
  }
}

function* timeLines(cpus: readonly RunqCpu[], view: "times" | "running"): Iterable<string> {
  for (const { cpu, clock, arrival, onCpu, current } of cpus) {
    const task = current === undefined ? "(unreadable)" : taskReferenceText(current);
    const label = `CPU ${cpu}:`.padStart(7);
    if (view === "running") {
      // An idle task has no arrival: it counts from the boot on.
      const time = onCpu === undefined ? "(unknown)" : durationText(onCpu);
      yield `${label} [${time}]  ${task}`;
      continue;
    }
    yield `${label} ${clock ?? "(unreadable)"}`;
    const stamp = arrival === undefined ? "(unknown)" : String(arrival).padStart(String(clock ?? "").length, "0");
    yield `        ${stamp}  ${task}`;
  }
}

/** `0 00:00:14.200`: days, hours, minutes, seconds, milliseconds; cut, not rounded. */
function durationText(nanoseconds: number): string {
  const milliseconds = Math.floor(nanoseconds / 1e6);
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  const seconds = Math.floor(milliseconds / 1000);
  const rest = String(milliseconds % 1000).padStart(3, "0");
  return `${Math.floor(seconds / 86400)} ${two((seconds / 3600) % 24)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}.${rest}`;
}

function* lagLines(cpus: readonly RunqCpu[]): Iterable<string> {
  for (const { cpu, lag } of cpus) if (lag === undefined) yield `${`CPU ${cpu}:`.padStart(8)} (unreadable)`;
  const known = cpus.filter(({ lag }) => lag !== undefined).sort((a, b) => (a.lag ?? 0) - (b.lag ?? 0));
  for (const { cpu, lag } of known) yield `${`CPU ${cpu}:`.padStart(8)} ${((lag ?? 0) / 1e9).toFixed(2)} secs`;
}
