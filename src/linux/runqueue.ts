/**
 * Run queues (kernel/sched/sched.h): per CPU which task runs and which is its idle task.
 *
 *   per-CPU `runqueues` ─► struct rq { …, curr, idle, … }
 *
 * A kernel without KALLSYMS_ALL (Debian's arm64 up to 6.1) does not list `runqueues`; opening it looks for the place in the per-CPU
 * areas that holds what a run queue must (kernel/extra-symbols.ts). When that fails too, all answers here are undefined.
 */
import type { VirtualAddress } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** Address of one CPU's struct rq; undefined when it cannot be told. */
export function runqueue(kernel: Kernel, cpu: number): VirtualAddress | undefined {
  const base = kernel.tryAddress("runqueues");
  if (base === undefined || kernel.perCpuOffsets[cpu] === undefined) return undefined;
  return kernel.perCpuAddress(base, cpu);
}

/** Task that CPU runs: rq.curr. */
export function currentTask(kernel: Kernel, cpu: number): VirtualAddress | undefined {
  return member(kernel, cpu, "curr");
}

/** Idle task of a CPU: rq.idle. */
export function idleTask(kernel: Kernel, cpu: number): VirtualAddress | undefined {
  return member(kernel, cpu, "idle");
}

function member(kernel: Kernel, cpu: number, name: "curr" | "idle"): VirtualAddress | undefined {
  const rq = runqueue(kernel, cpu);
  const field = kernel.types.tryStruct("rq")?.tryField(name);
  if (rq === undefined || field === undefined) return undefined;
  const task = kernel.memory.tryU64(field.address(rq));
  return task === undefined || task === 0n ? undefined : (task as VirtualAddress);
}
