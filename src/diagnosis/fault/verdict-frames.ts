/** The stack of the fault as a verdict shows it: from the faulting function outwards, with inlined frames and lines where debug information has them. */
import { InquestError } from "../../bytes/errors.ts";
import { withInlinedFrames } from "../../stack/inlined-frames.ts";
import type { VerdictFrame } from "../verdict.ts";
import type { FaultCase } from "./fault-case.ts";

/** Frames that are told. */
const MAX_FRAMES = 64;

/** Innermost first; empty when only the log tells registers. The guilty function's own frame is marked, not what was inlined into it. */
export function verdictFrames({
  kernel,
  state,
  guilty,
}: Pick<FaultCase, "kernel" | "guilty"> & { readonly state: Pick<FaultCase["state"], "stack" | "frame"> }): readonly VerdictFrame[] {
  const { stack, frame: first } = state;
  if (stack === undefined || first === undefined) return [];
  const outwards = { ...stack, frames: stack.frames.slice(first, first + MAX_FRAMES) };
  let physical = first;
  return withInlinedFrames(kernel, outwards).frames.flatMap((frame): VerdictFrame[] => {
    const isGuilty = frame.kind !== "inline" && physical === guilty.frame;
    if (frame.kind !== "inline") physical++;
    if (frame.function === undefined) return [];
    return [
      {
        function: frame.function,
        ...(frame.offset === undefined ? {} : { offset: frame.offset }),
        ...(frame.module === undefined ? {} : { module: frame.module }),
        ...(frame.source === undefined ? {} : { file: frame.source.file, line: frame.source.line }),
        ...(frame.kind === "inline" ? { inlined: true as const } : {}),
        ...(isGuilty ? { guilty: true as const } : {}),
        ...(frame.certainty === "guessed" ? { doubtful: true as const } : {}),
      },
    ];
  });
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
