/** What a reader of any verdict wants to know beside it: release, machine, taint, and what speaks neither for nor against. */

import type { Kernel } from "../kernel/kernel.ts";
import { dmiStrings } from "../linux/dmi.ts";
import { taintFlags, taintMask } from "../linux/taint.ts";
import { utsname } from "../linux/utsname.ts";
import type { DiagnosisContext } from "./context.ts";
import { guarded } from "./guarded.ts";
import type { LogEvent } from "./subject/log-events.ts";
import type { Subject } from "./subject/subject.ts";
import type { Diagnosis } from "./verdict.ts";

export function dumpContext({ kernel, subject }: DiagnosisContext, notes: readonly string[]): Diagnosis["context"] {
  const { release } = guarded(() => utsname(kernel)) ?? { release: "" };
  const taint = guarded(() => taintMask(kernel));
  const told = (taint ?? 0n) & ~taintOfItself(subject);
  const hardware = guarded(() => hardwareOf(kernel));
  return {
    ...(release === "" ? {} : { release }),
    machine: kernel.arch.name,
    ...(told === 0n ? {} : { taint: taintText(told) }),
    ...(hardware === undefined ? {} : { hardware }),
    notes: [...subject.notes, ...notes],
  };
}

const DIED = 1n << 7n;
const WARNED = 1n << 9n;
const LOCKED_UP = 1n << 14n;

/** Flags that the matter itself left (add_taint() in die(), __warn() and the watchdog): they say nothing of what was before. */
export function taintOfItself({ event, fault, before }: Pick<Subject, "event" | "fault" | "before">): bigint {
  const all = [event, fault].filter((each) => each !== undefined);
  const earlier = before.map((each) => each.event);
  const own = (flag: bigint, is: (each: LogEvent) => boolean) => (all.some(is) && !earlier.some(is) ? flag : 0n);
  return (
    own(DIED, ({ family, kind }) => family === "fault" || family === "assertion" || kind === "list") |
    own(WARNED, ({ family, kind }) => family === "warning" || kind === "refcount") |
    own(LOCKED_UP, ({ kind }) => kind === "soft lockup")
  );
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
