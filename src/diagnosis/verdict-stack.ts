/** A stack as a verdict shows it: with inlined frames and lines where debug information has them, the guilty frame marked. */
import { InquestError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { StackFrame, UnwoundStack } from "../stack/frame.ts";
import { withInlinedFrames } from "../stack/inlined-frames.ts";
import type { VerdictFrame } from "./verdict.ts";

/** Frames that are told. */
const MAX_FRAMES = 64;

/**
 * Innermost first, from frame `from` of the stack on.
 * @param guilty place of the guilty one in the stack; not what was inlined into it
 */
export function verdictStack(kernel: Kernel, stack: UnwoundStack, guilty: number | undefined, from = 0): readonly VerdictFrame[] {
  const outwards: UnwoundStack = { ...stack, frames: stack.frames.slice(from, from + MAX_FRAMES) };
  let physical = from;
  return inlined(kernel, outwards).flatMap((frame): VerdictFrame[] => {
    const own = frame.kind !== "inline";
    const isGuilty = own && physical === guilty;
    if (own) physical++;
    if (frame.function === undefined) return [];
    return [
      {
        function: frame.function,
        ...(frame.offset === undefined ? {} : { offset: frame.offset }),
        ...(frame.module === undefined ? {} : { module: frame.module }),
        ...(frame.source === undefined ? {} : { file: frame.source.file, line: frame.source.line }),
        ...(own ? {} : { inlined: true as const }),
        ...(isGuilty ? { guilty: true as const } : {}),
        ...(frame.certainty === "guessed" ? { doubtful: true as const } : {}),
      },
    ];
  });
}

function inlined(kernel: Kernel, stack: UnwoundStack): readonly StackFrame[] {
  try {
    return withInlinedFrames(kernel, stack).frames;
  } catch (error) {
    if (error instanceof InquestError) return stack.frames;
    throw error;
  }
}
