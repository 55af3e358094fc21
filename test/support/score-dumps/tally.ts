/** Sums of scores against the targets. */
import type { Confidence } from "../../../src/diagnosis/verdict.ts";
import type { Judgement } from "./judge.ts";
import type { Row } from "./run.ts";

export interface Share {
  right: number;
  total: number;
}

const KEYS = ["class", "best", "function", "module", "member", "object", "participants"] as const;
export type Key = (typeof KEYS)[number];
export type Sums = Record<Key, Share>;

const none = (): Share => ({ right: 0, total: 0 });
const CONFIDENCES: readonly Confidence[] = ["high", "likely", "possible", "unknown"];

/** Of deadlocks alone all must be named exactly; for others participants are told beside. */
const CIRCLES: ReadonlySet<string> = new Set(["deadlock", "self-deadlock"]);
/** Verdicts that may take longer: every task's stack is looked at. */
const HANGS: ReadonlySet<string> = new Set([
  "deadlock",
  "self-deadlock",
  "lock-held-by-sleeper",
  "hung-task",
  "soft-lockup",
  "hard-lockup",
  "rcu-stall",
  "workqueue-stall",
  "stuck-io",
  "out-of-memory",
  "oom-of-container",
  "memory-leak",
  "deliberate",
]);

export function sumsOf(rows: readonly Row[]): Sums {
  const sums = Object.fromEntries(KEYS.map((key) => [key, none()])) as Sums;
  for (const { judgement } of rows) {
    for (const key of KEYS) {
      const right = judgement[key];
      if (right === undefined) continue;
      sums[key].total++;
      if (right) sums[key].right++;
    }
  }
  return sums;
}

export interface Target {
  readonly name: string;
  readonly share: Share;
  /** Per cent; undefined: told, not asked for. */
  readonly wanted?: number;
}

export interface Times {
  readonly median: number;
  readonly max: number;
  readonly slowest: string;
}

export interface Tally {
  readonly perClass: readonly (readonly [name: string, sums: Sums])[];
  readonly all: Sums;
  readonly targets: readonly Target[];
  readonly calibration: readonly (readonly [Confidence, Share])[];
  readonly accusations: readonly Row[];
  readonly failures: readonly Row[];
  /** Said with high confidence beside the verdict, of classes that the label does not have: "case: class title". */
  readonly besides: readonly string[];
  readonly faults: Times;
  readonly hangs: Times;
}

/** A statement holds when its class and its place do and nobody is accused. */
export function holds({ class: right, function: place, accuses }: Judgement): boolean {
  return right && place !== false && accuses === undefined;
}

export function tally(rows: readonly Row[]): Tally {
  const wrong = rows.filter(({ group }) => group === "fault" || group === "mutated");
  const names = [...new Set(wrong.map(({ label, kind }) => kind ?? (label.class[0] as string)))].sort();
  const perClass = names.map((name) => [name, sumsOf(wrong.filter(({ label, kind }) => (kind ?? label.class[0]) === name))] as const);
  const all = sumsOf(wrong);
  const circles = sumsOf(rows.filter(({ label }) => CIRCLES.has(label.class[0] as string))).participants;
  const values = rows.reduce((sum, { evidence }) => sum + evidence.values + evidence.commands, 0);
  const invalid = rows.reduce((sum, { evidence }) => sum + Math.min(evidence.wrong.length, evidence.values + evidence.commands), 0);
  const calibration = CONFIDENCES.map((confidence): [Confidence, Share] => {
    const said = rows.filter(({ found }) => found?.verdict.confidence === confidence);
    return [confidence, { right: said.filter(({ judgement }) => holds(judgement)).length, total: said.length }];
  });
  const accusations = rows.filter(({ judgement }) => judgement.accuses !== undefined);
  const quiet = rows.filter(({ group }) => group === "healthy" || group === "harmless");
  const typed = wrong.filter(({ variant }) => variant === "dwarf");
  const alone = wrong.filter(({ variant }) => variant !== "dwarf");
  const targets: Target[] = [
    { name: "class", share: all.class, wanted: 95 },
    { name: "function", share: all.function, wanted: 95 },
    { name: "type.member, DWARF", share: sumsOf(typed).member, wanted: 85 },
    { name: "type.member, BTF alone", share: sumsOf(alone.filter(({ typed: has }) => has)).member, wanted: 75 },
    { name: "type.member, no type at all", share: sumsOf(alone.filter(({ typed: has }) => !has)).member },
    { name: "deadlock participants", share: circles, wanted: 100 },
    { name: "evidence valid", share: { right: values - invalid, total: values }, wanted: 100 },
    { name: "high confidence right", share: calibration[0]?.[1] ?? none(), wanted: 97 },
    { name: "without false accusation", share: { right: rows.length - accusations.length, total: rows.length }, wanted: 100 },
    {
      name: "healthy called healthy",
      share: { right: quiet.filter(({ judgement }) => judgement.class).length, total: quiet.length },
      wanted: 100,
    },
  ];
  return {
    perClass,
    all,
    targets,
    calibration,
    accusations,
    failures: rows.filter(({ found }) => found === undefined),
    besides: rows.flatMap(({ case: id, variant, found, label }) =>
      (found?.alternatives ?? [])
        .filter(({ class: other, confidence }) => confidence === "high" && other !== "deliberate" && !label.class.includes(other))
        .map(({ class: other, title }) => `${id} (${variant}): ${other}: ${title}`),
    ),
    faults: timesOf(rows.filter(isFault)),
    hangs: timesOf(rows.filter((row) => !isFault(row))),
  };
}

/** Something that the CPU or a check met: the place is known. All else, mutations too, has to be looked for. */
function isFault({ group, label }: Row): boolean {
  return group === "fault" && !HANGS.has(label.class[0] as string);
}

/** Of the processor: the clock of a shared machine tells of its other users. */
function timesOf(rows: readonly Row[]): Times {
  const sorted = [...rows].sort((a, b) => a.busy - b.busy);
  const slowest = sorted.at(-1);
  return { median: sorted[Math.floor(sorted.length / 2)]?.busy ?? 0, max: slowest?.busy ?? 0, slowest: slowest?.case ?? "" };
}
