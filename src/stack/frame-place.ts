/**
 * Where a frame stands in the debug information: the scopes of its own (an inlined frame has those up to the call it was inlined by), and
 * the physical frame whose registers it shares.
 *
 *   stack.frames           scopes around the pc, innermost first
 *   #3 inline   c          block, inlined c
 *   #4 inline   b          inlined b
 *   #5 call     a          block, function a          ◄─ physical frame of all three
 */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Scope } from "../debug-info/debug-info.ts";
import type { DescribedAddress } from "../kernel/debug-info.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { StackFrame, UnwoundStack } from "./frame.ts";

/** A physical frame and the code it stands in. */
export interface PhysicalPlace {
  readonly frame: StackFrame;
  /** Place of the frame in the stack's list. */
  readonly index: number;
  /** The file that describes the code, and the link-time address that is looked up: of the instruction, or of the call. */
  readonly described: DescribedAddress;
  /** Scopes around that address, innermost first, the function last; never empty. */
  readonly scopes: readonly Scope[];
  readonly function: Scope;
}

/** The physical frame that holds a frame (itself, unless it is inlined): its index. */
export function physicalIndex(stack: UnwoundStack, index: number): number {
  let at = index;
  while (stack.frames[at]?.kind === "inline") at++;
  return at;
}

/** The address that tells where a frame stands: a return address belongs to the call before it. */
export function lookupAddress({ kind, pc }: StackFrame): VirtualAddress {
  return kind === "interrupted" ? pc : virtual(pc - 1n);
}

/** The code of a physical frame; undefined where no debug information describes it. */
export function physicalPlace(kernel: Kernel, stack: UnwoundStack, index: number): PhysicalPlace | undefined {
  const frame = stack.frames[index];
  if (frame === undefined) return undefined;
  const described = kernel.debugInfo.at(lookupAddress(frame));
  const scopes = described?.info.scopesAt(described.link) ?? [];
  const fn = scopes.at(-1);
  return described === undefined || fn === undefined || fn.kind !== "function"
    ? undefined
    : { frame, index, described, scopes, function: fn };
}

/**
 * The scopes that belong to one frame: from its innermost block to its function or inlined call. A physical frame has those of its
 * function, whether or not the calls inlined at its pc are frames of the stack.
 */
export function ownScopes(stack: UnwoundStack, index: number, { scopes }: PhysicalPlace): readonly Scope[] {
  if (stack.frames[index]?.kind !== "inline") return scopes.slice(scopes.findLastIndex(({ kind }) => kind === "inlined") + 1);
  let inner = 0;
  while (stack.frames[index - inner - 1]?.kind === "inline") inner++;
  const calls = scopes.flatMap(({ kind }, at) => (kind === "inlined" ? [at] : []));
  const own = calls[inner];
  return own === undefined ? [] : scopes.slice(inner === 0 ? 0 : (calls[inner - 1] as number) + 1, own + 1);
}
