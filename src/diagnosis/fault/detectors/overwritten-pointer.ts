/**
 * A pointer that is no longer one: text or a pattern was written over it, and over what stands beside it. Where the run begins tells who
 * wrote: in the object before this one (it was written past its end), or in a member of the same object. Rows 7 and 13 of the catalogue.
 *
 *   │ object A: … "a name that is too long │ for its b" │ object B: "uffer…" … │        B's pointer is text; the text begins in A
 */

import { hex16, virtual } from "../../../bytes/address.ts";
import { type CType, sizeOf, strip } from "../../../debug-info/c-type.ts";
import { membersAt } from "../../../type-flow/member-path.ts";
import type { Finding } from "../../finding.ts";
import type { Check } from "../../verdict.ts";
import { contentRun, numbersOver } from "../content-run.ts";
import type { FaultCase } from "../fault-case.ts";
import { type FaultDetector, has } from "../fault-detector.ts";
import { objectType } from "../object-type.ts";
import type { LoadStep } from "../origin-step.ts";
import { type Placed, placeOf } from "../placed.ts";
import { replacedStructure, replacedText } from "../replaced-structure.ts";
import { siblingRate, slabRole } from "../samples.ts";
import { sourceOf } from "../source-of.ts";
import { tryIdentify } from "../try-identify.ts";
import { accessPhrase, faultEvidence, functionText, pointerName, readFrom, sourceEvidence, sourceObject, stateChecks } from "../words.ts";

export const overwrittenPointer: FaultDetector = {
  class: "overwritten-pointer",
  needs: ["bad value"],
  refutedBy: [
    "the value stands alone: the words beside it are neither text nor the same pattern",
    "the object that it was read from is free: what is in it is another's",
    "the member is text by its type: the code took something else for a pointer",
    "the run begins where the object begins, in a member that is no text: the memory has another owner now",
  ],
  detect(fault: FaultCase): Finding | undefined {
    const { bad, kernel, access } = fault;
    if (!has(fault, overwrittenPointer.needs) || bad === undefined || access.kind === "trap") return undefined;
    const source = sourceOf(fault);
    const word = source?.now;
    if (source?.address === undefined || word === undefined || source.size !== 8) return undefined;
    const numbers = numbersBefore(fault, source);
    const role = slabRole(tryIdentify(kernel, source.base ?? source.address));
    const content = contentRun(kernel, source.address, word, role === undefined ? pageOf(fault, source.address) : undefined);
    const run = content ?? (numbers === 0 ? undefined : numbersOver(kernel, source.address, word, numbers));
    if (run === undefined) return replaced(fault);
    const writer = writerOf(fault, run.start, source.address);
    const length = Number(run.end - run.start);
    const checks: Check[] = [
      ...stateChecks(fault),
      { what: `${hex16(source.address)} holds ${run.text}, ${length} bytes of it from ${hex16(run.start)} on`, result: "held" },
      {
        what: "what was loaded is still there",
        result: source.comparison === "same" ? "held" : source.comparison === "changed" ? "refuted" : "not possible",
      },
      {
        what: "the object that it was read from is allocated",
        result: role === undefined || role.state.state === "unknown" ? "not possible" : role.state.state === "free" ? "refuted" : "held",
      },
      // Numbers of one size are met by chance sooner than text is.
      ...(content === undefined
        ? [{ what: "the numbers were written by who wrote those before them", result: "not possible" as const }]
        : []),
      ...(content === undefined && source.container === undefined
        ? [{ what: "the member before it is an array, by its type", result: "not possible" as const }]
        : []),
      ...writer.checks,
    ];
    const object = sourceObject(fault);
    const name = pointerName(fault);
    const what = access.kind === "fetch" ? "calls" : `${accessPhrase(fault)} through`;
    return {
      class: "overwritten-pointer",
      title: `${functionText(fault.guilty)} ${what} ${name}${readFrom(fault)}, over which ${run.kind === "text" ? "text" : "a pattern"} was written: ${run.text}`,
      checks,
      depth: "cause",
      baseRate: siblingRate(kernel, source.address, 8, "the same in other objects of the slab", (other) => other === word),
      rarity: true,
      ...(object === undefined ? {} : { object }),
      story: [`${length} bytes of ${run.text} stand from ${hex16(run.start)} to ${hex16(run.end)}, over the pointer.`, ...writer.story],
      evidence: [
        ...faultEvidence(fault),
        ...sourceEvidence(fault),
        {
          claim: `the bytes from ${hex16(run.start)} on are ${run.text}`,
          command: `rd -8 ${hex16(run.start)} ${Math.min(length, 256)}`,
          values: [{ address: source.address, value: word }],
        },
      ],
    };
  },
};

/** No run of one content goes over the pointer, but the structure around it is gone as a whole. */
function replaced(fault: FaultCase): Finding | undefined {
  const { access, bad, kernel } = fault;
  const found = replacedStructure(fault);
  if (found === undefined || bad === undefined || kernel.arch.isKernelAddress(bad.value)) return undefined;
  const object = sourceObject(fault);
  const what = access.kind === "fetch" ? "calls" : `${accessPhrase(fault)} through`;
  return {
    class: "overwritten-pointer",
    title: `${functionText(fault.guilty)} ${what} ${pointerName(fault)}${readFrom(fault)}: ${replacedText(found)}`,
    checks: [
      ...stateChecks(fault),
      { what: replacedText(found), result: "held" },
      { what: "whether it was freed and is another's by now, or was written over in use", result: "not possible" },
    ],
    depth: "cause",
    ...(object === undefined ? {} : { object }),
    story: [
      `Not only that pointer is wrong: ${replacedText(found)}. The memory was freed and given to somebody else, or all of it was written over.`,
    ],
    evidence: [
      ...faultEvidence(fault),
      ...sourceEvidence(fault),
      ...found.members.slice(0, 3).map(({ name, address, value }) => ({
        claim: `${found.type}.${name} at ${hex16(address)} is ${hex16(value)}, no code`,
        command: `rd ${hex16(address)} 1`,
        values: [{ address, value }],
      })),
    ],
  };
}

/** Pages of the linear mapping that no slab has are given out one by one: what stands before one is another's. */
function pageOf({ kernel }: FaultCase, address: bigint): bigint | undefined {
  if (tryIdentify(kernel, address)?.region !== "linear map") return undefined;
  return address & ~BigInt(kernel.arch.pageSize - 1);
}

/** Bytes of the array of numbers that ends where the pointer stands in its structure; 0 when there is none, or the member is no pointer. */
function numbersBefore({ kernel, bad }: FaultCase, { container, offset, address }: LoadStep): number {
  const tag = /^struct (\w+)$/.exec(container ?? "")?.[1];
  // Without a type the numbers themselves must tell that there is an array, and that it was one object.
  if (container === undefined && bad?.identity.region === "non-canonical" && isWithin(kernel, address, UNTYPED)) return UNTYPED;
  if (tag === undefined || offset === undefined || bad === undefined || kernel.arch.isKernelAddress(bad.value)) return 0;
  const type = kernel.types.find("struct", tag, { modules: true });
  const members = type?.kind === "struct" ? type.members : [];
  const own = members.find(({ bitOffset }) => bitOffset === Number(offset) * 8);
  const before = members.findLast(({ type: each, bitOffset }) => bitOffset + sizeOf(each) * 8 === Number(offset) * 8);
  const array = before === undefined ? undefined : strip(before.type);
  const isNumbers = array?.kind === "array" && strip(array.element).kind === "int" && sizeOf(array.element) <= 4;
  return own !== undefined && strip(own.type).kind === "pointer" && isNumbers && array !== undefined ? sizeOf(array) : 0;
}

/** Bytes of numbers that must stand before a pointer of which nothing is known. */
const UNTYPED = 16;

function isWithin(kernel: FaultCase["kernel"], address: bigint | undefined, before: number): boolean {
  const role = address === undefined ? undefined : slabRole(tryIdentify(kernel, address));
  return role !== undefined && role.state.state === "allocated" && role.offset >= before;
}

interface Writer {
  readonly checks: readonly Check[];
  readonly story: readonly string[];
}

/** Where the run begins: in a neighbour, in a member before the pointer, or at the start of the object. */
function writerOf({ kernel, bad }: FaultCase, start: bigint, address: bigint): Writer {
  const own = placeOf(kernel, address);
  const first = placeOf(kernel, start);
  const source = bad?.origin?.steps.find(({ load }) => load !== undefined)?.load;
  if (own === undefined) return { checks: [], story: [] };
  if (first === undefined || first.object !== own.object) {
    if (start >= own.object) return { checks: [], story: [] };
    const neighbour = first === undefined ? hex16(start) : describe(first, start);
    return {
      checks: [{ what: `the run begins before the object, in ${neighbour}`, result: "held" }],
      story: [`It begins in the neighbour before the object: ${neighbour} was written past its end.`],
    };
  }
  const into = Number(virtual(start) - own.object);
  const type = memberType(kernel, source?.container, own.object, into, source?.base);
  if (type === "text") {
    return {
      checks: [
        { what: `the run begins in a member of the same object that is an array, 0x${into.toString(16)} bytes into it`, result: "held" },
      ],
      story: ["It begins in a member of the same object: more was written there than it holds."],
    };
  }
  // A new owner writes from the start; so does a copy over the whole object.
  if (into === 0)
    return { checks: [{ what: "the memory still has the owner that the code takes it for", result: "not possible" }], story: [] };
  return { checks: type === undefined ? [] : [{ what: "what wrote it is known", result: "not possible" }], story: [] };
}

function describe(placed: Placed, address: bigint): string {
  const into = `0x${(virtual(address) - placed.object).toString(16)}`;
  return `the object ${hex16(placed.object)} of ${placed.cache} (${placed.type ?? placed.state}), at ${placed.member ?? into}`;
}

/** Does the structure have characters there? undefined when its type is not known. */
function memberType(
  kernel: FaultCase["kernel"],
  container: string | undefined,
  object: bigint,
  into: number,
  base: bigint | undefined,
): "text" | "other" | undefined {
  const tag = /^struct (\w+)$/.exec(container ?? "")?.[1];
  const type: CType | undefined =
    (tag === undefined ? undefined : kernel.types.find("struct", tag, { modules: true })) ?? objectType(kernel, object)?.type;
  if (type === undefined) return undefined;
  // The structure may be one of several in the object.
  const offset = container === undefined || base === undefined ? into : into - Number(base - object);
  const members = membersAt({ kind: "pointer", target: type, offset, stride: 0 }, 1);
  if (members.length === 0) return undefined;
  return members.some((each) => isText(each.type) || /\[\d+\]$/.test(each.path)) ? "text" : "other";
}

function isText(type: CType): boolean {
  const plain = strip(type);
  return plain.kind === "int" && plain.size === 1 && plain.encoding !== "bool";
}
