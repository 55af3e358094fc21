/** Of a slice the step that detectors ask for most: the memory behind the bad value. */
import type { FaultCase } from "./fault-case.ts";

/** The memory that the bad value was loaded from, where the slice found it. */
export function sourceOf({ bad }: Pick<FaultCase, "bad">) {
  return bad?.origin?.steps.find(({ load }) => load !== undefined)?.load;
}
