/** Soft and hard lockups as detectors: of each CPU that does not come back (lockups.ts) its storm, or the loop it is in, once per loop. */
import type { DiagnosisContext } from "../context.ts";
import type { Detector } from "../detector.ts";
import type { Finding } from "../finding.ts";
import { guarded } from "../guarded.ts";
import type { VerdictClass } from "../verdict.ts";
import { lockupFinding } from "./lockup-finding.ts";
import { lockups, loopRoot, sentFor } from "./lockups.ts";
import { diedOfFault } from "./reported.ts";
import { Standstill } from "./standstill.ts";
import { stormOn } from "./storm.ts";
import { stormFinding } from "./storm-finding.ts";

function findings(context: DiagnosisContext, wanted: VerdictClass): readonly Finding[] {
  const still = guarded(() => Standstill.of(context.kernel));
  if (still === undefined) return [];
  const all = lockups(still, context);
  const roots = new Set<number>();
  return all
    .filter((each) => each.class === wanted)
    .flatMap((lockup) => {
      const storm = stormOn(still, lockup.cpu);
      if (storm !== undefined) return [stormFinding(still, storm, lockup)];
      const root = loopRoot(still, lockup.cpu);
      if (root.circle || roots.has(root.cpu.cpu) || sentFor(lockup, all).length > 0) return [];
      roots.add(root.cpu.cpu);
      return [lockupFinding(still, context, lockup, root, all)];
    });
}

const NEEDS = [
  "a CPU that the watchdog reported, or that took no tick or ran no other task for too long",
  "its registers when the machine stopped",
  "or one line of interrupts that came more often on it than all others together",
];

export const softLockup: Detector = {
  name: "soft-lockup",
  classes: ["soft-lockup"],
  needs: NEEDS,
  refutedBy: ["another task runs on the CPU by now", "the CPU was printing to a console"],
  appliesTo: (context) => !diedOfFault(context),
  detect: (context) => findings(context, "soft-lockup"),
};

export const hardLockup: Detector = {
  name: "hard-lockup",
  classes: ["hard-lockup"],
  needs: NEEDS,
  refutedBy: ["interrupts were on", "the CPU was printing to a console"],
  appliesTo: (context) => !diedOfFault(context),
  detect: (context) => findings(context, "hard-lockup"),
};
