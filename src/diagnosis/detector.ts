/** What a detector is, of whatever it looks at: the classes it speaks for, when it is worth asking, and what could refute it. */
import type { DiagnosisContext } from "./context.ts";
import type { FaultDetector } from "./fault/fault-detector.ts";
import type { Finding } from "./finding.ts";
import type { VerdictClass } from "./verdict.ts";

export interface Detector {
  /** Its name in --verbose and in the handbook: the class, when it speaks for one only. */
  readonly name: string;
  readonly classes: readonly VerdictClass[];
  /** What it must find in the dump, in words, for the handbook. */
  readonly needs: readonly string[];
  /** What could refute it, in words, for the handbook. */
  readonly refutedBy: readonly string[];
  /** Whether the subject is one that it can explain: cheap, nothing but the subject is looked at. */
  appliesTo(context: DiagnosisContext): boolean;
  /** Nothing when the signs are not there. Never throws for damaged memory, ends in bounded time. */
  detect(context: DiagnosisContext): readonly Finding[];
}

const NEEDS: Readonly<Record<FaultDetector["needs"][number], string>> = {
  operand: "the operand that faulted",
  fetch: "a call to where no code is",
  "bad value": "the value to blame",
  event: "the report in the log",
};

/** A detector of faults among the others. */
export function ofFault(detector: FaultDetector): Detector {
  return {
    name: detector.class,
    classes: [detector.class],
    needs: detector.needs.length === 0 ? ["the CPU's state at the fault"] : detector.needs.map((need) => NEEDS[need]),
    refutedBy: detector.refutedBy,
    appliesTo: () => true,
    detect(context) {
      const fault = context.fault();
      if ("reason" in fault) return [];
      const found = detector.detect(fault);
      return found === undefined ? [] : [found];
    },
  };
}
