/**
 * A CPU that interrupts leave no time: they come again as soon as their handler has returned, and what ran before goes on by an instruction
 * or two between them.
 *
 *   device ──line──► daq_service ─► IRQ_HANDLED, the line still asks ─► daq_service ─► …          40,000 times on CPU 1
 *                                      │ tick: the watchdog finds whatever was interrupted
 *
 * What the watchdog finds on that CPU is a victim. What tells the storm, each by itself no proof:
 *   counts     one line came more often than all others together, and often for the whole time since boot
 *   place      the CPU was struck in the handler, at the end of an interrupt, idle or in user mode: nothing there loops
 *   time       where the kernel accounts for interrupts' time: the task had its CPU and did not run
 *   log        6.10+ with CONFIG_SOFTLOCKUP_DETECTOR_INTR_STORM counts by itself (e9a9292e2368, kernel/watchdog.c):
 *              "CPU#1 Detect HardIRQ Time exceeds 50%. Most frequent HardIRQs:", "#1: 330945 irq#11"
 */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type InterruptCount, interruptCounts, type StolenTime, stolenTime } from "../../linux/interrupt-load.ts";
import { readLog } from "../../linux/printk.ts";
import type { StackFrame } from "../../stack/frame.ts";
import { guarded } from "../guarded.ts";
import { isMachinery } from "./guilty-frame.ts";
import { isInLoop } from "./loop-object.ts";
import { type QueuedIrqWork, queuedIrqWork } from "./queued-irq-work.ts";
import type { Standstill } from "./standstill.ts";
import { type StoppedCpu, stopSeconds } from "./stopped-cpu.ts";

/** Interrupts a second since boot of one line on one CPU: a busy network card's, or a storm's. */
const MANY = 500;
/** The same where the CPU was struck at an interrupt: a storm of seconds in an uptime of minutes. */
const SOME = 50;
/** Share of its time on the CPU that a task that runs loses to interrupts at most. */
const MOST = 0.5;
/** Lines of the log behind the report that belong to it. */
const NEAR_LINES = 16;

/** Where a CPU in a storm was struck; "code": somewhere in what it ran. */
export type StruckIn = "handler" | "interrupt" | "idle" | "user mode" | "code";

export interface Storm {
  readonly line: InterruptCount;
  /** The functions that serve it, the one that was struck first. */
  readonly handlers: readonly { readonly name: string; readonly module: string | undefined; readonly device: string }[];
  /** A second, since boot. */
  readonly rate: number;
  /** All others on this CPU. */
  readonly others: number;
  readonly struckIn: StruckIn;
  /** The handler's frame. */
  readonly frame: number | undefined;
  readonly handler?: VirtualAddress;
  /** Of interrupts that the kernel sends to itself: what was queued for the next one when the machine stopped. */
  readonly queued?: QueuedIrqWork;
  readonly stolen: StolenTime | undefined;
  /** The kernel counted it during the lockup. */
  readonly told: number | undefined;
}

/** Entries and ends of an interrupt, by all their names of both machines; between them and the handler nothing of the task's runs. */
const INTERRUPT =
  /^(?:(?:asm_)?common_interrupt|do_IRQ|ret_from_intr|__common_interrupt|handle_irq_event\w*|__handle_irq_event_percpu|handle_(?:edge|level|fasteoi|percpu)\w*irq|generic_handle\w*|_*irq_exit(?:_rcu)?|_*irq_enter\w*|irqentry_\w+|el1h?_64_irq(?:_handler)?|el1_(?:irq|interrupt)|gic_handle_irq|call_on_irq_stack|_*do_softirq\w*|handle_softirqs)$/;
/** Entries that also interrupts and NMIs out of user mode take; system calls have others. */
const FROM_USER = /^(?:asm_sysvec_\w+|asm_common_interrupt|asm_exc_nmi|nmi|el0t?_64_irq(?:_handler)?|el0_irq\w*|apic_timer_interrupt)$/;
const IDLE =
  /^(?:\w+_idle(?:_\w+)?|mwait_\w+|intel_idle\w*|acpi_\w*idle\w*|cpuidle_\w+|do_idle|cpu_startup_entry|native_safe_halt|poll_idle)$/;

/** The storm on a CPU that is locked up; undefined when nothing tells of one. */
export function stormOn(still: Standstill, cpu: StoppedCpu): Storm | undefined {
  const known = still.kernel.memo(stormOn, () => new Map<number, Storm | undefined>());
  if (!known.has(cpu.cpu))
    known.set(
      cpu.cpu,
      guarded(() => find(still, cpu)),
    );
  return known.get(cpu.cpu);
}

function find({ kernel }: Standstill, cpu: StoppedCpu): Storm | undefined {
  // With interrupts off none comes, unless it is the handler that has them off.
  const place = struckIn(cpu, []);
  if (cpu.interruptsOff === true && place.struckIn === "code" && (cpu.preempt?.hardirq ?? 0) === 0) return undefined;
  const counts = interruptCounts(kernel, cpu.cpu);
  const told = toldStorm(kernel, cpu.cpu);
  // The clock's own ticks are many on every machine.
  const most = counts.find((each) => (told === undefined ? !isClock(each) : each.irq === told.irq));
  const seconds = stopSeconds(kernel);
  if (most === undefined || seconds === undefined || seconds < 1) return undefined;
  const others = counts.reduce((sum, { count }) => sum + count, 0) - most.count;
  const rate = most.count / seconds;
  const stolen = guarded(() => stolenTime(kernel, cpu.task));
  const lost = stolen === undefined || stolen.onCpu < 1 ? undefined : stolen.stolen / stolen.onCpu;
  const found = struckIn(
    cpu,
    most.actions.map(({ handler }) => handler),
  );
  const witnessed = told !== undefined || (lost !== undefined && lost > MOST);
  if (!witnessed && (lost !== undefined || rate < (found.struckIn === "code" ? MANY : SOME) || most.count <= others)) return undefined;
  // A loop explains the lockup without any interrupts.
  if (!witnessed && found.struckIn === "code" && loops(kernel, cpu)) return undefined;
  const [queued] = /IRQ work/i.test(most.text) ? queuedIrqWork(kernel, cpu.cpu) : [];
  const asked = queued === undefined ? undefined : kernel.symbols.byAddress(queued.function)?.symbol;
  if (queued !== undefined && asked !== undefined)
    return {
      line: most,
      handlers: [{ name: asked.name, module: asked.module, device: "" }],
      rate,
      others,
      ...found,
      queued,
      stolen: lost === undefined ? undefined : stolen,
      told: told?.count,
    };
  return {
    line: most,
    handlers: most.actions
      .toSorted((a, b) => Number(b.handler === found.handler) - Number(a.handler === found.handler))
      .flatMap(({ handler, name }) => {
        const symbol = kernel.symbols.byAddress(virtual(handler))?.symbol;
        return symbol === undefined ? [] : [{ name: symbol.name, module: symbol.module, device: name }];
      }),
    rate,
    others,
    ...found,
    stolen: lost === undefined ? undefined : stolen,
    told: told?.count,
  };
}

/** Ticks and what the scheduler sends to itself. */
function isClock({ label, actions, text }: InterruptCount): boolean {
  return /^(?:LOC|RES|TLB|CAL)$/.test(label) || /clock|timer/i.test(text) || actions.some(({ name }) => /timer/.test(name));
}

/** From the struck frame outwards. Exported for its test. */
export function struckIn(
  { stack, struck, task }: Pick<StoppedCpu, "stack" | "struck" | "task">,
  handlers: readonly VirtualAddress[],
): Pick<Storm, "struckIn" | "frame" | "handler"> {
  const outwards = stack.frames.slice(struck);
  const name = (frame: StackFrame) => (frame.function ?? "").replace(/\..*/, "");
  const startOf = (frame: StackFrame) => (frame.offset === undefined ? undefined : frame.pc - BigInt(frame.offset));
  const serving = outwards.findIndex((frame) => handlers.some((handler) => startOf(frame) === handler));
  if (outwards.length === 0) return { struckIn: "code", frame: undefined };
  if (serving >= 0) {
    const handler = handlers.find((each) => startOf(outwards[serving] as StackFrame) === each);
    return { struckIn: "handler", frame: struck + serving, ...(handler === undefined ? {} : { handler }) };
  }
  // The interrupt's entry is the outermost frame: it struck user mode.
  if (struck === 0 && stack.user !== undefined && FROM_USER.test(name(stack.frames.at(-1) as StackFrame)))
    return { struckIn: "user mode", frame: undefined };
  const entry = outwards.findIndex((frame) => INTERRUPT.test(name(frame)));
  if (entry >= 0 && outwards.slice(0, entry).every((frame) => isMachinery(frame) && !IDLE.test(name(frame))))
    return { struckIn: "interrupt", frame: undefined };
  const first = outwards[0];
  if (task.idle && first !== undefined && outwards.slice(0, 4).some((frame) => IDLE.test(name(frame))))
    return { struckIn: "idle", frame: undefined };
  return { struckIn: "code", frame: undefined };
}

/** What was struck, or one of its callers up to the one that would be named, is in a loop of its own code. */
function loops(kernel: Kernel, { stack, struck, guilty }: StoppedCpu): boolean {
  for (let index = struck; index <= (guilty ?? struck); index++) {
    const frame = stack.frames[index];
    if (frame !== undefined && frame.kind !== "inline" && isInLoop(kernel, index === struck ? frame.pc : virtual(frame.pc - 1n)))
      return true;
  }
  return false;
}

/** What the kernel says came most on a CPU while it was locked up. */
function toldStorm(kernel: Kernel, cpu: number): { readonly irq: number; readonly count: number } | undefined {
  const texts = (guarded(() => readLog(kernel).records) ?? []).map(({ text }) => text);
  const head = texts.findLastIndex((text) => new RegExp(`^CPU#${cpu} Detect HardIRQ Time exceeds \\d+%`).test(text));
  if (head < 0) return undefined;
  for (const text of texts.slice(head + 1, head + NEAR_LINES)) {
    const [, count, irq] = /^\s*#1: (\d+)\s+irq#(\d+)/.exec(text) ?? [];
    if (count !== undefined && irq !== undefined) return { irq: Number(irq), count: Number(count) };
  }
  return undefined;
}
