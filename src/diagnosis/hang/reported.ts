/**
 * What the kernel itself said hangs: from the log's reports, or, where the log is gone, from the stack of the task that panicked, which
 * still stands in the watchdog that gave up.
 *
 *   INFO: task lab-writer:172 blocked for more than 3 seconds.         kernel/hung_task.c
 *   watchdog: BUG: soft lockup - CPU#1 stuck for 6s! [lab-spin:901]    kernel/watchdog.c
 *   Watchdog detected hard LOCKUP on cpu 1
 *   rcu: INFO: rcu_sched self-detected stall on CPU                    kernel/rcu/tree_stall.h
 *   BUG: workqueue lockup - pool cpus=1 … stuck for 35s!               kernel/workqueue.c
 */
import type { Kernel } from "../../kernel/kernel.ts";
import { unwindTask } from "../../stack/unwind.ts";
import type { DiagnosisContext } from "../context.ts";
import { guarded } from "../guarded.ts";
import type { EventFamily, LogEvent } from "../subject/log-events.ts";
import { stoppedTask } from "../subject/stopped-task.ts";

export type StallKind = "hung task" | "soft lockup" | "hard lockup" | "rcu stall" | "workqueue";

export interface ReportedStall {
  readonly kind: StallKind;
  /** The log's event; undefined when only the panic's stack tells. */
  readonly event?: LogEvent;
  readonly cpu?: number;
  readonly pid?: number;
  readonly comm?: string;
  readonly seconds?: number;
}

const HUNG = /INFO: task (.+):(\d+) (?:is )?blocked for more than (\d+) seconds/;
const SOFT = /soft lockup - CPU#(\d+) stuck for (\d+)s! \[(.*):(\d+)\]/;
const HARD = /hard LOCKUP on cpu (\d+)/;
const POOL = /workqueue lockup - pool(?: \d+)? cpus=([\d\-,]+).* stuck for (\d+)s/;

const PANICS: readonly (readonly [StallKind, RegExp])[] = [
  ["soft lockup", /^watchdog_timer_fn/],
  ["hard lockup", /^(?:watchdog_overflow_callback|watchdog_hardlockup_check|watchdog_check_hardlockup\w*)/],
  ["hung task", /^(?:check_hung_uninterruptible_tasks|check_hung_task|hung_task_\w+|watchdog)$/],
  ["rcu stall", /^(?:panic_on_rcu_stall|print_cpu_stall|print_other_cpu_stall|rcu_stall_\w+|rcu_sched_clock_irq|rcu_check_callbacks)/],
  ["workqueue", /^(?:wq_watchdog_timer_fn|panic_on_wq_watchdog)/],
];

/** The stalls that were reported, the subject's first. */
export function reportedStalls({ kernel, subject }: DiagnosisContext): readonly ReportedStall[] {
  const events = [subject.event, ...subject.after, ...subject.before.map(({ event }) => event)];
  const told = events.flatMap((event): ReportedStall[] => (event?.family === "stall" ? [stallOf(event)] : []));
  if (told.length > 0) return told;
  const panic = panicStall(kernel);
  return panic === undefined ? [] : [panic];
}

function stallOf(event: LogEvent): ReportedStall {
  const { kind, text } = event;
  switch (kind) {
    case "hung task": {
      const [, comm, pid, seconds] = HUNG.exec(text) ?? [];
      return { kind, event, ...(comm === undefined ? {} : { comm, pid: Number(pid), seconds: Number(seconds) }) };
    }
    case "soft lockup": {
      const [, cpu, seconds, comm, pid] = SOFT.exec(text) ?? [];
      return { kind, event, ...(comm === undefined ? {} : { cpu: Number(cpu), seconds: Number(seconds), comm, pid: Number(pid) }) };
    }
    case "hard lockup": {
      const [, cpu] = HARD.exec(text) ?? [];
      return { kind, event, ...(cpu === undefined ? {} : { cpu: Number(cpu) }) };
    }
    case "workqueue": {
      const [, cpus, seconds] = POOL.exec(text) ?? [];
      const one = cpus === undefined || !/^\d+$/.test(cpus) ? {} : { cpu: Number(cpus) };
      return { kind, event, ...one, ...(seconds === undefined ? {} : { seconds: Number(seconds) }) };
    }
    default:
      return { kind: "rcu stall", event };
  }
}

function panicNames(kernel: Kernel): { readonly names: readonly string[]; readonly cpu?: number } {
  return kernel.memo(panicNames, () => {
    const found = guarded(() => stoppedTask(kernel));
    if (found === undefined || found.flag === "ACTIVE") return { names: [] };
    const stack = guarded(() => unwindTask(kernel, found.task.address));
    return { names: stack?.frames.map(({ function: name }) => (name ?? "").replace(/\..*/, "")) ?? [], cpu: found.cpu };
  });
}

function panicStall(kernel: Kernel): ReportedStall | undefined {
  const { names, cpu } = panicNames(kernel);
  if (!names.some((name) => /panic/.test(name))) return undefined;
  for (const [kind, pattern] of PANICS) {
    if (!names.some((name) => pattern.test(name))) continue;
    // A grace period's CPU found its own stall, or another's.
    const own = (kind === "soft lockup" || kind === "hard lockup" || kind === "rcu stall") && cpu !== undefined;
    return { kind, ...(own ? { cpu } : {}) };
  }
  return undefined;
}

const FAULTY: ReadonlySet<EventFamily> = new Set(["fault", "assertion", "corruption", "hardware"]);
const DIES = /^(?:oops_end|die|__die|page_fault_oops|die_kernel_fault|die_addr|handle_bug|bad_mode|arm64_notify_die)$/;

/** Whether something else killed the machine, so that nothing that waits explains it. */
export function diedOfFault({ kernel, subject }: DiagnosisContext): boolean {
  const { event, deliberate } = subject;
  if (event !== undefined && FAULTY.has(event.family)) return true;
  // What it panicked of; before a crash that somebody asked for, a warning or the memory that ran out need not be the trouble.
  if (deliberate === undefined && (event?.family === "memory" || (event?.family === "warning" && event.kind !== "locking"))) return true;
  return event === undefined && panicNames(kernel).names.some((name) => DIES.test(name));
}
