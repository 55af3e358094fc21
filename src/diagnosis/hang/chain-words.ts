/** A chain of waits in words: its edges, what its root waits for, evidence and participants; what findings of sleepers and of hung tasks say alike. */
import type { VirtualAddress } from "../../bytes/address.ts";
import { lockLayouts } from "../../linux/locking/layout.ts";
import type { LockKind } from "../../linux/locking/lock.ts";
import { lockSymbol, secondsSinceRun } from "../../linux/locking/lock-tasks.ts";
import type { Task } from "../../linux/task.ts";
import type { Evidence, LockName, Participant } from "../verdict.ts";
import { stackOf } from "./circle-finding.ts";
import type { HangEdge } from "./edges.ts";
import type { EventWait } from "./event-wait.ts";
import type { HungGroup } from "./hung.ts";
import { lockName, lockText } from "./lock-object.ts";
import { pageLines } from "./page-wait.ts";
import { type Sleep, sleepOf } from "./sleep.ts";
import type { Standstill } from "./standstill.ts";
import { ageText, awaited, ownerEvidence, waiter, waiterEvidence, who } from "./who.ts";
import { workName, workState } from "./work-edges.ts";

/** Evidence that is told of one finding. */
export const MAX_EVIDENCE = 12;

export function chainLine(still: Standstill, edge: HangEdge): string {
  const own = stackOf(still, edge.from.address);
  const since = edge.seconds === undefined ? "" : ` (blocked for ${ageText(edge.seconds)})`;
  return `${who(edge.from)} waits${own === undefined ? "" : ` in ${own.text}`} for ${awaited(still, edge)}, which ${edge.via === "lock" ? "is held by" : "depends on"} ${who(edge.to)}${since}.`;
}

/** What the root itself waits for, as far as it can be said. */
export function rootWait(still: Standstill, root: Task, sleep: Sleep): readonly string[] {
  const lock = still.lockOf(root.address);
  const lines: string[] = [];
  if (lock?.state.kind === "completion") {
    lines.push(
      `The ${lockText(lockName(still, lock))} is not completed; a completion has no owner, so who should have done it is not recorded.`,
    );
  }
  const nobody = lock === undefined || lock.holders.length > 0 ? undefined : NAMELESS[lock.state.kind];
  lines.push(...pageLines(still, root.address));
  if (nobody !== undefined) lines.push(nobody);
  if (sleep.kind === "RCU") lines.push(readersLine(still, root));
  const worker = workState(still.kernel).busy.find(({ task }) => task === root.address);
  if (worker !== undefined) lines.push(`It is a worker that runs the work item ${workName(worker)}.`);
  if (sleep.kind === "timer")
    lines.push("It wakes by itself when its time is over, perhaps only to sleep again: what it holds stays held meanwhile.");
  if (sleep.kind === "exited") lines.push("It exited without releasing the lock.");
  return lines;
}

/** Locks that do not say who holds them: where code and stacks do not either, it cannot be known. */
const NAMELESS: Readonly<Partial<Record<LockKind, string>>> = {
  semaphore: "A semaphore keeps no owner, and no task's code or stack shows who took it: its holder cannot be known from the dump.",
  rwsem: "A rw_semaphore keeps no more than its last reader: who else is inside cannot be known from the dump.",
  percpu_rwsem: "Its readers are counted per CPU, not named, and its writer is not kept: who is inside cannot be known from the dump.",
  folio: "A page's flag names no owner: who locked it, or writes it back, cannot be known from the dump.",
  bit: "A bit names no owner: who is to clear it cannot be known from the dump.",
};

function readersLine(still: Standstill, root: Task): string {
  const srcu = still.stack(root)?.frames.some(({ function: name }) => /srcu/.test(name ?? "")) === true;
  return srcu
    ? "SRCU counts its readers per CPU and names none: of no task that sleeps the code shows that it is inside."
    : "No reader is listed that went off its CPU inside rcu_read_lock(): the grace period waits for a CPU, or for its own thread (rcu).";
}

export function completionEvidence(still: Standstill, task: VirtualAddress): Evidence[] {
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

export function eventLines(still: Standstill, event: EventWait | undefined): string[] {
  if (event === undefined) return [];
  return [`It sleeps on the wait queue ${eventName(still, event)}: whoever is to wake it has not, or what it waits for has not come.`];
}

function eventName({ kernel }: Standstill, { queue, container }: EventWait): string {
  if (container !== undefined) return `${container.type.replace(/^struct /, "")}.${container.member} at ${queue.toString(16)}`;
  return lockSymbol(kernel, queue) ?? `at ${queue.toString(16)}`;
}

export function eventEvidence(still: Standstill, root: Task, event: EventWait | undefined): Evidence[] {
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

export function stackEvidence(root: Task, sleep: Sleep): Evidence {
  return { claim: `the stack of ${who(root)}: it ${sleep.text}`, command: `bt ${root.pid}`, values: [] };
}

export function participants(
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
