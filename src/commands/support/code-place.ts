/** Where in the kernel's code a task is: what interrupts interrupted, else where it sleeps or runs. */
import { hex16, type VirtualAddress } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { StackFrame } from "../../stack/frame.ts";
import { unwindTask } from "../../stack/unwind.ts";

/** The code that the outermost exception in kernel mode interrupted; undefined when there is none, or the stack cannot be read. */
export function interruptedFrame(kernel: Kernel, task: VirtualAddress): StackFrame | undefined {
  try {
    const { frames } = unwindTask(kernel, task);
    return frames.findLast(({ exception }) => exception !== undefined && !exception.user);
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    return undefined;
  }
}

/** "function+0x12 [module]": the interrupted instruction, or of a task without one the frame that it sleeps or runs in. */
export function codePlace(kernel: Kernel, task: VirtualAddress): string | undefined {
  const interrupted = interruptedFrame(kernel, task)?.exception?.registers;
  const pc = interrupted?.get(interrupted.file.pc);
  if (pc !== undefined) return kernel.symbolize(pc as VirtualAddress) ?? hex16(pc);
  try {
    const { frames, user } = unwindTask(kernel, task);
    const frame = frames.find(({ function: name }) => name !== undefined && !SCHEDULING.has(name));
    if (frame !== undefined) return kernel.symbolize(frame.pc) ?? hex16(frame.pc);
    return user === undefined ? undefined : "user mode";
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    return undefined;
  }
}

/** Of a task that sleeps they say nothing. */
const SCHEDULING = new Set([
  "context_switch",
  "__switch_to",
  "__schedule",
  "schedule",
  "schedule_timeout",
  "preempt_schedule",
  "preempt_schedule_irq",
]);
