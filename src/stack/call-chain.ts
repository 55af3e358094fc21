/**
 * Which call led to a function, and whether the debug information's word on its arguments may be believed.
 *
 *   caller ──call site──► F                         believed: the call's target is F
 *   caller ──call site──► T ──jump (tail call)──► F   T has left the stack; its argument counts, where the way from T to F is the only one
 *   caller ──indirect───► ?                         believed only when the target can still be read and is F, or when another argument
 *                                                   proves it (entry-registers.ts): a function that the pointer named may have jumped to F
 *   F ──tail call──► … ──► F                        never: what the caller passed may be the first round's
 */
import { virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { CallSite } from "../debug-info/debug-info.ts";
import { DW_AT_call_target, DW_AT_GNU_call_site_target } from "../debug-info/dwarf/constants.ts";
import { evaluateScalar } from "../debug-info/dwarf/expression.ts";
import type { BoundDebugInfo } from "../kernel/debug-info.ts";
import type { FrameEvaluation } from "./frame-evaluation.ts";
import { directTarget, isSame, TailCalls } from "./tail-calls.ts";

/** A function by its first instruction in the dump, and what it is called. */
export interface CallTarget {
  readonly address: bigint | undefined;
  readonly name: string | undefined;
}

/** A call, and the file that describes it. */
export interface DescribedCall {
  readonly site: CallSite;
  readonly owner: BoundDebugInfo;
}

/** The calls that led into a frame's function, the physical caller's first; the others are tail calls. */
export interface CallChain {
  readonly calls: readonly [DescribedCall, ...DescribedCall[]];
  /** The first call is indirect, and nothing tells whom it called. */
  readonly indirect: boolean;
}

/** The chain of calls into a frame; a string says why it is not known. */
export function callChain(callee: FrameEvaluation): CallChain | string {
  const { caller, kernel } = callee;
  if (caller === undefined) return callee.calledNormally ? "the caller has no debug information" : "it was not entered by a plain call";
  const owner = caller.place.described;
  const returnAddress = BigInt.asUintN(64, caller.place.frame.pc - owner.bias);
  const site = caller.place.function.callSites.find((each) => !each.tail && each.returnAddress === returnAddress);
  if (site === undefined) return `${nameOf(caller)} does not describe this call`;
  const { described, function: fn } = callee.place;
  const self: CallTarget = { address: fn.entry === undefined ? undefined : kernel.debugInfo.runtime(described, fn.entry), name: fn.name };
  const tails = TailCalls.of(kernel);
  if (tails.reaches(self, self)) return `${nameOf(callee)} may have called itself by a jump`;
  const target = directTarget(kernel, owner, site) ?? computedTarget(caller, site);
  if (target === undefined) return { calls: [{ site, owner }], indirect: true };
  if (isSame(target, self)) return { calls: [{ site, owner }], indirect: false };
  const way = tails.way(target, self);
  if (way === undefined) return `${nameOf(caller)} calls ${target.name ?? "another function"} there`;
  return { calls: [{ site, owner }, ...way], indirect: false };
}

function nameOf({ place }: FrameEvaluation): string {
  return place.function.name ?? "the function";
}

/** The function that an indirect call called, where the expression for it still holds. */
function computedTarget(frame: FrameEvaluation, site: CallSite): CallTarget | undefined {
  const expression = site.die.bytes(DW_AT_call_target) ?? site.die.bytes(DW_AT_GNU_call_site_target);
  if (expression === undefined) return undefined;
  try {
    const address = evaluateScalar(expression, frame.context());
    const found = frame.kernel.symbols.byAddress(virtual(address));
    return found?.offset === 0 ? { address, name: found.symbol.name } : undefined;
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}
