/** What a detector of faults is: a class it speaks for, what it needs of the case, and what could refute it. */
import type { Finding } from "../finding.ts";
import type { VerdictClass } from "../verdict.ts";
import type { FaultCase } from "./fault-case.ts";

/** What of a case must be there. */
export type Need = "operand" | "fetch" | "bad value" | "event";

export interface FaultDetector {
  readonly class: VerdictClass;
  readonly needs: readonly Need[];
  /** What could refute it, in words, for the handbook. */
  readonly refutedBy: readonly string[];
  /** undefined when the signs are not there. Never throws for damaged memory. */
  detect(fault: FaultCase): Finding | undefined;
}

export function has({ access, bad, subject }: FaultCase, needs: readonly Need[]): boolean {
  const there: Readonly<Record<Need, boolean>> = {
    operand: access.kind === "memory",
    fetch: access.kind === "fetch",
    "bad value": bad !== undefined,
    event: subject.event !== undefined,
  };
  return needs.every((need) => there[need]);
}
