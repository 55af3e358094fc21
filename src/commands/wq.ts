/** `wq`: workqueues, their pools, what workers run and what waits. */
import { hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import { LookupError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { cpuMasks } from "../linux/cpu.ts";
import { attempt, part } from "../linux/gather.ts";
import { currentTask } from "../linux/runqueue.ts";
import { type Task, taskState, taskTable } from "../linux/task.ts";
import { lastArrival } from "../linux/task-times.ts";
import { tickRate } from "../linux/tick-rate.ts";
import { jiffies, timerBases } from "../linux/timer-wheel.ts";
import { workFunction } from "../linux/work-item.ts";
import { queueName, type Worker, type WorkerPool, type WorkItem, type WorkQueue, workerPools, workQueues } from "../linux/workqueue.ts";
import { wqApi } from "./api/views.ts";
import { defineCommand, type Session } from "./command.ts";
import { codePlace } from "./support/code-place.ts";
import { type TaskReference, taskReference } from "./support/task-reference.ts";

/** A work item that waits. */
export interface WqItem {
  readonly work: bigint;
  readonly function?: string;
  readonly queue?: string;
  /** The task that waits for the items before this one (flush). */
  readonly flusher?: TaskReference;
}

/** A worker thread and what it runs. */
export interface WqWorker {
  readonly worker: bigint;
  readonly task: TaskReference;
  /** RU, UN … and the kernel code that it is in. */
  readonly state?: string;
  readonly place?: string;
  readonly work?: bigint;
  readonly function?: string;
  readonly queue?: string;
  readonly description?: string;
  /** Items that it runs next: those linked to this one, and barriers of tasks that flush it. */
  readonly scheduled?: readonly WqItem[];
  /** Seconds since it began the item (7.1+), or at most this long: since it last was idle. */
  readonly seconds?: number;
  readonly secondsAtMost?: number;
  /** Seconds since it got its CPU. */
  readonly sinceScheduled?: number;
}

/** A pool of worker threads: what they run and what waits for them. */
export interface WqPool {
  readonly address: bigint;
  readonly id: number;
  readonly cpu: number;
  readonly nice?: number;
  readonly flags: number;
  readonly workers: number;
  readonly idle: number;
  /** Seconds since it last took an item; meaningful while items wait. */
  readonly sinceProgress?: number;
  readonly busy: readonly WqWorker[];
  readonly pending: readonly WqItem[];
  /** Items wait and no worker runs: who has the pool's CPU instead, and where it is. */
  readonly occupied?: TaskReference & { readonly place?: string };
}

/** A workqueue. */
export interface WqQueue {
  readonly address: bigint;
  readonly name: string;
  readonly flags: readonly string[];
  readonly maxActive?: number;
  /** Items that run or wait in pools; beyond the limit. */
  readonly active: number;
  readonly inactive: readonly WqItem[];
  readonly rescuer?: WqWorker;
}

/** A work item that a timer will queue. */
export interface WqDelayed {
  readonly work: bigint;
  readonly function?: string;
  readonly queue?: string;
  readonly cpu: number;
  /** Seconds until it is queued; negative when it is overdue. */
  readonly seconds?: number;
}

export interface WqResult {
  readonly pools: readonly WqPool[];
  readonly queues: readonly WqQueue[];
  readonly delayed: readonly WqDelayed[];
  /** Which parts the text shows. */
  readonly view: "busy" | "all" | "delayed";
  /** Pools, or the wheel's timers, could not be read whole: more may be busy or wait (notes tell). */
  readonly poolsIncomplete?: true;
  readonly delayedIncomplete?: true;
  readonly notes?: readonly string[];
}

/** enum wq_flags of 6.12, for kernels whose types do not tell it. */
const FLAGS: readonly (readonly [number, string])[] = [
  [1, "BH"],
  [2, "UNBOUND"],
  [4, "FREEZABLE"],
  [8, "MEM_RECLAIM"],
  [16, "HIGHPRI"],
  [32, "CPU_INTENSIVE"],
  [64, "SYSFS"],
  [128, "POWER_EFFICIENT"],
  [1 << 16, "DRAINING"],
  [1 << 17, "ORDERED"],
];
/** How a queue was made, or limits that older kernels keep in the same enum. */
const NO_FLAGS = /_(LEGACY|DEPRECATED|MAX_ACTIVE|UNBOUND_MAX_ACTIVE|DFL_ACTIVE|MAX_UNBOUND_PER_CPU|UNBOUND_PER_CPU)$/;

/** Names of the flags by this kernel's own enum, which grows (7.2 has PERCPU and DESTROYING). */
function flagTable(kernel: Kernel): readonly (readonly [number, string])[] {
  const enumerators = kernel.types.enumerator("WQ_UNBOUND")?.type.enumerators ?? [];
  const own = enumerators.filter(
    ({ name, value }) => /^(__)?WQ_/.test(name) && !NO_FLAGS.test(name) && value > 0n && (value & (value - 1n)) === 0n,
  );
  return own.length === 0 ? FLAGS : own.map(({ name, value }) => [Number(value), name.replace(/^(__)?WQ_/, "")] as const);
}

export const wq = defineCommand<WqResult>({
  spec: {
    name: "wq",
    summary: "workqueues: busy workers, pending and delayed work",
    synopsis: ["[-a | -d] [name]"],
    description: [
      "Shows the pools of workers that have something to do: which worker runs which function, for which workqueue, for how long and where in the kernel it is; and the items that wait. A pool whose items wait while it takes none is stalled: PROGRESS tells since when, and the busy worker above them is what they wait for.",
      'The kernel notes when a worker began an item only since 7.1. Before, "at most" is the time since the worker was last idle.',
      "Then the workqueues that have work, with the items beyond their limit (max_active), and how many delayed items wait for their timer. With a name only what belongs to that workqueue.",
    ],
    options: [
      { flag: "-a", help: "all pools and workqueues, idle ones too" },
      { flag: "-d", help: "delayed items: when each will be queued" },
    ],
    operands: ["text"],
    examples: [
      ["wq", "busy workers and pending work"],
      ["wq -d", "delayed work"],
      ["wq events", "one workqueue"],
    ],
  },
  run(session, args) {
    const { kernel } = session;
    const notes: string[] = [];
    const { value: all, whole: poolsWhole } = part(notes, (own) => workerPools(kernel, own));
    const names = new QueueNames(kernel);
    const queues = workQueues(kernel, all, notes).map((queue) => queueResult(session, queue, names));
    const pools = all.map((pool) => poolResult(session, pool, names));
    const { value: delayed, whole: delayedWhole } = part(notes, (own) => delayedWork(kernel, names, own));
    const view = args.has("-d") ? "delayed" : args.has("-a") ? "all" : "busy";
    const rest = {
      ...(poolsWhole ? {} : { poolsIncomplete: true as const }),
      ...(delayedWhole ? {} : { delayedIncomplete: true as const }),
      ...(notes.length === 0 ? {} : { notes }),
    };
    const [name] = args.operands;
    if (name === undefined) return { pools, queues, delayed, view, ...rest };
    const own = queues.filter((queue) => queue.name === name);
    if (own.length === 0) throw new LookupError(`wq: no workqueue named "${name}"`);
    const mine = <T extends { readonly queue?: string }>(list: readonly T[]) => list.filter(({ queue }) => queue === name);
    const busy = pools.map((pool) => ({ ...pool, busy: mine(pool.busy), pending: mine(pool.pending) })).filter(hasItems);
    return { pools: busy, queues: own, delayed: mine(delayed), view: view === "busy" ? "all" : view, ...rest };
  },
  api: wqApi,
  *text({ pools, queues, delayed, view, poolsIncomplete, delayedIncomplete, notes = [] }) {
    if (view === "delayed") yield* delayedLines(delayed, delayedIncomplete !== true);
    else {
      yield* poolLines(view === "all" ? pools : pools.filter(hasItems), poolsIncomplete !== true);
      yield* queueLines(view === "all" ? queues : queues.filter(hasWork));
      if (delayed.length > 0) {
        const overdue = delayed.filter(({ seconds }) => seconds !== undefined && seconds < 0).length;
        yield "";
        yield `DELAYED: ${delayed.length} items wait for their timer${overdue === 0 ? "" : `, ${overdue} of them overdue`}    wq -d`;
      }
    }
    for (const note of notes) yield `(${note})`;
  },
});

/** Names of workqueues, read once each. */
class QueueNames {
  readonly #kernel: Kernel;
  readonly #names = new Map<bigint, string | undefined>();
  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  of(queue: bigint | undefined): { readonly queue?: string } {
    if (queue === undefined || queue === 0n) return {};
    if (!this.#names.has(queue))
      this.#names.set(
        queue,
        attempt(() => queueName(this.#kernel, virtual(queue)), [], ""),
      );
    const name = this.#names.get(queue);
    return name === undefined ? {} : { queue: name };
  }
}

function itemResult(kernel: Kernel, item: WorkItem, names: QueueNames): WqItem {
  return {
    work: item.address,
    ...(item.function === undefined ? {} : { function: item.function }),
    ...names.of(item.queue),
    ...(item.flusher === undefined ? {} : { flusher: taskReference(kernel, item.flusher) }),
  };
}

function since(kernel: Kernel, then: bigint | undefined): number | undefined {
  const now = jiffies(kernel);
  const rate = tickRate(kernel);
  if (then === undefined || then === 0n || now === undefined || rate === undefined) return undefined;
  return Math.max(0, Number(BigInt.asIntN(64, now - then)) / rate);
}

function poolResult(session: Session, pool: WorkerPool, names: QueueNames): WqPool {
  const { kernel } = session;
  const progress = since(kernel, pool.progress);
  const busy = pool.busy.map((worker) => workerResult(kernel, worker, names));
  const current = pool.pending.length === 0 || pool.cpu < 0 ? undefined : currentTask(kernel, pool.cpu);
  const occupied = current === undefined || pool.busy.some(({ task }) => task === current) ? undefined : current;
  const place = occupied === undefined ? undefined : codePlace(kernel, occupied);
  return {
    address: pool.address,
    id: pool.id,
    cpu: pool.cpu,
    ...(pool.nice === undefined ? {} : { nice: pool.nice }),
    flags: pool.flags,
    workers: pool.workers,
    idle: pool.idle,
    ...(progress === undefined ? {} : { sinceProgress: progress }),
    busy,
    pending: pool.pending.map((item) => itemResult(kernel, item, names)),
    ...(occupied === undefined ? {} : { occupied: { ...taskReference(kernel, occupied), ...(place === undefined ? {} : { place }) } }),
  };
}

function workerResult(kernel: Kernel, worker: Worker, names: QueueNames): WqWorker {
  const task = taskTable(kernel).byAddress.get(worker.task);
  const place = task === undefined ? undefined : codePlace(kernel, worker.task);
  const began = since(kernel, worker.started);
  const atMost = began === undefined ? since(kernel, worker.lastActive) : undefined;
  const scheduled = task === undefined ? undefined : scheduledFor(kernel, task);
  return {
    worker: worker.address,
    task: taskReference(kernel, worker.task),
    ...(task === undefined ? {} : { state: taskState(task) }),
    ...(place === undefined ? {} : { place }),
    ...(worker.work === undefined ? {} : { work: worker.work }),
    ...(worker.function === undefined ? {} : { function: worker.function }),
    ...names.of(worker.queue),
    ...(worker.description === "" ? {} : { description: worker.description }),
    ...(worker.scheduled.length === 0 ? {} : { scheduled: worker.scheduled.map((item) => itemResult(kernel, item, names)) }),
    ...(began === undefined ? {} : { seconds: began }),
    ...(atMost === undefined ? {} : { secondsAtMost: atMost }),
    ...(scheduled === undefined ? {} : { sinceScheduled: scheduled }),
  };
}

/** By the clock of the task's CPU. */
function scheduledFor(kernel: Kernel, task: Task): number | undefined {
  const base = kernel.tryAddress("runqueues");
  const clock = kernel.types.tryStruct("rq")?.tryField("clock");
  if (base === undefined || clock === undefined) return undefined;
  return attempt(
    () => {
      const arrival = lastArrival(kernel, task);
      return arrival === undefined || arrival === 0n
        ? undefined
        : Math.max(0, Number(clock.bigint(kernel.perCpuAddress(base, task.cpu)) - arrival) / 1e9);
    },
    [],
    "",
  );
}

function queueResult({ kernel }: Session, queue: WorkQueue, names: QueueNames): WqQueue {
  const rescuer = queue.rescuer;
  return {
    address: queue.address,
    name: queue.name,
    flags: flagTable(kernel)
      .filter(([bit]) => (queue.flags & bit) !== 0)
      .map(([, name]) => name),
    ...(queue.maxActive === undefined ? {} : { maxActive: queue.maxActive }),
    active: queue.shares.reduce((sum, { active }) => sum + active, 0),
    inactive: queue.shares.flatMap(({ inactive }) => inactive.map((item) => itemResult(kernel, item, names))),
    ...(rescuer === undefined ? {} : { rescuer: workerResult(kernel, rescuer, names) }),
  };
}

function hasItems({ busy, pending }: WqPool): boolean {
  return busy.length + pending.length > 0;
}

function hasWork({ active, inactive, rescuer }: WqQueue): boolean {
  return active > 0 || inactive.length > 0 || rescuer?.work !== undefined;
}

/** Timers of the wheel whose function queues a work item. */
function delayedWork(kernel: Kernel, names: QueueNames, notes: string[]): readonly WqDelayed[] {
  const now = jiffies(kernel);
  const rate = tickRate(kernel);
  const struct = kernel.types.tryStruct("delayed_work");
  const [work, queue] = [struct?.tryField("work"), struct?.tryField("wq")];
  const timers = cpuMasks(kernel).possible.flatMap((cpu) =>
    (attempt(() => timerBases(kernel, cpu, notes), notes, "delayed items") ?? []).flatMap((base) =>
      base.timers.map((timer) => ({ ...timer, cpu })),
    ),
  );
  return timers
    .flatMap(({ work: address, expires, cpu }): WqDelayed[] => {
      if (address === undefined) return [];
      const called = attempt(() => workFunction(kernel, address), notes, `work_struct ${address.toString(16)}`);
      const owner = work === undefined ? undefined : attempt(() => queue?.pointer(virtual(address - BigInt(work.offset))), [], "");
      return [
        {
          work: address,
          ...(called === undefined ? {} : { function: called }),
          ...names.of(owner),
          cpu,
          ...(now === undefined || rate === undefined ? {} : { seconds: Number(BigInt.asIntN(64, expires - now)) / rate }),
        },
      ];
    })
    .sort((a, b) => (a.seconds ?? 0) - (b.seconds ?? 0));
}

function* poolLines(pools: readonly WqPool[], whole: boolean): Iterable<string> {
  if (pools.length === 0) {
    yield whole ? "no worker is busy, and no work is pending" : "no busy worker and no pending work in what can be read";
    return;
  }
  for (const [i, pool] of pools.entries()) {
    if (i > 0) yield "";
    const cpu = pool.cpu < 0 ? "any CPU" : `CPU ${pool.cpu}`;
    const nice = pool.nice === undefined || pool.nice === 0 ? "" : `  NICE: ${pool.nice}`;
    const progress =
      pool.pending.length > 0 && pool.sinceProgress !== undefined ? `  PROGRESS: ${secondsText(pool.sinceProgress)} ago` : "";
    yield `POOL ${pool.id}: ${hex16(pool.address)}  ${cpu}${nice}  WORKERS: ${pool.workers} (${pool.idle} idle)${progress}`;
    for (const worker of pool.busy) yield* workerLines("busy", worker);
    for (const item of pool.pending) yield `  pending  ${itemText(item)}`;
    if (pool.occupied !== undefined) {
      const { pid, comm, place } = pool.occupied;
      yield `  CPU ${pool.cpu} runs ${pid ?? "?"} "${comm ?? ""}"${place === undefined ? "" : `, in ${place}`}`;
    }
  }
}

function* workerLines(label: string, worker: WqWorker): Iterable<string> {
  const { task, state, place, function: called, queue, description, seconds, secondsAtMost, sinceScheduled } = worker;
  const time =
    seconds !== undefined ? `for ${secondsText(seconds)}` : secondsAtMost !== undefined ? `for at most ${secondsText(secondsAtMost)}` : "";
  const who = `${task.pid ?? "?"} "${task.comm ?? ""}"`;
  const said = description === undefined || description === queue ? "" : ` <${description}>`;
  yield `  ${label.padEnd(8)} ${who}  ${called ?? "(between items)"}  on ${queue ?? "?"}${said}  ${time}`.trimEnd();
  const ran =
    sinceScheduled === undefined
      ? ""
      : `, ${state === "RU" ? "on its CPU for" : "last ran"} ${secondsText(sinceScheduled)}${state === "RU" ? "" : " ago"}`;
  yield `           ${state ?? "?"} in ${place ?? "?"}${ran}    bt ${task.pid ?? hex16(task.address)}`;
  for (const item of worker.scheduled ?? []) yield `    then   ${itemText(item)}`;
}

function itemText({ work, function: called, queue, flusher }: WqItem): string {
  const waiting = flusher === undefined ? "" : `  (${flusher.pid ?? "?"} "${flusher.comm ?? ""}" waits for the items before it)`;
  return `${hex16(work)}  ${called ?? "(no function)"}  on ${queue ?? "?"}${waiting}`;
}

function* queueLines(queues: readonly WqQueue[]): Iterable<string> {
  if (queues.length === 0) return;
  const width = Math.max(9, ...queues.map(({ name }) => name.length));
  yield "";
  yield `WORKQUEUE_STRUCT  ${"NAME".padEnd(width)}  ACTIVE  INACTIVE   MAX  FLAGS`;
  for (const { address, name, active, inactive, maxActive, flags, rescuer } of queues) {
    yield `${hex16(address)}  ${name.padEnd(width)}  ${String(active).padStart(6)}  ${String(inactive.length).padStart(8)}  ${String(maxActive ?? "?").padStart(4)}  ${flags.join("|")}`.trimEnd();
    for (const item of inactive) yield `  inactive ${itemText(item)}`;
    if (rescuer?.work !== undefined) yield* workerLines("rescuer", rescuer);
  }
}

function* delayedLines(delayed: readonly WqDelayed[], whole: boolean): Iterable<string> {
  if (delayed.length === 0) {
    yield whole ? "no delayed work waits for its timer" : "no delayed work in what can be read";
    return;
  }
  const width = Math.max(8, ...delayed.map(({ function: called }) => (called ?? "").length));
  yield `${"IN".padStart(12)}  CPU  WORK_STRUCT       ${"FUNCTION".padEnd(width)}  WORKQUEUE`;
  for (const { work, function: called, queue, cpu, seconds } of delayed) {
    const left = seconds === undefined ? "?" : `${seconds.toFixed(3)} s`;
    yield `${left.padStart(12)}  ${String(cpu).padStart(3)}  ${hex16(work as VirtualAddress)}  ${(called ?? "?").padEnd(width)}  ${queue ?? "?"}`;
  }
}

function secondsText(seconds: number): string {
  return seconds < 100 ? `${seconds.toFixed(2)} s` : `${Math.round(seconds)} s`;
}
