/**
 * What one CPU was in when the machine stopped, and since when it had not let the kernel's clockwork run:
 *
 *   code      behind the machinery of the interrupt, NMI or panic that struck it
 *   no tick   rq.clock of a CPU that runs a task moves with every tick: it stands still while interrupts are off
 *   no stop   per-CPU watchdog_touch_ts is set by a thread of the highest priority (kernel/watchdog.c): it grows old while nothing is
 *             scheduled; in seconds of 2^30 ns
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { cpuMasks } from "../../linux/cpu.ts";
import { type PreemptCount, preemptCount } from "../../linux/preempt-count.ts";
import { readLog } from "../../linux/printk.ts";
import { currentTask, runqueue } from "../../linux/runqueue.ts";
import type { Task } from "../../linux/task.ts";
import { lastArrival } from "../../linux/task-times.ts";
import type { StackFrame, UnwoundStack } from "../../stack/frame.ts";
import { guarded } from "../guarded.ts";
import { guiltyFrame, isMachinery, struckFrame } from "./guilty-frame.ts";
import type { Standstill } from "./standstill.ts";

export interface StoppedCpu {
  readonly cpu: number;
  readonly task: Task;
  readonly stack: UnwoundStack;
  /** The frame that was struck, and the one to name. */
  readonly struck: number;
  readonly guilty: number | undefined;
  readonly interruptsOff: boolean | undefined;
  readonly preempt: PreemptCount | undefined;
  /** Seconds without a tick, and without the watchdog's thread. */
  readonly noTick: number | undefined;
  readonly noThread: number | undefined;
  /** Seconds that the task has had the CPU. */
  readonly onCpu: number | undefined;
  /** Where the run queue's clock lies, and the watchdog's stamp, for evidence. */
  readonly clockAt: VirtualAddress | undefined;
  readonly stampAt: VirtualAddress | undefined;
}

/** X86_EFLAGS_IF; PSR_I_BIT. */
const X86_INTERRUPTS = 0x200n;
const ARM_MASKED = 0x80n;

function interruptsOff({ registers }: StackFrame): boolean | undefined {
  const { rflags, eflags, pstate, cpsr } = registers.record() as Record<string, bigint | undefined>;
  const x86 = rflags ?? eflags;
  if (x86 !== undefined) return (x86 & X86_INTERRUPTS) === 0n;
  const arm = pstate ?? cpsr;
  return arm === undefined ? undefined : (arm & ARM_MASKED) !== 0n;
}

/** When the machine stopped, in nanoseconds of its scheduler's clock: the newest of all CPUs' clocks and of the log before the panic's end. */
function stopTime(kernel: Kernel, panicked: bigint | undefined): bigint {
  const clock = kernel.types.tryStruct("rq")?.tryField("clock");
  let newest = panicked ?? 0n;
  for (const cpu of cpuMasks(kernel).possible) {
    const rq = runqueue(kernel, cpu);
    const value = clock === undefined || rq === undefined ? undefined : kernel.memory.tryU64(clock.address(rq));
    if (value !== undefined && value > newest) newest = value;
  }
  return newest;
}

/** Seconds since boot when the machine stopped. */
export function stopSeconds(kernel: Kernel): number | undefined {
  const now = stopTime(kernel, panicTime(kernel));
  return now === 0n ? undefined : Number(now) / 1e9;
}

/** The panic's own line: what it prints afterwards takes time of its own. */
function panicTime(kernel: Kernel): bigint | undefined {
  const records = guarded(() => readLog(kernel).records) ?? [];
  return records.findLast(({ text }) => /^(?:Kernel panic - not syncing|sysrq: Trigger a crash|Uhhuh\. NMI)/.test(text))?.nanoseconds;
}

/** Every CPU that ran a task of its own in the kernel; once per dump. Idle ones and those in user mode are none. */
export function stoppedCpus(still: Standstill): readonly StoppedCpu[] {
  return still.kernel.memo(stoppedCpus, () =>
    everyCpu(still).filter(({ task, stack, struck }) => !task.idle || inInterrupt(stack, struck)),
  );
}

/** Every CPU whose stack can be read, the idle ones too; once per dump. */
export function everyCpu(still: Standstill): readonly StoppedCpu[] {
  const { kernel } = still;
  return kernel.memo(everyCpu, () => {
    const now = stopTime(kernel, panicTime(kernel));
    const clock = kernel.types.tryStruct("rq")?.tryField("clock");
    const stamp = kernel.tryAddress("watchdog_touch_ts");
    return cpuMasks(kernel).present.flatMap((cpu): StoppedCpu[] => {
      const address = guarded(() => currentTask(kernel, cpu));
      const task = address === undefined ? undefined : still.task(address);
      const stack = task === undefined ? undefined : still.stack(task);
      if (task === undefined || stack === undefined || stack.frames.length === 0) return [];
      const rq = runqueue(kernel, cpu);
      const clockAt = clock === undefined || rq === undefined ? undefined : clock.address(rq);
      const stampAt = stamp === undefined ? undefined : guarded(() => kernel.perCpuAddress(stamp, cpu));
      const arrived = guarded(() => lastArrival(kernel, task));
      const noTick = since(now, clockAt === undefined ? undefined : kernel.memory.tryU64(clockAt));
      const struck = stuckInInterrupt(stack, noTick) ? 0 : struckFrame(stack);
      const frame = stack.frames[struck] as StackFrame;
      return [
        {
          cpu,
          task,
          stack,
          struck,
          guilty: guiltyFrame(stack, struck) ?? loopFrame(stack, struck),
          interruptsOff: interruptsOff(frame),
          preempt: guarded(() => preemptCount(kernel, cpu, task.address)),
          noTick,
          noThread: stampAge(now, stampAt === undefined ? undefined : kernel.memory.tryU64(stampAt)),
          onCpu: since(now, arrived),
          clockAt,
          stampAt,
        },
      ];
    });
  });
}

/** By which the machine stops its CPUs, or finds that it must. */
const STOPS =
  /panic|nmi|watchdog|sysrq|^(?:crash_\w+|machine_\w+|native_machine_\w+|\w*cpu_stop\w*|stop_this_cpu|cpu_park_loop|ipi_handler|do_handle_IPI|sysvec_reboot|native_stop_other_cpus|rcu_sched_clock_irq)$/;

/**
 * A CPU that nothing struck: whoever made the dump took its registers where it stood, in an interrupt that has taken no tick for long. It is
 * the interrupt that does not end, not what it interrupted.
 */
function stuckInInterrupt({ frames }: UnwoundStack, noTick: number | undefined): boolean {
  const interrupted = frames.findIndex(({ kind }, index) => index > 0 && kind === "interrupted");
  // The same interrupt brings other CPUs' functions, which may not end, and the stop.
  const called = frames.findIndex(({ function: name }) => CALLED.test(name ?? ""));
  const at = called > 0 && called < interrupted ? called : interrupted;
  return at > 0 && noTick !== undefined && noTick >= 1 && !frames.slice(0, at).some(({ function: name }) => STOPS.test(name ?? ""));
}

/** Runs what other CPUs sent (kernel/smp.c). */
const CALLED = /^_*flush_smp_call_function_queue$/;
const SOFTIRQS = /^(?:_*do_softirq|handle_softirqs|call_timer_fn|net_rx_action|__napi_poll|tasklet_action\w*)$/;
const INTERRUPTS = /^(?:handle_irq_event\w*|__hrtimer_run_queues|irq_work_run\w*|_*flush_smp_call_function_queue)$/;

/** An idle CPU that serves an interrupt or softirq is busy all the same. */
function inInterrupt({ frames }: UnwoundStack, struck: number): boolean {
  return frames.slice(struck).some(({ function: name }) => SOFTIRQS.test(name ?? "") || INTERRUPTS.test(name ?? ""));
}

/** Sends a function to other CPUs and spins until they have run it (kernel/smp.c, csd_lock_wait()). */
const SENDS = /^(?:smp_call_function_(?:single|many_cond|many|any)|on_each_cpu_cond_mask|csd_lock_wait|__csd_lock_wait)$/;

/** It waits for another CPU to run what it was sent: the function it waits in. */
export function waitsForCall({ stack: { frames }, struck }: Pick<StoppedCpu, "stack" | "struck">): string | undefined {
  const name = frames[struck]?.function?.replace(/\..*/, "");
  return name !== undefined && SENDS.test(name) ? name : undefined;
}

/** What a CPU does in the name of the task that it struck: "a softirq", "an interrupt"; undefined when the task's own code runs. */
export function servedOver({ stack: { frames }, struck, task }: Pick<StoppedCpu, "stack" | "struck" | "task">): string | undefined {
  // ksoftirqd serves softirqs by trade.
  if (/^ksoftirqd\//.test(task.comm)) return undefined;
  const served = frames.slice(struck).map(({ function: name }) => name ?? "");
  if (served.some((name) => INTERRUPTS.test(name))) return "an interrupt";
  return served.some((name) => SOFTIRQS.test(name)) ? "a softirq" : undefined;
}

/** All of it is machinery: the outermost of it that is no entry. */
function loopFrame({ frames }: UnwoundStack, struck: number): number | undefined {
  const frame = frames[struck];
  return frame?.function === undefined || !isMachinery(frame) ? undefined : struck;
}

function since(now: bigint, then: bigint | undefined): number | undefined {
  return then === undefined || then === 0n || then > now ? undefined : Number(now - then) / 1e9;
}

/** SOFTLOCKUP_RESET is ULONG_MAX (SOFTLOCKUP_DELAY_REPORT since 5.14), a CPU without watchdog has 0. */
function stampAge(now: bigint, stamp: bigint | undefined): number | undefined {
  if (stamp === undefined || stamp === 0n || stamp > 1n << 40n) return undefined;
  const age = Number(now >> 30n) - Number(stamp);
  return age < 0 ? undefined : age * (2 ** 30 / 1e9);
}

/** The watchdog's threads do run: some CPU's stamp is fresh. Where it is switched off all are of long ago. */
export function watchdogRuns({ kernel }: Standstill): boolean {
  const stamp = kernel.tryAddress("watchdog_touch_ts");
  const now = stopTime(kernel, panicTime(kernel));
  return (
    stamp !== undefined &&
    cpuMasks(kernel).present.some((cpu) => {
      const at = guarded(() => kernel.perCpuAddress(stamp, cpu));
      const age = at === undefined ? undefined : stampAge(now, kernel.memory.tryU64(at));
      return age !== undefined && age < 2 * watchdogThreshold(kernel);
    })
  );
}

/** watchdog_thresh, seconds; a soft lockup is twice that. */
export function watchdogThreshold(kernel: Kernel): number {
  const at = kernel.tryAddress("watchdog_thresh");
  const value = at === undefined ? undefined : kernel.memory.tryU32(at);
  return value === undefined || value === 0 || value > 3600 ? 10 : value;
}
