/**
 * Code that takes a function pointer, clears it and calls it, so that nobody calls it again: where it finds NULL, it has been there before.
 * rcu_do_batch() is such code (kernel/rcu/tree.c); the head of a callback that it meets twice was given to call_rcu() twice.
 *
 *   mov 0x8(%rdi),%rdx        f = rhp->func
 *   movq $0x0,0x8(%rdi)       rhp->func = NULL
 *   call *%rdx                f(rhp)
 */
import type { FaultCase } from "./fault-case.ts";
import { sourceOf } from "./source-of.ts";

/** Instructions before the call that are looked at. */
const BEFORE = 8;

/** What follows, as sentences; none where the code does not clear the pointer that it calls. */
export function clearedBeforeCall(fault: FaultCase): readonly string[] {
  const { access, activations, bad } = fault;
  const source = sourceOf(fault);
  if (access.kind !== "fetch" || access.call === undefined || bad?.value !== 0n || source?.offset === undefined) return [];
  const { address } = access.call;
  const activation = activations.at(bad.level);
  const { flow } = activation ?? {};
  const at = flow?.addresses.indexOf(address) ?? -1;
  if (flow === undefined || activation === undefined || at < 0) return [];
  const { machine } = activations;
  const clears = flow.addresses.slice(Math.max(0, at - BEFORE), at).some((pc) => {
    const instruction = flow.at(pc)?.instruction;
    return (instruction === undefined ? [] : machine.operation(instruction).effects).some(
      (effect) =>
        effect.kind === "memory" &&
        effect.value.kind === "constant" &&
        effect.value.value === 0n &&
        effect.size === source.size &&
        effect.memory.displacement === source.offset &&
        effect.memory.index === undefined &&
        effect.memory.base !== undefined &&
        effect.memory.base !== machine.stackPointer,
    );
  });
  if (!clears) return [];
  const isCallback = /^struct (?:callback|rcu)_head$/.test(source.container ?? "");
  const member = source.member ?? "the pointer";
  const what = isCallback
    ? `call_rcu() was given this ${source.container?.replace("struct ", "")} twice`
    : "it was called from there before";
  return [`${activation.function} sets ${member} to NULL right before it calls it: ${what}, or the memory was zeroed since.`];
}
