/**
 * Wait queues (include/linux/wait.h, swait.h): who sleeps on one.
 *
 *   wait_queue_head { lock, head }       ⇄ wait_queue_entry { flags, private, func, entry }          4.13+ (ac6424b981bc, 2055da97389a)
 *   wait_queue_head_t { lock, task_list } ⇄ wait_queue_t { flags, private, func, task_list }         before
 *   swait_queue_head { lock, task_list }  ⇄ swait_queue { task, task_list }                           4.6+ (13b35686e8b9)
 *
 *   plain:  … │ private │ func │ entry                simple:  task │ task_list
 *             -16       -8     0                               -8     0        from the link
 *
 * private is the task unless the entry belongs to poll() (poll_wqueues.polling_task) or to something that is no sleeper (epoll, io_uring).
 */
import type { VirtualAddress } from "../bytes/address.ts";
import { LookupError } from "../bytes/errors.ts";
import { containerOf } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { attempt, gather } from "./gather.ts";
import { listNodes } from "./list.ts";
import { taskTable } from "./task.ts";

const MAX_WAITERS = 1 << 20;

/** The kinds of head. */
export type WaitQueueKind = "plain" | "simple";

export interface Waiter {
  /** wait_queue_entry or swait_queue. */
  readonly address: VirtualAddress;
  readonly task?: VirtualAddress;
  /** What wakes it; simple ones have none. */
  readonly function?: string;
  /** WQ_FLAG_EXCLUSIVE … */
  readonly flags?: number;
}

/** Which kind a type's name stands for; undefined for any other type. */
export function waitQueueKind(name: string | undefined): WaitQueueKind | undefined {
  if (name === "swait_queue_head") return "simple";
  return name === "wait_queue_head" || name === "__wait_queue_head" || name === "wait_queue_head_t" ? "plain" : undefined;
}

/**
 * Who waits on the queue at an address, first come first.
 * @param kind undefined: the entries tell
 * @throws LookupError without the types, FaultError when the head cannot be read
 */
export function waiters(kernel: Kernel, head: VirtualAddress, kind: WaitQueueKind | undefined, notes: string[]): readonly Waiter[] {
  const simple = kernel.types.tryStruct("swait_queue_head")?.tryField("task_list");
  const plain = (kernel.types.tryStruct("wait_queue_head") ?? kernel.types.tryStruct("__wait_queue_head"))?.firstField("head", "task_list");
  const list = kind === "simple" ? simple : (plain ?? simple);
  if (list === undefined) throw new LookupError("wait queues cannot be read: struct wait_queue_head is not known");
  const start = list.address(head);
  const first = kernel.memory.u64(start);
  // A queue that was never used may be all zero.
  if (first === 0n) return [];
  const walk = listNodes(kernel.memory, start, { limit: MAX_WAITERS });
  const where = `wait queue ${head.toString(16)}`;
  return gather(walk, notes, where).flatMap(
    (node) => attempt(() => readWaiter(kernel, node, kind), notes, `${where}, entry ${node.toString(16)}`) ?? [],
  );
}

function readWaiter(kernel: Kernel, node: VirtualAddress, kind: WaitQueueKind | undefined): Waiter {
  const { byAddress } = taskTable(kernel);
  const simple = kernel.types.tryStruct("swait_queue");
  const link = simple?.tryField("task_list");
  if (kind !== "plain" && simple !== undefined && link !== undefined) {
    const entry = containerOf(node, link);
    const task = simple.field("task").pointer(entry);
    if (kind === "simple" || byAddress.has(task)) return { address: entry, task };
  }
  const struct = kernel.types.tryStruct("wait_queue_entry") ?? kernel.types.struct("__wait_queue");
  const entry = containerOf(node, struct.firstField("entry", "task_list") ?? struct.field("entry"));
  const called = struct.field("func").pointer(entry);
  const owner = struct.field("private").pointer(entry);
  const name = called === 0n ? undefined : kernel.symbolize(called);
  const task = name === "pollwake" ? pollingTask(kernel, owner) : byAddress.has(owner) ? owner : undefined;
  return {
    address: entry,
    ...(task === undefined ? {} : { task }),
    ...(name === undefined ? {} : { function: name }),
    flags: struct.field("flags").number(entry),
  };
}

function pollingTask(kernel: Kernel, owner: VirtualAddress): VirtualAddress | undefined {
  const field = kernel.types.tryStruct("poll_wqueues")?.tryField("polling_task");
  if (field === undefined || owner === 0n) return undefined;
  const task = field.pointer(owner);
  return task === 0n ? undefined : task;
}
