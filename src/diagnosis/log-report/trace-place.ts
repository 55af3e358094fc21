/** A place is a frame of a trace; here is how one is found in it, whatever the report. */
import type { VerdictFrame } from "../verdict.ts";
import { isPassedOver, type PassedOver, TRACE_TOOLS } from "./passed-over.ts";
import type { LogReport } from "./report.ts";

export interface Place {
  /** Undefined when the report does not tell. */
  readonly function?: string;
  readonly module?: string;
  /** The trace it stands in, whole. */
  readonly frames: readonly VerdictFrame[];
  /** Index in frames; -1 when the function is not in the trace. */
  readonly index: number;
}

export type Trace = LogReport["traces"][number];
export const NOWHERE: Place = { frames: [], index: -1 };
/** The trace of the event itself. */
export function mainTrace(report: LogReport): Trace | undefined {
  const filled = report.traces.filter(({ frames }) => frames.some(({ doubtful }) => doubtful !== true));
  const aside = /^(?:Allocated|Freed|after|lock history|irq history|-> #|Last|Second|Uninit|Local|page|Preemption|hardirqs)/;
  return (
    filled.find(({ name }) => name === "Call Trace" || name === "stack backtrace") ??
    filled.find(({ name }) => name === "") ??
    filled.find(({ name }) => !aside.test(name)) ??
    report.traces.find(({ frames, name }) => frames.length > 0 && !aside.test(name))
  );
}

export function trace(report: LogReport, name: string): Trace | undefined {
  return report.traces.find((each) => each.name === name && each.frames.length > 0);
}

export function named(report: LogReport, name: string): Place {
  const frames = mainTrace(report)?.frames ?? [];
  return { function: name, frames, index: frames.findIndex((frame) => physical(frame) && frame.function === name) };
}

export const physical = (frame: VerdictFrame): boolean => frame.doubtful !== true && frame.inlined !== true && frame.function !== undefined;

export function at(frames: readonly VerdictFrame[], index: number): Place {
  const frame = frames[index];
  if (frame === undefined) return { frames, index: -1 };
  return {
    frames,
    index,
    ...(frame.function === undefined ? {} : { function: frame.function }),
    ...(frame.module === undefined ? {} : { module: frame.module }),
  };
}

export function tracePlace(from: Trace | undefined, groups: readonly PassedOver[] = TRACE_TOOLS, start = 0): Place {
  const frames = from?.frames ?? [];
  return at(
    frames,
    frames.findIndex((frame, index) => index >= start && physical(frame) && !isPassedOver(frame.function ?? "", groups)),
  );
}
