/** A holder that sleeps with a lock that others wait for, or left with it held, as a finding. */

import type { ContendedLock } from "../../linux/locking/lock.ts";
import { secondsSinceRun } from "../../linux/locking/lock-tasks.ts";
import type { Task } from "../../linux/task.ts";
import type { Finding } from "../finding.ts";
import type { Check } from "../verdict.ts";
import { chainLine, edgeEvidence, eventLines, MAX_EVIDENCE, participants, rootWait, stackEvidence } from "./chain-words.ts";
import { isSureHolder, sectionOf, stackOf, waitersBehind } from "./circle-finding.ts";
import type { HangEdge } from "./edges.ts";
import { eventWait } from "./event-wait.ts";
import { functionText } from "./guilty-frame.ts";
import type { HungGroup } from "./hung.ts";
import { lockName, lockObject, lockText } from "./lock-object.ts";
import type { Sleep } from "./sleep.ts";
import type { Standstill } from "./standstill.ts";
import { forText, who } from "./who.ts";

/** A holder that sleeps with what others wait for. */
export function holderFinding(still: Standstill, group: HungGroup, sleep: Sleep): Finding {
  const { root, chain, hung } = group;
  const last = chain.findLast(({ via }) => via === "lock") as HangEdge;
  const lock = last.lock as ContendedLock;
  const shown = stackOf(still, root.address);
  const seconds = secondsSinceRun(still.kernel, root);
  const section = sectionOf(still, last);
  const name = lockName(still, lock);
  const longest = hung[0]?.seconds;
  const behind = waitersBehind(still, root.address);
  const left = section === undefined && hasLeft(still, root, lock);
  // Who took it is gone from there: what can be shown is where the victims wait.
  const place = left ? (stackOf(still, last.from.address) ?? shown) : shown;
  const story = [
    ...chain.map((edge) => chainLine(still, edge)),
    `${who(root)} ${sleep.text}${sleep.kind === "running" ? "" : forText(seconds)}${shown?.place.function === undefined ? "" : `, in ${shown.text}`}, with ${lockText(name)} held: ${behind.length} ${behind.length === 1 ? "task waits" : "tasks wait"} behind it.`,
    ...(section === undefined
      ? []
      : [`It took the lock in ${functionText(section)} (${section.by}), which stands on its stack and has not given it back.`]),
    ...(left
      ? [
          "None of its frames is in code that uses the lock, and its stack does not name it: it left with the lock held, by a way that forgets to release it.",
        ]
      : []),
    ...eventLines(still, sleep.kind === "event" ? eventWait(still, root) : undefined),
    ...rootWait(still, root, sleep),
  ];
  return {
    class: "lock-held-by-sleeper",
    title: `${who(root)} ${left ? "left with" : `${sleep.text} in ${shown?.text ?? "the kernel"} holding`} ${lockText(name)}${left ? " held" : ""}; ${behind.length} ${behind.length === 1 ? "task waits" : "tasks wait"} for it${forText(longest)}`,
    depth: "mechanism",
    checks: holderChecks(still, group, sleep, seconds, section !== undefined || left),
    object: lockObject(still, lock),
    ...(place === undefined ? {} : { place: place.place, frames: place.frames }),
    story,
    evidence: [
      ...chain.flatMap((edge) => edgeEvidence(still, edge)),
      ...(section === undefined
        ? []
        : [
            {
              claim: `${who(root)} took the lock in ${functionText(section)}: ${section.by}()`,
              command: `dis ${section.at.toString(16)} 1`,
              values: [],
            },
          ]),
      stackEvidence(root, sleep),
    ].slice(0, MAX_EVIDENCE),
    participants: participants(still, group, behind, [name]),
    subject: { pid: root.pid, comm: root.comm },
  };
}

/** The holder is not in the code of the modules that wait for the lock any more, nor does its stack name it. */
function hasLeft(still: Standstill, root: Task, lock: ContendedLock): boolean {
  const users = new Set(lock.waits.map(({ module }) => module));
  const stack = still.stack(root);
  // Of a stack that ends early nobody knows where it has been.
  const frames = stack?.stop.complete === true ? stack.frames : undefined;
  if (users.has(undefined) || frames === undefined || root.active || still.mentions(root.address, lock.state.address)) return false;
  return !frames.some(({ module }) => module !== undefined && users.has(module));
}

function holderChecks(
  still: Standstill,
  { chain, hung, root }: HungGroup,
  sleep: Sleep,
  seconds: number | undefined,
  section: boolean,
): readonly Check[] {
  const longest = hung[0]?.seconds ?? 0;
  const waits = chain.filter(({ via }) => via === "lock");
  const seen = sleep.kind !== "event" || still.stack(root)?.stop.complete === true;
  const steady = section || (seconds !== undefined && seconds >= longest / 2);
  return [
    {
      what: "each wait is recorded in the lock that it is for",
      result: waits.every(({ from }) => still.waitOf(from.address)?.verified === true) ? "held" : "not possible",
    },
    {
      what: "each lock names its holder, or nobody else can be it",
      result: waits.every((edge) => isSureHolder(still, edge)) ? "held" : "not possible",
    },
    {
      what: "the holder has had the lock for as long as others wait: it sleeps inside the section that it protects, or left it held",
      result: steady ? "held" : "not possible",
    },
    {
      what: "the holder waits for no lock itself",
      result:
        (seen && still.waitOf(root.address) === undefined) || /^(?:completion|folio|bit)$/.test(still.waitOf(root.address)?.kind ?? "")
          ? "held"
          : "not possible",
    },
  ];
}
