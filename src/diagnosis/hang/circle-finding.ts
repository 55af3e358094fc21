/**
 * A circle of waits as a finding: who holds what and waits for what, each edge checked, the innocent behind, and the function to look at.
 *
 *   high    each wait is recorded where it is waited for, and each holder is named by the lock itself, or is the only one that can be it
 */

import type { VirtualAddress } from "../../bytes/address.ts";
import type { Finding } from "../finding.ts";
import type { Check, Evidence, LockName, VerdictFrame } from "../verdict.ts";
import { verdictStack } from "../verdict-stack.ts";
import { type Circle, chainFrom, type HangEdge, hangEdges } from "./edges.ts";
import { functionText, guiltyFrame, placeOf, struckFrame } from "./guilty-frame.ts";
import { type HeldSection, heldSection } from "./held-section.ts";
import { containerAround, isSpin, lockName, lockObject, lockText } from "./lock-object.ts";
import type { ReportedStall } from "./reported.ts";
import type { Standstill } from "./standstill.ts";
import { stoppedCpus } from "./stopped-cpu.ts";
import { actor, ageText, awaited, forText, ownerEvidence, someOf, waiter, waiterEvidence, who } from "./who.ts";

/** Evidence that is told of one circle. */
const MAX_EVIDENCE = 12;

/** Seconds without a tick that contention never takes. */
const STUCK = 1;
/** Seconds that tasks queue for a lock which is in use. */
const CONTENDED = 10;

/**
 * The holder is beyond doubt: the lock's owner field names it; it is the only reader, no other stack names the lock, and its own code or
 * stack does; of a spinlock, its code took it, or it is the only running task that names it and CPUs have stood still over it.
 */
export function isSureHolder(still: Standstill, edge: HangEdge): boolean {
  const { lock, to, from } = edge;
  if (edge.via !== "lock") return edge.certainty === "exact";
  const holder = lock?.holders.find(({ task }) => task.address === to.address);
  if (lock === undefined || holder === undefined) return false;
  // A mutex that is being handed over names its next owner, who waits still.
  if (holder.certainty === "exact") return !(from.address === to.address && lock.state.flags.includes("pickup"));
  if (lock.holders.length !== 1) return false;
  if (sectionOf(still, edge) !== undefined) return lock.state.kind !== "rwsem" || lock.state.readers === 1;
  // Who waits for a lock has its address on the stack anyway.
  if (lock.state.kind === "rwsem")
    return lock.state.readers === 1 && from.address !== to.address && still.mentions(to.address, lock.state.address);
  if (!isSpin(lock.state.kind) || still.task(to.address)?.active !== true) return false;
  return stoppedCpus(still).some(
    ({ task, noTick }) => (task.address === from.address || task.address === to.address) && (noTick ?? 0) >= STUCK,
  );
}

/** Where the holder's own code took the lock. */
export function sectionOf(still: Standstill, { lock, to }: Pick<HangEdge, "lock" | "to">): HeldSection | undefined {
  const task = still.task(to.address);
  return lock === undefined || task === undefined ? undefined : heldSection(still, task, lock.state.kind, lock.state.address);
}

/** The wait is recorded in what is waited for: a linked waiter, a spinlock's queue or argument, a barrier. */
function isSureWait(still: Standstill, edge: HangEdge): boolean {
  const recorded = edge.via === "lock" || (edge.via === "completion" && edge.lock !== undefined);
  // A wait queue was found by the entry that is linked in it.
  return recorded ? (still.waitOf(edge.from.address)?.verified ?? false) : edge.via === "completion" || edge.certainty === "exact";
}

/** A wait that gives up by itself has not lasted: it may yet end the circle. */
function mayEnd(still: Standstill, edge: HangEdge): boolean {
  const wait = still.waitOf(edge.from.address);
  return wait !== undefined && /_timeout/.test(wait.through) && (edge.seconds ?? 0) < 60;
}

/** @param told pids that the kernel reported as hung: it let them wait for longer than it allows */
export function circleChecks(still: Standstill, edges: readonly HangEdge[], told: ReadonlySet<number> = new Set()): readonly Check[] {
  const every = (test: (edge: HangEdge) => boolean): Check["result"] => (edges.every(test) ? "held" : "not possible");
  const blocked = edges.every(({ from }) => still.task(from.address)?.active === true || /^(?:UN|IN|ID)$/.test(from.state));
  return [
    {
      what: edges.length === 1 ? "its wait is recorded in the lock" : "each wait is recorded in what it is for",
      result: every((edge) => isSureWait(still, edge)),
    },
    {
      what:
        edges.length === 1
          ? "the lock's holder is the very task that waits for it"
          : "each of them is held up by the next: the lock names it as its owner, or nobody else can be it",
      result: every((edge) => isSureHolder(still, edge)),
    },
    { what: "all of them still sleep, or spin, in their waits", result: blocked ? "held" : "refuted" },
    { what: "none of the waits ends by itself after a time", result: edges.some((edge) => mayEnd(still, edge)) ? "not possible" : "held" },
    ...(edges.every((edge) => isSureHolder(still, edge)) ||
    edges.every(({ from, seconds }) => told.has(from.pid) || (seconds ?? CONTENDED) >= CONTENDED)
      ? []
      : [{ what: "all have waited for longer than a lock in use makes tasks wait", result: "not possible" as const }]),
  ];
}

/** Locks that a member of the circle holds and the one before it waits for. */
function heldBy(still: Standstill, edges: readonly HangEdge[], task: VirtualAddress): LockName[] {
  return edges.flatMap(({ to, lock, via }) => (to.address === task && lock !== undefined && via === "lock" ? [lockName(still, lock)] : []));
}

/** The member whose stack is shown: the one that the kernel reported, else the first. */
function spokesman(edges: readonly HangEdge[], reported: readonly ReportedStall[]): HangEdge {
  const told = new Set(reported.map(({ pid }) => pid));
  return edges.find(({ from }) => told.has(from.pid)) ?? (edges[0] as HangEdge);
}

export interface Stack {
  readonly frames: readonly VerdictFrame[];
  readonly place: ReturnType<typeof placeOf>;
  readonly text: string;
}

/** A task's stack from the code that matters on, with its guilty frame. */
export function stackOf(still: Standstill, address: VirtualAddress): Stack | undefined {
  const task = still.task(address);
  const stack = task === undefined ? undefined : still.stack(task);
  if (task === undefined || stack === undefined) return undefined;
  const from = task.active ? struckFrame(stack) : 0;
  const guilty = guiltyFrame(stack, from);
  const frames = verdictStack(still.kernel, stack, guilty, from);
  return { frames, place: placeOf(stack, guilty, frames), text: functionText(guilty === undefined ? undefined : stack.frames[guilty]) };
}

export function circleFinding(still: Standstill, { edges, behind }: Circle, reported: readonly ReportedStall[]): Finding {
  const told = spokesman(edges, reported);
  const shown = stackOf(still, told.from.address);
  const alone = edges.length === 1;
  const evidence: Evidence[] = [];
  for (const edge of edges) {
    evidence.push(
      ...waiterEvidence(still, edge),
      ...(edge.via === "lock" && edge.lock !== undefined ? ownerEvidence(still, edge.lock) : []),
      ...edge.evidence,
    );
    const section = alone || isSpin(edge.lock?.state.kind) ? sectionOf(still, edge) : undefined;
    if (section !== undefined)
      evidence.push({
        claim: `${actor(still, edge.to)} took it in ${functionText(section)}: ${section.by}()`,
        command: `dis ${section.at.toString(16)} 1`,
        values: [],
      });
  }
  const lock = told.lock ?? edges.find((each) => each.lock !== undefined)?.lock;
  const object = lock === undefined ? itemObject(still, told, shown) : lockObject(still, lock);
  const longest = Math.max(0, ...edges.map(({ seconds }) => seconds ?? 0));
  return {
    class: alone ? "self-deadlock" : "deadlock",
    title: alone
      ? selfTitle(still, told, shown)
      : `${edges.map(({ from }) => actor(still, from)).join(", ")} wait for each other in a circle${longest >= 1 ? forText(longest) : ""}${behind.length === 0 ? "" : `; ${behind.length} more ${behind.length === 1 ? "waits" : "wait"} behind them`}`,
    depth: "cause",
    checks: circleChecks(still, edges, new Set(reported.filter(({ kind }) => kind === "hung task").flatMap(({ pid }) => pid ?? []))),
    ...(object === undefined ? {} : { object }),
    ...(shown === undefined ? {} : { place: shown.place, frames: shown.frames }),
    ...(alone ? {} : { namedBy: circleName(still, edges) }),
    story: story(still, edges, behind, shown),
    evidence: evidence.slice(0, MAX_EVIDENCE),
    participants: [
      ...edges.map((edge) => waiter(still, edge, heldBy(still, edges, edge.from.address), true)),
      ...behind.map((edge) => waiter(still, edge, [], false)),
    ],
    subject: {
      pid: told.from.pid,
      comm: told.from.comm,
      ...(still.task(told.from.address)?.active === true ? { cpu: told.from.cpu } : {}),
    },
  };
}

/** The work item that is waited for, with the structure around it. */
function itemObject(still: Standstill, { item }: HangEdge, shown: Stack | undefined): Finding["object"] {
  if (item === undefined) return undefined;
  const container = containerAround(still, item, "work_struct", shown?.place.module === undefined ? [] : [shown.place.module]);
  return {
    type: container?.type ?? "struct work_struct",
    ...(container === undefined ? {} : { member: container.member }),
    address: item,
  };
}

/** The same from wherever one begins to tell: who reported first, and who was struck first, is chance. */
function circleName(still: Standstill, edges: readonly HangEdge[]): NonNullable<Finding["namedBy"]> {
  const functions = edges.flatMap(({ from }) => stackOf(still, from.address)?.place.function ?? []);
  const locks = edges.flatMap(({ lock }) => (lock === undefined ? [] : [lockName(still, lock).name]));
  const known = locks.flatMap((name) => (name === undefined ? [] : [name]));
  const member = known.length === 0 || known.length < locks.length ? {} : { member: [...new Set(known)].sort().join("+") };
  return { functions: [...new Set(functions)].sort(), ...member };
}

function selfTitle(still: Standstill, edge: HangEdge, shown: Stack | undefined): string {
  if (edge.via !== "lock")
    return `${actor(still, edge.from)} waits for ${awaited(still, edge)}${shown === undefined ? "" : `, in ${shown.text}`}`;
  const mode = still.waitOf(edge.from.address)?.mode;
  const how = edge.lock?.state.held === "read" && mode === "write" ? " for writing, which it holds for reading" : ", which it holds itself";
  return `${actor(still, edge.from)} waits for ${awaited(still, edge)}${how}${shown === undefined ? "" : `, in ${shown.text}`}`;
}

function story(still: Standstill, edges: readonly HangEdge[], behind: readonly HangEdge[], shown: Stack | undefined): string[] {
  const lines = edges.map((edge, index) => {
    const held = heldBy(still, edges, edge.from.address);
    const own = stackOf(still, edge.from.address);
    const place = own === undefined ? "" : ` in ${own.text}`;
    const closes = edges.length > 1 && index === edges.length - 1 ? ", which closes the circle" : "";
    const since = edge.seconds === undefined ? "" : ` (blocked for ${ageText(edge.seconds)})`;
    return `${actor(still, edge.from)}${held.length === 0 ? "" : ` holds ${held.map(lockText).join(", ")} and`} waits${place} for ${awaited(still, edge)}${since}${closes}.`;
  });
  const [first] = edges;
  const section = edges.length === 1 && first !== undefined ? sectionOf(still, first) : undefined;
  if (section !== undefined)
    lines.push(
      `It took the lock before in ${functionText(section)} (${section.by}), which has not given it back: ${shown?.text ?? "it"} runs inside that section.`,
    );
  lines.push(
    edges.length === 1
      ? first?.via === "lock"
        ? "Nobody else can release it: it will wait for ever."
        : "Only it could bring that about: it will wait for ever."
      : "None of them can go on before another does: this never ends.",
  );
  if (behind.length > 0) lines.push(`Others wait behind, without any part in it: ${someOf(behind.map(({ from }) => who(from)))}.`);
  return lines;
}

/** Everyone who waits, directly or not, for a task. */
export function waitersBehind(still: Standstill, task: VirtualAddress): readonly HangEdge[] {
  const edges = hangEdges(still);
  return [...edges.values()]
    .filter(({ from }) => from.address !== task && chainFrom(edges, from.address).some(({ to }) => to.address === task))
    .sort((a, b) => (b.seconds ?? 0) - (a.seconds ?? 0) || a.from.pid - b.from.pid);
}
