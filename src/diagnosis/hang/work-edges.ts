/**
 * Tasks that wait for work items: flush_work(), cancel_work_sync() (kernel/workqueue.c, insert_wq_barrier) put an item of their own behind
 * the one that they wait for, flush_workqueue() and drain_workqueue() put themselves into the queue.
 *
 *   worker.current_work = widget_reset       worker.scheduled: wq_barrier { work, done, task }   ─► the flusher waits for this worker
 *   pwq.inactive_works: item, wq_barrier     the item has not begun: it waits for those that run in the queue
 *   workqueue_struct.first_flusher           lies on the flusher's stack
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import { add } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { lockTask } from "../../linux/locking/lock-tasks.ts";
import { taskLayout } from "../../linux/task-layout.ts";
import { type Worker, type WorkerPool, type WorkItem, type WorkQueue, workerPools, workQueues } from "../../linux/workqueue.ts";
import { guarded } from "../guarded.ts";
import type { Evidence } from "../verdict.ts";
import type { HangEdge } from "./edges.ts";
import type { Standstill } from "./standstill.ts";

/** Pools, queues and every worker that runs something; once per dump, empty where they cannot be read. */
export function workState(kernel: Kernel): {
  readonly pools: readonly WorkerPool[];
  readonly queues: readonly WorkQueue[];
  readonly busy: readonly Worker[];
} {
  return kernel.memo(workState, () => {
    const notes: string[] = [];
    const pools = guarded(() => workerPools(kernel, notes)) ?? [];
    const queues = guarded(() => workQueues(kernel, pools, notes)) ?? [];
    const rescuers = queues.flatMap(({ rescuer }) => (rescuer?.work === undefined ? [] : [rescuer]));
    const busy = new Map([...pools.flatMap((pool) => pool.busy), ...rescuers].map((worker) => [worker.address, worker]));
    return { pools, queues, busy: [...busy.values()] };
  });
}

/** "widget_reset" of "widget_reset [widget]": what a worker runs. */
export function workName({ function: name }: { readonly function: string | undefined }): string {
  return name?.replace(/\+0x[0-9a-f]+/, "").replace(/ \[.*\]$/, "") ?? "?";
}

export function workEdges(still: Standstill): HangEdge[] {
  // Whoever flushes sleeps in a completion.
  const flushing = [...still.report.locks.flatMap(({ waits }) => waits), ...still.report.unknown].some(({ kind }) => kind === "completion");
  if (!flushing) return [];
  const { queues, busy } = workState(still.kernel);
  const found: HangEdge[] = [];
  for (const worker of busy) {
    for (const item of worker.scheduled) {
      const edge = item.flusher === undefined ? undefined : flushEdge(still, item, worker, "exact");
      if (edge !== undefined) found.push(edge);
    }
  }
  for (const queue of queues) {
    const running = busy.filter((worker) => worker.queue === queue.address);
    for (const share of queue.shares) {
      for (const [index, item] of share.inactive.entries()) {
        const [only] = running;
        if (item.flusher === undefined || only === undefined) continue;
        // Several may wait for one item: the barriers of all stand behind it.
        const wanted = share.inactive.slice(0, index).findLast(({ flusher }) => flusher === undefined);
        const edge = flushEdge(still, item, only, running.length === 1 ? "exact" : "likely", { item: wanted, queue });
        if (edge !== undefined) found.push(edge);
      }
    }
    const edge = queueEdge(still, queue, running);
    if (edge !== undefined) found.push(edge);
  }
  return found;
}

/** An item that has not begun: its queue runs no more of them at once. */
interface NotBegun {
  readonly item: WorkItem | undefined;
  readonly queue: WorkQueue;
}

function flushEdge(
  still: Standstill,
  item: WorkItem,
  worker: Worker,
  certainty: HangEdge["certainty"],
  behind?: NotBegun,
): HangEdge | undefined {
  const [from, to] = [still.task(item.flusher ?? 0n), still.task(worker.task)];
  if (from === undefined || to === undefined) return undefined;
  const running = workName(worker);
  const wanted = behind?.item === undefined ? undefined : workName(behind.item);
  const awaited = behind === undefined ? worker.work : behind.item?.address;
  return {
    from: lockTask(from),
    to: lockTask(to),
    via: "work",
    certainty,
    ...(awaited === undefined ? {} : { item: awaited }),
    what:
      behind === undefined
        ? `the work item ${running} to end`
        : `the work item ${wanted ?? "behind it"}, which workqueue ${behind.queue.name} does not begin before ${running} has ended`,
    seconds: still.waitOf(from.address)?.seconds,
    known:
      behind === undefined
        ? `its barrier is linked behind the item that ${to.comm} runs`
        : `its barrier waits in the queue in which ${to.comm} runs an item`,
    evidence: [barrierEvidence(still.kernel, item, from.pid, wanted ?? running), workerEvidence(still.kernel, worker, to.pid)].flat(),
  };
}

function barrierEvidence(kernel: Kernel, { address, flusher }: WorkItem, pid: number, name: string): Evidence[] {
  const field = kernel.types.tryStruct("wq_barrier")?.tryField("task");
  if (field === undefined || flusher === undefined) return [];
  const at = field.address(address);
  return [
    {
      claim: `the barrier at ${address.toString(16)} behind ${name} belongs to task ${pid}`,
      command: `rd ${at.toString(16)}`,
      values: [{ address: at, value: flusher }],
    },
  ];
}

function workerEvidence(kernel: Kernel, worker: Worker, pid: number): Evidence[] {
  const field = kernel.types.tryStruct("worker")?.tryField("current_work");
  if (field === undefined || worker.work === undefined) return [];
  const at = field.address(worker.address);
  return [
    {
      claim: `task ${pid} is the worker that runs ${workName(worker)} (item ${worker.work.toString(16)})`,
      command: `struct worker.current_work,current_func ${worker.address.toString(16)}`,
      values: [{ address: at, value: worker.work }],
    },
  ];
}

/** first_flusher is a structure on the stack of the task that flushes the whole queue. */
function queueEdge(still: Standstill, queue: WorkQueue, running: readonly Worker[]): HangEdge | undefined {
  const { kernel } = still;
  const field = kernel.types.tryStruct("workqueue_struct")?.tryField("first_flusher");
  const flusher = field === undefined ? 0n : (guarded(() => field.pointer(queue.address)) ?? 0n);
  const [only] = running;
  if (field === undefined || flusher === 0n || only === undefined) return undefined;
  const from = onWhoseStack(still, flusher);
  const to = still.task(only.task);
  if (from === undefined || to === undefined) return undefined;
  const at = field.address(queue.address);
  return {
    from: lockTask(from),
    to: lockTask(to),
    via: "queue",
    certainty: running.length === 1 ? "exact" : "likely",
    what: `workqueue ${queue.name} to be empty, in which ${workName(only)} runs`,
    seconds: still.waitOf(from.address)?.seconds,
    known: "the queue's first flusher lies on its stack",
    evidence: [
      {
        claim: `the flusher of workqueue ${queue.name} lies on the stack of task ${from.pid}`,
        command: `rd ${at.toString(16)}`,
        values: [{ address: at, value: flusher }],
      },
      ...workerEvidence(kernel, only, to.pid),
    ],
  };
}

/** The task that waits for a completion and on whose stack an address lies. */
function onWhoseStack(still: Standstill, address: VirtualAddress) {
  const { stack } = taskLayout(still.kernel);
  for (const { task } of [...still.report.locks.flatMap(({ waits }) => waits), ...still.report.unknown]) {
    const start = still.kernel.memory.tryU64(stack.address(task.address));
    if (start !== undefined && address >= start && address < add(start, still.reader.stackSize)) return still.task(task.address);
  }
  return undefined;
}
