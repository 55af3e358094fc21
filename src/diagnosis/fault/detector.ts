/**
 * What a detector of faults is: a class it speaks for, what it needs, what could refute it, and the base rate of what it takes for a sign.
 *
 * A finding says what was checked and how each check came out. One that a check refutes is not thrown away: it is told among the
 * alternatives with what refuted it. Confidence follows from the checks, it is not set by taste:
 *
 *   high      all checks were made and held
 *   likely    a check could not be made
 *   possible  more than one could not, or the sign is common in healthy memory too
 */
import type { Confidence, Evidence, Verdict, VerdictClass } from "../verdict.ts";
import type { FaultCase } from "./fault-case.ts";

/** What of a case must be there. */
export type Need = "operand" | "fetch" | "bad value" | "event";

export interface Check {
  /** "the register holds 0, not an error code". */
  readonly what: string;
  readonly result: "held" | "refuted" | "not possible";
}

/** How often the sign is met where nothing is wrong. */
export interface BaseRate {
  /** "segment is NULL in other objects of the slab". */
  readonly what: string;
  readonly tried: number;
  readonly fired: number;
}

export interface Finding {
  readonly class: VerdictClass;
  readonly title: string;
  readonly checks: readonly Check[];
  readonly baseRate?: BaseRate;
  /** The sign is worth less where it is common; absent: being common does not speak against it (NULL is a usual value of pointers). */
  readonly rarity?: true;
  readonly object?: NonNullable<Verdict["object"]>;
  /** Lines of the story that only this class can tell. */
  readonly story: readonly string[];
  readonly evidence: readonly Evidence[];
}

export interface Detector {
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

/** More than a third of a fair sample. */
function isCommon({ tried, fired }: BaseRate): boolean {
  return tried >= 3 && fired * 3 > tried;
}

export function confidenceOf({ checks, baseRate, rarity }: Finding): Confidence {
  if (checks.some(({ result }) => result === "refuted")) return "unknown";
  const open = checks.filter(({ result }) => result === "not possible").length;
  const common = rarity === true && baseRate !== undefined && isCommon(baseRate);
  return common || open > 1 ? "possible" : open === 1 ? "likely" : "high";
}
