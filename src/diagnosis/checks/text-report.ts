/**
 * Reports of checks that leave nothing of the CPU's state behind: KASAN, KFENCE, KMSAN, KCSAN, UBSAN, bad page states, broken rules of locks.
 * The kernel printed and went on, so the place is the report's; class and access are those that ../log-report reads out of it. What it says
 * of an object is held against the dump's memory.
 */

import { hex16, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type SlabObject, Slabs } from "../../linux/slab.ts";
import type { DiagnosisContext } from "../context.ts";
import type { Detector } from "../detector.ts";
import { objectType } from "../fault/object-type.ts";
import type { Finding } from "../finding.ts";
import type { EventKind } from "../subject/log-events.ts";
import type { Check } from "../verdict.ts";
import { inSlabObject, objectAt } from "./argument.ts";
import { addressField, reportEvidence, reportFrames, type SubjectReport, subjectReport, textField } from "./subject-report.ts";
import { tracksCommand, tracksOf } from "./tracks.ts";

const KINDS: ReadonlySet<EventKind> = new Set(["kasan", "kfence", "kmsan", "kcsan", "ubsan", "page state", "locking"]);

export const textReport: Detector = {
  name: "report of a sanitizer",
  classes: [
    "use-after-free",
    "out-of-bounds",
    "double-free",
    "bad-free",
    "wild-pointer",
    "null-pointer-dereference",
    "uninitialised-value",
    "data-race",
    "undefined-behaviour",
    "page-state",
    "locking-rule",
    "deadlock",
    "self-deadlock",
  ],
  needs: ["the report in the log"],
  refutedBy: ["the object is of another cache than the report says", "the report is not whole"],
  appliesTo: ({ subject }) => subject.event !== undefined && KINDS.has(subject.event.kind),
  detect(context) {
    const found = subjectReport(context);
    if (found === undefined || found.told.verdict.class === "unknown") return [];
    // What faulted right behind the report has registers and operands: the detectors of faults tell more.
    const fault = context.fault();
    const faulted = !("reason" in fault) && fault.state.consistent && fault.access.kind === "memory";
    if (faulted && context.subject.fault !== undefined && found.told.verdict.class === "null-pointer-dereference") return [];
    return [findingOf(context, found)];
  },
};

function findingOf(context: DiagnosisContext, found: SubjectReport): Finding {
  const { kernel, subject } = context;
  const { verdict, story } = found.told;
  const address = found.report.faultAddress;
  const start = addressField(found, "object");
  const object = slabObject(kernel, start ?? address);
  const cache = textField(found, "cache");
  const tracks = object === undefined ? {} : tracksOf(kernel, object.object);
  const place = {
    ...(verdict.function === undefined ? {} : { function: verdict.function }),
    ...(verdict.module === undefined ? {} : { module: verdict.module }),
    ...(verdict.file === undefined || verdict.line === undefined ? {} : { file: verdict.file, line: verdict.line }),
  };
  const typed = object === undefined ? undefined : typeOf(kernel, object, address, verdict.access?.size);
  return {
    class: verdict.class,
    title: verdict.title,
    checks: checksOf(found, cache, object, subject.event?.kind === "locking"),
    depth: "mechanism",
    ...(verdict.function === undefined ? {} : { place }),
    frames: reportFrames(found),
    ...(verdict.access === undefined ? {} : { access: verdict.access }),
    ...(address === undefined ? {} : { address }),
    ...(object === undefined
      ? verdict.object === undefined
        ? {}
        : { object: verdict.object }
      : { object: objectAt(kernel, object.object, typed) }),
    story: [
      ...story,
      ...(tracks.allocated === undefined ? [] : [`The object was ${tracks.allocated.text}.`]),
      ...(tracks.freed === undefined ? [] : [`It was ${tracks.freed.text}.`]),
    ],
    evidence: [
      ...reportEvidence(context),
      ...(object === undefined
        ? []
        : [{ claim: `the object at ${hex16(object.object)} is of ${object.cache}`, command: tracksCommand(object.object), values: [] }]),
    ],
  };
}

function slabObject(kernel: Kernel, address: bigint | undefined): SlabObject | undefined {
  if (address === undefined || !kernel.arch.isKernelAddress(address)) return undefined;
  try {
    return Slabs.of(kernel)?.objectOf(virtual(address));
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

function typeOf(
  kernel: Kernel,
  object: SlabObject,
  address: bigint | undefined,
  size: number | undefined,
): { readonly type?: string; readonly member?: string } {
  const inside = address === undefined ? undefined : inSlabObject(kernel, address, size ?? 1);
  if (inside !== undefined) return { type: inside.type, member: inside.member };
  const typed = objectType(kernel, object.object);
  return typed === undefined ? {} : { type: typed.name };
}

function checksOf({ report, told }: SubjectReport, cache: string | undefined, object: SlabObject | undefined, isRule: boolean): Check[] {
  const checks: Check[] = [{ what: "the report in the log is whole", result: report.damage.length === 0 ? "held" : "not possible" }];
  // A bad page is met by whoever gets or frees it next; page_owner knows who had it.
  if (told.verdict.class === "page-state" && !report.traces.some(({ name, frames }) => name.startsWith("page last") && frames.length > 0))
    checks.push({ what: "who had the page before is known (page_owner)", result: "not possible" });
  // What lockdep warns of may happen; it did not.
  if (isRule && told.verdict.class !== "locking-rule")
    checks.push({ what: "the tasks really wait for each other", result: "not possible" });
  if (told.verdict.function === undefined) checks.push({ what: "the report tells the place", result: "not possible" });
  if (cache !== undefined && object !== undefined)
    checks.push({
      what: `the object at ${hex16(object.object)} is of ${object.cache} in the dump`,
      result: object.cache === cache ? "held" : "refuted",
    });
  return checks;
}
