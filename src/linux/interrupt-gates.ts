/**
 * What the CPU and the kernel enter by number: the interrupt descriptor table of x86-64, and the softirqs' actions.
 *
 *   idt_table[256]: 16 bytes a gate: offset 0–15 │ segment │ bits │ offset 16–31 │ offset 32–63 │ reserved      (Intel SDM 3, 6.14.1)
 *   softirq_vec[]: struct softirq_action { action }                            include/linux/interrupt.h
 *   per-CPU kstat: struct kernel_stat { …, softirqs[] }                        include/linux/kernel_stat.h
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { UnsupportedError } from "../bytes/errors.ts";
import { strip } from "../debug-info/c-type.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { attempt } from "./gather.ts";

const GATES = 256;

export interface Gate {
  readonly vector: number;
  /** Entry point; 0 when the gate is empty. */
  readonly handler: VirtualAddress;
}

/** The gates of the IDT. @throws UnsupportedError on other machines, LookupError without the symbol, FaultError */
export function interruptGates(kernel: Kernel): readonly Gate[] {
  if (kernel.arch.name !== "x86_64") throw new UnsupportedError(`the interrupt descriptor table is of x86-64; this is ${kernel.arch.name}`);
  const table = kernel.memory.bytes(kernel.address("idt_table"), GATES * 16);
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  return Array.from({ length: GATES }, (_, vector) => {
    const low = view.getUint16(vector * 16, true) | (view.getUint16(vector * 16 + 6, true) << 16);
    return { vector, handler: virtual((BigInt(view.getUint32(vector * 16 + 8, true)) << 32n) | BigInt(low >>> 0)) };
  });
}

/** enum of include/linux/interrupt.h; the order never changed since HRTIMER came. */
const SOFTIRQS = ["HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU"];

export interface SoftirqAction {
  readonly number: number;
  readonly name: string;
  readonly action: VirtualAddress;
  /** How often it ran, one a CPU that was asked for: kernel_stat.softirqs; undefined where the counters cannot be found. */
  readonly counts: readonly number[] | undefined;
}

/** The softirqs' functions and counts. @throws LookupError without the symbol, FaultError */
export function softirqActions(kernel: Kernel, cpus: readonly number[]): readonly SoftirqAction[] {
  const size = kernel.types.tryStruct("softirq_action")?.size ?? 8;
  const base = kernel.address("softirq_vec");
  const declared = kernel.variableType("softirq_vec");
  const array = declared === undefined ? undefined : strip(declared);
  const count = array?.kind === "array" ? Math.min(array.length, 64) : Number(kernel.types.constant("NR_SOFTIRQS") ?? 10n);
  return Array.from({ length: count }, (_, number) => ({
    number,
    name: SOFTIRQS[number] ?? String(number),
    action: virtual(kernel.memory.u64(add(base, number * size))),
    counts: softirqCounts(kernel, number, cpus),
  }));
}

function softirqCounts(kernel: Kernel, number: number, cpus: readonly number[]): readonly number[] | undefined {
  const stat = kernel.tryAddress("kstat");
  const counters = kernel.types.tryStruct("kernel_stat")?.tryField("softirqs");
  if (stat === undefined || counters === undefined) return undefined;
  return attempt(() => cpus.map((cpu) => kernel.memory.u32(add(kernel.perCpuAddress(stat, cpu), counters.offset + number * 4))), [], "");
}
