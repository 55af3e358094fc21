/**
 * What a guessed stack proves all the same: panic() never returns, so a return address within it, or behind a call of it, is that of a frame that
 * is still there. The chain of frames outwards of it follows by the rules and is no guess any more. Raw memory has no registers of the CPUs:
 * there every stack of a task that was running is guessed.
 *
 *   ? delay_tsc          old words may lie here
 *   ? panic+0x118        called, and not left: proved, and all behind it
 *   ? hba_link_watch
 */
import type { Kernel } from "../../kernel/kernel.ts";
import type { StackFrame, UnwoundStack } from "../../stack/frame.ts";
import { callBefore, callsInto } from "../../stack/return-address.ts";

const PANIC = /^v?panic$/;

/** The same stack, with the frames that panic() proves marked so. */
export function provedByPanic(kernel: Kernel, stack: UnwoundStack): UnwoundStack {
  const { frames } = stack;
  if (frames[0]?.certainty !== "guessed") return stack;
  const from = frames.findIndex((frame) => PANIC.test(frame.function ?? "") || callsPanic(kernel, frame));
  if (from < 0) return stack;
  // Where no way to the stack's end was found the frames are mere words, one beside the other.
  const broken = frames.findIndex(({ foundBy }, at) => at > from && foundBy === "scan");
  if (broken >= 0) return stack;
  return { ...stack, frames: frames.map((frame, at) => (at < from ? frame : { ...frame, certainty: "exact" as const })) };
}

/** Whether the frame's return address lies behind a call of panic(). */
export function callsPanic(kernel: Kernel, { pc, kind }: Pick<StackFrame, "pc" | "kind">): boolean {
  if (kind !== "call") return false;
  const call = callBefore(kernel, pc);
  return ["panic", "vpanic"].some((name) => {
    const start = kernel.tryAddress(name);
    return start !== undefined && callsInto(call, start);
  });
}
