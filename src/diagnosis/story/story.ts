/**
 * The story of a verdict, in five to ten plain sentences, in the order in which one would tell it: how it began, what failed and why, where
 * the bad value came from, what the detector found behind it, the object, who else had it in hand, what the log said before, how it ended,
 * what nobody knows. Each is a fact of the dump or follows from one; what is not known is left out, or said to be so.
 */
import type { DiagnosisContext } from "../context.ts";
import { LOOKED_THROUGH } from "../ending/looked-through.ts";
import type { FaultCase } from "../fault/fault-case.ts";
import type { Finding } from "../finding.ts";
import type { Subject } from "../subject/subject.ts";
import type { Confidence, Verdict, VerdictClass, VerdictFrame } from "../verdict.ts";
import { faultTold } from "./fault-told.ts";
import { doubts, leftOpen } from "./left-open.ts";
import { beforeTold, endTold } from "./log-told.ts";
import { objectTold, sourceTold } from "./object-told.ts";
import { sceneOf } from "./scene.ts";
import { durationText, listed, oneName, sentence } from "./words.ts";

export interface ToBeTold {
  readonly context: DiagnosisContext;
  readonly verdict: Verdict;
  readonly finding: Finding | undefined;
  readonly confidence: Confidence;
  readonly fault: FaultCase | undefined;
  readonly frames: readonly VerdictFrame[];
  /** Who else had the objects in hand. */
  readonly sharers: readonly string[];
  /** Detectors that were asked and found nothing. */
  readonly silent: readonly string[];
}

/** Verdicts whose own story begins with the one who died of it. */
const OWN_SCENE: ReadonlySet<VerdictClass> = new Set(["deliberate", "untrusted-dump", "hardware-error"]);

/** What detectors looked for, in the words of one who asks whether the machine was well. */
const LOOKED_FOR: readonly (readonly [detector: string, words: string])[] = [
  ["deadlock", "tasks that wait for each other"],
  ["hung-task", "tasks that hang"],
  ["soft-lockup", "CPUs that are stuck"],
  ["rcu-stall", "grace periods that do not end"],
  ["workqueue-stall", "work that stands still"],
  ["stuck-io", "requests that do not come back"],
  ["structures", "damaged lists, trees, counters and free lists"],
  ["kernel text", "code that differs from the vmlinux"],
];

function lookedThrough(silent: readonly string[], finding: Finding | undefined): readonly string[] {
  const partly = finding?.checks.some(({ what, result }) => what === LOOKED_THROUGH && result !== "held") === true;
  if (partly) return ["Part of the memory is missing: whether anything else is wrong could be looked for in the rest only."];
  const words = LOOKED_FOR.flatMap(([detector, what]) => (silent.includes(detector) ? [what] : []));
  return words.length === 0 ? [] : [`Looked for, and not found: ${listed(words)}.`];
}

export function storyOf({ context, verdict, finding, confidence, fault, frames, sharers, silent }: ToBeTold): readonly string[] {
  const { kernel, subject } = context;
  const lines: string[] = [];
  const others = finding?.subject !== undefined;
  const scene = others || OWN_SCENE.has(verdict.class) ? undefined : sceneOf(subject, frames, verdict);
  if (scene !== undefined) lines.push(scene);
  else if (others) lines.push(...firstSign(subject));
  if (fault !== undefined && !others) lines.push(...faultTold(fault, verdict.class === "err-pointer-dereference"));
  else if (finding === undefined && subject.event !== undefined) lines.push(sentence(`the log says: "${firstLine(subject.event.text)}"`));
  if (!others) lines.push(...sourceTold(fault, verdict));
  lines.push(...(finding?.story ?? []));
  if (verdict.class === "deliberate") lines.push(...lookedThrough(silent, finding));
  const object = objectTold(kernel, verdict, lines.join(" "));
  lines.push(...object.lines, ...sharers, ...beforeTold(kernel, subject, lines.join(" ")), ...endTold(kernel, subject, lines.join(" ")));
  if (finding !== undefined)
    lines.push(...doubts(finding, confidence), ...leftOpen(kernel, verdict, fault, object.untracked !== undefined));
  return lines.map(oneName);
}

/** Of trouble that the log may know of by what it did to others only. */
function firstSign({ event }: Subject): readonly string[] {
  if (event?.time === undefined) return [];
  const when = `${durationText(event.time)} after boot`;
  if (event.family === "deliberate")
    return [sentence(`the log has nothing of it: the dump was asked for, ${when} (${firstLine(event.text)})`)];
  return [sentence(`the first sign of it is in the log, ${when}: "${firstLine(event.text)}"`)];
}

function firstLine(text: string): string {
  return (text.split("\n", 1)[0] as string).slice(0, 110);
}
