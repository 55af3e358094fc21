/** `ftrace`: the trace ring buffers as text, in the layout of /sys/kernel/tracing/trace. */
import { UsageError } from "../bytes/errors.ts";
import type { TraceCpu, TraceInstance } from "../linux/trace/trace-buffer.ts";
import { noTraceBuffers, type TraceClock, type TraceEvent, TraceLog } from "../linux/trace/trace-log.ts";
import { ftraceApi } from "./api/views.ts";
import { defineCommand } from "./command.ts";
import { parseCpuList } from "./support/cpu-list.ts";
import { lazy } from "./support/lazy.ts";
import { parseCount } from "./support/numbers.ts";

export interface FtraceResult {
  /** -l: the instances alone. */
  readonly instances?: readonly TraceInstance[];
  readonly instance?: TraceInstance;
  readonly clock?: TraceClock;
  /** Oldest first; lazy. */
  readonly events?: Iterable<TraceEvent>;
  /** What is damaged; grows as events are walked. */
  readonly notes: readonly string[];
}

export const ftrace = defineCommand<FtraceResult>({
  spec: {
    name: "ftrace",
    summary: "the trace ring buffers as text",
    synopsis: ["[-c cpus] [-p pid] [-e event] [-n count] [-i instance]", "-l"],
    description: [
      "Shows what the kernel's tracer had recorded when it died, oldest first, as /sys/kernel/tracing/trace does: task and pid, CPU, marks (irqs or softirqs off, need-resched, hard or soft interrupt, preempt and migrate-disable depth), time, event. Nothing has to be installed or converted.",
      "A message is made by the event's own print format, read from the dump; where that is not understood, the event's fields are shown by name.",
    ],
    options: [
      { flag: "-l", help: "list the instances and each CPU's ring" },
      { flag: "-c", argument: "cpus", help: "events of these CPUs only" },
      { flag: "-p", argument: "pid", help: "events of this task only" },
      { flag: "-e", argument: "event", help: "these events only: a name, or system:name; may be given several times" },
      { flag: "-n", argument: "count", help: "the last so many" },
      { flag: "-i", argument: "instance", help: "an instance made in /sys/kernel/tracing/instances" },
    ],
    examples: [
      ["ftrace -n 50", "the last fifty events before death"],
      ["ftrace -e sched_switch -c 1", "what ran on CPU 1"],
      ["ftrace -l", "which instances there are, and what their rings hold"],
    ],
  },
  run(session, args) {
    const [stray] = args.operands;
    if (stray !== undefined) throw new UsageError(`ftrace: "${stray}": events are chosen with -e, instances with -i, tasks with -p`);
    const notes: string[] = [];
    const log = TraceLog.of(session.kernel, (text) => {
      if (!notes.includes(text)) notes.push(text);
    });
    const instances = log?.instances() ?? [];
    if (log === undefined || instances.length === 0) throw noTraceBuffers(session.kernel, notes);
    if (args.has("-l")) return { instances, notes };
    const wanted = args.value("-i") ?? "";
    const instance = instances.find(({ name }) => name === wanted);
    if (instance === undefined)
      throw new UsageError(
        `ftrace: no instance ${JSON.stringify(wanted)}: there are ${instances.map(({ name }) => JSON.stringify(name)).join(", ")}`,
      );
    const cpus = args.value("-c");
    const chosen =
      cpus === undefined
        ? undefined
        : new Set(
            parseCpuList(
              cpus,
              instance.cpus.map(({ cpu }) => cpu),
            ),
          );
    const pid = args.value("-p");
    const events = args.values("-e");
    const some = function* () {
      let done = 0;
      const total = instance.cpus.reduce((sum, { entries }) => sum + entries, 0);
      for (const event of log.events(instance, chosen)) {
        if (++done % 256 === 0) session.progress?.("reading trace buffers", done, total);
        if (pid !== undefined && event.pid !== Number(pid)) continue;
        if (events.length > 0 && !events.includes(event.event) && !events.includes(`${event.system}:${event.event}`)) continue;
        yield event;
      }
    };
    const count = args.value("-n");
    const last = count === undefined ? undefined : wantedCount(count);
    return {
      instance,
      clock: log.clock(instance),
      events: lazy(() => (last === undefined ? some() : lastOf(some(), last)[Symbol.iterator]())),
      notes,
    };
  },
  api: ftraceApi,
  *text({ instances, instance, clock, events, notes }) {
    if (instances !== undefined) for (const each of instances) yield* ringLines(each);
    if (instance !== undefined && events !== undefined) {
      const sum = (key: "entries" | "overrun" | "dropped") => instance.cpus.reduce((total, cpu) => total + cpu[key], 0);
      yield `# tracer: ${instance.tracer || "unknown"}`;
      yield `# entries in the buffers: ${sum("entries")}; overwritten: ${sum("overrun")}; dropped: ${sum("dropped")}; clock: ${clock?.name || "unknown"}`;
      for (const event of events) yield* eventLines(event, clock?.nanoseconds !== false);
    }
    for (const note of notes) yield `# ${note}`;
  },
});

function wantedCount(text: string): number {
  const count = parseCount(text);
  if (count < 1) throw new UsageError(`ftrace: -n ${text} shows nothing`);
  return count;
}

function lastOf(events: Iterable<TraceEvent>, count: number): TraceEvent[] {
  const ring: TraceEvent[] = [];
  let next = 0;
  for (const event of events) {
    ring[next] = event;
    next = (next + 1) % count;
  }
  return ring.length < count ? ring : [...ring.slice(next), ...ring.slice(0, next)];
}

function* ringLines({ name, address, tracer, cpus }: TraceInstance): Iterable<string> {
  yield `TRACE_ARRAY: ${address.toString(16)}  ${name === "" ? "(global)" : name}  TRACER: ${tracer || "unknown"}`;
  yield "CPU     PAGES     ENTRIES  OVERWRITTEN     DROPPED  RING_BUFFER_PER_CPU";
  for (const cpu of cpus) yield ringLine(cpu);
}

function ringLine({ cpu, pages, entries, overrun, dropped, address }: TraceCpu): string {
  return `${String(cpu).padStart(3)}  ${String(pages).padStart(8)}  ${String(entries).padStart(10)}  ${String(overrun).padStart(11)}  ${String(dropped).padStart(10)}  ${address.toString(16)}`;
}

function* eventLines({ comm, pid, cpu, marks, time, system, event, message }: TraceEvent, nanoseconds: boolean): Iterable<string> {
  const micro = (time + 500n) / 1000n;
  const stamp = nanoseconds
    ? `${String(micro / 1_000_000n).padStart(5)}.${String(micro % 1_000_000n).padStart(6, "0")}`
    : String(time).padStart(12);
  // The tracer's own kinds say in their text what they are.
  const name = system === "ftrace" && /^(function|kernel_stack|user_stack|print|bprint|bputs)$/.test(event) ? "" : `${event}: `;
  const text = /^sys_(enter|exit)_/.test(event) ? message : `${name}${message}`;
  const [first = "", ...more] = text.split("\n");
  yield `${(comm ?? "<...>").padStart(16)}-${String(pid).padEnd(7)} [${String(cpu).padStart(3, "0")}] ${marks} ${stamp}: ${first}`;
  yield* more;
}
