/**
 * A CPU's run queue as a whole (struct rq): who runs, who waits in which class, its clock.
 *
 *   rq.curr, rq.idle, rq.stop, rq.clock, rq.nr_running; the classes' queues: queued-tasks.ts
 *   core scheduling (5.14+, CONFIG_SCHED_CORE): rq.core is the queue of the core's first CPU, core_cookie what its threads may run
 */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { attempt, part } from "./gather.ts";
import { type QueuedTask, type QueueEntry, QueueReader } from "./queued-tasks.ts";
import { runqueue } from "./runqueue.ts";

export interface ClassQueue<Entry> {
  /** The queue's structure: rt_prio_array, cfs_rq's tree, dl_rq's tree, scx_rq's list. */
  readonly address: VirtualAddress;
  readonly entries: readonly Entry[];
  /** False: part of the queue could not be read, and more tasks may wait. */
  readonly whole: boolean;
}

export interface CoreScheduling {
  /** rq of the core's first CPU. */
  readonly leader: VirtualAddress;
  readonly cookie: bigint;
  /** Tasks with a cookie that wait. */
  readonly waiting: readonly QueuedTask[];
}

export interface RunQueue {
  readonly cpu: number;
  readonly address: VirtualAddress;
  readonly current: VirtualAddress | undefined;
  /** Tasks that want to run, the running one included; as the kernel counts them. */
  readonly running: number | undefined;
  /** Nanoseconds; moves with the CPU's ticks and wake-ups. */
  readonly clock: bigint | undefined;
  readonly deadline: ClassQueue<QueuedTask> | undefined;
  readonly realtime: ClassQueue<QueueEntry> & { readonly queue: VirtualAddress };
  readonly fair: ClassQueue<QueueEntry> & { readonly queue: VirtualAddress };
  readonly extensible: ClassQueue<QueuedTask> | undefined;
  /** The stop task when it waits to run: it preempts everything. */
  readonly stop: VirtualAddress | undefined;
  readonly core: CoreScheduling | undefined;
  /** What could not be read, one line each. */
  readonly notes: readonly string[];
}

/**
 * Reads one CPU's queue; undefined when it cannot be located (no symbol, no per-CPU area).
 * @param throttled also groups that are throttled and therefore in no queue
 */
export function readRunQueue(kernel: Kernel, cpu: number, throttled = false): RunQueue | undefined {
  const address = runqueue(kernel, cpu);
  const struct = kernel.types.tryStruct("rq");
  if (address === undefined || struct === undefined) return undefined;
  const notes: string[] = [];
  const entries: QueueOf = (get) => {
    const { value, whole } = part(notes, (own) => get(new QueueReader(kernel, cpu, own)));
    return { entries: value, whole };
  };
  const read = <T>(name: string, get: (rq: VirtualAddress) => T | undefined) =>
    attempt(() => get(address), notes, `CPU ${cpu}, rq.${name}`);
  const current = read("curr", (rq) => struct.tryField("curr")?.pointer(rq));
  const fair = struct.field("cfs").address(address);
  const realtime = struct.field("rt").address(address);
  const tree = kernel.types.tryStruct("cfs_rq")?.tryField("tasks_timeline");
  const active = kernel.types.tryStruct("rt_rq")?.tryField("active");
  return {
    cpu,
    address,
    current: current === 0n ? undefined : current,
    running: read("nr_running", (rq) => struct.tryField("nr_running")?.number(rq)),
    clock: read("clock", (rq) => struct.tryField("clock")?.bigint(rq)),
    deadline: deadlineQueue(kernel, address, entries),
    realtime: { queue: realtime, address: active?.address(realtime) ?? realtime, ...entries((reader) => reader.realtime(realtime)) },
    fair: { queue: fair, address: tree?.address(fair) ?? fair, ...entries((reader) => reader.fair(fair, throttled)) },
    extensible: extensibleQueue(kernel, address, entries),
    stop: read("stop", (rq) => waitingStopTask(kernel, rq, current)),
    core: read("core", (rq) => coreScheduling(kernel, rq, new QueueReader(kernel, cpu, notes))),
    notes,
  };
}

/** Reads a queue of one class, and tells whether that went well to its end. */
type QueueOf = <Entry>(get: (reader: QueueReader) => readonly Entry[]) => Omit<ClassQueue<Entry>, "address">;

function deadlineQueue(kernel: Kernel, rq: VirtualAddress, entries: QueueOf): ClassQueue<QueuedTask> | undefined {
  const struct = kernel.types.struct("rq");
  const queue = struct.tryField("dl")?.address(rq);
  const root = kernel.types.tryStruct("dl_rq")?.firstField("root", "rb_root");
  if (queue === undefined || root === undefined) return undefined;
  // fair_server since 6.8 (63ba8422f876), ext_server since 7.0.
  const servers = ["fair_server", "ext_server"].flatMap((name) => struct.tryField(name)?.address(rq) ?? []);
  return { address: root.address(queue), ...entries((reader) => reader.deadline(queue, new Set<bigint>(servers))) };
}

function extensibleQueue(kernel: Kernel, rq: VirtualAddress, entries: QueueOf): ClassQueue<QueuedTask> | undefined {
  const queue = kernel.types.struct("rq").tryField("scx")?.address(rq);
  const list = kernel.types.tryStruct("scx_rq")?.tryField("runnable_list");
  if (queue === undefined || list === undefined) return undefined;
  // The list is made with the queue at boot; a queue that was never made is all zero.
  if (kernel.memory.tryU64(list.address(queue)) === 0n) return undefined;
  return { address: list.address(queue), ...entries((reader) => reader.extensible(queue)) };
}

/** rq.stop when it is on the queue (task_struct.on_rq) and does not run yet. */
function waitingStopTask(kernel: Kernel, rq: VirtualAddress, current: bigint | undefined): VirtualAddress | undefined {
  const stop = kernel.types.struct("rq").tryField("stop")?.pointer(rq) ?? 0n;
  if (stop === 0n || stop === current) return undefined;
  const queued = kernel.types.struct("task_struct").tryField("on_rq")?.number(virtual(stop)) ?? 0;
  return queued === 0 ? undefined : virtual(stop);
}

function coreScheduling(kernel: Kernel, rq: VirtualAddress, reader: QueueReader): CoreScheduling | undefined {
  const struct = kernel.types.struct("rq");
  if ((struct.tryField("core_enabled")?.number(rq) ?? 0) === 0) return undefined;
  const leader = struct.tryField("core")?.pointer(rq) ?? rq;
  const cookie = leader === 0n ? 0n : (struct.tryField("core_cookie")?.bigint(leader) ?? 0n);
  return { leader, cookie: BigInt.asUintN(64, cookie), waiting: reader.cookies(rq) };
}
