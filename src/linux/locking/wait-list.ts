/**
 * A lock's list of waiters, from the lock and from one of its waiters.
 *
 *   lock ── head ⇄ waiter ⇄ waiter ⇄ (head)       from the lock: the head is no waiter
 *                    ▲
 *   a waiting task's stack                        from a waiter: the node that is no waiter is the head, and so the lock is found
 */
import { add, type VirtualAddress } from "../../bytes/address.ts";
import { CorruptionError, FaultError, InquestError } from "../../bytes/errors.ts";
import { containerOf } from "../../kernel/field.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { listNodes } from "../list.ts";
import { rbtreeNodes } from "../rbtree.ts";
import { taskTable } from "../task.ts";
import type { ListLockLayout, RtMutexLayout, WaiterLayout } from "./layout.ts";
import type { LockWaiter } from "./lock.ts";
import { lockTaskAt } from "./lock-tasks.ts";

/** As many waiters as tasks there can be on one lock in a machine that still ran. */
const MAX_WAITERS = 1 << 20;

export interface WaitList {
  readonly waiters: readonly LockWaiter[];
  readonly complete: boolean;
  /** Where the list breaks. */
  readonly problem: string | undefined;
}

/** Waiters of a lock with a list, in its order. */
export function listWaiters(kernel: Kernel, layout: ListLockLayout, lock: VirtualAddress): WaitList {
  return collect(kernel, nodesOf(kernel, layout, lock), (node) => waiterOf(kernel, layout.waiter, node));
}

function* nodesOf(kernel: Kernel, layout: ListLockLayout, lock: VirtualAddress): Iterable<VirtualAddress> {
  const options = { limit: MAX_WAITERS };
  if (layout.head !== undefined) {
    yield* listNodes(kernel.memory, layout.head.address(lock), options);
    return;
  }
  const first = layout.first?.pointer(lock);
  if (first === undefined || first === 0n) return;
  const ring = layout.waiter.list.address(first);
  yield ring;
  yield* listNodes(kernel.memory, ring, options);
}

function waiterOf(kernel: Kernel, layout: WaiterLayout, node: VirtualAddress): LockWaiter {
  const address = containerOf(node, layout.list);
  const type = layout.type?.number(address);
  return {
    address,
    task: lockTaskAt(kernel, layout.task.pointer(address)),
    mode: type === 0 ? "write" : type === 1 ? "read" : undefined,
  };
}

/** Waiters of an rt_mutex, the most urgent first. */
export function treeWaiters(kernel: Kernel, layout: RtMutexLayout, lock: VirtualAddress): WaitList {
  const { waiter } = layout;
  return collect(kernel, rbtreeNodes(kernel.memory, layout.root.address(lock), MAX_WAITERS), (node) => {
    const address = containerOf(node, waiter.node);
    return { address, task: lockTaskAt(kernel, waiter.task.pointer(address)), mode: undefined };
  });
}

function collect(_kernel: Kernel, nodes: Iterable<VirtualAddress>, read: (node: VirtualAddress) => LockWaiter): WaitList {
  const waiters: LockWaiter[] = [];
  try {
    for (const node of nodes) waiters.push(read(node));
    return { waiters, complete: true, problem: undefined };
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    return { waiters, complete: false, problem: `the list of waiters breaks behind ${waiters.length}: ${error.message}` };
  }
}

/** True when both neighbours of a list_head point back at it. */
export function isLinked(kernel: Kernel, node: VirtualAddress): boolean {
  const { memory } = kernel;
  const next = memory.tryU64(node);
  const previous = memory.tryU64(add(node, 8));
  if (next === undefined || previous === undefined || next === 0n || previous === 0n) return false;
  return memory.tryU64(add(next as VirtualAddress, 8)) === node && memory.tryU64(previous as VirtualAddress) === node;
}

/** The ring that a waiter is linked in. */
export interface WaiterRing {
  /** Nodes of the ring that are waiters. */
  readonly waiters: ReadonlySet<bigint>;
  /** The node that is none: the head in the lock. undefined when all are waiters (7.x), or several are not. */
  readonly head: VirtualAddress | undefined;
}

/**
 * The ring of a linked waiter; undefined when it cannot be followed round. A ring is the same from each of its waiters: it is walked once,
 * for thousands that stand in it.
 */
export function waiterRing(kernel: Kernel, layout: WaiterLayout, waiter: VirtualAddress): WaiterRing | undefined {
  const kept = kernel.memo(layout, () => new Map<bigint, WaiterRing | undefined>());
  if (kept.has(waiter)) return kept.get(waiter);
  const { byAddress } = taskTable(kernel);
  const own = layout.list.address(waiter);
  const waiters = new Set<bigint>([waiter]);
  const heads: VirtualAddress[] = [];
  try {
    for (const node of listNodes(kernel.memory, own, { limit: MAX_WAITERS })) {
      const at = containerOf(node, layout.list);
      const task = kernel.memory.tryU64(layout.task.address(at));
      if (task !== undefined && byAddress.has(task as VirtualAddress)) waiters.add(at);
      else heads.push(node);
    }
  } catch (error) {
    if (!(error instanceof CorruptionError || error instanceof FaultError)) throw error;
    // From all that was met the way leads on to the same page; what comes round elsewhere may be whole for those that are in it.
    if (error instanceof FaultError) for (const each of waiters) kept.set(each, undefined);
    return undefined;
  }
  const ring = { waiters, head: heads.length === 1 ? heads[0] : undefined };
  for (const each of waiters) kept.set(each, ring);
  return ring;
}
