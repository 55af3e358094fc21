/** A task that hangs by itself as a finding: nobody who holds a lock stands behind it. */
import type { ContendedLock } from "../../linux/locking/lock.ts";
import { isKernelThread } from "../../linux/task.ts";
import type { Finding } from "../finding.ts";
import type { Check } from "../verdict.ts";
import {
  chainLine,
  completionEvidence,
  edgeEvidence,
  eventEvidence,
  eventLines,
  MAX_EVIDENCE,
  participants,
  rootWait,
  stackEvidence,
} from "./chain-words.ts";
import { stackOf, waitersBehind } from "./circle-finding.ts";
import { eventObject, eventWait } from "./event-wait.ts";
import type { HungGroup } from "./hung.ts";
import { lockName, lockObject, lockText } from "./lock-object.ts";
import { pageEvidence } from "./page-wait.ts";
import type { Sleep } from "./sleep.ts";
import type { Standstill } from "./standstill.ts";
import { forText, someOf, who } from "./who.ts";

/** A task that hangs by itself: nobody who holds a lock stands behind it. */
export function aloneFinding(still: Standstill, group: HungGroup, sleep: Sleep): Finding {
  const { root, hung, chain } = group;
  const [first] = hung;
  const wait = still.waitOf(root.address);
  const lock = still.lockOf(root.address);
  const shown = stackOf(still, root.address);
  const seconds = first?.seconds;
  const event = lock === undefined && sleep.kind === "event" ? eventWait(still, root) : undefined;
  const name = lock === undefined ? undefined : lockName(still, lock);
  const told = chain.length === 0 ? who(root) : `${who(first?.task ?? root)} (for ${who(root)})`;
  const holders = lock === undefined || wait?.kind === "completion" ? [] : lock.holders;
  const gone = lock !== undefined && ownerIsGone(lock);
  const what =
    gone && name !== undefined
      ? `waits for ${lockText(name)}, whose owner has exited without releasing it`
      : name === undefined
        ? sleep.text
        : `waits for ${lockText(name)}${holders.length === 0 ? "" : `, which ${holders.map(({ task }) => who(task)).join(" or ")} may hold`}`;
  return {
    class: "hung-task",
    title: `${told} ${what}${forText(seconds)}${shown === undefined ? "" : ` in ${shown.text}`}`,
    ...(!gone ? {} : { depth: "mechanism" as const }),
    checks: aloneChecks(still, group),
    ...(lock !== undefined ? { object: lockObject(still, lock) } : event !== undefined ? { object: eventObject(event) } : {}),
    ...(shown === undefined ? {} : { place: shown.place, frames: shown.frames }),
    story: [
      ...chain.map((edge) => chainLine(still, edge)),
      `${who(root)} ${what}${forText(seconds)}${shown === undefined ? "" : `, in ${shown.text}`}; ${isKernelThread(root) ? "a thread of the kernel" : "a process"} that no signal wakes.`,
      ...eventLines(still, event),
      ...rootWait(still, root, sleep),
      ...(hung.length > 1 ? [`It hangs with ${hung.length - 1} more: ${someOf(hung.slice(1).map(({ task }) => who(task)))}.`] : []),
    ],
    evidence: [
      ...chain.flatMap((edge) => edgeEvidence(still, edge)),
      ...completionEvidence(still, root.address),
      ...eventEvidence(still, root, event),
      ...pageEvidence(still, root.address),
      stackEvidence(root, sleep),
    ].slice(0, MAX_EVIDENCE),
    participants: participants(still, group, waitersBehind(still, root.address), []),
    subject: { pid: root.pid, comm: root.comm },
  };
}

/** The owner word names a task that is no more: it left without releasing the lock. */
function ownerIsGone({ state, holders }: ContendedLock): boolean {
  return holders.length === 0 && state.problems.some((problem) => /^its owner .* is no task that exists/.test(problem));
}

function aloneChecks(still: Standstill, { root, hung, reported }: HungGroup): readonly Check[] {
  const lock = still.lockOf(root.address);
  const wait = still.waitOf(root.address);
  const completion = wait?.kind === "completion" && lock !== undefined;
  const gone = lock !== undefined && ownerIsGone(lock);
  return [
    { what: "the kernel reported it as hung, and it sleeps still", result: reported ? "held" : "not possible" },
    {
      what: "it sleeps uninterruptibly, and neither a signal nor idling by design explains that",
      result: hung.length > 0 ? "held" : "not possible",
    },
    ...(completion
      ? [{ what: "nobody has completed what it waits for", result: lock.state.count === 0 ? ("held" as const) : ("refuted" as const) }]
      : []),
    ...(wait !== undefined && !completion && !gone && !/^(?:folio|bit)$/.test(wait.kind)
      ? [{ what: "who holds the lock that it waits for is known", result: "not possible" as const }]
      : []),
  ];
}
