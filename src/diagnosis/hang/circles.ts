/**
 * Deadlocks: tasks that wait for each other in a circle, over locks, work items, threads and completions; and the circle of one, a task that
 * waits for a lock which it holds itself. A circle needs no report: it is one whether or not the watchdogs had the time to find it.
 */
import type { Task } from "../../linux/task.ts";
import type { DiagnosisContext } from "../context.ts";
import type { Detector } from "../detector.ts";
import type { Finding } from "../finding.ts";
import { circleFinding, isSpin } from "./circle-finding.ts";
import { type Circle, circles, type HangEdge, hangEdges } from "./edges.ts";
import { guarded } from "./guarded.ts";
import { heldSection } from "./held-section.ts";
import { diedOfFault, reportedStalls } from "./reported.ts";
import { Standstill } from "./standstill.ts";

/** Circles that are told of. */
const MAX_CIRCLES = 4;

function found(context: DiagnosisContext, wanted: (circle: Circle) => boolean): readonly Finding[] {
  const still = guarded(() => Standstill.of(context.kernel));
  if (still === undefined) return [];
  const reported = reportedStalls(context);
  return allCircles(still)
    .filter(wanted)
    .slice(0, MAX_CIRCLES)
    .map((circle) => circleFinding(still, circle, reported));
}

/** Circles of edges, and CPUs that spin for a spinlock which their own code took. */
export function allCircles(still: Standstill): readonly Circle[] {
  return still.kernel.memo(allCircles, () => {
    const edges = hangEdges(still);
    const known = circles(edges);
    const spinning = still.report.locks.flatMap((lock) =>
      isSpin(lock.state.kind) && lock.holders.length === 0 ? lock.waits.map((wait) => ({ lock, wait })) : [],
    );
    const own = spinning.flatMap(({ lock, wait }): Circle[] => {
      const task: Task | undefined = still.task(wait.task.address);
      const section = task === undefined ? undefined : heldSection(still, task, lock.state.kind, lock.state.address);
      if (section === undefined) return [];
      const edge: HangEdge = {
        from: wait.task,
        to: wait.task,
        via: "lock",
        certainty: "exact",
        lock: {
          ...lock,
          holders: [
            {
              task: wait.task,
              mode: "owner",
              certainty: "exact",
              evidence: `it took the lock in ${section.function}, further out on its own stack`,
            },
          ],
        },
        what: lock.state.symbol ?? `the spinlock at ${lock.state.address.toString(16)}`,
        seconds: wait.seconds,
        known: wait.evidence,
        evidence: [],
      };
      const others = lock.waits.filter((each) => each.task.address !== wait.task.address);
      return [{ edges: [edge], behind: others.map((each) => ({ ...edge, from: each.task, seconds: each.seconds, known: each.evidence })) }];
    });
    return [...known, ...own];
  });
}

const NEEDS = ["the stacks of sleeping and spinning tasks", "the locks they wait for, with their lists of waiters and owner words"];

export const deadlock: Detector = {
  name: "deadlock",
  classes: ["deadlock"],
  needs: NEEDS,
  refutedBy: [
    "a wait that is not recorded in its lock",
    "an owner that the lock does not name",
    "a member of the circle that can run",
    "a wait that ends after a time",
  ],
  appliesTo: (context) => !diedOfFault(context),
  detect: (context) => found(context, ({ edges }) => edges.length > 1),
};

export const selfDeadlock: Detector = {
  name: "self-deadlock",
  classes: ["self-deadlock"],
  needs: NEEDS,
  refutedBy: ["another task that may hold the lock", "a wait that is not recorded in the lock"],
  appliesTo: (context) => !diedOfFault(context),
  detect: (context) => found(context, ({ edges }) => edges.length === 1),
};
