/**
 * rt_mutexes, and what PREEMPT_RT makes of rw_semaphores (kernel/locking/rtmutex_common.h, rwbase_rt.c, include/linux/rwbase_rt.h).
 *
 *   rt_mutex.owner       task | 1 has waiters
 *   rwbase_rt.readers    bit 31 nobody writes, or waits to | readers          bit 31 gone: a writer has rtmutex and waits for the readers
 *                        bit 30 a writer has it
 *   rwbase_rt.rtmutex    writers, and readers that come behind one
 */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import { containerOf } from "../../kernel/field.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { lockLayouts } from "./layout.ts";
import type { LockKind, LockState, LockWaiter } from "./lock.ts";
import { blank, flagNames, lacking, ownerOf, withList } from "./lock-words.ts";
import { treeWaiters } from "./wait-list.ts";

const READER_BIAS = 0x8000_0000;
const WRITER_BIAS = 0x4000_0000;

/** @throws FaultError, UnsupportedError without the types */
export function readRtMutex(kernel: Kernel, address: VirtualAddress, kind: LockKind): LockState {
  const layout = lockLayouts(kernel).rtMutex;
  if (layout === undefined) throw lacking("rt_mutex");
  const problems: string[] = [];
  const word = layout.owner.pointer(address);
  return {
    ...blank(kernel, kind, address),
    held: (word & ~1n) === 0n ? "free" : "held",
    owner: ownerOf(kernel, word, "owner", problems),
    flags: flagNames(word, [[1n, "waiters"]]),
    ...withList(treeWaiters(kernel, layout, address), problems),
    problems,
  };
}

/** A rw_semaphore of a PREEMPT_RT kernel. @throws FaultError, UnsupportedError without the types */
export function readRtRwsem(kernel: Kernel, address: VirtualAddress): LockState {
  const { rwsem: mutex, readers: counter } = lockLayouts(kernel).rtMutexIn;
  if (mutex === undefined || counter === undefined) throw lacking("rw_semaphore");
  const inner = readRtMutex(kernel, mutex.address(address), "rwsem");
  const word = counter.number(address) >>> 0;
  const open = (word & READER_BIAS) !== 0;
  const readers = word & (WRITER_BIAS - 1);
  const writes = !open && (word & WRITER_BIAS) !== 0;
  const { owner, ...rest } = inner;
  // Who has the rt_mutex while readers are inside waits for them.
  const first: LockWaiter[] =
    open || writes || readers === 0 || owner === undefined ? [] : [{ address: mutex.address(address), task: owner.task, mode: "write" }];
  return {
    ...rest,
    address,
    symbol: blank(kernel, "rwsem", address).symbol,
    held: readers > 0 && !writes ? "read" : open ? "free" : "write",
    owner: writes && owner !== undefined ? { ...owner, mode: "writer" } : undefined,
    readers: writes ? undefined : readers,
    waiters: [...first, ...inner.waiters],
  };
}

/** The rw_semaphore that a task waits for as its writer until the readers have left (rwbase_write_lock()): it has the rt_mutex already. */
export function rtWriterWait<T extends { readonly value: VirtualAddress }>(
  kernel: Kernel,
  task: VirtualAddress,
  candidates: readonly T[],
): { readonly lock: VirtualAddress; readonly waiter: VirtualAddress; readonly candidate: T } | undefined {
  const { rwsem: mutex, readers } = lockLayouts(kernel).rtMutexIn;
  if (mutex === undefined || readers === undefined) return undefined;
  for (const candidate of candidates)
    for (const lock of [candidate.value, containerOf(candidate.value, mutex)]) {
      try {
        const [first] = readRtRwsem(kernel, lock).waiters;
        if (first?.address === mutex.address(lock) && first.task?.address === task)
          return { lock: virtual(lock), waiter: first.address, candidate };
      } catch (error) {
        if (!(error instanceof InquestError)) throw error;
      }
    }
  return undefined;
}
