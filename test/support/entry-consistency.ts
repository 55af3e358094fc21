/** What functions were entered with, through their callers, against what their parameters hold now by the frame's own debug information. */
import type { VirtualAddress } from "../../src/bytes/address.ts";
import { FaultError, InquestError } from "../../src/bytes/errors.ts";
import { sizeOf } from "../../src/debug-info/c-type.ts";
import { DW_AT_location } from "../../src/debug-info/dwarf/constants.ts";
import { registerOf } from "../../src/debug-info/dwarf/expression-register.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import type { UnwoundStack } from "../../src/stack/frame.ts";
import { FrameEvaluation } from "../../src/stack/frame-evaluation.ts";
import { frameVariables } from "../../src/stack/frame-variables.ts";
import { unwindTask } from "../../src/stack/unwind.ts";

/** Parameters that their functions change: read in the kernel's source. */
const CHANGED = new Set(["do_dentry_open open"]);

export interface EntryComparison {
  readonly equal: number;
  readonly differences: readonly string[];
}

export function compareEntries(kernel: Kernel, tasks: readonly VirtualAddress[]): EntryComparison {
  let equal = 0;
  const differences: string[] = [];
  for (const task of tasks) {
    const stack = attempt(() => unwindTask(kernel, task));
    stack?.frames.forEach((_, i) => {
      for (const [name, then, now] of bothKnown(kernel, stack, i)) {
        if (then === now) equal++;
        else if (!CHANGED.has(name)) differences.push(`${name}: ${then.toString(16)} on entry, ${now.toString(16)} now`);
      }
    });
  }
  return { equal, differences: [...new Set(differences)] };
}

function* bothKnown(kernel: Kernel, stack: UnwoundStack, index: number): Iterable<[name: string, then: bigint, now: bigint]> {
  const evaluation = FrameEvaluation.of(kernel, stack, index);
  const place = evaluation?.place;
  const entry = place?.function.entry;
  if (evaluation === undefined || place === undefined || entry === undefined) return;
  const variables = frameVariables(kernel, stack, place.frame);
  for (const { kind, name, type, die } of place.function.variables) {
    if (kind !== "parameter" || !die.has(DW_AT_location)) continue;
    const first = die.unit.locationAt(die, DW_AT_location, entry);
    const register = first === undefined ? undefined : registerOf(first);
    const variable = variables.find((each) => each.name === name && each.kind === "parameter");
    if (register === undefined || variable?.state !== "known" || variable.atEntry) continue;
    const then = attempt(() => evaluation.entry.value(register));
    const now = attempt(() => variable.value?.bigint());
    const bits = sizeOf(type) * 8;
    if (then === undefined || now === undefined) continue;
    yield [`${place.function.name} ${name}`, BigInt.asUintN(bits, then), BigInt.asUintN(bits, now)];
  }
}

function attempt<T>(question: () => T): T | undefined {
  try {
    return question();
  } catch (error) {
    if (error instanceof FaultError || error instanceof InquestError) return undefined;
    throw error;
  }
}
