/**
 * The call that gave memory back when the allocator stopped in it: which function was asked, by whom, and what it was passed. The prototypes
 * are those of include/linux/slab.h and mm/slub.c; of several on the stack the outermost is the one that was asked.
 *
 *   __slab_free(s, slab, head, …) ◄ kfree(object) ◄ kvfree(object) ◄ lab_release          asked: kvfree, argument 0
 */
import { ARM64_REGISTERS } from "../../arch/arm64-registers.ts";
import { RegisterSet } from "../../arch/registers.ts";
import { X86_64_REGISTERS } from "../../arch/x86-64-registers.ts";
import type { VirtualAddress } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { machineOf } from "../../type-flow/machine.ts";
import { type Activation, Activations } from "../fault/activation.ts";
import type { FaultCase } from "../fault/fault-case.ts";
import { instructionBefore } from "../fault/instruction-at.ts";
import { KnownValues } from "../fault/known-values.ts";
import { addressOfFrame, stackOfLog } from "../fault/log-stack.ts";
import { typedFlow } from "../fault/typed-flow.ts";
import { plainName } from "../fault/words.ts";
import type { VerdictFrame } from "../verdict.ts";
import { type Argument, argumentOf } from "./argument.ts";
import { isTool } from "./blame.ts";

export interface FreeCall {
  /** "kfree". */
  readonly name: string;
  /** Activation of the function that was asked. */
  readonly level: number;
  readonly object: Argument;
  /** kmem_cache that was named, of kmem_cache_free(). */
  readonly cache?: Argument;
}

/** Number of the argument that is the object; and of the cache. */
const FREEING: readonly (readonly [RegExp, number, number?])[] = [
  [/^(?:kfree|kfree_sensitive|kzfree|__kfree|kvfree|kvfree_sensitive|kfree_const|kfree_nolock)$/, 0],
  [/^kmem_cache_free$/, 1, 0],
  [/^__kmem_cache_free$/, 1, 0],
  [/^(?:free_large_kmalloc|free_nonslab_page)$/, 1],
  [/^mempool_free$/, 0],
  [/^(?:vfree|vfree_atomic|__vfree)$/, 0],
  // void __slab_free(s, slab, head, tail, cnt, addr); do_slab_free(s, slab, head, …); slab_free(s, slab, head, …)
  [/^(?:__slab_free|do_slab_free|slab_free|___cache_free)$/, 2, 0],
  [/^(?:free_to_partial_list|free_debug_processing)$/, 2, 0],
  // set_freepointer(s, object, fp)
  [/^set_freepointer$/, 1, 0],
  // cache_from_obj(s, x); since 7.0 warn_free_bad_obj(s, obj)
  [/^(?:cache_from_obj|warn_free_bad_obj)$/, 1, 0],
];

/** Functions from the trap outwards that are looked at. */
const MAX_LEVELS = 10;

interface Known {
  readonly level: number;
  readonly name: string;
  readonly index: number;
  readonly cache: number | undefined;
}

/** undefined when the stack at the fault is not in a function that frees, or what it was passed is not known. */
export function freeCall(fault: FaultCase, from = 0): FreeCall | undefined {
  const { activations } = fault;
  const found: Known[] = [];
  for (let level = from; level < from + MAX_LEVELS; level++) {
    const activation: Activation | undefined = activations.at(level);
    if (activation === undefined) break;
    const name = plainName(activation.function);
    const known = activation.module === undefined ? FREEING.find(([pattern]) => pattern.test(name)) : undefined;
    if (known !== undefined) found.unshift({ level, name, index: known[1], cache: known[2] });
    else if (found.length > 0 || !isTool(activation)) break;
  }
  const [asked] = found;
  if (asked === undefined) return undefined;
  // Where the caller lost it the functions inside may still hold it: what they pass on is the same pointer.
  const known = found.flatMap((each) => argumentOf(fault, each.level, each.index) ?? []);
  const [first] = known;
  if (first === undefined) return undefined;
  const object = first.reread === true ? heldInside(first, known) : first;
  const cache = asked.cache === undefined ? undefined : argumentOf(fault, asked.level, asked.cache);
  // Only a part of it.
  const name = /^(?:cache_from_obj|warn_free_bad_obj)$/.test(asked.name) ? "kmem_cache_free" : asked.name;
  return { name, level: asked.level, object, ...(cache === undefined ? {} : { cache }) };
}

/** Memory that was read again may have changed since (an entry taken off its list, a slot cleared): a register inside decides what was passed. */
function heldInside(outer: Argument, known: readonly Argument[]): Argument {
  const held = known.find(({ reread }) => reread !== true);
  if (held === undefined) return outer;
  const { reread: _reread, ...rest } = outer;
  return { ...rest, value: held.value };
}

/**
 * What a function of a printed trace passes to the function that frees, by its code and its callers' alone: "struct lease" and "options".
 * @param trace from that function outwards
 * @param inner the function inside of it: what it called, where a veneer of arm64 hides the call's target
 */
export function freedMember(
  kernel: Kernel,
  trace: readonly VerdictFrame[],
  inner: string | undefined,
): { readonly type: string; readonly member: string } | undefined {
  const [frame, ...outer] = trace;
  try {
    const back = frame === undefined ? undefined : addressOfFrame(kernel, frame);
    const call = back === undefined ? undefined : instructionBefore(kernel, back);
    const target = call?.operands.find((operand) => operand.kind === "target");
    if (call === undefined || target?.kind !== "target") return undefined;
    const callee = kernel.symbols.byAddress(target.address);
    const names = [callee?.offset === 0 ? plainName(callee.symbol.name) : "", inner ?? ""];
    const known = FREEING.find(([pattern]) => names.some((name) => pattern.test(name)));
    const register = known === undefined ? undefined : machineOf(kernel.arch.name).arguments[known[1]];
    const flow = register === undefined ? undefined : tracedFlow(kernel, call.address, outer);
    const origin = register === undefined ? undefined : flow?.originOf(call.address, register);
    if (origin?.kind !== "load" || origin.container === undefined || origin.member === undefined) return undefined;
    return { type: origin.container, member: origin.member };
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

/** The function's flow with what the types of its callers tell; no register has a value. */
function tracedFlow(kernel: Kernel, pc: VirtualAddress, outer: readonly VerdictFrame[]) {
  const none = new RegisterSet(kernel.arch.name === "aarch64" ? ARM64_REGISTERS : X86_64_REGISTERS);
  const stack = stackOfLog(kernel, pc, none, outer);
  const activations = new Activations(kernel, pc, none, stack, stack === undefined ? undefined : 0);
  const values = new KnownValues(kernel, activations, undefined, undefined);
  activations.retypeBy((level, plain) => typedFlow(kernel, activations, values, level, plain));
  return activations.at(0)?.flow;
}
