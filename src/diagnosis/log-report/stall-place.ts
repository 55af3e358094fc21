/**
 * Where time goes: the frame of a hung task that does not itself wait, and of a CPU that runs too long the frame that its anchor called (the
 * top of a loop is chance). A stack overflow is read the same way.
 */
import type { VerdictFrame } from "../verdict.ts";
import { isPassedOver, TRACE_TOOLS } from "./passed-over.ts";
import type { LogReport } from "./report.ts";
import { at, mainTrace, named, type Place, physical } from "./trace-place.ts";
import { isIdle, isInterruptEntry, isLoopAnchor, isSharedWait, isWaiting, tellsOfStall } from "./waiting-frames.ts";

/** Not a lock but what it guards: the mount point, both directories, the socket with its backlog. */
const TAKES_SEVERAL = /^_*lock_(?:mount\w*|two_\w+|rename\w*|super\w*|system_sleep)$|^lock_sock\w*$/;
/** Shuts down, and so waits for others, by its name; scheduling of whatever kind. */
const WAITS_BY_NAME = /down|sched|_lock|_slowlock|rwsem|completion|kthread|wait|synchronize|rcu_barrier/;

export function hungPlace(report: LogReport): Place {
  const from = mainTrace(report);
  const frames = from?.frames ?? [];
  const shared = frames.findIndex((frame) => physical(frame) && isSharedWait(frame.function ?? ""));
  if (shared >= 0) return at(frames, shared);
  // What stands above is the action it calls to wait: sync_buffer, sleep_on_page, inode_wait, nfs_wait_bit_killable …
  const bit = frames.findIndex((frame) => physical(frame) && /^(?:out_of_line_)?_*wait_on_bit/.test(frame.function ?? ""));
  const index = frames.findIndex(
    (frame, at) =>
      at > bit &&
      physical(frame) &&
      (!(isWaiting(frame.function ?? "") || WAITS_BY_NAME.test(frame.function ?? "")) || TAKES_SEVERAL.test(frame.function ?? "")) &&
      !isPassedOver(frame.function ?? "", ["reporting", "locking", "entry", "memory", "services"]),
  );
  return at(frames, index);
}

/** The scheduler itself; a work function may well be called wait_…. */
const SCHEDULES = /^_*(?:preempt_|io_)?schedule|^__switch_to|^context_switch$/;
/** kernel/smp.c: waits until other CPUs have done what was asked of them. */
const CALLS_OTHER_CPUS = /^_*smp_call_function\w*$/;

export function stallPlace(report: LogReport): Place {
  let candidates = report.traces.filter(({ frames, name }) => frames.some(physical) && name !== "after");
  // RCU's own thread, shown because it got no CPU: the one that suffers.
  if (report.family === "rcu-stall")
    candidates = candidates.filter(({ frames }) => !frames.some((frame) => frame.function === "rcu_gp_kthread"));
  if (candidates.length === 0) return at([], -1);
  // A CPU that only waits, or the CPU that prints, tells nothing; prefer a trace that was interrupted.
  const interrupted = candidates.filter(({ frames }) => frames.some((frame) => isInterruptEntry(frame.function ?? "")));
  if (interrupted.length > 0 && report.family === "rcu-stall") candidates = [...interrupted, ...candidates];
  for (const candidate of candidates) {
    const frames = candidate.frames;
    const entry = frames.findLastIndex(
      (frame, index) => index < frames.length && physical(frame) && isInterruptEntry(frame.function ?? "") && firstEntry(frames, index),
    );
    // Registers before the trace: it begins where the CPU was. Over an idle CPU that is a softirq or a timer, and nothing else ran.
    const ran =
      report.pc?.function !== undefined &&
      !isIdle(report.pc.function) &&
      !frames.slice(0, entry).some((frame) => tellsOfStall(frame.function ?? "")) &&
      frames.slice(entry).some((frame) => physical(frame) && isIdle(frame.function ?? ""));
    const start = ran ? 0 : entry + 1;
    let below = -1;
    const call = frames.findIndex((frame, index) => index >= start && physical(frame) && CALLS_OTHER_CPUS.test(frame.function ?? ""));
    if (report.family !== "rcu-stall") {
      if (call >= 0) return at(frames, call);
      if (start === 0 && CALLS_OTHER_CPUS.test(report.pc?.function ?? "")) return named(report, report.pc?.function ?? "");
    }
    for (let index = start; index < frames.length; index++) {
      const frame = frames[index];
      if (frame === undefined || !physical(frame)) continue;
      const name = frame.function ?? "";
      if (isLoopAnchor(name)) {
        if (below >= 0) return at(frames, below);
        // The registers stand above the trace: the function that was interrupted was called by the anchor itself.
        const top = index === 0 ? report.pc : undefined;
        if (top?.function !== undefined && !isPassedOver(top.function) && !isLoopAnchor(top.function)) return named(report, top.function);
        continue;
      }
      if (isInterruptEntry(name)) {
        below = -1;
        continue;
      }
      if (!isPassedOver(name, TRACE_TOOLS) && !SCHEDULES.test(name)) below = index;
    }
  }
  const frames = candidates[0]?.frames ?? [];
  return report.family === "stack" ? at(frames, recursion(frames)) : at(frames, -1);
}

/** The first frame of the circle that a stack overflow is made of: it comes again and again; -1 when none does. */
function recursion(frames: readonly VerdictFrame[]): number {
  const times = new Map<string, number>();
  for (const frame of frames) if (physical(frame)) times.set(frame.function ?? "", (times.get(frame.function ?? "") ?? 0) + 1);
  return frames.findIndex(
    (frame) => physical(frame) && (times.get(frame.function ?? "") ?? 0) >= 3 && !isPassedOver(frame.function ?? "", TRACE_TOOLS),
  );
}

/** Only the first run of interrupt entries counts: below it the loop may have been interrupted by nothing else. */
function firstEntry(frames: readonly VerdictFrame[], index: number): boolean {
  const first = frames.findIndex((frame) => physical(frame) && isInterruptEntry(frame.function ?? ""));
  return index - first < 4;
}
