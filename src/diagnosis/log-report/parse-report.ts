/** The lines of one report → its fields: what all reports share, then what its family alone has. */
import { familyFields } from "./families/index.ts";
import { decodedIn, frameLine, symbolIn } from "./frame-line.ts";
import { HEADLESS, type OpenReport } from "./open-report.ts";
import { isPassedOver, TRACE_TOOLS } from "./passed-over.ts";
import { placeOf } from "./place.ts";
import type { LogLine, LogReport } from "./report.ts";
import { type MachineState, machineState } from "./state-lines.ts";
import { mainTrace } from "./trace-place.ts";
import { tracesOf } from "./traces.ts";
import { isIdle, isInterruptEntry, isStackBottom, isWaiting } from "./waiting-frames.ts";

const STALLS: ReadonlySet<string> = new Set(["soft-lockup", "hard-lockup", "rcu-stall"]);

/** `cut`: the input ended while the report was still open. */
export function parseReport(open: OpenReport, cut: boolean): LogReport {
  const { family, head, lines } = open;
  const state = machineState(lines);
  const printed = tracesOf(lines);
  const fields = familyFields(family, lines, open.lead);
  const jumped = (family === "oops" || family === "stack") && fields.access === "execute" && fields.returned !== 1;
  const traces = jumped
    ? fromCaller(printed, state)
    : STALLS.has(family) && (state.machine ?? "arm64") === "arm64"
      ? withLink(printed, state)
      : printed;
  const headFrame =
    family === "warning" || family === "kasan" || family === "kfence" || family === "kmsan"
      ? (symbolIn(head) ?? decodedIn(head))
      : undefined;
  const pc = headFrame ?? (jumped && traces.some(({ frames }) => frames.length > 0) ? {} : state.pc);
  const damage = new Set(open.damage);
  const frames = traces.flatMap((trace) => trace.frames);
  if (state.speakers > 1 && !["rcu-stall", "soft-lockup", "hard-lockup", "workqueue-lockup", "panic", "hung-task"].includes(family)) {
    // The same report prints its CPU line twice only when it panics; another task's line is another report's.
    damage.add("lines of another CPU or task are mixed in");
  }
  if (family === "panic" && /panic_on_warn|hung_task: blocked|softlockup: hung|Fatal exception|RCU Stall|Hard LOCKUP/.test(head)) {
    damage.add("the report that led to this panic is missing");
  }
  // A task that leaves the kernel with a lock has no trace: only the place where it took the lock.
  const placed = family === "lockdep" && fields.kind === "lock-held-at-exit" && fields.place !== undefined;
  // One line of a subsystem has none; one that became an oops has.
  const died = lines.some(({ text }) => /\[#\d+\]/.test(text));
  const needsTrace =
    !placed &&
    !["oom", "slub", "panic"].includes(family) &&
    (family !== "machine-check" || died) &&
    (family !== "other" || open.panicked || died);
  // The stack may be so broken that nothing is found on it; the head of the empty trace, the registers and the end are there.
  const bare =
    family === "oops" &&
    pc?.function !== undefined &&
    lines.some(({ text }) => /^\s*Call [Tt]race:\s*$/.test(text)) &&
    lines.some(({ text }) => text.includes("---[ end trace"));
  if (frames.length === 0 && needsTrace && !bare) damage.add("no call trace");
  else if (frames.length > 0 && needsTrace && frames.every(({ doubtful }) => doubtful === true) && pc?.function === undefined)
    damage.add("no confirmed frame in the call trace");
  // Tasks that were preempted inside a reader are printed as they sleep: who keeps the CPU from them is not among them.
  if (family === "rcu-stall" && frames.length > 0 && pc === undefined && !frames.some((frame) => isInterruptEntry(frame.function ?? "")))
    damage.add("no trace of a CPU that ran: only of tasks that wait");
  const main = frames.filter(({ doubtful, function: name }) => doubtful !== true && name !== undefined);
  // What stands in a module is no part of the kernel's own machinery, whatever it is called.
  const all = (test: (name: string) => boolean): boolean =>
    main.every(({ function: name, module }) => module === undefined && test(name ?? ""));
  const endsInTrace = cut && lines.slice(-2).some(({ text }) => frameLine(text).length > 0 || /^\s*R[0-9A-DS][0-9XIP]: /.test(text));
  // Only the frames that print, or the log stops before the frames below the exception.
  if (
    needsTrace &&
    family !== "lockdep" &&
    main.length > 0 &&
    (all((name) => isPassedOver(name, ["reporting"])) ||
      (endsInTrace && (pc?.function === undefined || isPassedOver(pc.function)) && all((name) => isPassedOver(name) || isWaiting(name))))
  ) {
    damage.add("the call trace ends before the code that failed");
  }
  if (
    traces.some((trace) =>
      trace.frames
        .filter(({ doubtful }) => doubtful !== true)
        .slice(0, 3)
        .some((frame) => frame.function === "should_fail" || frame.function === "should_fail_ex"),
    )
  ) {
    damage.add("a trace of fault injection stands in it");
  }
  const first = lines[0];
  const last = lines.at(-1);
  if (first === undefined || last === undefined) throw new RangeError("a report has at least its head");
  const { speakers: _, pc: __, link: ____, workqueue, ...shared } = state;
  const { faultAddress, errorCode, access: ___, ...own } = fields;
  const report: LogReport = {
    family,
    head,
    first,
    last,
    lines,
    ...shared,
    // A hung task's report is printed by the watchdog; its own line names the task.
    ...(family === "hung-task" && typeof fields.pid === "number" && typeof fields.comm === "string"
      ? { pid: fields.pid, comm: fields.comm }
      : {}),
    ...(shared.pid === undefined && typeof fields.pid === "number" ? { pid: fields.pid } : {}),
    ...(shared.comm === undefined && typeof fields.comm === "string" ? { comm: fields.comm } : {}),
    ...(shared.release === undefined && typeof fields.kernel === "string" ? { release: fields.kernel } : {}),
    ...(pc === undefined ? {} : { pc }),
    ...(typeof faultAddress === "bigint" ? { faultAddress } : {}),
    ...(typeof errorCode === "bigint" ? { errorCode } : {}),
    traces,
    fields: {
      ...own,
      ...(open.damage.has(HEADLESS) ? { headless: 1 } : {}),
      ...(fields.access === undefined ? {} : { access: fields.access }),
      ...(workqueue === undefined ? {} : { workqueue }),
    },
    damage: [...damage],
  };
  const named = placeOf(report).function;
  const lost = needsTrace && frames.length > 0 && !open.damage.has(HEADLESS) ? lostTop(report, named) : undefined;
  if (lost !== undefined && damage.size === 0) return { ...report, damage: [lost] };
  // What is there may be enough: whoever is to be named stands above the cut.
  if (!cut) return report;
  const inside = endsInside(lines);
  const missing =
    named === undefined
      ? !open.damage.has(HEADLESS) && (inside || (needsTrace && family !== "page-state" && !endsWhole(report)))
      : inside && (isPassedOver(named, TRACE_TOOLS) || (frames.length < 3 && report.pc?.function !== named));
  if (!missing) return report;
  return { ...report, damage: [...damage, "cut off in the call trace"] };
}

/**
 * What was to be executed is no code, whatever symbol lies before it ("__kprobes_text_end+0x1ba0", the name of a structure): it is taken
 * off the trace. Where a call leaves its return address in the link register, the caller has no frame record yet that names it: it is put
 * on top.
 */
function fromCaller(traces: LogReport["traces"], { pc, link }: Pick<MachineState, "pc" | "link">): LogReport["traces"] {
  const at = traces.findIndex(({ frames }) => frames.length > 0);
  const frames = traces[at]?.frames ?? [];
  const [first] = frames;
  const rest =
    first !== undefined && pc?.function !== undefined && first.function === pc.function && first.offset === pc.offset
      ? frames.slice(1)
      : frames;
  const called = link?.function !== undefined && link.function !== rest[0]?.function ? [link, ...rest] : rest;
  return traces.map((trace, index) => (index === at ? { ...trace, frames: called } : trace));
}

/** These print their trace by dump_stack(), which stands in it with its callers. */
const PRINTED: ReadonlySet<LogReport["family"]> = new Set(["kasan", "ubsan", "lockdep", "context"]);
/** At most so many frames of dump_stack() itself, on any machine. */
const TOP = 8;

/** Lines that must be there and are not, though others of the trace are. */
function lostTop(report: LogReport, named: string | undefined): string | undefined {
  const frames = mainTrace(report)?.frames ?? [];
  if (
    PRINTED.has(report.family) &&
    frames.length > 0 &&
    !frames.slice(0, TOP).some(({ function: name }) => name !== undefined && isPassedOver(name, ["reporting", "locking"]))
  )
    return "the top of the call trace is missing";
  if (named === undefined && report.family === "rcu-stall" && isIdle(report.pc?.function ?? "")) return IDLE;
  const tool = named !== undefined && report.pc?.function === named && report.pc.module === undefined && isPassedOver(named, TRACE_TOOLS);
  return tool || (named === undefined && PLACED.has(report.family)) ? "the call trace does not show the code that failed" : undefined;
}

/** Woken by an interrupt to print its own trace: nobody is to be named. */
const IDLE = "the CPU was idle when it was asked: nothing that ran is shown";

/** Of these a trace that names no function is no whole one. */
const PLACED: ReadonlySet<LogReport["family"]> = new Set(["rcu-stall", "soft-lockup", "context", "oops", "warning", "kasan"]);

/** The input ends in a trace, before its last frame: lines of an open trace are missing. */
function endsInside(lines: readonly LogLine[]): boolean {
  const last = lines.findLast(({ text }) => text.trim() !== "")?.text ?? "";
  if (/^\s*(?:Call [Tt]race:|backtrace|<\w+>|stack backtrace:)/.test(last)) return true;
  const frame = frameLine(last).at(-1);
  return frame !== undefined && !isStackBottom(frame.function ?? "");
}

/** Its trace was printed to its end: the first function of a thread, or the mark that closes the task's stack (x86, since 5.15). */
function endsWhole(report: LogReport): boolean {
  if (report.lines.some(({ text }) => /^\s*<\/TASK>/.test(text))) return true;
  return isStackBottom(mainTrace(report)?.frames.at(-1)?.function ?? "");
}

/**
 * arm64's unwinder follows frame records. A function without one of its own (a leaf: the slow path of a spinlock) leaves out who called it: the
 * link register still names the caller, for a call out of the function would have left an address in the function itself. Since 6.14 the
 * kernel puts it into the trace itself ("(L)"). For stalls, which stop a task anywhere; a fault is named by what its trace shows.
 */
function withLink(traces: LogReport["traces"], { pc, link }: Pick<MachineState, "pc" | "link">): LogReport["traces"] {
  const at = traces.findIndex(({ frames }) => frames.length > 0);
  const [first, second, ...rest] = traces[at]?.frames ?? [];
  if (first === undefined || pc?.function === undefined || first.function !== pc.function || first.offset !== pc.offset) return traces;
  if (link?.function === undefined || link.function === pc.function || link.function === second?.function) return traces;
  const frames = [first, link, ...(second === undefined ? [] : [second]), ...rest];
  return traces.map((trace, index) => (index === at ? { ...trace, frames } : trace));
}
