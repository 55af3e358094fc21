/**
 * CPUs that spin until a timer's function has ended on another CPU: del_timer_sync(), timer_delete_sync(), timer_shutdown_sync() and
 * hrtimer_cancel() ask again and again for as long as the timer's base says that it runs (kernel/time/timer.c, hrtimer.c).
 *
 *   CPU 0  widget_close   timer_delete_sync(&widget->poll)     a register or a word of its frames is the timer
 *   CPU 1  call_timer_fn → widget_poll                         timer_base.running_timer, hrtimer_clock_base.running is that timer
 *
 * A softirq or interrupt has no task of its own: the edge leads to the task that it runs over.
 */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { cpuMasks } from "../../linux/cpu.ts";
import { lockTask } from "../../linux/locking/lock-tasks.ts";
import { frameWords } from "../../linux/locking/stack-values.ts";
import { plainName } from "../../linux/locking/wait-functions.ts";
import { timerBases } from "../../linux/timer-wheel.ts";
import type { StackFrame } from "../../stack/frame.ts";
import { guarded } from "../guarded.ts";
import type { HangEdge } from "./edges.ts";
import { struckFrame } from "./guilty-frame.ts";
import type { Standstill } from "./standstill.ts";
import { everyCpu, type StoppedCpu } from "./stopped-cpu.ts";

const CANCELS = /^(?:(?:__)?(?:del_timer|timer_delete|timer_shutdown)_sync|hrtimer_cancel)$/;
/** Frames between the one that was struck and the one that asks. */
const MAX_BETWEEN = 4;

interface Running {
  readonly timer: VirtualAddress;
  readonly kind: "timer_list" | "hrtimer";
  readonly cpu: StoppedCpu;
  /** The word that says so. */
  readonly at: VirtualAddress;
}

export function timerEdges(still: Standstill): HangEdge[] {
  const { kernel } = still;
  const asking = everyCpu(still).flatMap((cpu) => {
    const from = struckFrame(cpu.stack);
    const last = cpu.stack.frames.findIndex(
      ({ function: name }, index) => index >= from && index <= from + MAX_BETWEEN && CANCELS.test(plainName(name ?? "")),
    );
    return last < 0 ? [] : [{ cpu, from, last }];
  });
  if (asking.length === 0) return [];
  const running = runningTimers(still);
  return asking.flatMap(({ cpu, from, last }): HangEdge[] => {
    const values = new Set(valuesOf(kernel, cpu.stack.frames, from, last));
    const besides = basesAmong(still, values);
    for (const value of values) {
      const found = running.get(value) ?? besides.get(value);
      if (found === undefined || found.cpu.cpu === cpu.cpu) continue;
      const name = calledBy(kernel, found);
      return [
        {
          from: lockTask(cpu.task),
          to: lockTask(found.cpu.task),
          via: "timer",
          certainty: "exact",
          what: `the timer's function ${name} to end, which runs on CPU ${found.cpu.cpu}`,
          seconds: undefined,
          known: `its frames hold the timer ${value.toString(16)}, which CPU ${found.cpu.cpu} runs`,
          evidence: [
            {
              claim: `CPU ${found.cpu.cpu} runs the ${found.kind} at ${value.toString(16)} (${name}), for which CPU ${cpu.cpu} waits`,
              command: `rd ${found.at.toString(16)}`,
              values: [{ address: found.at, value }],
            },
          ],
        },
      ];
    }
    return [];
  });
}

function calledBy({ types, memory, symbols }: Kernel, { timer, kind }: Running): string {
  const field = types.tryStruct(kind)?.tryField("function");
  const called = field === undefined ? undefined : memory.tryU64(field.address(timer));
  return (called === undefined ? undefined : symbols.byAddress(virtual(called))?.symbol.name) ?? "?";
}

/** Timers whose functions run, by address. */
function runningTimers(still: Standstill): ReadonlyMap<bigint, Running> {
  const { kernel } = still;
  const found = new Map<bigint, Running>();
  const byCpu = new Map(everyCpu(still).map((cpu) => [cpu.cpu, cpu]));
  const field = kernel.types.tryStruct("timer_base")?.tryField("running_timer");
  const clock = kernel.types.tryStruct("hrtimer_clock_base");
  const current = clock?.tryField("running");
  const clocks = kernel.types.tryStruct("hrtimer_cpu_base")?.tryField("clock_base");
  const hrtimers = kernel.tryAddress("hrtimer_bases");
  for (const number of cpuMasks(kernel).present) {
    const cpu = byCpu.get(number);
    if (cpu === undefined) continue;
    for (const base of guarded(() => timerBases(kernel, number, [])) ?? [])
      if (base.running !== undefined && field !== undefined)
        found.set(base.running, { timer: base.running, kind: "timer_list", cpu, at: field.address(base.address) });
    if (clock === undefined || current === undefined || clocks === undefined || hrtimers === undefined) continue;
    const first = guarded(() => clocks.address(kernel.perCpuAddress(hrtimers, number)));
    for (let offset = 0; first !== undefined && offset + clock.size <= clocks.size; offset += clock.size) {
      const at = current.address(virtual(first + BigInt(offset)));
      const timer = kernel.memory.tryU64(at);
      if (timer !== undefined && timer !== 0n) found.set(timer, { timer: virtual(timer), kind: "hrtimer", cpu, at });
    }
  }
  return found;
}

/**
 * Where the kernel does not list timer_bases: who waits has locked the timer's base (lock_timer_base()), and it stands beside the timer in
 * registers. Only a base has that timer, and a CPU's number, at its places.
 */
function basesAmong(still: Standstill, values: ReadonlySet<bigint>): ReadonlyMap<bigint, Running> {
  const { kernel } = still;
  const found = new Map<bigint, Running>();
  const base = kernel.types.tryStruct("timer_base");
  const [running, number] = [base?.tryField("running_timer"), base?.tryField("cpu")];
  if (kernel.tryAddress("timer_bases") !== undefined || running === undefined || number === undefined) return found;
  for (const value of values) {
    if ((value & 7n) !== 0n || !kernel.arch.isKernelAddress(value)) continue;
    const at = running.address(virtual(value));
    const timer = kernel.memory.tryU64(at);
    if (timer === undefined || timer === 0n || !values.has(timer)) continue;
    const cpu = everyCpu(still).find((each) => each.cpu === kernel.memory.tryU32(number.address(virtual(value))));
    if (cpu !== undefined) found.set(timer, { timer: virtual(timer), kind: "timer_list", cpu, at });
  }
  return found;
}

/** What the frames of the function that asks, and those inside it, hold. */
function* valuesOf(kernel: Kernel, frames: readonly StackFrame[], from: number, last: number): Generator<bigint> {
  for (const frame of frames.slice(from, last + 2)) for (const value of Object.values(frame.registers.record())) yield value ?? 0n;
  for (const { word } of frameWords(kernel, frames, from, last)) yield word;
}
