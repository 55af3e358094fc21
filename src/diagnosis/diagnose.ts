/**
 * What killed this kernel: runs the detectors that the subject calls for and concludes.
 *
 *   log ─► subject ─► detectors (fault, checks, hang, memory, integrity, ending) ─► findings ─► verdict, story, evidence, signature
 */
import { InquestError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { conclude } from "./conclude.ts";
import { type DiagnosisContext, diagnosisContext } from "./context.ts";
import type { Detector } from "./detector.ts";
import { DETECTORS } from "./detectors.ts";
import { dumpContext } from "./dump-context.ts";
import type { Finding } from "./finding.ts";
import { findSharers, objectsOfFault } from "./race/sharers.ts";
import type { Diagnosis, Sharer } from "./verdict.ts";

/** The diagnosis of a dump; once per dump. The machine's disassembler must have been loaded. Never throws for damaged memory. */
export function diagnose(kernel: Kernel, progress?: DiagnosisContext["progress"]): Diagnosis {
  return kernel.memo(diagnose, () => diagnoseIn(diagnosisContext(kernel, progress)));
}

/** The same of a subject that was found in another way, and with other detectors. */
export function diagnoseIn(context: DiagnosisContext, detectors: readonly Detector[] = DETECTORS): Diagnosis {
  const notes: string[] = [];
  const findings: Finding[] = [];
  const silent: string[] = [];
  const asked = detectors.filter((detector) => detector.appliesTo(context));
  for (const [index, detector] of asked.entries()) {
    context.progress?.(detector.name, index, asked.length);
    try {
      const found = detector.detect(context);
      findings.push(...found);
      if (found.length === 0) silent.push(detector.name);
    } catch (error) {
      // One detector that memory defeated says so; the others' answers still come.
      if (!(error instanceof InquestError)) throw error;
      notes.push(`${detector.name} could not be judged: ${error.message}`);
    }
  }
  const fault = context.fault();
  if ("reason" in fault && fault.defeated === true) notes.push(fault.reason);
  const sharers = sharersOf(context);
  return {
    ...conclude(context, findings, sharers, silent),
    ...(sharers.length === 0 ? {} : { sharers }),
    context: { ...dumpContext(context, notes), considered: silent },
  };
}

/** Only a fault has objects that others may have had in hand; a hang's participants are its verdict. */
function sharersOf(context: DiagnosisContext): readonly Sharer[] {
  const fault = context.fault();
  if ("reason" in fault) return [];
  return findSharers(context.kernel, objectsOfFault(fault), context.subject.task?.address);
}
