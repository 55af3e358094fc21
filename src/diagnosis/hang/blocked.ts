/**
 * Tasks that hang behind a holder that sleeps (lock-held-by-sleeper), or by themselves (hung-task): the chain of waits to its root, and what
 * the root waits for.
 *
 *   snmpd ─► mbox.fw_sem ─► fwupdmgr ─► completion that nobody completes
 *   hung                    root: its innermost function that means something is the place
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import { lockLayouts } from "../../linux/locking/layout.ts";
import type { ContendedLock } from "../../linux/locking/lock.ts";
import { lockSymbol, secondsSinceRun } from "../../linux/locking/lock-tasks.ts";
import { isKernelThread, type Task } from "../../linux/task.ts";
import type { DiagnosisContext } from "../context.ts";
import type { Detector } from "../detector.ts";
import type { Finding } from "../finding.ts";
import { guarded } from "../guarded.ts";
import type { Check, Evidence, LockName, Participant } from "../verdict.ts";
import { isSureHolder, sectionOf, stackOf, waitersBehind } from "./circle-finding.ts";
import type { HangEdge } from "./edges.ts";
import { type EventWait, eventObject, eventWait } from "./event-wait.ts";
import { functionText } from "./guilty-frame.ts";
import { type HungGroup, hungGroups } from "./hung.ts";
import { lockName, lockObject, lockText } from "./lock-object.ts";
import { diedOfFault, reportedStalls } from "./reported.ts";
import { type Sleep, sleepOf } from "./sleep.ts";
import { Standstill } from "./standstill.ts";
import { ageText, awaited, forText, ownerEvidence, someOf, waiter, waiterEvidence, who } from "./who.ts";
import { workName, workState } from "./work-edges.ts";

/** Roots that are told of. */
const MAX_GROUPS = 3;
const MAX_EVIDENCE = 12;

function findings(context: DiagnosisContext, wanted: "lock-held-by-sleeper" | "hung-task"): readonly Finding[] {
  const still = guarded(() => Standstill.of(context.kernel));
  if (still === undefined) return [];
  return hungGroups(still, reportedStalls(context))
    .slice(0, MAX_GROUPS)
    .flatMap((group) => {
      const last = group.chain.at(-1);
      // A work item that does not end is told by its own detector.
      if (last?.via === "work" || last?.via === "queue") return [];
      const behindLock = group.chain.some(({ via }) => via === "lock");
      const sleep = sleepOf(group.root, still.stack(group.root));
      if (!behindLock) return wanted === "hung-task" ? [aloneFinding(still, group, sleep)] : [];
      return wanted === "lock-held-by-sleeper" ? [holderFinding(still, group, sleep)] : [];
    });
}

/** A holder that sleeps with what others wait for. */
function holderFinding(still: Standstill, group: HungGroup, sleep: Sleep): Finding {
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
    checks: holderChecks(still, group, seconds, section !== undefined || left),
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
  const frames = still.stack(root)?.frames;
  if (users.has(undefined) || frames === undefined || root.active || still.mentions(root.address, lock.state.address)) return false;
  return !frames.some(({ module }) => module !== undefined && users.has(module));
}

function holderChecks(
  still: Standstill,
  { chain, hung, root }: HungGroup,
  seconds: number | undefined,
  section: boolean,
): readonly Check[] {
  const longest = hung[0]?.seconds ?? 0;
  const waits = chain.filter(({ via }) => via === "lock");
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
        still.waitOf(root.address) === undefined || /^(?:completion|folio|bit)$/.test(still.waitOf(root.address)?.kind ?? "")
          ? "held"
          : "not possible",
    },
  ];
}

/** A task that hangs by itself: nobody who holds a lock stands behind it. */
function aloneFinding(still: Standstill, group: HungGroup, sleep: Sleep): Finding {
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

function chainLine(still: Standstill, edge: HangEdge): string {
  const own = stackOf(still, edge.from.address);
  const since = edge.seconds === undefined ? "" : ` (blocked for ${ageText(edge.seconds)})`;
  return `${who(edge.from)} waits${own === undefined ? "" : ` in ${own.text}`} for ${awaited(still, edge)}, which ${edge.via === "lock" ? "is held by" : "depends on"} ${who(edge.to)}${since}.`;
}

/** What the root itself waits for, as far as it can be said. */
function rootWait(still: Standstill, root: Task, sleep: Sleep): readonly string[] {
  const lock = still.lockOf(root.address);
  const lines: string[] = [];
  if (lock?.state.kind === "completion") {
    lines.push(
      `The ${lockText(lockName(still, lock))} is not completed; a completion has no owner, so who should have done it is not recorded.`,
    );
  }
  const worker = workState(still.kernel).busy.find(({ task }) => task === root.address);
  if (worker !== undefined) lines.push(`It is a worker that runs the work item ${workName(worker)}.`);
  if (sleep.kind === "timer") lines.push("It wakes by itself, and sleeps again as long as what it polls for does not come.");
  if (sleep.kind === "exited") lines.push("It exited without releasing the lock.");
  return lines;
}

function completionEvidence(still: Standstill, task: VirtualAddress): Evidence[] {
  const lock = still.lockOf(task);
  if (lock?.state.kind !== "completion") return [];
  return [
    {
      claim: `${lockText(lockName(still, lock))} is not completed: done is ${lock.state.count ?? "?"}`,
      command: `struct completion.done ${lock.state.address.toString(16)}`,
      values: lock.state.count === undefined ? [] : [{ address: lock.state.address, value: BigInt(lock.state.count) }],
    },
  ];
}

function eventLines(still: Standstill, event: EventWait | undefined): string[] {
  if (event === undefined) return [];
  return [`It sleeps on the wait queue ${eventName(still, event)}: whoever is to wake it has not, or what it waits for has not come.`];
}

function eventName({ kernel }: Standstill, { queue, container }: EventWait): string {
  if (container !== undefined) return `${container.type.replace(/^struct /, "")}.${container.member} at ${queue.toString(16)}`;
  return lockSymbol(kernel, queue) ?? `at ${queue.toString(16)}`;
}

function eventEvidence(still: Standstill, root: Task, event: EventWait | undefined): Evidence[] {
  const field = lockLayouts(still.kernel).waitEntry?.task;
  if (event === undefined || field === undefined) return [];
  const at = field.address(event.entry);
  return [
    {
      claim: `${who(root)} is linked in the wait queue ${eventName(still, event)}`,
      command: `rd ${at.toString(16)}`,
      values: [{ address: at, value: root.address }],
    },
  ];
}

export function edgeEvidence(still: Standstill, edge: HangEdge): Evidence[] {
  return [
    ...waiterEvidence(still, edge),
    ...(edge.via === "lock" && edge.lock !== undefined ? ownerEvidence(still, edge.lock) : []),
    ...edge.evidence,
  ];
}

function stackEvidence(root: Task, sleep: Sleep): Evidence {
  return { claim: `the stack of ${who(root)}: it ${sleep.text}`, command: `bt ${root.pid}`, values: [] };
}

function participants(
  still: Standstill,
  { root, hung }: HungGroup,
  behind: readonly HangEdge[],
  holds: readonly LockName[],
): readonly Participant[] {
  const lock = still.lockOf(root.address);
  const sleep = sleepOf(root, still.stack(root));
  const seconds = secondsSinceRun(still.kernel, root);
  const known = new Set([root.address, ...behind.map(({ from }) => from.address)]);
  return [
    {
      pid: root.pid,
      comm: root.comm,
      task: root.address,
      role: `${holds.length === 0 ? "" : `holds ${holds.map(lockText).join(", ")}, `}${sleep.text}`,
      ...(holds.length === 0 ? {} : { holds }),
      ...(lock === undefined ? {} : { waitsFor: lockName(still, lock) }),
      ...(seconds === undefined ? {} : { blockedFor: seconds }),
      central: true,
    },
    ...behind.map((edge) => waiter(still, edge, [], false)),
    ...hung
      .filter(({ task }) => !known.has(task.address))
      .map(
        ({ task, seconds: since }): Participant => ({
          pid: task.pid,
          comm: task.comm,
          task: task.address,
          role: "hangs too",
          ...(since === undefined ? {} : { blockedFor: since }),
        }),
      ),
  ];
}

export const lockHeldBySleeper: Detector = {
  name: "lock-held-by-sleeper",
  classes: ["lock-held-by-sleeper"],
  needs: ["a task that hangs on a lock", "the lock's holder, which waits for no lock itself"],
  refutedBy: [
    "a wait that is not recorded in the lock",
    "a holder that the lock does not name",
    "a holder that had the lock only for a moment",
  ],
  appliesTo: (context) => !diedOfFault(context),
  detect: (context) => findings(context, "lock-held-by-sleeper"),
};

export const hungTask: Detector = {
  name: "hung-task",
  classes: ["hung-task"],
  needs: ["a task that the kernel reported, or that sleeps uninterruptibly for longer than the kernel allows"],
  refutedBy: ["what it waits for has happened", "it does not sleep any more"],
  appliesTo: (context) => !diedOfFault(context),
  detect: (context) => findings(context, "hung-task"),
};
