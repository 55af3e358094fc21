/** What a reader of any verdict wants to know beside it: release, machine, taint, and what speaks neither for nor against. */

import type { Kernel } from "../kernel/kernel.ts";
import { dmiStrings } from "../linux/dmi.ts";
import { taintFlags, taintMask } from "../linux/taint.ts";
import { utsname } from "../linux/utsname.ts";
import type { DiagnosisContext } from "./context.ts";
import { guarded } from "./guarded.ts";
import type { Diagnosis } from "./verdict.ts";

export function dumpContext({ kernel, subject }: DiagnosisContext, notes: readonly string[]): Diagnosis["context"] {
  const { release } = guarded(() => utsname(kernel)) ?? { release: "" };
  const taint = guarded(() => taintMask(kernel));
  const hardware = guarded(() => hardwareOf(kernel));
  return {
    ...(release === "" ? {} : { release }),
    machine: kernel.arch.name,
    ...(taint === undefined || taint === 0n ? {} : { taint: taintText(taint) }),
    ...(hardware === undefined ? {} : { hardware }),
    notes: [...subject.notes, ...notes],
  };
}

/** "O (an out-of-tree module was loaded), E (…)": told, never held against anyone. */
function taintText(mask: bigint): string {
  return taintFlags(mask)
    .map(({ letter, meaning }) => `${letter} (${meaning})`)
    .join(", ");
}

function hardwareOf(kernel: Kernel): string | undefined {
  const strings = new Map(dmiStrings(kernel)?.map(({ name, value }) => [name, value]));
  const parts = ["SYS_VENDOR", "PRODUCT_NAME"].flatMap((name) => strings.get(name) ?? []);
  return parts.length === 0 ? undefined : parts.join(" ");
}
