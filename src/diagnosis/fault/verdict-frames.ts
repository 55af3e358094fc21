/** The stack of the fault as a verdict shows it: from the faulting function outwards, with inlined frames and lines where debug information has them. */
import { InquestError } from "../../bytes/errors.ts";
import type { VerdictFrame } from "../verdict.ts";
import { verdictStack } from "../verdict-stack.ts";
import type { FaultCase } from "./fault-case.ts";

/** Innermost first; empty when only the log tells registers. */
export function verdictFrames({ kernel, state, guilty }: FaultCase): readonly VerdictFrame[] {
  const { stack, frame } = state;
  return stack === undefined || frame === undefined ? [] : verdictStack(kernel, stack, guilty.frame, frame);
}

/** Where in the source the guilty function stands: at the instruction, or at the call of what was inlined there. */
export function guiltyLine(
  { kernel, guilty }: FaultCase,
  frames: readonly VerdictFrame[],
): { readonly file?: string; readonly line?: number } {
  const own = frames.find((frame) => frame.guilty === true);
  if (own?.file !== undefined && own.line !== undefined) return { file: own.file, line: own.line };
  try {
    const found = kernel.debugInfo.present && guilty.flow !== undefined ? kernel.debugInfo.line(guilty.pc) : undefined;
    return found === undefined ? {} : { file: found.file, line: found.line };
  } catch (error) {
    if (error instanceof InquestError) return {};
    throw error;
  }
}
