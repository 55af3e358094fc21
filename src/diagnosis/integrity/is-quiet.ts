/** Whether there is time, and reason, to look at everything: nothing abnormal was reported, or only that somebody wanted the dump or gave up. */
import type { DiagnosisContext } from "../context.ts";

export function isQuiet({ subject }: DiagnosisContext): boolean {
  const { event } = subject;
  return event === undefined || event.family === "deliberate" || event.family === "panic" || event.family === "warning";
}
