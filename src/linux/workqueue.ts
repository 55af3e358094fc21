/**
 * Workqueues (kernel/workqueue.c).
 *
 *   workqueues ⇄ workqueue_struct.list … ─► pwqs ⇄ pool_workqueue.pwqs_node … ─► pool
 *   worker_pool { cpu, worklist (pending items), workers ⇄ worker.node …, watchdog_ts (last_progress_ts in 7.1+) }
 *       all pools: worker_pool_idr; of a CPU: per-CPU cpu_worker_pools[], bh_worker_pools[] (6.9+)
 *   worker { current_work, current_func, current_pwq, task, last_active, desc }; current_start (7.1+) in jiffies
 *   a task of a worker (PF_WQ_WORKER): its kthread's data is the worker
 *   pwq.inactive_works (delayed_works until 5.14, f97a4a1a3f87): items beyond max_active
 *
 * Pools and workqueues are also reached through the worker tasks, so a kernel that lists no variables, or a cut list, still shows them.
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { LookupError } from "../bytes/errors.ts";
import { containerOf } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { cpuMasks } from "./cpu.ts";
import { addNote, attempt, gather } from "./gather.ts";
import { kthreadData } from "./kthread.ts";
import { listNodes } from "./list.ts";
import { taskTable } from "./task.ts";
import { workFunction, workQueueOf } from "./work-item.ts";
import { xarrayEntries, xarrayLayout } from "./xarray.ts";

const MAX_QUEUES = 1 << 16;
const MAX_POOLS = 1 << 16;
const MAX_WORKERS = 1 << 16;
const MAX_ITEMS = 1 << 18;
/** include/linux/sched.h, since 2.6.36. */
const PF_WQ_WORKER = 0x20;

export interface WorkItem {
  /** struct work_struct. */
  readonly address: VirtualAddress;
  readonly function: string | undefined;
  /** workqueue_struct it was queued on; undefined when its data does not tell. */
  readonly queue: VirtualAddress | undefined;
  /** Of a barrier (flush_work()): the task that waits for the items before it. */
  readonly flusher?: VirtualAddress;
}

export interface Worker {
  readonly address: VirtualAddress;
  readonly task: VirtualAddress;
  /** What it runs; undefined: it idles, or is between two items. */
  readonly work: VirtualAddress | undefined;
  readonly function: string | undefined;
  readonly queue: VirtualAddress | undefined;
  /** What the function said of itself (set_worker_desc()). */
  readonly description: string;
  /** Jiffies: when it began the item (7.1+), when it was last idle. */
  readonly started: bigint | undefined;
  readonly lastActive: bigint | undefined;
  /** Items that it runs after this one: those linked to it, and barriers of tasks that flush it. */
  readonly scheduled: readonly WorkItem[];
  /** It serves this queue when there is no memory for more workers. */
  readonly rescues: VirtualAddress | undefined;
}

export interface WorkerPool {
  readonly address: VirtualAddress;
  readonly id: number;
  /** -1: not bound to a CPU. */
  readonly cpu: number;
  readonly nice: number | undefined;
  readonly flags: number;
  readonly workers: number;
  readonly idle: number;
  /** Jiffies: when it last took an item. */
  readonly progress: bigint | undefined;
  readonly busy: readonly Worker[];
  readonly pending: readonly WorkItem[];
}

export interface QueueShare {
  /** struct pool_workqueue. */
  readonly address: VirtualAddress;
  readonly pool: VirtualAddress;
  /** Items that run or wait in the pool. */
  readonly active: number;
  /** Items beyond the limit. */
  readonly inactive: readonly WorkItem[];
}

export interface WorkQueue {
  readonly address: VirtualAddress;
  readonly name: string;
  readonly flags: number;
  readonly maxActive: number | undefined;
  readonly rescuer: Worker | undefined;
  readonly shares: readonly QueueShare[];
}

/** All pools that can be reached, by id. @throws LookupError without the types */
export function workerPools(kernel: Kernel, notes: string[]): readonly WorkerPool[] {
  const struct = kernel.types.tryStruct("worker_pool");
  if (struct === undefined) throw new LookupError("workqueues cannot be read: struct worker_pool is not known");
  const found = new Set<bigint>();
  for (const pool of idrPools(kernel, notes)) found.add(pool);
  for (const pool of cpuPools(kernel, struct.size, notes)) found.add(pool);
  const byPool = new Map<bigint, Worker[]>();
  for (const { pool, worker } of taskWorkers(kernel, notes)) {
    if (pool === 0n) continue;
    found.add(pool);
    const list = byPool.get(pool);
    if (list === undefined) byPool.set(pool, [worker]);
    else list.push(worker);
  }
  return [...found]
    .flatMap(
      (pool) =>
        attempt(() => readPool(kernel, virtual(pool), byPool.get(pool) ?? [], notes), notes, `worker_pool ${pool.toString(16)}`) ?? [],
    )
    .sort((a, b) => a.id - b.id);
}

function idrPools(kernel: Kernel, notes: string[]): readonly bigint[] {
  const idr = kernel.tryAddress("worker_pool_idr");
  const head = kernel.types.tryStruct("idr")?.firstField("idr_rt.xa_head", "idr_rt.rnode");
  const layout = xarrayLayout(kernel.types);
  if (idr === undefined || head === undefined || layout === undefined) return [];
  const root = attempt(() => head.pointer(idr), notes, "worker_pool_idr");
  return root === undefined
    ? []
    : gather(xarrayEntries(kernel.memory, layout, root), notes, "worker_pool_idr", MAX_POOLS).map(({ entry }) => entry);
}

function* cpuPools(kernel: Kernel, size: number, notes: string[]): Generator<bigint> {
  for (const name of ["cpu_worker_pools", "bh_worker_pools"]) {
    const base = kernel.tryAddress(name);
    if (base === undefined) continue;
    for (const cpu of cpuMasks(kernel).possible) {
      // NR_STD_WORKER_POOLS: normal and high priority.
      for (let i = 0; i < 2; i++) {
        const pool = attempt(() => add(kernel.perCpuAddress(base, cpu), i * size), notes, `CPU ${cpu}, ${name}`);
        if (pool !== undefined) yield pool;
      }
    }
  }
}

function readPool(kernel: Kernel, address: VirtualAddress, known: readonly Worker[], notes: string[]): WorkerPool {
  const struct = kernel.types.struct("worker_pool");
  const where = `worker_pool ${address.toString(16)}`;
  const number = (path: string) => attempt(() => struct.tryField(path)?.number(address), notes, where);
  const attrs = attempt(() => struct.tryField("attrs")?.pointer(address) ?? 0n, notes, where) ?? 0n;
  const nice = kernel.types.tryStruct("workqueue_attrs")?.tryField("nice");
  const workers = poolWorkers(kernel, address, known, notes);
  return {
    address,
    id: number("id") ?? -1,
    cpu: number("cpu") ?? -1,
    nice: attrs === 0n ? undefined : attempt(() => nice?.number(virtual(attrs)), notes, where),
    flags: number("flags") ?? 0,
    workers: number("nr_workers") ?? workers.length,
    idle: number("nr_idle") ?? 0,
    // 4.6+ (82607adcf9cd).
    progress: attempt(() => struct.firstField("last_progress_ts", "watchdog_ts")?.bigint(address), notes, where),
    busy: workers.filter(({ function: called, work }) => called !== undefined || work !== undefined),
    pending: items(kernel, struct.field("worklist").address(address), notes, where),
  };
}

/** By the pool's list, and the workers that name this pool. */
function poolWorkers(kernel: Kernel, pool: VirtualAddress, known: readonly Worker[], notes: string[]): readonly Worker[] {
  const struct = kernel.types.struct("worker_pool");
  const node = kernel.types.struct("worker").tryField("node");
  const head = struct.tryField("workers");
  const byAddress = new Map<bigint, Worker>(known.map((worker) => [worker.address, worker]));
  if (head !== undefined && node !== undefined) {
    const where = `worker_pool ${pool.toString(16)}, workers`;
    for (const link of gather(listNodes(kernel.memory, head.address(pool), { limit: MAX_WORKERS }), notes, where)) {
      const address = containerOf(link, node);
      const worker = byAddress.get(address) ?? attempt(() => readWorker(kernel, address, notes), notes, `worker ${address.toString(16)}`);
      if (worker !== undefined) byAddress.set(address, worker);
    }
  }
  return [...byAddress.values()];
}

/** struct worker of each task that is one. */
function* taskWorkers(kernel: Kernel, notes: string[]): Generator<{ readonly pool: bigint; readonly worker: Worker }> {
  const pool = kernel.types.struct("worker").field("pool");
  for (const task of taskTable(kernel).tasks) {
    if ((task.flags & PF_WQ_WORKER) === 0) continue;
    const where = `worker of task ${task.pid}`;
    const address = attempt(() => kthreadData(kernel, task.address), notes, where);
    if (address === undefined) continue;
    const worker = attempt(() => readWorker(kernel, address, notes), notes, where);
    // What does not name its own task is no worker.
    if (worker?.task === task.address) yield { pool: attempt(() => pool.pointer(address), notes, where) ?? 0n, worker };
  }
}

/** @throws FaultError */
export function readWorker(kernel: Kernel, address: VirtualAddress, notes: string[]): Worker {
  const struct = kernel.types.struct("worker");
  const pointer = (path: string): VirtualAddress | undefined => {
    const value = struct.tryField(path)?.pointer(address) ?? 0n;
    return value === 0n ? undefined : virtual(value);
  };
  const called = pointer("current_func");
  const share = pointer("current_pwq");
  const owner = kernel.types.tryStruct("pool_workqueue")?.tryField("wq");
  const started = struct.tryField("current_start")?.bigint(address);
  return {
    address,
    task: struct.field("task").pointer(address),
    work: pointer("current_work"),
    function: called === undefined ? undefined : (kernel.symbolize(called) ?? called.toString(16)),
    queue: share === undefined ? undefined : owner?.pointer(share),
    description: struct.tryField("desc")?.string(address) ?? "",
    started: started === 0n ? undefined : started,
    lastActive: struct.tryField("last_active")?.bigint(address),
    scheduled: items(kernel, struct.field("scheduled").address(address), notes, `worker ${address.toString(16)}, scheduled`),
    rescues: pointer("rescue_wq"),
  };
}

/** Items on a list of work_struct.entry. */
function items(kernel: Kernel, head: VirtualAddress, notes: string[], where: string): readonly WorkItem[] {
  const entry = kernel.types.struct("work_struct").field("entry");
  return gather(listNodes(kernel.memory, head, { limit: MAX_ITEMS }), notes, where).flatMap((link) => {
    const address = containerOf(link, entry);
    return attempt(() => readItem(kernel, address), notes, `work_struct ${address.toString(16)}`) ?? [];
  });
}

function readItem(kernel: Kernel, address: VirtualAddress): WorkItem {
  const share = workQueueOf(kernel, address);
  const owner = kernel.types.tryStruct("pool_workqueue")?.tryField("wq");
  const queue = share === undefined ? undefined : attempt(() => owner?.pointer(share), [], "");
  const called = workFunction(kernel, address);
  // struct wq_barrier { work, done, task }: an item behind the one that somebody flushes.
  const task = called?.startsWith("wq_barrier_func") === true ? kernel.types.tryStruct("wq_barrier")?.tryField("task") : undefined;
  const flusher = task === undefined ? undefined : attempt(() => task.pointer(address), [], "");
  return { address, function: called, queue, ...(flusher === undefined || flusher === 0n ? {} : { flusher }) };
}

/** All workqueues: the kernel's list, and those that pools work for. */
export function workQueues(kernel: Kernel, pools: readonly WorkerPool[], notes: string[]): readonly WorkQueue[] {
  const struct = kernel.types.struct("workqueue_struct");
  const link = struct.field("list");
  const head = kernel.tryAddress("workqueues");
  const found = new Set<bigint>();
  if (head === undefined) addNote(notes, 'only workqueues that pools work for: "workqueues" is not among this kernel\'s symbols');
  if (head !== undefined)
    for (const node of gather(listNodes(kernel.memory, head, { limit: MAX_QUEUES, checkBackLinks: false }), notes, "workqueues"))
      found.add(containerOf(node, link));
  for (const { busy, pending } of pools) {
    for (const { queue } of [...busy, ...pending]) if (queue !== undefined && queue !== 0n) found.add(queue);
  }
  return [...found].flatMap(
    (address) => attempt(() => readQueue(kernel, virtual(address), notes), notes, `workqueue_struct ${address.toString(16)}`) ?? [],
  );
}

function readQueue(kernel: Kernel, address: VirtualAddress, notes: string[]): WorkQueue {
  const struct = kernel.types.struct("workqueue_struct");
  const share = kernel.types.struct("pool_workqueue");
  const name = queueName(kernel, address);
  const where = `workqueue "${name}"`;
  const rescuer = struct.tryField("rescuer")?.pointer(address) ?? 0n;
  const node = share.field("pwqs_node");
  const inactive = share.firstField("inactive_works", "delayed_works");
  const links = gather(
    listNodes(kernel.memory, struct.field("pwqs").address(address), { limit: MAX_QUEUES, checkBackLinks: false }),
    notes,
    where,
  );
  const shares = links.flatMap((each): QueueShare[] => {
    const at = containerOf(each, node);
    const read = attempt(
      () => ({
        address: at,
        pool: share.field("pool").pointer(at),
        active: share.tryField("nr_active")?.number(at) ?? 0,
        inactive: inactive === undefined ? [] : items(kernel, inactive.address(at), notes, where),
      }),
      notes,
      where,
    );
    return read === undefined ? [] : [read];
  });
  return {
    address,
    name,
    flags: struct.tryField("flags")?.number(address) ?? 0,
    maxActive: struct.firstField("max_active", "saved_max_active")?.number(address),
    rescuer: rescuer === 0n ? undefined : attempt(() => readWorker(kernel, virtual(rescuer), notes), notes, where),
    shares,
  };
}

/** workqueue_struct.name: an array since 3.10 (ecf6881ff349). @throws FaultError */
export function queueName(kernel: Kernel, address: VirtualAddress): string {
  return kernel.types.struct("workqueue_struct").field("name").string(address);
}
