/**
 * A reference count that fell to 0 too early, or was taken again from 0, or overflowed: refcount_t saturates and warns (lib/refcount.c,
 * refcount_warn_saturate(r, t)). Row 11 of the catalogue. The count's address is the first argument, which the caller still holds.
 *
 *   t  REFCOUNT_ADD_NOT_ZERO_OVF, ADD_OVF   saturated; leaking memory          refcount-overflow
 *      REFCOUNT_ADD_UAF                     addition on 0; use-after-free      refcount-underflow
 *      REFCOUNT_SUB_UAF                     underflow; use-after-free
 *      REFCOUNT_DEC_LEAK                    decrement hit 0; leaking memory
 */
import { hex16, virtual } from "../../bytes/address.ts";
import type { DiagnosisContext } from "../context.ts";
import type { Detector } from "../detector.ts";
import { siblingRate } from "../fault/samples.ts";
import { faultEvidence, functionText, plainName, stateChecks } from "../fault/words.ts";
import type { Finding } from "../finding.ts";
import type { Check, VerdictClass } from "../verdict.ts";
import { type Argument, argumentOf, type InStructure, objectAt, structureOf } from "./argument.ts";
import { framesOf, placeOf, type TrapCase, trapCase } from "./trap-case.ts";
import { formatBefore } from "./warn-format.ts";

/** REFCOUNT_SATURATED (include/linux/refcount.h), and how far from it a saturated count may have moved. */
const SATURATED = 0xc000_0000n;
const NEAR = 0x1000_0000n;

type Kind = "overflow" | "addition" | "underflow" | "leak";

const MEANING: Readonly<Record<Kind, { readonly class: VerdictClass; readonly does: string; readonly why: string }>> = {
  overflow: {
    class: "refcount-overflow",
    does: "takes references of OBJECT until the count overflows",
    why: "More references were taken than are given back.",
  },
  addition: {
    class: "refcount-underflow",
    does: "takes a reference of OBJECT, whose count is 0 already",
    why: "The last reference had been dropped before: the object was given back, or was to be.",
  },
  underflow: {
    class: "refcount-underflow",
    does: "drops a reference of OBJECT that nobody holds",
    why: "A reference was dropped once too often, or taken once too seldom.",
  },
  leak: {
    class: "refcount-underflow",
    does: "drops the last reference of OBJECT without releasing it",
    why: "refcount_dec() met the last reference: nobody releases the object, or somebody dropped one too many before.",
  },
};

export const refcount: Detector = {
  name: "refcount",
  classes: ["refcount-underflow", "refcount-overflow"],
  needs: ["the trap of refcount_warn_saturate(), with the address of the count in a register of its caller"],
  refutedBy: ["the count is not saturated in the dump", "other objects of the same slab have counts like that"],
  appliesTo: ({ subject }) => subject.event === undefined || subject.event.kind === "refcount" || subject.event.kind === "warning",
  detect(context) {
    const found = trapCase(context);
    return found === undefined || !/^refcount_warn_saturate$/.test(found.trapped) ? [] : [findingOf(context, found)];
  },
};

/** Which check failed, by what it printed or was about to print. */
export function refcountKind(text: string): Kind | undefined {
  if (/saturated; leaking/.test(text)) return "overflow";
  if (/addition on 0/.test(text)) return "addition";
  if (/underflow/.test(text)) return "underflow";
  if (/decrement hit 0/.test(text)) return "leak";
  return undefined;
}

const BY_NUMBER: readonly Kind[] = ["overflow", "overflow", "addition", "underflow", "leak"];

function kindOf({ subject }: DiagnosisContext, { fault, entry }: TrapCase): Kind | undefined {
  const trap = fault.activations.at(0);
  const told = [subject.event?.text, entry?.format, trap === undefined ? undefined : formatBefore(fault, trap)];
  for (const text of told) {
    const kind = text === undefined ? undefined : refcountKind(text);
    if (kind !== undefined) return kind;
  }
  const number = argumentOf(fault, 0, 1)?.value;
  return number === undefined ? undefined : BY_NUMBER[Number(number & 0xffff_ffffn)];
}

function findingOf(context: DiagnosisContext, found: TrapCase): Finding {
  const { fault, blame } = found;
  const kind = kindOf(context, found) ?? "underflow";
  const { class: name, does, why } = MEANING[kind];
  const counted = argumentOf(fault, 0, 0);
  const value = counted === undefined ? undefined : fault.kernel.memory.tryU32(virtual(counted.value));
  const where = counted === undefined ? undefined : structureOf(fault, counted, 4);
  const checks: Check[] = [...stateChecks(fault), saturated(value)];
  const frames = framesOf(found);
  const what = nameOf(counted, where);
  return {
    class: name,
    title: `${functionText(blame.activation)} ${does.replace("OBJECT", what)}`,
    checks,
    depth: "mechanism",
    ...(counted === undefined
      ? {}
      : {
          baseRate: siblingRate(fault.kernel, counted.value, 4, "saturated counts in other objects of the slab", isSaturated),
          rarity: true as const,
        }),
    place: placeOf(found, frames),
    frames,
    access: { kind: "write", size: 4 },
    ...(counted === undefined ? {} : { address: counted.value, object: objectOf(fault.kernel, counted, where) }),
    story: [...storyOf(found, counted, value, where), why],
    evidence: [
      ...(counted === undefined || value === undefined
        ? []
        : [
            {
              claim: `the count at ${hex16(counted.value)} is 0x${value.toString(16)}, where refcount_t is kept once it went wrong`,
              command: `rd -32 ${hex16(counted.value)} 1`,
              values: [{ address: counted.value, value: BigInt(value) }],
            },
          ]),
      ...faultEvidence(fault),
    ],
  };
}

const isSaturated = (value: bigint): boolean => value >= SATURATED - NEAR && value <= SATURATED + NEAR;

function saturated(value: number | undefined): Check {
  const what = value === undefined ? "the count can be read" : `the count holds 0x${value.toString(16)}: saturated`;
  return { what, result: value === undefined ? "not possible" : isSaturated(BigInt(value)) ? "held" : "refuted" };
}

function objectOf(kernel: TrapCase["fault"]["kernel"], counted: Argument, where: InStructure | undefined): NonNullable<Finding["object"]> {
  return objectAt(kernel, where?.base ?? counted.value, where === undefined ? {} : { type: where.type, member: where.member });
}

function nameOf(counted: Argument | undefined, where: InStructure | undefined): string {
  if (counted?.text?.startsWith("&") === true) return counted.text.slice(1);
  if (where !== undefined) return `${where.type}.${where.member}`;
  return counted === undefined ? "an object" : `the count at ${hex16(counted.value)}`;
}

function storyOf(
  { trapped, blame, fault }: TrapCase,
  counted: Argument | undefined,
  value: number | undefined,
  where: InStructure | undefined,
): string[] {
  const story: string[] = [];
  const through = blame.passed.slice(1).map(({ function: name }) => plainName(name));
  if (counted !== undefined) {
    const lies = where === undefined ? "" : `, ${where.type}.${where.member} of the object at ${hex16(where.base)}`;
    story.push(
      `${trapped} was passed the count at ${hex16(counted.value)}${lies}${through.length === 0 ? "" : ` through ${through.join(", ")}`}.`,
    );
    const { state, cache } = objectAt(fault.kernel, where?.base ?? counted.value);
    if (state !== undefined) story.push(`The object, of ${cache}, is ${state}.`);
  }
  if (value !== undefined && isSaturated(BigInt(value)))
    story.push(`It is kept at 0x${value.toString(16)} from then on, so that the object is never freed again.`);
  return story;
}
