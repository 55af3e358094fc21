/** The verdict under the banner: one line, worked out before the prompt comes, but only as long as nobody would notice the wait. */
import { InquestError } from "../../bytes/errors.ts";
import { headline } from "../../diagnosis/class-words.ts";
import { diagnose } from "../../diagnosis/diagnose.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { Interrupted, interruptible, OutOfTime } from "./interrupt.ts";

/** The prompt may be delayed by no more. */
const PATIENCE_MS = 270;
const LABEL = "     VERDICT: ";

/** The disassembler must have been loaded. A verdict that takes longer, or cannot be had, is left to `analyze`. */
export function verdictLine(kernel: Kernel): string {
  try {
    const { verdict } = interruptible(() => diagnose(kernel), PATIENCE_MS);
    return `${LABEL}${headline(verdict)} (${verdict.confidence}; see "analyze")`;
  } catch (error) {
    if (error instanceof OutOfTime || error instanceof Interrupted) return `${LABEL}takes a moment: "analyze" works it out`;
    if (error instanceof InquestError) return `${LABEL}${error.message}`;
    throw error;
  }
}
