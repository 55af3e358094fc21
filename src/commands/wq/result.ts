/**
 * What `wq` answers: pools, workers, workqueues and delayed items as data, with the times since something moved. The structures are read by
 * linux/workqueue.ts (kernel/workqueue.c); the delayed items are the timers of the wheel that queue one.
 */
import { virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { cpuMasks } from "../../linux/cpu.ts";
import { attempt } from "../../linux/gather.ts";
import { currentTask } from "../../linux/runqueue.ts";
import { type Task, taskState, taskTable } from "../../linux/task.ts";
import { lastArrival } from "../../linux/task-times.ts";
import { tickRate } from "../../linux/tick-rate.ts";
import { jiffies, timerBases } from "../../linux/timer-wheel.ts";
import { workFunction } from "../../linux/work-item.ts";
import { queueName, type Worker, type WorkerPool, type WorkItem, type WorkQueue } from "../../linux/workqueue.ts";
import type { Session } from "../command.ts";
import { codePlace } from "../support/code-place.ts";
import { type TaskReference, taskReference } from "../support/task-reference.ts";

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

/** Names of workqueues, read once each. */
export class QueueNames {
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

/** A pool; where items wait and none runs, who has its CPU. */
export function poolResult(session: Session, pool: WorkerPool, names: QueueNames): WqPool {
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

/** A workqueue with the items beyond its limit. */
export function queueResult({ kernel }: Session, queue: WorkQueue, names: QueueNames): WqQueue {
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

/** Timers of the wheel whose function queues a work item. */
export function delayedWork(kernel: Kernel, names: QueueNames, notes: string[]): readonly WqDelayed[] {
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
