/**
 * Deadlocks: tasks that wait for each other in a circle, over locks, work items, threads and completions; and the circle of one, a task that
 * waits for a lock which it holds itself. A circle needs no report: it is one whether or not the watchdogs had the time to find it.
 */
import type { DiagnosisContext } from "../context.ts";
import type { Detector } from "../detector.ts";
import type { Finding } from "../finding.ts";
import { guarded } from "../guarded.ts";
import { circleFinding } from "./circle-finding.ts";
import { type Circle, circles, hangEdges } from "./edges.ts";
import { diedOfFault, reportedStalls } from "./reported.ts";
import { Standstill } from "./standstill.ts";

/** Circles that are told of. */
const MAX_CIRCLES = 4;

function found(context: DiagnosisContext, wanted: (circle: Circle) => boolean): readonly Finding[] {
  const still = guarded(() => Standstill.of(context.kernel));
  if (still === undefined) return [];
  const reported = reportedStalls(context);
  return circles(hangEdges(still))
    .filter(wanted)
    .slice(0, MAX_CIRCLES)
    .map((circle) => circleFinding(still, circle, reported));
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
