/**
 * The stack pointer ran out of the task's stack: the kernel says so (a guard page hit on x86-64, no room for the exception on arm64), or the
 * address that faulted lies in the guard page below the stack. Row 14 of the catalogue. The function that repeats in the stack is to blame.
 */

import { hex16 } from "../../../bytes/address.ts";
import type { Finding } from "../../finding.ts";
import type { Check } from "../../verdict.ts";
import type { FaultCase } from "../fault-case.ts";
import type { FaultDetector } from "../fault-detector.ts";
import { ownStack } from "../own-stack.ts";
import { faultEvidence, functionText, stateChecks } from "../words.ts";

/** Frames that are looked at for a recursion. */
const MAX_FRAMES = 256;
/** Bytes above the stack's end that a push, or a call, may still have been made from. */
const ROOM = 512n;

export const stackOverflow: FaultDetector = {
  class: "stack-overflow",
  needs: [],
  refutedBy: ["the stack pointer lies well within the stack", "the address is in the guard page of another stack"],
  detect(fault: FaultCase): Finding | undefined {
    const { kernel, state, subject, access, guilty } = fault;
    const area = ownStack(fault);
    if (subject.task === undefined || area === undefined) return undefined;
    const { start: low, end: high } = area;
    const guard = low - BigInt(kernel.arch.threadSize);
    const inGuard = (address: bigint | undefined): boolean => address !== undefined && address >= guard && address < low;
    const address = access.kind === "memory" ? access.address : state.address;
    if (state.kind !== "stack overflow" && !inGuard(address)) return undefined;
    const { sp } = state.registers;
    const checks: Check[] = [
      ...stateChecks(fault),
      {
        what: `the stack pointer ${hex16(sp ?? 0n)} against the stack ${hex16(low)}..${hex16(high)}`,
        result: sp === undefined ? "not possible" : sp < low + ROOM && sp >= guard ? "held" : "refuted",
      },
    ];
    const { frames, name, bytes } = recursion(fault);
    const what = frames > 2 ? ` in a recursion of ${frames} frames` : "";
    return {
      class: "stack-overflow",
      depth: "cause",
      title: `${functionText(guilty)} overflows the stack of task ${subject.task.pid}${what}`,
      checks,
      object: { type: "task stack", address: low },
      story:
        frames > 2 && name !== undefined
          ? [`${name} calls itself ${frames} times${bytes === undefined ? "" : `, with ${bytes} bytes of stack each`}.`]
          : [],
      evidence: faultEvidence(fault),
    };
  },
};

/**
 * The stack really was used up. The kernel takes every fault in the guard page for that (arch/x86/mm/fault.c, page_fault_oops()); a pointer
 * that was led there while the stack pointer is well within is another trouble.
 */
export function ranOut(fault: FaultCase): boolean {
  if (fault.state.kind !== "stack overflow") return false;
  const { sp } = fault.state.registers;
  const area = ownStack(fault);
  return sp === undefined || area === undefined || sp < area.start + ROOM || sp >= area.end;
}

/** The function that stands on the stack most, and the bytes between two of its frames. */
function recursion({ state }: FaultCase): {
  readonly frames: number;
  readonly name: string | undefined;
  readonly bytes: number | undefined;
} {
  const frames = (state.stack?.frames ?? []).slice(state.frame ?? 0, (state.frame ?? 0) + MAX_FRAMES);
  const counts = new Map<string, number>();
  for (const { function: name } of frames) if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
  const [name, count] = [...counts].reduce<[string | undefined, number]>((best, each) => (each[1] > best[1] ? each : best), [undefined, 0]);
  const own = frames.filter((frame) => frame.function === name && frame.kind === "call");
  const [first, second] = own;
  return { frames: count, name, bytes: first === undefined || second === undefined ? undefined : Number(second.sp - first.sp) };
}
