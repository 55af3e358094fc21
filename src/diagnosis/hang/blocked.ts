/**
 * Tasks that hang behind a holder that sleeps (lock-held-by-sleeper), or by themselves (hung-task): the chain of waits to its root, and what
 * the root waits for.
 *
 *   snmpd ─► mbox.fw_sem ─► fwupdmgr ─► completion that nobody completes
 *   hung                    root: its innermost function that means something is the place
 */
import type { DiagnosisContext } from "../context.ts";
import type { Detector } from "../detector.ts";
import type { Finding } from "../finding.ts";
import { guarded } from "../guarded.ts";
import { aloneFinding } from "./alone-finding.ts";
import { holderFinding } from "./holder-finding.ts";
import { hungGroups } from "./hung.ts";
import { diedOfFault, reportedStalls } from "./reported.ts";
import { sleepOf } from "./sleep.ts";
import { Standstill } from "./standstill.ts";

/** Roots that are told of. */
const MAX_GROUPS = 3;

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
