/** What a fault gives to any verdict on it: place, access, origin, stack, and the sentence that the story begins with. */
import type { Verdict, VerdictFrame } from "../verdict.ts";
import { accessText, originText } from "./access-text.ts";
import type { FaultCase } from "./fault-case.ts";
import { guiltyLine, verdictFrames } from "./verdict-frames.ts";
import { plainName } from "./words.ts";

export interface FaultPart {
  readonly verdict: Pick<Verdict, "function" | "module" | "file" | "line" | "access" | "address" | "origin">;
  /** From the faulting function outwards. */
  readonly frames: readonly VerdictFrame[];
  /** "read of (struct lab_segment *)0->length [+0x8] in f+0x12; loaded from …"; undefined when no operand is to blame. */
  readonly sentence: string | undefined;
  /** What the case itself is in doubt about: why there is no operand. */
  readonly doubt: string | undefined;
}

export function faultPart(fault: FaultCase): FaultPart {
  const { guilty, path, access } = fault;
  const frames = verdictFrames(fault);
  const origin = originText(fault);
  const what = accessText(fault);
  return {
    verdict: {
      function: plainName(guilty.function),
      ...(guilty.module === undefined ? {} : { module: guilty.module }),
      ...guiltyLine(fault, frames),
      ...(path === undefined ? {} : { access: path.access, address: path.address }),
      ...(origin === undefined ? {} : { origin }),
    },
    frames,
    sentence: what === undefined ? undefined : `${what}${origin === undefined ? "" : `; ${origin}`}`,
    doubt: access.kind === "unknown" ? access.reason : undefined,
  };
}
