/**
 * What a CPU may not do right now: preempt_count (include/linux/preempt.h).
 *
 *   bits 0–7 preemption disabled │ 8–15 softirq │ 16–19 hardirq │ 20–23 NMI │ 31 x86-64: no reschedule wanted (inverted)
 *   softirq counts by two for "bottom halves disabled", its lowest bit is "serving a softirq" (75e1056f5c57)
 *
 *   x86-64  per-CPU __preempt_count (3.13+, c2daa3bed53a), pcpu_hot.preempt_count 6.2 to 6.14 (64701838bf05), __preempt_count again since
 *   arm64   thread_info.preempt { count, need_resched } of the running task (4.18+, 396244692232; inverted too), else preempt_count there
 */
import { add, type VirtualAddress } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { threadInfo } from "./task.ts";

const NO_RESCHEDULE = 0x8000_0000;

/** What a CPU's preempt_count says. */
export interface PreemptCount {
  /** As it is in memory, without the bit of rescheduling. */
  readonly raw: number;
  /** How often preemption was disabled. */
  readonly preempt: number;
  /** How often bottom halves were disabled. */
  readonly bottomHalves: number;
  readonly servingSoftirq: boolean;
  /** Nested hard interrupts. */
  readonly hardirq: number;
  /** Nested NMIs. */
  readonly nmi: number;
  /** undefined where the machine keeps it elsewhere. */
  readonly needResched: boolean | undefined;
}

/** Takes the word apart. @param inverted bit 31 stands for "no reschedule wanted" */
export function decodePreemptCount(word: number, inverted: boolean): PreemptCount {
  const raw = (inverted ? word & ~NO_RESCHEDULE : word) >>> 0;
  return {
    raw,
    preempt: raw & 0xff,
    bottomHalves: (raw >>> 9) & 0x7f,
    servingSoftirq: ((raw >>> 8) & 1) === 1,
    hardirq: (raw >>> 16) & 0xf,
    nmi: (raw >>> 20) & 0xf,
    needResched: inverted ? (word & NO_RESCHEDULE) === 0 : undefined,
  };
}

/** A CPU's count; undefined when it cannot be located. @throws FaultError */
export function preemptCount(kernel: Kernel, cpu: number, current: VirtualAddress | undefined): PreemptCount | undefined {
  const hot = kernel.tryAddress("pcpu_hot");
  const field = kernel.types.tryStruct("pcpu_hot")?.tryField("preempt_count");
  if (hot !== undefined && field !== undefined)
    return decodePreemptCount(kernel.memory.u32(field.address(kernel.perCpuAddress(hot, cpu))), true);
  const own = kernel.arch.name === "x86_64" ? kernel.tryAddress("__preempt_count") : undefined;
  if (own !== undefined) return decodePreemptCount(kernel.memory.u32(kernel.perCpuAddress(own, cpu)), true);
  const info = current === undefined ? undefined : threadInfo(kernel, current);
  const count = kernel.types.tryStruct("thread_info")?.firstField("preempt.count", "preempt_count");
  if (info === undefined || count === undefined) return undefined;
  const decoded = decodePreemptCount(kernel.memory.u32(count.address(info)), false);
  const resched = kernel.types.tryStruct("thread_info")?.tryField("preempt.need_resched");
  return resched === undefined ? decoded : { ...decoded, needResched: kernel.memory.u32(add(info, resched.offset)) === 0 };
}
