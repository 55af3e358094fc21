/** What every detector is given: the dead kernel, the first abnormal event, and the fault when there was one. */
import type { Kernel } from "../kernel/kernel.ts";
import { type FaultCase, faultCase, type NoFault } from "./fault/fault-case.ts";
import { type Subject, subjectOf } from "./subject/subject.ts";

export interface DiagnosisContext {
  readonly kernel: Kernel;
  readonly subject: Subject;
  /** The fault behind the subject, worked out once; why there is none otherwise. */
  fault(): FaultCase | NoFault;
  /** Tells how far long work is; absent where nobody looks. */
  readonly progress?: (what: string, done: number, total: number) => void;
}

/** The machine's disassembler must have been loaded. */
export function diagnosisContext(kernel: Kernel, progress?: DiagnosisContext["progress"]): DiagnosisContext {
  return {
    kernel,
    subject: subjectOf(kernel),
    fault: () => faultCase(kernel),
    ...(progress === undefined ? {} : { progress }),
  };
}
