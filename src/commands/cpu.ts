/** `cpu`: one row a CPU: who runs, for how long, what it may not do, what waits for it. */
import type { RegisterSet } from "../arch/registers.ts";
import { hex16, type VirtualAddress } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { cpuMasks } from "../linux/cpu.ts";
import { attempt } from "../linux/gather.ts";
import { type PendingCall, pendingCalls, pendingSoftirqs, unansweredCalls } from "../linux/pending-ipis.ts";
import { type PreemptCount, preemptCount } from "../linux/preempt-count.ts";
import { readRunQueue } from "../linux/run-queue-state.ts";
import { idleTask } from "../linux/runqueue.ts";
import { taskAt } from "../linux/task.ts";
import { lastArrival } from "../linux/task-times.ts";
import { machineTime } from "../linux/timekeeping.ts";
import { cpuRegisters } from "../stack/cpu-registers.ts";
import { viewApi } from "./api/views.ts";
import { defineCommand, type Session } from "./command.ts";
import { interruptedFrame } from "./support/code-place.ts";
import { parseCpuList } from "./support/cpu-list.ts";
import { type TaskReference, taskReference } from "./support/task-reference.ts";

/** Where a CPU was, and whether it took interrupts there. */
export interface CpuPlace {
  readonly address: bigint;
  /** "function+0x12 [module]", "user mode". */
  readonly text: string;
  readonly interruptsOff?: boolean;
}

/** What a CPU was doing when the machine stopped. */
export interface CpuRow {
  readonly cpu: number;
  /** Stopped by the panic, on x86-64: out of the online mask. */
  readonly online: boolean;
  readonly current?: TaskReference;
  readonly idle: boolean;
  /** Seconds that the task has had the CPU; of an idle CPU, that it has idled. */
  readonly seconds?: number;
  /** Tasks that want to run, the running one included. */
  readonly running?: number;
  /** Seconds that the run queue's clock is behind the newest. */
  readonly lag?: number;
  readonly preempt?: PreemptCount;
  /** The instruction at which the CPU stopped, and the outermost kernel code that interrupts interrupted. */
  readonly stop?: CpuPlace;
  readonly interrupted?: CpuPlace;
  readonly softirqs?: readonly string[];
  /** Calls that were sent here and have not run. */
  readonly calls?: readonly (Omit<PendingCall, "task"> & { readonly task?: TaskReference })[];
  /** CPUs that have not run what this one asked of them. */
  readonly waitsFor?: readonly { readonly cpu: number; readonly function: string }[];
}

export interface CpuResult {
  readonly cpus: readonly CpuRow[];
  readonly notes?: readonly string[];
}

export const cpu = defineCommand<CpuResult>({
  spec: {
    name: "cpu",
    summary: "what each CPU was doing",
    synopsis: ["[[-c] cpus]"],
    description: [
      "One row a CPU: the running task and for how long it has had the CPU (of an idle CPU: how long it has idled), how many tasks want to run, how far the run queue's clock is behind the newest one (a CPU that takes no ticks falls behind), the preempt count decoded, whether interrupts were off, softirqs that were raised and have not run, calls from other CPUs (IPIs) that have not run, and where the CPU was.",
      "WHERE is the kernel code that interrupts, NMIs and exceptions interrupted, as far out as there is any, and IRQS its interrupt flag; without interruption both are those of the instruction at which the CPU stopped.",
      "PREEMPT: pN preemption disabled N times, bhN bottom halves disabled, softirq, irqN, nmiN being served, R a reschedule is wanted; on the CPU that died what the panic disabled is counted too. An asterisk marks a CPU that is not online; the panic itself stops the others, on x86-64 by taking them offline.",
    ],
    options: [{ flag: "-c", argument: "cpus", help: "these CPUs: 0  1,3  0-2,5  a" }],
    operands: ["number"],
    examples: [
      ["cpu", "what each CPU was doing"],
      ["cpu 0", "one CPU"],
      ["bt -a", "their stacks"],
    ],
  },
  run(session, args) {
    const { kernel } = session;
    const { possible, present } = cpuMasks(kernel);
    const chosen = [...args.values("-c"), ...args.operands].join(",");
    const cpus = chosen === "" ? present : parseCpuList(chosen, possible);
    const notes: string[] = [];
    const newest = newestClock(kernel, possible);
    const rows = cpus.map((number, i) => {
      session.progress?.("reading CPUs", i, cpus.length);
      return cpuRow(session, number, newest, notes);
    });
    return { cpus: rows, ...(notes.length === 0 ? {} : { notes }) };
  },
  api: viewApi("return { cpus: kernel.cpuStates() };"),
  *text({ cpus, notes = [] }) {
    const rows = cpus.map(rowCells);
    const head = ["CPU", "PID", "COMMAND", "FOR", "RUN", "LAG", "PREEMPT", "IRQS", "SOFTIRQS", "IPIS", "WHERE"];
    const right = new Set([0, 1, 3, 4, 5, 9]);
    const widths = head.map((title, i) => Math.max(title.length, ...rows.map((cells) => (cells[i] as string).length)));
    const line = (cells: readonly string[]) =>
      cells
        .map((cell, i) => (right.has(i) ? cell.padStart(widths[i] as number) : cell.padEnd(widths[i] as number)))
        .join("  ")
        .trimEnd();
    yield line(head);
    for (const [i, cells] of rows.entries()) {
      yield line(cells);
      yield* detailLines(cpus[i] as CpuRow);
    }
    for (const note of notes) yield `(${note})`;
  },
});

function newestClock(kernel: Kernel, cpus: readonly number[]): bigint {
  const field = kernel.types.tryStruct("rq")?.tryField("clock");
  const base = kernel.tryAddress("runqueues");
  if (field === undefined || base === undefined) return 0n;
  return cpus.reduce((most, number) => {
    const clock = attempt(() => field.bigint(kernel.perCpuAddress(base, number)), [], "") ?? 0n;
    return clock > most ? clock : most;
  }, 0n);
}

function cpuRow({ kernel }: Session, number: number, newest: bigint, notes: string[]): CpuRow {
  const queue = readRunQueue(kernel, number);
  const { current, running, clock } = queue ?? {};
  for (const note of queue?.notes ?? []) if (!notes.includes(note)) notes.push(note);
  const masks = cpuMasks(kernel);
  const idle = current !== undefined && current === idleTask(kernel, number);
  const seconds = current === undefined ? undefined : idle ? idleSeconds(kernel, number) : busySeconds(kernel, current, newest);
  const preempt = attempt(() => preemptCount(kernel, number, current), notes, `CPU ${number}, preempt count`);
  const softirqs = pendingSoftirqs(kernel, number);
  const calls = pendingCalls(kernel, number, notes);
  const waitsFor = unansweredCalls(kernel, number, masks.present, notes);
  return {
    cpu: number,
    online: masks.online.includes(number),
    ...(current === undefined ? {} : { current: taskReference(kernel, current) }),
    idle,
    ...(seconds === undefined ? {} : { seconds }),
    ...(running === undefined ? {} : { running }),
    ...(clock === undefined ? {} : { lag: Number(newest - clock) / 1e9 }),
    ...(preempt === undefined ? {} : { preempt }),
    ...places(kernel, number, current, notes),
    ...(softirqs === undefined ? {} : { softirqs }),
    ...(calls === undefined
      ? {}
      : { calls: calls.map(({ task, ...call }) => ({ ...call, ...(task === undefined ? {} : { task: taskReference(kernel, task) }) })) }),
    ...(waitsFor.length === 0 ? {} : { waitsFor }),
  };
}

/** By the newest clock: that of a CPU without ticks stands still. */
function busySeconds(kernel: Kernel, task: VirtualAddress, newest: bigint): number | undefined {
  const arrival = attempt(() => lastArrival(kernel, taskAt(kernel, task)), [], "");
  return arrival === undefined || newest === 0n ? undefined : Math.max(0, Number(newest - arrival) / 1e9);
}

/** tick_sched.idle_entrytime is CLOCK_MONOTONIC when the idle loop last began. */
function idleSeconds(kernel: Kernel, number: number): number | undefined {
  const base = kernel.tryAddress("tick_cpu_sched");
  const field = kernel.types.tryStruct("tick_sched")?.tryField("idle_entrytime");
  const now = machineTime(kernel).monotonic;
  if (base === undefined || field === undefined || now === undefined) return undefined;
  const entry = attempt(() => field.bigint(kernel.perCpuAddress(base, number)), [], "");
  // The timekeeper stands at the last tick: a CPU that went idle after it has just begun.
  return entry === undefined || entry === 0n ? undefined : Math.max(0, Number(now - entry) / 1e9);
}

function places(
  kernel: Kernel,
  number: number,
  current: VirtualAddress | undefined,
  notes: string[],
): Pick<CpuRow, "stop" | "interrupted"> {
  const registers = attempt(() => cpuRegisters(kernel)[number], notes, `CPU ${number}, registers`);
  const stop = registers === undefined ? undefined : placeOf(kernel, registers.registers, registers.user);
  const interrupted = current === undefined ? undefined : outermost(kernel, current);
  return { ...(stop === undefined ? {} : { stop }), ...(interrupted === undefined ? {} : { interrupted }) };
}

/** The kernel code that was interrupted. */
function outermost(kernel: Kernel, task: VirtualAddress): CpuPlace | undefined {
  const exception = interruptedFrame(kernel, task)?.exception;
  return exception === undefined ? undefined : placeOf(kernel, exception.registers, false);
}

/** The interrupt flag: RFLAGS.IF (bit 9), PSTATE.I (bit 7, set when masked). */
function placeOf(kernel: Kernel, registers: RegisterSet, user: boolean): CpuPlace | undefined {
  const { names, pc } = registers.file;
  const address = registers.get(pc);
  if (address === undefined) return undefined;
  const x86 = kernel.arch.name === "x86_64";
  const flags = registers.get(names.indexOf(x86 ? "rflags" : "pstate"));
  const off = flags === undefined ? undefined : x86 ? (flags & 0x200n) === 0n : (flags & 0x80n) !== 0n;
  const text = user ? "user mode" : (kernel.symbolize(address as VirtualAddress) ?? hex16(address));
  return { address, text, ...(off === undefined ? {} : { interruptsOff: off }) };
}

function rowCells(row: CpuRow): string[] {
  const { cpu: number, online, current, idle, seconds, running, lag, preempt, softirqs, calls } = row;
  const place = row.interrupted ?? row.stop;
  const off = place?.interruptsOff;
  return [
    `${number}${online ? "" : "*"}`,
    current?.pid === undefined ? "?" : String(current.pid),
    idle ? "(idle)" : (current?.comm ?? "(unreadable)"),
    seconds === undefined ? "?" : secondsText(seconds),
    running === undefined ? "?" : String(running),
    lag === undefined ? "?" : secondsText(lag),
    preempt === undefined ? "?" : preemptText(preempt),
    off === undefined ? "?" : off ? "off" : "on",
    softirqs === undefined ? "?" : softirqs.length === 0 ? "-" : softirqs.join(","),
    calls === undefined ? "?" : String(calls.length),
    place?.text ?? "(no registers)",
  ];
}

function secondsText(seconds: number): string {
  return seconds < 100 ? `${seconds.toFixed(2)} s` : `${Math.round(seconds)} s`;
}

function preemptText({ preempt, bottomHalves, servingSoftirq, hardirq, nmi, needResched }: PreemptCount): string {
  const parts = [
    ...(preempt === 0 ? [] : [`p${preempt}`]),
    ...(bottomHalves === 0 ? [] : [`bh${bottomHalves}`]),
    ...(servingSoftirq ? ["softirq"] : []),
    ...(hardirq === 0 ? [] : [`irq${hardirq}`]),
    ...(nmi === 0 ? [] : [`nmi${nmi}`]),
    ...(needResched === true ? ["R"] : []),
  ];
  return parts.length === 0 ? "-" : parts.join(" ");
}

function* detailLines({ calls = [], waitsFor = [] }: CpuRow): Iterable<string> {
  for (const { kind, function: called, from, task } of calls) {
    const sender = from === undefined ? "" : ` from CPU ${from}`;
    const what = task === undefined ? (called ?? "") : `${task.pid ?? "?"} "${task.comm ?? ""}"`;
    yield `     not run yet: ${kind} ${what}${sender}`;
  }
  for (const { cpu: other, function: called } of waitsFor) yield `     CPU ${other} has not run what this CPU asked of it: ${called}`;
}
