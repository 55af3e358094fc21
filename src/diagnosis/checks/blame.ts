/**
 * Whose trouble a failed check is: BUG() and WARN() in what works for anyone (an allocator, a list, a lock, a reference count) are their
 * caller's. The names are those of ../log-report/passed-over.ts, so text and dump name the same function.
 *
 *   __slab_free ◄ kfree ◄ lab_put ◄ lab_release          lab_put is to blame; __slab_free and kfree are passed over
 */

import type { Activation, Activations } from "../fault/activation.ts";
import type { FaultCase } from "../fault/fault-case.ts";
import { helperOf } from "../fault/helper-functions.ts";
import { plainName } from "../fault/words.ts";
import { isPassedOver } from "../log-report/passed-over.ts";

export interface Blame {
  readonly activation: Activation;
  readonly level: number;
  /** Those inside of it that only did what they were told, innermost first. */
  readonly passed: readonly Activation[];
}

/** Functions that are passed over at most. */
const MAX_PASSED = 12;

/**
 * Functions of the kernel's headers that the compiler left out of line: a copy lies in every module that needs one (include/linux/refcount.h,
 * kref.h, list.h, atomic/atomic-instrumented.h). A module that includes the header cannot have another function of the name.
 */
const OF_HEADERS =
  /^(?:_*refcount_(?:read|set|add|inc|sub|dec)\w*|kref_(?:get|put|read|init)\w*|_*list_(?:add|del|move|splice|replace)\w*|_*hlist_(?:add|del)\w*|(?:raw_|arch_)*atomic(?:64|_long)?_\w+)$/;

/** A module's own function is never a tool: what it was asked for is not known. */
export function isTool({ function: name, module }: Pick<Activation, "function" | "module">): boolean {
  const plain = plainName(name);
  return helperOf(plain) !== undefined || (module === undefined ? isPassedOver(plain) : OF_HEADERS.test(plain));
}

/**
 * The innermost frame outside of a level that is no tool, where the functions between are not known: one of them left by a jump, and a call
 * through a pointer entered it.
 */
export function blameOutside({ state, activations }: Pick<FaultCase, "state" | "activations">, level: number): Blame | undefined {
  const inner = activations.at(level)?.frame;
  const frames = inner === undefined ? [] : (state.stack?.frames ?? []).slice(inner + 1, inner + 1 + MAX_PASSED);
  for (const [at, { kind, certainty, function: name, module, pc, offset }] of frames.entries()) {
    if (kind !== "call" || certainty !== "exact" || name === undefined || inner === undefined) return undefined;
    if (isTool({ function: name, module })) continue;
    const activation: Activation = {
      frame: inner + 1 + at,
      pc,
      function: name,
      module,
      offset: offset ?? 0,
      flow: undefined,
      registers: new Map(),
      cfa: undefined,
      byJump: false,
    };
    return { activation, level: level + 1, passed: [] };
  }
  return undefined;
}

/** The innermost function that is no tool; where all are tools, or the stack ends in them, the innermost one itself. */
export function blameOf(activations: Activations, from = 0): Blame | undefined {
  const passed: Activation[] = [];
  for (let level = from; level < from + MAX_PASSED; level++) {
    const activation = activations.at(level);
    if (activation === undefined) break;
    if (!isTool(activation)) return { activation, level, passed };
    passed.push(activation);
  }
  const first = activations.at(from);
  return first === undefined ? undefined : { activation: first, level: from, passed: [] };
}
