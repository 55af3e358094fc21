/**
 * The trace of one instance: events of all CPUs in the order of time, with the marks that `trace` shows beside them
 * (kernel/trace/trace_output.c: trace_print_lat_fmt()).
 *
 *   bash-114     [000] d.h1.    12.345678: sched_waking: comm=…
 *                      ││││└ migrate disable depth  (5.14 on)
 *                      │││└─ preempt count
 *                      ││└── H hard in soft, h hard, s softirq, Z z NMI
 *                      │└─── N n p L l B b: need-resched, preempt's, lazy
 *                      └──── d irqs off, b softirqs off, D both
 */

import { add, virtual } from "../../bytes/address.ts";
import { UnsupportedError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type RawTraceEvent, TraceBuffers, type TraceInstance } from "./trace-buffer.ts";
import { traceComms } from "./trace-comm.ts";
import { traceEventKinds } from "./trace-events.ts";
import type { TraceValue } from "./trace-record.ts";
import { TraceMessages } from "./trace-text.ts";

/** Entries of trace_clocks[]: a function, a name, an int. */
const CLOCK_BYTES = 24;
const MAX_CLOCKS = 32;

/** An event of a trace buffer, as a line of the trace file. */
export interface TraceEvent {
  readonly time: bigint;
  readonly cpu: number;
  readonly pid: number;
  /** undefined when the tracer no longer knew it. */
  readonly comm: string | undefined;
  readonly system: string;
  readonly event: string;
  /** "d.h1.": see the drawing above. */
  readonly marks: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, TraceValue>>;
  readonly address: bigint;
}

export interface TraceClock {
  readonly name: string;
  /** False for counters. */
  readonly nanoseconds: boolean;
}

export class TraceLog {
  readonly #kernel: Kernel;
  readonly #buffers: TraceBuffers;
  readonly #note: (text: string) => void;

  private constructor(kernel: Kernel, buffers: TraceBuffers, note: (text: string) => void) {
    this.#kernel = kernel;
    this.#buffers = buffers;
    this.#note = note;
  }

  /** undefined when this kernel has no ring buffers, or its types do not tell them. @param note told what is damaged */
  static of(kernel: Kernel, note: (text: string) => void): TraceLog | undefined {
    const buffers = TraceBuffers.of(kernel, note);
    return buffers === undefined ? undefined : new TraceLog(kernel, buffers, note);
  }

  instances(): TraceInstance[] {
    return this.#buffers.instances();
  }

  /** The clock that times are of. */
  clock(instance: TraceInstance): TraceClock {
    const id = this.#kernel.types.struct("trace_array").tryField("clock_id")?.number(instance.address) ?? 0;
    const table = this.#kernel.tryAddress("trace_clocks");
    const name = table === undefined || id >= MAX_CLOCKS ? undefined : this.#kernel.memory.tryU64(add(table, id * CLOCK_BYTES + 8));
    const inNs = table === undefined || id >= MAX_CLOCKS ? undefined : this.#kernel.memory.tryU32(add(table, id * CLOCK_BYTES + 16));
    if (name === undefined || name === 0n) return { name: "", nanoseconds: true };
    return { name: this.#kernel.memory.cString(virtual(name), 32), nanoseconds: inNs !== 0 };
  }

  /** All events of the chosen CPUs, oldest first, lazily. */
  *events(instance: TraceInstance, cpus?: ReadonlySet<number>): Generator<TraceEvent> {
    const messages = new TraceMessages(this.#kernel, traceEventKinds(this.#kernel, this.#note));
    const comm = traceComms(this.#kernel);
    const marks = marksOf(this.#kernel);
    const unknown = new Set<number>();
    const chosen = instance.cpus.filter(({ cpu }) => cpus === undefined || cpus.has(cpu));
    for (const raw of merged(chosen.map((cpu) => this.#buffers.events(cpu)))) {
      const made = messages.message(raw);
      if (made === undefined && !unknown.has(raw.type)) {
        unknown.add(raw.type);
        this.#note(`events of kind ${raw.type} are not known: their module may have been unloaded`);
      }
      const { time, cpu, pid, address } = raw;
      const common = { time, cpu, pid, comm: comm(pid), marks: marks(raw), address };
      if (made === undefined) yield { ...common, system: "", event: `kind ${raw.type}`, message: "", fields: {} };
      else yield { ...common, system: made.kind.system, event: made.kind.name, message: made.text, fields: made.fields };
    }
  }
}

/** Joins sequences that are each in order of time. */
function* merged(sequences: readonly Generator<RawTraceEvent>[]): Generator<RawTraceEvent> {
  const heads = sequences.map((sequence) => ({ sequence, next: sequence.next() }));
  for (;;) {
    let first: (typeof heads)[number] | undefined;
    for (const head of heads) {
      if (head.next.done === true) continue;
      if (first === undefined || head.next.value.time < (first.next.value as RawTraceEvent).time) first = head;
    }
    if (first === undefined) return;
    yield first.next.value as RawTraceEvent;
    first.next = first.sequence.next();
  }
}

/** enum trace_flag_type, by the kernel's own numbers where it tells them. */
function marksOf(kernel: Kernel): (event: RawTraceEvent) => string {
  const flag = (name: string, otherwise: number) => Number(kernel.types.constant(name) ?? BigInt(otherwise));
  const irqsOff = flag("TRACE_FLAG_IRQS_OFF", 0x01);
  const lazy = kernel.types.constant("TRACE_FLAG_NEED_RESCHED_LAZY");
  const needResched = flag("TRACE_FLAG_NEED_RESCHED", 0x04);
  const hard = flag("TRACE_FLAG_HARDIRQ", 0x08);
  const soft = flag("TRACE_FLAG_SOFTIRQ", 0x10);
  const preempt = flag("TRACE_FLAG_PREEMPT_RESCHED", 0x20);
  const nmi = flag("TRACE_FLAG_NMI", 0x40);
  // 5.16 (289e7b0f7eb4).
  const bhOff = Number(kernel.types.constant("TRACE_FLAG_BH_OFF") ?? 0n);
  // The count was shared with migrate disable in 5.14 (54357f0c9149), two releases after this function came.
  const halves = kernel.tryAddress("tracing_gen_ctx_irq_test") !== undefined;
  return ({ flags, preemptCount }) => {
    const has = (bit: number) => bit !== 0 && (flags & bit) !== 0;
    const off = has(irqsOff) && has(bhOff) ? "D" : has(irqsOff) ? "d" : has(bhOff) ? "b" : ".";
    const [need, own, late] = [has(needResched), has(preempt), lazy !== undefined && has(Number(lazy))];
    const resched =
      need && own && late ? "B" : need && own ? "N" : late && own ? "L" : need && late ? "b" : need ? "n" : late ? "l" : own ? "p" : ".";
    const level = has(nmi) ? (has(hard) ? "Z" : "z") : has(hard) ? (has(soft) ? "H" : "h") : has(soft) ? "s" : ".";
    const depth = (count: number) => (count === 0 ? "." : count.toString(16));
    return `${off}${resched}${level}${halves ? `${depth(preemptCount & 0xf)}${depth(preemptCount >> 4)}` : depth(preemptCount)}`;
  };
}

/** Why there are no instances. @param notes what TraceLog told on the way */
export function noTraceBuffers(kernel: Kernel, notes: readonly string[]): UnsupportedError {
  if (kernel.types.tryStruct("trace_array") === undefined)
    return new UnsupportedError("this kernel's types know no trace buffers (CONFIG_TRACING, or no type information)");
  const what = notes[0] ?? `"global_trace" is not among this kernel's symbols`;
  return new UnsupportedError(`the trace buffers cannot be found: ${what}`);
}
