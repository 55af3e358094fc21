/** `timer`: pending timers of the wheel, and high-resolution timers. */
import { hex16, type VirtualAddress } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { cpuMasks } from "../linux/cpu.ts";
import { type HighResolutionTimer, hrtimerBases } from "../linux/hrtimer.ts";
import { machineTime } from "../linux/timekeeping.ts";
import { jiffies, timerBases, type WheelTimer } from "../linux/timer-wheel.ts";
import { workFunction } from "../linux/work-item.ts";
import { timerApi } from "./api/views.ts";
import { defineCommand } from "./command.ts";
import { parseCpuList } from "./support/cpu-list.ts";
import { type Quantity, quantity } from "./support/quantity.ts";
import { type TaskReference, taskReference } from "./support/task-reference.ts";

/** A timer that waits, and whom it calls. */
export interface TimerRow {
  readonly timer: bigint;
  /** Jiffies (wheel) or nanoseconds of the clock (high resolution). */
  readonly expires: Quantity;
  /** High resolution: the earliest time. */
  readonly softExpires?: Quantity;
  /** Until it expires; negative when it should have. */
  readonly remaining?: Quantity;
  readonly function: bigint;
  readonly name: string;
  readonly module?: string;
  /** What it is for: a delayed work item's function, or the task it wakes. */
  readonly work?: { readonly address: bigint; readonly function?: string };
  readonly task?: TaskReference;
}

/** A base of a CPU's timer wheel. Times in jiffies. */
export interface WheelBase {
  readonly cpu: number;
  readonly index: number;
  readonly name?: string;
  readonly address: bigint;
  readonly clock?: number;
  readonly running?: bigint;
  readonly timers: readonly TimerRow[];
  /** Part of it could not be read: it may hold more timers (notes tell). */
  readonly incomplete?: true;
}

/** A clock of a CPU's high-resolution timers, with the timers that run on it. */
export interface ClockRow {
  readonly index: number;
  readonly address: bigint;
  readonly clock?: string;
  /** Nanoseconds: the clock's time at the machine's last tick. */
  readonly current?: Quantity;
  readonly timers: readonly TimerRow[];
  readonly incomplete?: true;
}

export interface TimerResult {
  /** At the time of the dump. */
  readonly jiffies?: number;
  readonly bases?: readonly WheelBase[];
  readonly hrtimers?: readonly { readonly cpu: number; readonly address: bigint; readonly clocks: readonly ClockRow[] }[];
  readonly notes?: readonly string[];
}

export const timer = defineCommand<TimerResult>({
  spec: {
    name: "timer",
    summary: "timer data",
    synopsis: ["[-r] [-C cpus]"],
    description: [
      "Shows the timers that are pending, by CPU and base, soonest first: when each expires, in how long (TTE, negative when it is overdue), its structure and its function; for timers that wake a task the task, for delayed work items the function that will run.",
      "Without -r the timers of the wheel, in jiffies; with -r the high-resolution timers, in nanoseconds of their clock.",
    ],
    options: [
      { flag: "-r", help: "high-resolution timers" },
      { flag: "-C", argument: "cpus", help: "these CPUs: 0  1,3  0-2,5  a" },
    ],
    operands: [],
    examples: [
      ["timer", "timers of the wheel"],
      ["timer -r -C 0", "high-resolution timers of CPU 0"],
    ],
    differences: [
      "Behind the function stands the task that is woken, or the function of the delayed work item.",
      "The current time of a clock (-r) is the timekeeper's, and that of other clocks than the monotonic one is their own.",
      "Deferrable bases have their names since 6.9 too (LOCAL, GLOBAL, DEF).",
    ],
  },
  run(session, args) {
    const { kernel } = session;
    const masks = cpuMasks(kernel);
    const cpus = parseCpuList(args.value("-C") ?? "a", masks.possible);
    const notes: string[] = [];
    const result = args.has("-r") ? highResolution(kernel, cpus, notes) : wheel(kernel, cpus, notes);
    return { ...result, ...(notes.length === 0 ? {} : { notes }) };
  },
  api: timerApi,
  *text({ jiffies: now, bases, hrtimers, notes }) {
    if (bases !== undefined) yield* wheelLines(now, bases);
    for (const [i, { cpu, address, clocks }] of (hrtimers ?? []).entries()) {
      if (i > 0) yield "";
      yield `CPU: ${cpu}  HRTIMER_CPU_BASE: ${hex16(address)}`;
      for (const [at, clock] of clocks.entries()) {
        if (at > 0) yield "";
        yield* clockLines(clock);
      }
    }
    for (const note of notes ?? []) yield `(${note})`;
  },
});

function wheel(kernel: Kernel, cpus: readonly number[], notes: string[]): TimerResult {
  const now = jiffies(kernel);
  const bases = cpus.flatMap((cpu) =>
    timerBases(kernel, cpu, notes).map(({ index, name, address, clock, running, timers, whole }) => ({
      cpu,
      index,
      ...(name === undefined ? {} : { name }),
      address,
      ...(clock === undefined ? {} : { clock: Number(clock) }),
      ...(running === undefined ? {} : { running }),
      timers: timers.map((each) => row(kernel, each, now)),
      ...(whole ? {} : { incomplete: true as const }),
    })),
  );
  return { ...(now === undefined ? {} : { jiffies: Number(now) }), bases };
}

function highResolution(kernel: Kernel, cpus: readonly number[], notes: string[]): TimerResult {
  const monotonic = machineTime(kernel).monotonic;
  const hrtimers = cpus.map((cpu) => {
    const { address, clocks } = hrtimerBases(kernel, cpu, notes);
    return {
      cpu,
      address,
      clocks: clocks.map(({ index, address: base, clock, offset, timers, whole }) => {
        const current = monotonic === undefined ? undefined : monotonic + offset;
        return {
          index,
          address: base,
          ...(clock === undefined ? {} : { clock }),
          ...(current === undefined ? {} : { current: quantity(current) }),
          timers: timers.map((each) => row(kernel, each, current)),
          ...(whole ? {} : { incomplete: true as const }),
        };
      }),
    };
  });
  return { hrtimers };
}

function row(kernel: Kernel, timer: WheelTimer | HighResolutionTimer, now: bigint | undefined): TimerRow {
  const work = "work" in timer ? timer.work : undefined;
  return {
    timer: timer.address,
    expires: quantity(timer.expires),
    ...("softExpires" in timer ? { softExpires: quantity(timer.softExpires) } : {}),
    ...(now === undefined ? {} : { remaining: quantity(timer.expires - now) }),
    function: timer.function,
    ...functionName(kernel, timer.function),
    ...(work === undefined ? {} : { work: workOf(kernel, work) }),
    ...(timer.task === undefined ? {} : { task: taskReference(kernel, timer.task) }),
  };
}

function functionName(kernel: Kernel, address: VirtualAddress): { readonly name: string; readonly module?: string } {
  const found = kernel.symbols.byAddress(address);
  if (found === undefined) return { name: "unknown" };
  const name = `${found.symbol.name}${found.offset === 0 ? "" : `+${found.offset}`}`;
  return { name, ...(found.symbol.module === undefined ? {} : { module: found.symbol.module }) };
}

function workOf(kernel: Kernel, address: VirtualAddress): NonNullable<TimerRow["work"]> {
  try {
    const name = workFunction(kernel, address);
    return { address, ...(name === undefined ? {} : { function: name }) };
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    return { address };
  }
}

function purpose({ work, task, module }: TimerRow): string {
  if (work?.function !== undefined) return `  ${work.function}`;
  if (task?.pid !== undefined) return `  ${task.pid} "${task.comm ?? ""}"`;
  return module === undefined ? "" : `  [${module}]`;
}

function* wheelLines(now: number | undefined, bases: readonly WheelBase[]): Iterable<string> {
  yield "JIFFIES";
  yield String(now ?? "(unknown)");
  let cpu: number | undefined;
  for (const base of bases) {
    if (base.cpu !== cpu) yield "";
    cpu = base.cpu;
    yield base.name === undefined
      ? `TVEC_BASES[${base.cpu}]: ${hex16(base.address)}`
      : `TIMER_BASES[${base.cpu}][${base.name}]: ${hex16(base.address)}`;
    yield* baseLines(base);
  }
}

function* baseLines({ timers, incomplete }: WheelBase): Iterable<string> {
  if (timers.length === 0) {
    yield incomplete === true ? "  (unreadable)" : "  (none)";
    return;
  }
  const width = Math.max(10, ...timers.map(({ expires }) => String(expires).length));
  // One blank more than the longest: room for a sign.
  const left = Math.max(4, ...timers.map(({ remaining }) => String(remaining ?? "?").length + 1));
  yield `  EXPIRES${" ".repeat(width - 2)}TTE${" ".repeat(left + 2)}TIMER_LIST     FUNCTION`;
  for (const timer of timers) {
    const { expires, remaining, timer: at, function: called, name } = timer;
    yield `  ${String(expires).padStart(width)}  ${String(remaining ?? "?").padStart(left)}  ${hex16(at)}  ${hex16(called)}  <${name}>${purpose(timer)}`;
  }
}

function* clockLines({ index, address, clock, current, timers, incomplete }: ClockRow): Iterable<string> {
  yield `  CLOCK: ${index}  HRTIMER_CLOCK_BASE: ${hex16(address)}  [${clock ?? "unknown"}]`;
  if (timers.length === 0) {
    yield incomplete === true ? "  (unreadable)" : "  (empty)";
    return;
  }
  const width = Math.max(11, ...timers.flatMap(({ softExpires, expires }) => [softExpires, expires].map((at) => String(at ?? "").length)));
  const left = Math.max(3, ...timers.map(({ remaining }) => String(remaining ?? "?").length));
  yield `  ${centre("CURRENT", width)}`;
  yield `  ${centre(String(current ?? "(unknown)"), width)}`;
  yield `  ${centre("SOFTEXPIRES", width)}  ${centre("EXPIRES", width)}  ${centre("TTE", left)}      HRTIMER           FUNCTION    `;
  for (const timer of timers) {
    const [soft, expires, remaining] = [timer.softExpires, timer.expires, timer.remaining].map((value) => String(value ?? "?"));
    yield `  ${centre(soft as string, width)}  ${centre(expires as string, width)}  ${(remaining as string).padStart(left)}  ${hex16(timer.timer)}  ${hex16(timer.function)}  <${timer.name}>${purpose(timer)}`;
  }
}

/** The odd blank goes left, as in crash. */
function centre(text: string, width: number): string {
  const blanks = Math.max(0, width - text.length);
  return text.padStart(text.length + Math.ceil(blanks / 2)).padEnd(width);
}
