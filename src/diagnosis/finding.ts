/**
 * What a detector found: a class, what was checked and how each check came out, and how often the same sign is met where nothing is wrong.
 *
 * A finding that a check refutes is not thrown away: it is told among the alternatives with what refuted it. Confidence follows from the
 * checks, it is not set by taste:
 *
 *   high      all checks were made and held
 *   likely    a check could not be made
 *   possible  more than one could not, or the sign is common in healthy memory too
 */
import type { Access, Check, Confidence, Evidence, Participant, Verdict, VerdictClass, VerdictFrame } from "./verdict.ts";

/** How often the sign is met where nothing is wrong. */
export interface BaseRate {
  /** "segment is NULL in other objects of the slab". */
  readonly what: string;
  readonly tried: number;
  readonly fired: number;
}

/**
 * How far behind what was seen a finding lies; of two that stand, the one further behind is the verdict and the other is part of its story.
 *
 *   symptom    what the CPU or a watchdog met: a wild pointer, a task that hangs
 *   mechanism  how that came to be: the object had been freed, the lock's owner sleeps
 *   cause      what did it: an object's neighbour wrote over it, a bit flipped, locks taken in a circle
 */
export type Depth = "symptom" | "mechanism" | "cause";

export interface Finding {
  readonly class: VerdictClass;
  /** Without the class's own words in front: "tun_get_drvinfo [tun] reads tun->flags with tun = NULL". */
  readonly title: string;
  readonly checks: readonly Check[];
  readonly baseRate?: BaseRate;
  /** The sign is worth less where it is common; absent: being common does not speak against it (NULL is a usual value of pointers). */
  readonly rarity?: true;
  /** `symptom` when absent. */
  readonly depth?: Depth;
  readonly object?: NonNullable<Verdict["object"]>;
  /** Lines of the story that only this class can tell. */
  readonly story: readonly string[];
  readonly evidence: readonly Evidence[];
  /** Where the trouble is to be looked for; absent: the guilty function of the fault. */
  readonly place?: Pick<Verdict, "function" | "module" | "file" | "line">;
  readonly access?: Access;
  readonly address?: bigint;
  readonly origin?: string;
  /** The stack to show, the guilty frame marked; absent: that of the fault. */
  readonly frames?: readonly VerdictFrame[];
  /** Who takes part: the tasks of a deadlock, the waiters behind a lock, the CPUs of a lockup. */
  readonly participants?: readonly Participant[];
  /**
   * What names this trouble in its signature, where the stack shown is only a victim's, or one of several: who holds the memory, all the
   * functions of a circle.
   */
  readonly namedBy?: { readonly functions: readonly string[]; readonly member?: string };
  /** Whose trouble it is, when not the subject's task: the task that hangs rather than the watchdog that found it. */
  readonly subject?: { readonly cpu?: number; readonly pid?: number; readonly comm?: string };
}

/** More than a third of a fair sample. */
function isCommon({ tried, fired }: BaseRate): boolean {
  return tried >= 3 && fired * 3 > tried;
}

/** `unknown` when a check refutes it. */
export function confidenceOf({ checks, baseRate, rarity }: Finding): Confidence {
  if (checks.some(({ result }) => result === "refuted")) return "unknown";
  const open = checks.filter(({ result }) => result === "not possible").length;
  const common = rarity === true && baseRate !== undefined && isCommon(baseRate);
  return common || open > 1 ? "possible" : open === 1 ? "likely" : "high";
}
