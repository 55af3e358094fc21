/**
 * Memory that was given back and must not be: the allocator stops in a check of its own, or faults over a pointer that leads to no object.
 * Row 8 of the catalogue; the case of seed 003.
 *
 *   mm/slub.c   BUG_ON(object == fp)        set_freepointer(), hardened freelists: given back twice in a row
 *               BUG_ON(!PageCompound(page)) kfree() until 5.14 of what is no slab; WARN_ON(order == 0) from then on
 *               "Wrong slab cache", "Object is not a Slab page"     cache_from_obj(); warn_free_bad_obj() since 7.0
 *   a fault     virt_to_page() of a stack, vmalloc or user address leads to no struct page
 *
 * Which check it was does not matter: what the pointer is decides, and the allocator's own lists are asked.
 */
import { hex16 } from "../../bytes/address.ts";
import { poisonOf } from "../../linux/poison.ts";
import { readLog } from "../../linux/printk.ts";
import type { DiagnosisContext } from "../context.ts";
import type { Detector } from "../detector.ts";
import type { FaultCase } from "../fault/fault-case.ts";
import { freedMemory } from "../fault/freed-memory.ts";
import { valueOrigin } from "../fault/origin.ts";
import type { ValueOrigin } from "../fault/origin-step.ts";
import { sourceOf } from "../fault/source-of.ts";
import { faultEvidence, functionText, stateChecks } from "../fault/words.ts";
import type { Finding } from "../finding.ts";
import type { Check, Evidence, VerdictClass } from "../verdict.ts";
import { inSlabObject, objectAt, pointeeOf } from "./argument.ts";
import { type Blame, blameOf, blameOutside } from "./blame.ts";
import { type FreeCall, freeCall } from "./free-call.ts";
import { type FreedPointer, freedPointer, identityCommand } from "./freed-pointer.ts";
import { framesOf, placeOfBlame, trapCaseOf } from "./trap-case.ts";
import { formatBefore } from "./warn-format.ts";

export const free: Detector = {
  name: "free",
  classes: ["double-free", "bad-free", "use-after-free"],
  needs: ["a function that frees on the stack of the fault, and what it was passed"],
  refutedBy: ["the pointer is the start of an object that is in use", "the object belongs to a copy of the same cache"],
  // The reports of slub_debug name the pointer themselves: slab-report.ts.
  appliesTo: ({ subject }) =>
    subject.event === undefined ||
    (subject.event.kind !== "slub" && ["fault", "assertion", "warning", "corruption"].includes(subject.event.family)),
  detect(context) {
    const fault = context.fault();
    if ("reason" in fault || !fault.state.consistent) return [];
    const call = freeCall(fault);
    const found = call === undefined ? undefined : findingOf(context, fault, call);
    return found === undefined ? [] : [found];
  },
};

interface Case {
  readonly fault: FaultCase;
  readonly call: FreeCall;
  readonly blame: Blame;
  readonly pointer: FreedPointer;
  readonly origin: ValueOrigin | undefined;
}

/** FREED poison: the pointer itself was read from memory that was given back. */
function classOf({ fault, call, pointer, origin }: Case): VerdictClass {
  const poison = poisonOf(call.object.value);
  if (poison !== undefined && /FREE|PAGE_POISON/.test(poison.name)) return "use-after-free";
  const base = holderOf(origin)?.base;
  if (base !== undefined && holderOf(origin)?.comparison === "same" && freedMemory(fault.kernel, base)?.state === "free")
    return "use-after-free";
  return pointer.verdict === "free already" ? "double-free" : "bad-free";
}

function holderOf(origin: ValueOrigin | undefined) {
  return origin === undefined ? undefined : sourceOf({ bad: { origin } as NonNullable<FaultCase["bad"]> });
}

function findingOf(context: DiagnosisContext, fault: FaultCase, call: FreeCall): Finding | undefined {
  const { kernel, activations, values } = fault;
  const { object, name } = call;
  // Nothing is done for NULL; what memory holds now is not what was passed then.
  if (object.value === 0n) return undefined;
  const called = blameOf(activations, call.level + 1);
  const blame = called ?? blameOutside(fault, call.level);
  if (blame === undefined) return undefined;
  const looked = freedPointer(kernel, object.value, call.cache?.value, /^kv|vfree/.test(name));
  const pointer = looked.verdict === "fine" ? (refusedAsOthers(context, fault, looked) ?? looked) : looked;
  if (pointer.verdict === "missing" || (pointer.verdict === "unknown" && fault.access.kind !== "trap")) return undefined;
  const origin = valueOrigin(kernel, activations, values, object.level, object.register, object.value);
  const found: Case = { fault, call, blame, pointer, origin };
  const frames = framesOf({ fault, blame });
  const holder = holderOf(origin);
  const told = origin.steps.filter(({ kind }) => kind !== "lost").map(({ text }) => text);
  return {
    class: classOf(found),
    title: titleOf(found),
    checks: [
      ...stateChecks(fault),
      pointer.check,
      ...rereadChecks(fault, call),
      ...holderChecks(holder),
      ...(called === undefined ? [callerCheck(call, blame)] : []),
    ],
    depth: "cause",
    place: placeOfBlame(blame, frames),
    frames,
    access: { kind: "free" },
    address: object.value,
    object: objectAt(kernel, object.value, typeOf(found)),
    ...(told.length === 0 ? {} : { origin: told.join("; ") }),
    story: storyOf(found),
    evidence: evidenceOf(found),
  };
}

/** What cache_from_obj() prints. */
const WRONG_CACHE = /Wrong slab cache\. (\S+) but object is from (\S+)/;
/** Records before the head of WARN() that its text may stand in. */
const TEXT_BEFORE = 4;

/** The allocator's own comparison: cache_from_obj() warns when an object's cache is not the one that it was given back to. */
function refusedAsOthers({ kernel, subject }: DiagnosisContext, fault: FaultCase, pointer: FreedPointer): FreedPointer | undefined {
  if (!ofOtherCache(fault)) return undefined;
  const index = subject.event?.index ?? 0;
  const records = readLog(kernel).records.slice(Math.max(0, index - TEXT_BEFORE), index + 1);
  const named = records.map(({ text }) => WRONG_CACHE.exec(text)?.[1]).find((name) => name !== undefined);
  const given = named === undefined ? "the allocator's own check found it in another cache" : `it was given back to ${named}`;
  return { ...pointer, verdict: "other cache", check: { what: `${given} and is ${pointer.what}`, result: "held" } };
}

/** Where the pointer lies that was given back; without it the type that it leads to. */
function typeOf({ fault, call, origin }: Case): { readonly type?: string; readonly member?: string } {
  const holder = holderOf(origin);
  if (holder?.container !== undefined && holder.member !== undefined) return { type: holder.container, member: holder.member };
  const pointee = pointeeOf(fault, call.object);
  if (pointee !== undefined) return { type: pointee };
  const typed = inSlabObject(fault.kernel, call.object.value, 0);
  return typed === undefined ? {} : { type: typed.type };
}

function holderChecks(holder: ReturnType<typeof holderOf>): Check[] {
  if (holder?.address === undefined) return [];
  const same = holder.comparison === "same";
  return same ? [{ what: `${hex16(holder.address)}, which it was read from, still holds it`, result: "held" }] : [];
}

/** Where the allocator itself refused the pointer, that memory still holds such a one is no accident. */
function rereadChecks({ access }: FaultCase, { object }: FreeCall): Check[] {
  return object.reread === true && access.kind !== "trap"
    ? [{ what: "no register holds any more what was passed: memory was read again", result: "not possible" }]
    : [];
}

/** The allocator compared the caches itself, cache_from_obj(): which one was named its registers need not hold any more. */
function ofOtherCache(fault: FaultCase): boolean {
  const trap = fault.access.kind === "trap" ? fault.activations.at(0) : undefined;
  const format = trap === undefined ? undefined : (trapCaseOf(fault)?.entry?.format ?? formatBefore(fault, trap));
  return /Wrong slab cache|belongs to different cache/.test(format ?? "");
}

/** Whoever called it left no frame. */
function callerCheck({ name }: FreeCall, { activation }: Blame): Check {
  return { what: `${functionText(activation)} called ${name}() itself: a function between them left by a jump`, result: "not possible" };
}

function titleOf(found: Case): string {
  const { call, blame, pointer, origin } = found;
  const holder = holderOf(origin);
  const what =
    call.object.text ??
    (holder?.container !== undefined && holder.member !== undefined ? `${holder.container}.${holder.member}` : hex16(call.object.value));
  const who = functionText(blame.activation);
  switch (classOf(found)) {
    case "double-free":
      return `${who} gives ${what} to ${call.name}() a second time: it is ${pointer.what}`;
    case "use-after-free":
      return `${who} gives ${what} to ${call.name}(), read from an object that was freed`;
    default:
      return `${who} gives ${what} to ${call.name}(), which is ${pointer.verdict === "other cache" ? "of another cache" : "no object"}: it ${lyingText(pointer.what)}`;
  }
}

function storyOf({ call, blame, pointer, origin }: Case): string[] {
  const holder = holderOf(origin);
  const value = hex16(call.object.value);
  const story = [`${call.name}() was called by ${functionText(blame.activation)} with ${value}, which ${lyingText(pointer.what)}.`];
  if (holder?.address !== undefined) {
    const where = holder.container !== undefined && holder.member !== undefined ? `${holder.container}.${holder.member} at ` : "";
    story.push(
      `The pointer was read from ${where}${hex16(holder.address)}${holder.comparison === "same" ? ", which still holds it: whoever comes there finds it again" : ""}.`,
    );
  }
  if (pointer.verdict === "free already")
    story.push("The first time it was given back left no trace but the object on the free list: whoever did that kept the pointer.");
  return story;
}

/** "is the object at …", "lies in page frame 10966 …". */
function lyingText(what: string): string {
  return `${/^(?:in|on) /.test(what) ? "lies" : "is"} ${what}`;
}

function evidenceOf({ fault, call, pointer, origin }: Case): Evidence[] {
  const holder = holderOf(origin);
  const value = call.object.value;
  const held =
    holder?.address === undefined || holder.now === undefined || holder.size !== 8
      ? []
      : [
          {
            claim: `${hex16(holder.address)} holds ${hex16(holder.now)}${holder.comparison === "same" ? ", the pointer that was given back" : " now"}`,
            command: `rd ${hex16(holder.address)} 1`,
            values: [{ address: holder.address, value: holder.now }],
          },
        ];
  return [{ claim: `${hex16(value)} is ${pointer.what}`, command: identityCommand(value), values: [] }, ...held, ...faultEvidence(fault)];
}
