/**
 * One step outwards, as every machine and every source of unwind rules gives it. Sources are asked in turn and the first that knows the
 * pc answers: call-frame information (where a vmlinux gives it), ORC, frame pointers.
 */
import type { RegisterSet } from "../arch/registers.ts";
import type { VirtualAddress } from "../bytes/address.ts";
import type { ExceptionFrame, FoundBy } from "./frame.ts";

/** Where an unwind stands. */
export interface FrameState {
  readonly registers: RegisterSet;
  readonly pc: VirtualAddress;
  /** The pc is the very instruction (exception, stopped CPU), not a return address. */
  readonly interrupted: boolean;
}

/** The caller, or what an exception interrupted. */
export interface FoundStep {
  readonly kind: "found";
  readonly next: FrameState;
  /** x86-64: the slot that held the return address, the stack pointer where there is none. arm64: the frame's own record. */
  readonly slot: VirtualAddress;
  readonly foundBy: FoundBy;
  /** The frame rests on a value that may be stale; those further out do not. */
  readonly doubtful?: boolean;
  /** Registers that the exception saved, when this step crosses one. */
  readonly exception?: ExceptionFrame;
}

/** The stack ends here, or the source knows that it cannot be followed. */
export interface EndStep {
  readonly kind: "end";
  readonly complete: boolean;
  readonly text: string;
  /** Registers of user mode that lie at the natural end. */
  readonly exception?: ExceptionFrame;
}

export type Step = FoundStep | EndStep;

/** Gives the next step, or undefined when it has no rule for this pc. */
export interface RuleSource {
  step(state: FrameState): Step | undefined;
}
