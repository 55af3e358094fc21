/**
 * Which frame of a report is the one to look at.
 *
 *   fault, warning, sanitizer   the pc, or the first frame of the trace that is no tool (passed-over.ts)
 *   stall, stack overflow       the top of a loop is chance: the frame called by the anchor (system call, work item, timer, softirq …)
 *   hung task                   the first frame that does not itself wait; a wait for all CPUs is named as such
 *   lockdep                     where the lock was taken or released ("at: …"), else the trace
 */
import { ALL_TOOLS, isPassedOver, type PassedOver, TRACE_TOOLS } from "./passed-over.ts";
import type { LogReport } from "./report.ts";
import { hungPlace, stallPlace } from "./stall-place.ts";
import { at, mainTrace, NOWHERE, named, type Place, physical, trace, tracePlace } from "./trace-place.ts";
import { isWaiting } from "./waiting-frames.ts";

const WITHOUT_EXCEPTIONS: readonly PassedOver[] = ["reporting", "helpers", "flushing", "locking", "memory", "entry", "buffers"];
/** Who leaks is the caller of whatever makes objects; counting and naming them is no making. */
const MAKERS: readonly PassedOver[] = ["reporting", "memory", "buffers", "services", "constructors"];

export function placeOf(report: LogReport): Place {
  if (report.fields.headless === 1) {
    // Without the frames that print, what is left of its trace are the callers of the code that failed.
    const frames = mainTrace(report)?.frames ?? [];
    if (!frames.some((frame) => physical(frame) && isPassedOver(frame.function ?? "", ["reporting"]))) return at(frames, -1);
  }
  switch (report.family) {
    case "rcu-stall":
    case "soft-lockup":
    case "hard-lockup":
    case "workqueue-lockup":
      return stallPlace(report);
    case "stack":
      return report.fields.kind === "guard" || report.fields.kind === "overflow" ? stallPlace(report) : faultPlace(report);
    case "hung-task":
      return hungPlace(report);
    case "oom":
      // Whoever asks when memory is short has done nothing wrong.
      return at(mainTrace(report)?.frames ?? [], -1);
    case "lockdep":
      return lockPlace(report);
    case "context":
      return contextPlace(report);
    case "kcsan":
      return typeof report.fields.first === "string" ? named(report, report.fields.first) : tracePlace(mainTrace(report));
    case "kmemleak":
      return tracePlace(trace(report, "Allocated") ?? mainTrace(report), MAKERS);
    case "page-state": {
      const owner = report.traces.find(({ name, frames }) => name.startsWith("page last allocated") && frames.length > 0);
      // Who met the page has nothing to do with it, and says so: "page has been freed via order 0".
      return owner === undefined ? at(mainTrace(report)?.frames ?? [], -1) : tracePlace(owner, ALL_TOOLS);
    }
    case "panic":
      return report.fields.kind === "stack-protector"
        ? typeof report.fields.place === "string"
          ? named(report, report.fields.place)
          : tracePlace(mainTrace(report))
        : report.fields.kind === "stack-end"
          ? stallPlace(report)
          : report.fields.kind === "panic" && report.damage.length === 0
            ? /^NMI: /.test(String(report.fields.text))
              ? NOWHERE
              : tracePlace(mainTrace(report))
            : NOWHERE;
    case "kmsan":
      return sanitizerPlace(report, [...TRACE_TOOLS, "ciphers"]);
    case "kasan":
    case "slub":
      return slubPlace(report);
    case "kfence":
    case "ubsan":
      return sanitizerPlace(report);
    default:
      return faultPlace(report);
  }
}

function faultPlace(report: LogReport): Place {
  // kernel/rcu/tree_plugin.h warns in the scheduler; who called it slept in a reader.
  if (report.pc?.function === "rcu_note_context_switch" && report.family === "warning") return sleeperPlace(report);
  const from = mainTrace(report);
  const frames = from?.frames ?? [];
  const { pc } = report;
  const groups: readonly PassedOver[] = [...TRACE_TOOLS, ...ownTools(report)];
  if (pc?.function !== undefined && !isPassedOver(pc.function, groups)) {
    // The pc's own frame may be in the trace, below the frames that print the report.
    const index = frames.findIndex((frame) => physical(frame) && frame.function === pc.function);
    return { function: pc.function, frames, index, ...(pc.module === undefined ? {} : { module: pc.module }) };
  }
  const start = pc?.function === undefined ? 0 : frames.findIndex((frame) => physical(frame) && frame.function === pc.function) + 1;
  const place = tracePlace(from, groups, start);
  if (place.function === undefined && pc !== undefined && pc.function === undefined) {
    // A jump to nowhere: entry code may be all that is left of its caller.
    const caller = tracePlace(from, ["reporting", "exception"]);
    if (caller.function !== undefined) return caller;
  }
  // A work function that ends in the call leaves no frame; the report names it.
  const work =
    (place.function === "process_one_work" || frames.length === 0) && pc?.function !== undefined
      ? /^\S+ ([A-Za-z_]\w*)/.exec(String(report.fields.workqueue ?? ""))?.[1]
      : undefined;
  if (work !== undefined) return { ...place, function: work, index: -1 };
  // After a jump to a wrong address the unwinder confirms nothing: what lies on the stack first is the best there is, and flagged.
  if (place.function === undefined && pc !== undefined && pc.function === undefined)
    return at(
      frames,
      frames.findIndex(({ function: name }) => name !== undefined && !isPassedOver(name)),
    );
  if (place.function !== undefined || pc?.function === undefined) return place;
  return { ...at(frames, -1), function: pc.function };
}

/** What a check of one kind has between itself and the code it speaks of. */
function ownTools({ family, fields, pc }: LogReport): readonly PassedOver[] {
  if (family !== "warning" && fields.odebug === undefined) return [];
  if (pc?.function === "proc_register") return ["registration"];
  const file = String(fields.file ?? "");
  if (/lib\/debugobjects\.c$/.test(file) || fields.odebug !== undefined) return ["object-debugging"];
  if (/lib\/kobject\.c$/.test(file)) return ["devices"];
  return /kernel\/locking\/lockdep\.c$/.test(file) ? ["socket-locks"] : [];
}

function sanitizerPlace(report: LogReport, groups: readonly PassedOver[] = TRACE_TOOLS): Place {
  const place = tracePlace(mainTrace(report), groups);
  if (place.function !== undefined) return place;
  const { pc } = report;
  // What a module calls kasan_… is no part of KASAN, which is never one.
  return pc?.function === undefined || (pc.module === undefined && isPassedOver(pc.function, ["reporting"]))
    ? place
    : { ...place, function: pc.function, ...(pc.module === undefined ? {} : { module: pc.module }) };
}

/**
 * slub_debug finds damage long after it was done, in a caller that has nothing to do with it: what was written after the free is looked for
 * where the object was freed, what was written behind its end where it was allocated. Only a second free is met where it happens.
 */
function slubPlace(report: LogReport): Place {
  const kind = String(report.fields.kind ?? "");
  const freeing = mainTrace(report)?.frames.some(
    (frame) => physical(frame) && /^(?:kfree|kvfree|kmem_cache_free|__kmem_cache_free)$/.test(frame.function ?? ""),
  );
  // Who frees it is its owner too, and nearer to the damage than who made it.
  const owner = /[Pp]oison|Object corrupt/.test(kind)
    ? "Freed"
    : /[Rr]edzone|[Pp]adding/.test(kind) && freeing !== true
      ? "Allocated"
      : undefined;
  const track = owner === undefined ? undefined : trace(report, owner);
  const place = track === undefined ? NOWHERE : tracePlace(track);
  if (place.function !== undefined) return place;
  const tracked = owner === "Freed" ? report.fields.freedIn : owner === "Allocated" ? report.fields.allocatedIn : undefined;
  return typeof tracked === "string" && !isPassedOver(tracked) ? named(report, tracked) : sanitizerPlace(report);
}

/** Scheduling in the wrong context: the first caller that is neither scheduler nor check. */
function contextPlace(report: LogReport): Place {
  if (typeof report.fields.caller === "string" && report.fields.kind === "preemptible") {
    const caller = report.fields.caller;
    if (/^[A-Za-z_]/.test(caller) && !isPassedOver(caller, ["reporting", "helpers", "locking"])) return named(report, caller);
  }
  if (report.fields.kind === "scheduling") return sleeperPlace(report);
  return tracePlace(mainTrace(report), report.fields.kind === "preemptible" ? ["reporting", "helpers", "locking"] : WITHOUT_EXCEPTIONS);
}

/** The first caller that neither waits nor is a tool. */
function sleeperPlace(report: LogReport): Place {
  const frames = mainTrace(report)?.frames ?? [];
  const sleeps = (name: string): boolean => isWaiting(name) || name === "rcu_note_context_switch";
  return at(
    frames,
    frames.findIndex(
      (frame) => physical(frame) && !isPassedOver(frame.function ?? "", WITHOUT_EXCEPTIONS) && !sleeps(frame.function ?? ""),
    ),
  );
}

function lockPlace(report: LogReport): Place {
  const { place, kind } = report.fields;
  const groups: readonly PassedOver[] = ["reporting", "locking", "entry", "helpers", "flushing", "memory", "exception"];
  if (kind === "spinlock" || kind === "unregistered-key" || kind === "rcu-usage") {
    const from = trace(report, "stack backtrace") ?? trace(report, "Call Trace") ?? mainTrace(report);
    const found = tracePlace(from, kind === "rcu-usage" ? [...groups, "rcu-checks"] : groups);
    return found.function === undefined && typeof place === "string" ? { ...found, function: place } : found;
  }
  // Taken in a helper: where the other lock is held is the code that has them both.
  const known = [place, report.fields.heldPlace].find(
    (each) => typeof each === "string" && !isPassedOver(each, ["locking", "reporting", "flushing"]),
  );
  if (typeof known === "string") {
    const from = trace(report, "stack backtrace") ?? trace(report, "Call Trace") ?? mainTrace(report);
    const frames = from?.frames ?? [];
    return { function: known, frames, index: frames.findIndex((frame) => physical(frame) && frame.function === known) };
  }
  return tracePlace(trace(report, "stack backtrace") ?? trace(report, "Call Trace") ?? mainTrace(report), groups);
}
