/**
 * Whose trouble a failed check is: BUG() and WARN() in what works for anyone (an allocator, a list, a lock, a reference count) are their
 * caller's. The names are those of ../log-report/passed-over.ts, so text and dump name the same function.
 *
 *   __slab_free ◄ kfree ◄ lab_put ◄ lab_release          lab_put is to blame; __slab_free and kfree are passed over
 */

import type { Activation, Activations } from "../fault/activation.ts";
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

/** A module's function is never a tool: what it was asked for is not known. */
export function isTool({ function: name, module }: Pick<Activation, "function" | "module">): boolean {
  const plain = plainName(name);
  return helperOf(plain) !== undefined || (module === undefined && isPassedOver(plain));
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
