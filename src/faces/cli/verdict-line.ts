/**
 * The verdict under the banner: one line, worked out before the prompt comes, but only as long as nobody would notice the wait. The clock is
 * looked at between detectors: work that is ended in its midst would leave behind what answers wrongly later.
 */
import { InquestError } from "../../bytes/errors.ts";
import { broken, oneLine, proseWidth } from "../../commands/support/prose.ts";
import { headline } from "../../diagnosis/class-words.ts";
import { diagnose } from "../../diagnosis/diagnose.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { taskTable } from "../../linux/task.ts";

/** No detector is begun later than this; each takes some tens of milliseconds. */
const PATIENCE_MS = 200;
/** With more tasks than these one detector alone takes longer. */
const MANY_TASKS = 1500;
const LABEL = "     VERDICT: ";

class OutOfTime extends Error {}

/** The disassembler must have been loaded. A verdict that takes longer, or cannot be had, is left to `analyze`. */
export function verdictLine(kernel: Kernel, columns: number | undefined, milliseconds = PATIENCE_MS): string {
  const until = performance.now() + milliseconds;
  const look = (): void => {
    if (performance.now() > until) throw new OutOfTime();
  };
  try {
    if (taskTable(kernel).tasks.length > MANY_TASKS) throw new OutOfTime();
    const { verdict } = diagnose(kernel, look);
    const line = oneLine(`${headline(verdict)} (${verdict.confidence}; see "analyze")`);
    const lines = columns === undefined ? [line] : broken(line, proseWidth(columns) - LABEL.length);
    return `${LABEL}${lines.join(`\n${" ".repeat(LABEL.length)}`)}`;
  } catch (error) {
    if (error instanceof OutOfTime) return `${LABEL}takes a moment: "analyze" works it out`;
    if (error instanceof InquestError) return `${LABEL}${error.message}`;
    throw error;
  }
}
