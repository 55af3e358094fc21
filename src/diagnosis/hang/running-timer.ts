/**
 * Whose timer a CPU works on that was struck in the timers' own code, between two calls of what they call:
 *
 *   timerqueue_add ◄ struck
 *   enqueue_hrtimer
 *   __hrtimer_run_queues     a register, or a word of a frame, is the hrtimer: its base says that it runs it   ─► timer.function
 *   hrtimer_interrupt
 *
 * A function that restarts its timer without setting it forward is called again at once, for ever: the loop is the timers', the fault the
 * function's. hrtimer_clock_base.running is there since 4.16.
 */
import { hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { frameWords } from "../../linux/locking/stack-values.ts";
import type { StackFrame } from "../../stack/frame.ts";
import type { Finding } from "../finding.ts";
import { guarded } from "../guarded.ts";
import type { Evidence } from "../verdict.ts";
import { functionText } from "./guilty-frame.ts";
import { containerAround } from "./lock-object.ts";
import type { Standstill } from "./standstill.ts";
import type { StoppedCpu } from "./stopped-cpu.ts";

export interface RunningTimer {
  readonly kind: "hrtimer" | "timer_list";
  readonly timer: VirtualAddress;
  /** What it calls. */
  readonly function: string;
  readonly module: string | undefined;
  /** Of the timers' own code that calls it. */
  readonly frame: number;
}

const CORES: readonly (readonly [RunningTimer["kind"], RegExp])[] = [
  ["hrtimer", /^(?:__hrtimer_run_queues|__run_hrtimer|hrtimer_interrupt|hrtimer_run_softirq)$/],
  ["timer_list", /^(?:call_timer_fn|expire_timers|__run_timers|__run_timer_base|run_timer_base|run_timer_softirq)$/],
];
/** What the timers' own code calls: queues, clocks, locks. A module's function never is. */
const OWN =
  /^(?:\w*hrtimer\w*|timerqueue_\w+|rb_\w+|__rb_\w+|\w*ktime_\w+|_*(?:raw_)?(?:spin_|queued_)\w+|_raw_\w+|\w*clock\w*|tick_\w+|read_\w+|pvclock_\w+|kvm_\w+|\w*timer\w*|debug_\w+|trace_\w+|__update_\w+|asm_\w+)$/;
/** Frames between the struck one and the timers' loop. */
const MAX_BETWEEN = 6;

/** undefined when the CPU was in what a timer calls, or in no timers' code at all. */
export function runningTimer(kernel: Kernel, { stack, struck }: Pick<StoppedCpu, "stack" | "struck">): RunningTimer | undefined {
  const name = (frame: StackFrame) => (frame.function ?? "").replace(/\..*/, "");
  const { frames } = stack;
  for (let index = struck; index < Math.min(frames.length, struck + MAX_BETWEEN); index++) {
    const frame = frames[index] as StackFrame;
    const core = CORES.find(([, pattern]) => pattern.test(name(frame)));
    if (core !== undefined && frame.module === undefined) return guarded(() => timerOf(kernel, frames, struck, index, core[0]));
    if (frame.module !== undefined || !OWN.test(name(frame))) return undefined;
  }
  return undefined;
}

function timerOf(
  kernel: Kernel,
  frames: readonly StackFrame[],
  struck: number,
  index: number,
  kind: RunningTimer["kind"],
): RunningTimer | undefined {
  const struct = kernel.types.tryStruct(kind);
  const called = struct?.tryField("function");
  const base = struct?.tryField("base");
  const running = kernel.types.tryStruct("hrtimer_clock_base")?.tryField("running");
  if (called === undefined) return undefined;
  for (const value of valuesOf(kernel, frames, struck, index)) {
    const target = kernel.memory.tryU64(called.address(value));
    const symbol = target === undefined || !kernel.arch.isKernelAddress(target) ? undefined : kernel.symbols.byAddress(virtual(target));
    if (symbol === undefined || symbol.offset !== 0 || !/^[tTwW]$/.test(symbol.symbol.type)) continue;
    if (kind === "hrtimer") {
      const clock = base === undefined ? undefined : kernel.memory.tryU64(base.address(value));
      if (clock === undefined || running === undefined || kernel.memory.tryU64(running.address(virtual(clock))) !== value) continue;
    }
    return { kind, timer: value, function: symbol.symbol.name, module: symbol.symbol.module, frame: index };
  }
  return undefined;
}

/** As a verdict's object: the structure around it where that is known. */
export function timerObject(still: Standstill, { timer, kind, module }: RunningTimer): NonNullable<Finding["object"]> {
  const container = containerAround(still, timer, kind, module === undefined ? [] : [module]);
  return {
    type: container?.type ?? `struct ${kind}`,
    ...(container === undefined ? {} : { member: container.member }),
    address: container?.address ?? timer,
  };
}

export function timerLine(timer: RunningTimer): string {
  return `The CPU was struck in the timers' own code, between two calls of ${functionText(timer)} for the ${timer.kind} at ${hex16(timer.timer)}: it begins again as soon as it has run, without being set forward.`;
}

/** What the timer calls, and when it was to fire. */
export function timerEvidence(kernel: Kernel, { timer, kind, function: name }: RunningTimer): Evidence[] {
  const field = kernel.types.tryStruct(kind)?.tryField("function");
  const value = field === undefined ? undefined : kernel.memory.tryU64(field.address(timer));
  if (field === undefined || value === undefined) return [];
  const at = field.address(timer);
  return [{ claim: `the ${kind} calls ${name}`, command: `rd ${hex16(at)}`, values: [{ address: at, value }] }];
}

/** Registers and words of the frames up to the timers' loop. */
function* valuesOf(kernel: Kernel, frames: readonly StackFrame[], struck: number, index: number): Generator<VirtualAddress> {
  const seen = new Set<bigint>();
  const isNew = (value: bigint | undefined): value is bigint => {
    if (value === undefined || (value & 7n) !== 0n || !kernel.arch.isKernelAddress(value) || seen.has(value)) return false;
    seen.add(value);
    return true;
  };
  for (const frame of frames.slice(struck, index + 1))
    for (const value of Object.values(frame.registers.record())) if (isNew(value)) yield virtual(value);
  for (const { word } of frameWords(kernel, frames, struck, index)) if (isNew(word)) yield virtual(word);
}
