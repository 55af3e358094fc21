/**
 * Who holds a spinlock that CPUs spin for: the word names nobody, and code mostly keeps the address of the structure around it rather than
 * the lock's own. So the running tasks' code is asked: one that took this very lock in a function which stands on its stack holds it.
 *
 *   CPU 0  tx_kick      _raw_spin_lock_irqsave(&queue->lock) …  ► loops on          holds it
 *   CPU 1  tx_feed      _raw_spin_lock(&queue->lock)            ► spins
 */
import { lockTask } from "../../linux/locking/lock-tasks.ts";
import { activeTasks } from "../../linux/task.ts";
import type { HangEdge } from "./edges.ts";
import { functionText } from "./guilty-frame.ts";
import { heldSection } from "./held-section.ts";
import { isSpin } from "./lock-object.ts";
import type { Standstill } from "./standstill.ts";

/** CPUs whose code is looked at for one lock. */
const MAX_CPUS = 64;

export function spinEdges(still: Standstill): HangEdge[] {
  const open = still.report.locks.filter(({ state, holders, waits }) => isSpin(state.kind) && holders.length === 0 && waits.length > 0);
  if (open.length === 0) return [];
  const running = activeTasks(still.kernel)
    .filter(({ task }) => !task.idle || still.waitOf(task.address) !== undefined)
    .slice(0, MAX_CPUS);
  return open.flatMap((lock): HangEdge[] => {
    for (const { task } of running) {
      const section = heldSection(still, task, lock.state.kind, lock.state.address);
      if (section === undefined) continue;
      const owner = lockTask(task);
      const known = `${owner.comm} took the lock in ${functionText(section)}, which stands on its stack`;
      const held = { ...lock, holders: [{ task: owner, mode: "owner" as const, certainty: "exact" as const, evidence: known }] };
      return lock.waits.map((wait) => ({
        from: wait.task,
        to: owner,
        via: "lock" as const,
        certainty: wait.verified ? ("exact" as const) : ("likely" as const),
        lock: held,
        what: lock.state.symbol ?? `the ${lock.state.kind} at ${lock.state.address.toString(16)}`,
        seconds: wait.seconds,
        known: `${wait.evidence}; ${known}`,
        evidence: [],
      }));
    }
    return [];
  });
}
