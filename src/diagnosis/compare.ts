/**
 * Two dumps side by side: one bug or two, and what both show together. Strict on purpose: two bugs taken for one cost more than one bug
 * looked at twice, so dumps are called the same only when class, place and member agree; the rest is called related with what speaks for it.
 */
import { hex16, virtual } from "../bytes/address.ts";
import { isDoor } from "./how-it-came-there.ts";
import { isPassedOver } from "./log-report/passed-over.ts";
import { namesOf } from "./signature.ts";
import type { Diagnosis, VerdictClass } from "./verdict.ts";

export type Relation = "same" | "likely the same" | "possibly related" | "different" | "undecided";

export interface ComparedFact {
  /** "class", "function", "member", "callers", "bad address" … */
  readonly what: string;
  readonly first: string;
  readonly second: string;
  readonly agrees: boolean;
}

export interface Comparison {
  readonly relation: Relation;
  /** Why, in one sentence. */
  readonly reason: string;
  readonly facts: readonly ComparedFact[];
  /** What neither dump says alone. */
  readonly together: readonly string[];
}

const ORDER: readonly Relation[] = ["undecided", "different", "possibly related", "likely the same", "same"];

/** For ranking: the likest is the greatest; among equals the one that agrees in more facts. */
export function likeness({ relation, facts }: Comparison): number {
  return ORDER.indexOf(relation) + facts.filter(({ agrees }) => agrees).length / (facts.length + 1);
}

/** What one writer into memory that is not its own may look like, depending on what it hits. */
const DAMAGE: ReadonlySet<VerdictClass> = new Set([
  "use-after-free",
  "double-free",
  "bad-free",
  "type-confusion",
  "overwritten-pointer",
  "wild-pointer",
  "wild-call",
  "list-corruption",
  "freelist-corruption",
  "slab-redzone",
  "out-of-bounds",
  "refcount-underflow",
]);

/** What misused memory may be met as: a race shows differently each time it is lost. */
const MISUSE: ReadonlySet<VerdictClass> = new Set([...DAMAGE, "null-pointer-dereference", "err-pointer-dereference", "null-function-call"]);

/** Says whether two diagnoses are of one bug. */
export function compareDiagnoses(a: Diagnosis, b: Diagnosis): Comparison {
  const facts = factsOf(a, b);
  const { relation, reason } = relate(a, b, (what) => facts.find((fact) => fact.what === what)?.agrees);
  // What two bugs have in common by chance would only mislead.
  const together = relation === "different" || relation === "undecided" ? [] : togetherOf(a, b);
  return { relation, reason, facts, together };
}

type Agrees = (what: string) => boolean | undefined;

function relate(a: Diagnosis, b: Diagnosis, agrees: Agrees): Pick<Comparison, "relation" | "reason"> {
  const classes = [a.verdict.class, b.verdict.class] as const;
  if (classes.every((name) => name === "deliberate"))
    return { relation: "undecided", reason: "both dumps were asked for, and nothing wrong was found in either" };
  const vague = classes.find((name) => name === "unknown" || name === "untrusted-dump" || name === "deliberate");
  if (vague !== undefined)
    return { relation: "undecided", reason: `one of the verdicts is "${vague}": there is nothing to hold the other against` };
  if (classes.every((name) => name === "hardware-error"))
    return { relation: "possibly related", reason: "hardware failed in both: whether it is one part of one machine, its own records tell" };
  const sure = [a, b].every(({ verdict }) => verdict.confidence === "high" || verdict.confidence === "likely");
  const { function: place } = a.verdict;
  // What serves the whole kernel says nothing of who brought it there: of timers, work items and lists there are thousands.
  const isShared = place !== undefined && (isDoor(place) || isPassedOver(place)) && agrees("module") === undefined;
  if (a.signature.hash === b.signature.hash && !a.signature.text.includes("|"))
    return { relation: "possibly related", reason: "the class is the same, and no place is known in either" };
  if (a.signature.hash === b.signature.hash && agrees("module") !== false) {
    if (isShared)
      return {
        relation: "possibly related",
        reason: `the signatures are the same, but ${place} works for the whole kernel: other bugs end there too`,
      };
    return sure
      ? { relation: "same", reason: "class, place and member are the same" }
      : { relation: "likely the same", reason: "the signatures are the same, but one verdict is only possible" };
  }
  if (agrees("class") === true && agrees("function") === true && agrees("module") !== false && !isShared) {
    if (agrees("member") === true) return { relation: "same", reason: "class, function and member are the same; only the callers differ" };
    if (agrees("member") === undefined)
      return { relation: "likely the same", reason: "class and function are the same; no member is known in both" };
    if (agrees("object") === true)
      return { relation: "likely the same", reason: "class and function are the same, and it met another member of the same structure" };
    return { relation: "possibly related", reason: "class and function are the same, the members differ" };
  }
  if (agrees("function") === true && agrees("member") === true && agrees("module") !== false && !isShared)
    return { relation: "likely the same", reason: "function and member are the same; only how it showed differs" };
  if (agrees("class") === true && agrees("module") === true && agrees("member") !== false && calls(a, b))
    return {
      relation: "likely the same",
      reason: "the class is the same, and one's function calls the other's: what one compiler inlined the other did not",
    };
  if (agrees("member") === true) {
    const near = agrees("class") === true && agrees("module") !== false && !isShared;
    return { relation: near ? "likely the same" : "possibly related", reason: "the same member of the same structure is wrong in both" };
  }
  if (agrees("function") === true && agrees("module") !== false && agrees("object") === true && classes.every((name) => MISUSE.has(name)))
    return { relation: "likely the same", reason: "the same function works on objects of the same type; only what it met there differs" };
  const callers = agrees("callers") === true && agrees("object") === undefined;
  if (agrees("function") === true && agrees("module") !== false && !isShared && callers && classes.every((name) => MISUSE.has(name)))
    return { relation: "likely the same", reason: "the same function, called from the same place; only what it met there differs" };
  if (agrees("object") === true && classes.every((name) => DAMAGE.has(name)))
    return { relation: "possibly related", reason: "objects of one kind are damaged in both: one writer may stand behind both" };
  return {
    relation: "different",
    reason: agrees("class") === true ? "the class is the same, place and object are not" : "class and place differ",
  };
}

/** The function of one is a near caller of the other's. */
function calls(a: Diagnosis, b: Diagnosis): boolean {
  const near = (each: Diagnosis) => namesOf(each.frames, each.verdict.function).slice(0, 3);
  const [one, other] = [a.verdict.function, b.verdict.function];
  return one !== undefined && other !== undefined && (near(a).includes(other) || near(b).includes(one));
}

function factsOf(a: Diagnosis, b: Diagnosis): readonly ComparedFact[] {
  const facts: ComparedFact[] = [];
  const add = (what: string, of: (diagnosis: Diagnosis) => string | undefined): void => {
    const [first, second] = [of(a), of(b)];
    if (first === undefined || second === undefined) return;
    facts.push({ what, first, second, agrees: first === second });
  };
  add("class", ({ verdict }) => verdict.class);
  add("function", ({ verdict }) => verdict.function);
  add("module", ({ verdict }) => verdict.module);
  add("member", memberOf);
  // A type and a cache of another dump say nothing of each other.
  const typed = [a, b].every(({ verdict: { object } }) => object?.type !== undefined);
  add("object", ({ verdict: { object } }) => (typed ? object?.type : object?.type === undefined ? ownCache(object?.cache) : undefined));
  add("access", ({ verdict: { access } }) =>
    access === undefined ? undefined : `${access.kind}${access.size === undefined ? "" : ` of ${access.size}`}`,
  );
  add("callers", (each) => namesOf(each.frames, each.verdict.function).slice(1, 4).join(" ← ") || undefined);
  add("fault address", ({ verdict }) => (verdict.address === undefined ? undefined : hex16(virtual(verdict.address))));
  add("task", ({ subject }) => subject.comm);
  add("release", ({ context }) => context.release);
  add("hardware", ({ context }) => context.hardware);
  return facts;
}

/** What anything of a size may lie in is no kind of object. */
function ownCache(cache: string | undefined): string | undefined {
  return cache === undefined || /^(?:dma-|rcl-)?kmalloc-/.test(cache) ? undefined : cache;
}

function memberOf({ verdict: { object } }: Diagnosis): string | undefined {
  return object?.type === undefined || object.member === undefined ? undefined : `${object.type}.${object.member}`;
}

function togetherOf(a: Diagnosis, b: Diagnosis): readonly string[] {
  const lines: string[] = [];
  const both = (of: (diagnosis: Diagnosis) => string | undefined) => {
    const [first, second] = [of(a), of(b)];
    return {
      first,
      second,
      same: first !== undefined && first === second,
      differ: first !== undefined && second !== undefined && first !== second,
    };
  };
  const release = both(({ context }) => context.release);
  if (release.differ) lines.push(`It happens on ${release.first} and on ${release.second}: not on one release alone.`);
  const hardware = both(({ context }) => context.hardware);
  if (hardware.differ) lines.push(`The machines differ (${hardware.first}; ${hardware.second}): a broken machine does not explain both.`);
  const task = both(({ subject }) => subject.comm);
  if (task.same) lines.push(`Both times it was a task called ${task.first}.`);
  const racing = [a, b].map(({ sharers }) => sharers?.find(({ running }) => running));
  if (racing[0] !== undefined && racing[1] !== undefined) {
    const [one, other] = racing as [NonNullable<(typeof racing)[0]>, NonNullable<(typeof racing)[0]>];
    lines.push(
      one.function === other.function
        ? `Both times another CPU was in ${one.function} with a pointer to the same object: a race between the two is likely.`
        : `Both times another CPU had a pointer to the same object (in ${one.function}, in ${other.function}): a race is possible.`,
    );
  } else if (racing.some((each) => each !== undefined)) {
    lines.push("In one of the two another CPU had a pointer to the same object; the other does not show that any more.");
  }
  const origin = both(({ verdict }) => verdict.origin?.replace(/\b(?:0x)?[0-9a-f]{8,16}\b/g, "…"));
  if (origin.same) lines.push(`Both times the bad value came the same way: ${origin.first}.`);
  return lines;
}
