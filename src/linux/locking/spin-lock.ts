/**
 * Queued spinlocks (include/asm-generic/qspinlock_types.h, kernel/locking/qspinlock.c): one word.
 *
 *   31            18 17 16 15       8 7        0
 *   [  CPU + 1      | idx |  pending |  locked  ]       idx: 0 task, 1 softirq, 2 hardirq, 3 NMI on that CPU
 *
 * The tail names the CPU that queued last; its node in per-CPU qnodes[idx] is reached from the one before by mcs.next. Nothing in the
 * word says who holds the lock (but CONFIG_DEBUG_SPINLOCK's owner). With 16384 CPUs and more, pending is one bit and the tail begins at 9.
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import { UnsupportedError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { lockLayouts } from "./layout.ts";
import type { LockKind, LockState } from "./lock.ts";
import { lockSymbol, lockTaskAt } from "./lock-tasks.ts";

export interface QueuedSpinLock {
  readonly value: number;
  readonly locked: boolean;
  readonly pending: boolean;
  /** CPU at the queue's end and what it did there. */
  readonly tail: { readonly cpu: number; readonly context: "task" | "softirq" | "hardirq" | "nmi" } | undefined;
  /** The word is one that a lock of this machine can hold. */
  readonly plausible: boolean;
}

const CONTEXTS = ["task", "softirq", "hardirq", "nmi"] as const;

/** @param cpus how many CPUs the machine has: a tail beyond is none */
export function decodeQueuedSpinLock(value: number, cpus: number): QueuedSpinLock {
  const [lockedByte, pendingByte] = [value & 0xff, (value >>> 8) & 0xff];
  const tailCpu = value >>> 18;
  const tail = tailCpu === 0 ? undefined : { cpu: tailCpu - 1, context: CONTEXTS[(value >>> 16) & 3] ?? "task" };
  // locked is 1, or 3 (_Q_SLOW_VAL) under paravirtual spinlocks.
  const plausible =
    (lockedByte === 0 || lockedByte === 1 || lockedByte === 3) &&
    pendingByte <= 1 &&
    (tail === undefined ? ((value >>> 16) & 3) === 0 : tail.cpu < cpus);
  return { value, locked: lockedByte !== 0, pending: pendingByte !== 0, tail, plausible };
}

/**
 * Somebody may be waiting for it: before it waits the slow path sets pending or the tail, and only with the lock itself are they taken back
 * (queued_spin_lock_slowpath). A lock that is held and has neither has only a holder; but not where CPUs wait unseen (waitsUnqueued()).
 */
export function isWaitedFor({ pending, tail }: Pick<QueuedSpinLock, "pending" | "tail">): boolean {
  return pending || tail !== undefined;
}

/**
 * CPUs of this machine wait without a mark in the lock: virt_spin_lock() (arch/x86/include/asm/qspinlock.h), the slow path of guests whose
 * hypervisor has no paravirtual spinlocks, tries again and again until the whole word is 0.
 */
export function waitsUnqueued(kernel: Kernel): boolean {
  return kernel.memo(waitsUnqueued, () => {
    const key = kernel.tryAddress("virt_spin_lock_key");
    const enabled = kernel.types.tryStruct("static_key")?.tryField("enabled");
    return key !== undefined && enabled !== undefined && (kernel.memory.tryU32(enabled.address(key)) ?? 0) > 0;
  });
}

/** The spinlock at an address. @throws UnsupportedError on a kernel without SMP, FaultError */
export function readSpinLock(kernel: Kernel, kind: LockKind, address: VirtualAddress): LockState {
  const layout = lockLayouts(kernel).spinLock;
  if (layout === undefined) throw new UnsupportedError("this kernel's spinlocks are no queued ones, or it has none (no CONFIG_SMP)");
  const word = kernel.memory.u32(address);
  const { locked, pending, tail, plausible } = decodeQueuedSpinLock(word, kernel.perCpuOffsets.length);
  const named = layout.owner?.pointer(address);
  const task = named === undefined ? undefined : lockTaskAt(kernel, named);
  return {
    kind,
    address,
    symbol: lockSymbol(kernel, address),
    held: plausible ? (locked ? "held" : "free") : "unknown",
    // SPINLOCK_OWNER_INIT is -1 and no task.
    owner:
      task === undefined || !locked
        ? undefined
        : { task, mode: "owner", certainty: "exact", evidence: "owner field (CONFIG_DEBUG_SPINLOCK)" },
    readers: undefined,
    flags: [
      ...(pending ? ["one CPU pending"] : []),
      ...(tail === undefined ? [] : [`queue ends at CPU ${tail.cpu}${tail.context === "task" ? "" : ` (${tail.context})`}`]),
    ],
    count: undefined,
    waiters: [],
    waitersComplete: tail === undefined && !pending,
    problems: plausible ? [] : [`its word ${word.toString(16).padStart(8, "0")} is none that a spinlock can have`],
  };
}
