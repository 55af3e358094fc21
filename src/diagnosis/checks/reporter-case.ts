/**
 * A check that calls panic() itself, without an exception: the functions from the one that reported outwards, each at its call.
 *
 *   panic ◄ __stack_chk_fail ◄ lab_name ◄ lab_store          level 0: __stack_chk_fail, level 1: lab_name …
 */
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { UnwoundStack } from "../../stack/frame.ts";
import { unwindTask } from "../../stack/unwind.ts";
import type { DiagnosisContext } from "../context.ts";
import type { Activation, Activations } from "../fault/activation.ts";
import { instructionBefore } from "../fault/instruction-at.ts";
import type { KnownValues } from "../fault/known-values.ts";
import { tracedCalls } from "../fault/traced-calls.ts";
import { plainName } from "../fault/words.ts";
import type { VerdictFrame } from "../verdict.ts";
import { verdictStack } from "../verdict-stack.ts";

export interface ReporterCase {
  readonly kernel: Kernel;
  readonly stack: UnwoundStack;
  /** Of the function that reported. */
  readonly frame: number;
  readonly activations: Activations;
  readonly values: KnownValues;
}

/** Frames from the stop that are looked at for the reporter. */
const MAX_FRAMES = 24;

/**
 * undefined when no such function stands on the stack of the subject's task.
 * @param reporter its name
 * @param calledBy what must have been called by it, innermost: the check failed, it was not only on its way
 */
export function reporterCase({ kernel, subject }: DiagnosisContext, reporter: RegExp, into: RegExp): ReporterCase | undefined {
  const { task, cpu } = subject;
  if (task === undefined) return undefined;
  try {
    const stack = unwindTask(kernel, task.address);
    const names = stack.frames.slice(0, MAX_FRAMES).map(({ function: name }) => plainName(name ?? ""));
    const frame = names.findIndex((name) => reporter.test(name));
    if (frame < 0 || !names.slice(0, frame).some((name) => into.test(name))) return undefined;
    const found = stack.frames[frame];
    const call =
      found === undefined || found.kind !== "call" || found.certainty !== "exact" ? undefined : instructionBefore(kernel, found.pc);
    if (found === undefined || call === undefined) return undefined;
    const { activations, values } = tracedCalls(kernel, { pc: call.address, registers: found.registers, stack, frame }, cpu, task.address);
    return { kernel, stack, frame, activations, values };
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

/** The stack from the reporter outwards, one function marked. */
export function reporterFrames({ kernel, stack, frame }: ReporterCase, guilty: Activation): readonly VerdictFrame[] {
  return verdictStack(kernel, stack, guilty.frame, frame);
}
