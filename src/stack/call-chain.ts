/**
 * Which call led to a function, and whether the debug information's word on its arguments may be believed.
 *
 *   caller ──call site──► F                         believed: the call's target is F
 *   caller ──call site──► T ──jump (tail call)──► F   T has left the stack; its argument counts, where the way from T to F is the only one
 *   caller ──indirect───► F                         the target is recomputed: by DW_AT_call_target, from the caller's instructions, or from
 *                                                   the number of the system call; else another argument must prove it (entry-registers.ts),
 *                                                   for the function that the pointer named may have jumped to F with other arguments
 *   F ──tail call──► … ──► F                        never: what the caller passed may be the first round's
 */
import { virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { CallSite } from "../debug-info/debug-info.ts";
import { DW_AT_call_target, DW_AT_GNU_call_site_target } from "../debug-info/dwarf/constants.ts";
import { evaluateScalar } from "../debug-info/dwarf/expression.ts";
import type { BoundDebugInfo } from "../kernel/debug-info.ts";
import type { FrameEvaluation } from "./frame-evaluation.ts";
import { systemCallFunction } from "./system-call-function.ts";
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

/**
 * Where a call or jump leads by the code of the function that makes it: a guess.
 * @param before for a jump: the calls that led into that function
 */
export type TargetFinder = (call: DescribedCall, before: CallChain["calls"] | undefined) => bigint | undefined;

/** The chain of calls into a frame; a string says why it is not known. */
export function callChain(callee: FrameEvaluation, targetOf: TargetFinder): CallChain | string {
  const { caller, kernel } = callee;
  if (caller === undefined) return callee.calledNormally ? "the caller has no debug information" : "it was not entered by a plain call";
  const owner = caller.place.described;
  const site = callSiteOf(caller);
  const first = { site, owner };
  const { described, function: fn } = callee.place;
  const self: CallTarget = { address: fn.entry === undefined ? undefined : kernel.debugInfo.runtime(described, fn.entry), name: fn.name };
  const tails = TailCalls.of(kernel);
  if (tails.reaches(self, self)) return `${nameOf(callee)} may have called itself by a jump`;
  const direct = directTarget(kernel, owner, site);
  const targets = direct === undefined ? computedTargets(caller, first, targetOf) : [direct];
  if (targets.some((target) => isSame(target, self))) return { calls: [first], indirect: false };
  for (const target of targets) {
    const way = tails.way(target, self);
    if (way !== undefined) return { calls: [first, ...way], indirect: false };
    const jump = tails.indirectJumps(target).find((each) => targetOf(each, [first]) === self.address);
    if (jump !== undefined && self.address !== undefined) return { calls: [first, jump], indirect: false };
  }
  if (direct === undefined) return targets.length === 0 ? { calls: [first], indirect: true } : `the call went to ${targets[0]?.name} there`;
  return bySystemCall(callee, first, direct, self) ?? `${nameOf(caller)} calls ${direct.name ?? "another function"} there`;
}

function nameOf({ place }: FrameEvaluation): string {
  return place.function.name ?? "the function";
}

/** More than the longest call that the kernel patches at boot. */
const MAX_PADDING = 4;
/** What apply_retpolines() (arch/x86/kernel/alternative.c) leaves behind `call *%rax` where a five-byte call of a thunk was. */
const PADDINGS = ["90", "9090", "909090", "6690", "0f1f00", "666690", "0f1f4000", "90909090"];

/**
 * The call that a frame is in; one that was patched shorter returns to the padding behind it. A compiler that has nothing to say about a
 * call leaves it out (GCC 14, of indirect ones): the code may still tell.
 */
function callSiteOf(caller: FrameEvaluation): CallSite {
  const { frame, described, function: fn } = caller.place;
  const returnAddress = BigInt.asUintN(64, frame.pc - described.bias);
  return describedSite(caller) ?? { returnAddress, tail: false, target: undefined, parameters: [], die: fn.die };
}

function describedSite({ kernel, place }: FrameEvaluation): CallSite | undefined {
  const back = BigInt.asUintN(64, place.frame.pc - place.described.bias);
  const { callSites } = place.function;
  const exact = callSites.find(({ tail, returnAddress }) => !tail && returnAddress === back);
  if (exact !== undefined || kernel.arch.name !== "x86_64") return exact;
  const near = callSites.find(({ tail, returnAddress }) => !tail && returnAddress > back && returnAddress <= back + BigInt(MAX_PADDING));
  const padding = near === undefined ? undefined : kernel.memory.tryBytes(place.frame.pc, Number(near.returnAddress - back));
  return padding !== undefined && PADDINGS.includes(Array.from(padding, (byte) => byte.toString(16).padStart(2, "0")).join(""))
    ? near
    : undefined;
}

/** The functions that an indirect call may have called, by what can still be computed; those that are no functions left out. */
function computedTargets(frame: FrameEvaluation, call: DescribedCall, targetOf: TargetFinder): readonly CallTarget[] {
  const targets: CallTarget[] = [];
  for (const address of [describedTarget(frame, call.site), targetOf(call, undefined), systemCallFunction(frame)]) {
    const found = address === undefined ? undefined : frame.kernel.symbols.byAddress(virtual(address));
    if (found?.offset === 0) targets.push({ address: found.symbol.address, name: found.symbol.name });
  }
  return targets;
}

/** DW_AT_call_target, where it still holds. */
function describedTarget(frame: FrameEvaluation, site: CallSite): bigint | undefined {
  const expression = site.die.bytes(DW_AT_call_target) ?? site.die.bytes(DW_AT_GNU_call_site_target);
  if (expression === undefined) return undefined;
  try {
    return evaluateScalar(expression, frame.context());
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

/**
 * x86-64's x64_sys_call() is one jump for every system call (1e3ad78334a6, 6.9 and stable releases): too many ways to follow, but the
 * number of the call tells which it was.
 */
function bySystemCall(callee: FrameEvaluation, first: DescribedCall, dispatcher: CallTarget, self: CallTarget): CallChain | undefined {
  const { kernel, caller } = callee;
  const address = caller === undefined ? undefined : systemCallFunction(caller);
  if (address === undefined) return undefined;
  const call: CallTarget = { address, name: kernel.symbols.byAddress(virtual(address))?.symbol.name };
  const tails = TailCalls.of(kernel);
  const jump = tails.jumpTo(dispatcher, call);
  const rest = isSame(call, self) ? [] : tails.way(call, self);
  return jump === undefined || rest === undefined ? undefined : { calls: [first, jump, ...rest], indirect: false };
}
