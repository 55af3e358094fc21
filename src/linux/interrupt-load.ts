/**
 * How often which interrupts came on one CPU, and what the kernel's own books say of the time they took.
 *
 *   irq_desc ─┬─ kstat_irqs ─► per-CPU count since boot                       (irq.ts)
 *             ├─ irq_common_data.state_use_accessors  bit 18: a handler runs right now (IRQD_IRQ_INPROGRESS, include/linux/irq.h)
 *             ├─ irqs_unhandled   of the last 100,000 those that no handler wanted (kernel/irq/spurious.c, note_interrupt)
 *             └─ istate           bit 1: switched off, nobody cared (IRQS_SPURIOUS_DISABLED, kernel/irq/internals.h)
 *
 *   rq.clock − sched_info.last_arrival       since the task got the CPU, all time
 *   se.sum_exec_runtime − prev_sum_…         of that its own: rq.clock_task leaves interrupts out with CONFIG_IRQ_TIME_ACCOUNTING
 *                                            (irqtime_account_irq(), kernel/sched/cputime.c); without it both are the same
 */
import type { VirtualAddress } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { attempt } from "./gather.ts";
import { type IrqAction, irqCountOn, irqDescriptors } from "./irq.ts";
import { architectureCounts } from "./irq-counts.ts";
import { runqueue } from "./runqueue.ts";
import type { Task } from "./task.ts";

const IN_PROGRESS = 1 << 18;
const SPURIOUS_DISABLED = 1 << 1;

/** An interrupt line, or a kind of interrupts that the machine has of its own. */
export interface InterruptCount {
  /** "IRQ 11", "IWI", "IPI4". */
  readonly label: string;
  readonly irq: number | undefined;
  /** struct irq_desc. */
  readonly descriptor: VirtualAddress | undefined;
  readonly actions: readonly IrqAction[];
  /** "IO-APIC", "GICv3"; of the machine's own kinds what they are for. */
  readonly text: string;
  readonly level: boolean;
  /** On this CPU since boot. */
  readonly count: number;
  /** Where that is counted. */
  readonly countAt: VirtualAddress | undefined;
  readonly inProgress: boolean;
  /** Of its last interrupts those that no handler wanted. */
  readonly unhandled: number;
  /** The kernel switched it off since nobody cared. */
  readonly switchedOff: boolean;
}

/** What came on a CPU, most first. @throws LookupError when interrupts cannot be located */
export function interruptCounts(kernel: Kernel, cpu: number, notes: string[] = []): readonly InterruptCount[] {
  const struct = kernel.types.struct("irq_desc");
  const state = struct.tryField("irq_common_data.state_use_accessors");
  const internal = struct.firstField("core_internal_state__do_not_mess_with_it", "istate");
  const lines = irqDescriptors(kernel, notes).flatMap((each): InterruptCount[] => {
    // What is hidden is counted below, under its name.
    if (each.hidden) return [];
    const count = attempt(() => irqCountOn(kernel, each.address, cpu), notes, `IRQ ${each.irq}`);
    if (count === undefined) return [];
    const pointer = struct.field("kstat_irqs").pointer(each.address);
    const bits = (field: typeof state) => (field === undefined ? undefined : kernel.memory.tryU32(field.address(each.address))) ?? 0;
    return [
      {
        label: `IRQ ${each.irq}`,
        irq: each.irq,
        descriptor: each.address,
        actions: each.actions,
        text: [each.chip, each.flow].filter((part) => part !== undefined && part !== "").join(", "),
        level: each.level,
        count,
        countAt: pointer === 0n ? undefined : kernel.perCpuAddress(pointer, cpu),
        inProgress: (bits(state) & IN_PROGRESS) !== 0,
        unhandled: bits(struct.tryField("irqs_unhandled")),
        switchedOff: (bits(internal) & SPURIOUS_DISABLED) !== 0,
      },
    ];
  });
  const own = architectureCounts(kernel, [cpu], notes).map(
    ({ label, text, counts }): InterruptCount => ({
      label,
      irq: undefined,
      descriptor: undefined,
      actions: [],
      text,
      level: false,
      count: counts[0] ?? 0,
      countAt: undefined,
      inProgress: false,
      unhandled: 0,
      switchedOff: false,
    }),
  );
  return [...lines, ...own].sort((a, b) => b.count - a.count);
}

/** Of the time since a running task got its CPU, up to the last tick. */
export interface StolenTime {
  /** Seconds. */
  readonly onCpu: number;
  /** Of those what was not the task's own: interrupts, softirqs, the hypervisor. */
  readonly stolen: number;
}

/** undefined when the kernel does not account for interrupts' time, or the task is of no fair class. */
export function stolenTime(kernel: Kernel, task: Task): StolenTime | undefined {
  const rq = runqueue(kernel, task.cpu);
  const clock = kernel.types.tryStruct("rq")?.tryField("clock");
  const struct = kernel.types.tryStruct("task_struct");
  const [sum, before] = [struct?.tryField("se.sum_exec_runtime"), struct?.tryField("se.prev_sum_exec_runtime")];
  const accounts = kernel.types.tryStruct("rq")?.tryField("prev_irq_time") !== undefined;
  const arrived = struct?.tryField("sched_info.last_arrival")?.bigint(task.address);
  if (!accounts || rq === undefined || clock === undefined || sum === undefined || before === undefined) return undefined;
  if (arrived === undefined || arrived === 0n || task.idle) return undefined;
  const all = kernel.memory.u64(clock.address(rq)) - arrived;
  const own = sum.bigint(task.address) - before.bigint(task.address);
  if (all <= 0n || own < 0n || own > all) return undefined;
  return { onCpu: Number(all) / 1e9, stolen: Number(all - own) / 1e9 };
}
