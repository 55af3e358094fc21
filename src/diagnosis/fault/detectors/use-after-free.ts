/**
 * A pointer that was read from memory that had been given back. Two signs: the value is a poison that free memory is filled with, or the
 * object that it was read from is free now. Rows 3 and 5 of the catalogue. And a pointer into
 * an area of vmalloc() that is gone, or to what a function had on its stack.
 *
 *   rdi = 6b6b6b6b6b6b6b6b ◄ (struct lab_widget *)ff1510edc2b92908->peer       the object lies on a freelist
 */

import { hex16 } from "../../../bytes/address.ts";
import { stateText } from "../../../identity/describe.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { type Poison, poisonOf } from "../../../linux/poison.ts";
import { tracksCommand, tracksOf } from "../../checks/tracks.ts";
import type { Finding } from "../../finding.ts";
import type { Check } from "../../verdict.ts";
import { clearedBeforeCall } from "../cleared-before-call.ts";
import type { FaultCase } from "../fault-case.ts";
import { type FaultDetector, has } from "../fault-detector.ts";
import { type FreedArea, freedArea, freedAreaText } from "../freed-area.ts";
import { freedMemory, isTypesafe } from "../freed-memory.ts";
import { type LeftOnStack, leftOnStack, leftOnStackText } from "../left-on-stack.ts";
import { objectOwner } from "../object-owner.ts";
import { objectType } from "../object-type.ts";
import { freeOnStack, siblingRate, slabRole } from "../samples.ts";
import { sourceOf } from "../source-of.ts";
import { tryIdentify } from "../try-identify.ts";
import { unlinkedBy } from "../unlinkers.ts";
import { accessPhrase, faultEvidence, functionText, pointerName, sourceEvidence, sourceObject, stateChecks } from "../words.ts";

/** Poisons that say that the memory was freed, not only a member of it. */
const FREED = new Set([
  "POISON_FREE",
  "PAGE_POISON",
  "POISON_END",
  "SLUB_RED_INACTIVE",
  "JBD_POISON_FREE",
  "JBD2_POISON_FREE",
  "KEY_DESTROY",
]);

/** Bytes around the source that are looked at for the same poison. */
const AROUND = 64;

export const useAfterFree: FaultDetector = {
  class: "use-after-free",
  needs: ["bad value"],
  refutedBy: [
    "the object that the pointer was read from is allocated, and holds no poison",
    "many objects that the stack leads to look free: the freelists cannot be believed",
    "caches whose objects may be read after they were freed (SLAB_TYPESAFE_BY_RCU)",
  ],
  detect(fault: FaultCase): Finding | undefined {
    const { bad, kernel, access } = fault;
    if (!has(fault, useAfterFree.needs) || bad === undefined || access.kind === "trap") return undefined;
    const source = sourceOf(fault);
    const poison = poisonOf(bad.value);
    const freed = poison !== undefined && FREED.has(poison.name) ? poison : undefined;
    const memory = source?.base === undefined ? undefined : freedMemory(kernel, source.base);
    const role = memory?.slab;
    const isFree = memory?.state === "free";
    if (freed === undefined && !isFree) {
      const area = freedArea(fault);
      if (area !== undefined) return inFreedArea(fault, area);
      const left = leftOnStack(fault);
      return left === undefined ? undefined : outlived(fault, left);
    }
    const checks: Check[] = stateChecks(fault);
    if (freed !== undefined) checks.push({ what: `the value is ${freed.name}: ${freed.meaning}`, result: "held" });
    if (memory !== undefined) {
      // Allocated again since: it holds no poison then, unless nobody wrote it.
      const result = isFree ? "held" : memory.state === "unknown" || source?.comparison === "changed" ? "not possible" : "refuted";
      checks.push({ what: memory.text, result: freed !== undefined && result === "refuted" ? "not possible" : result });
    } else checks.push({ what: "the object that the value was read from is known", result: "not possible" });
    if (source?.moved === true && freed === undefined)
      checks.push({ what: "the object is the one that the code means: a loop had moved the pointer on", result: "not possible" });
    if (role !== undefined && freed === undefined) {
      const typesafe = isTypesafe(kernel, role.cacheAddress);
      const what = `${role.cache} ${typesafe === true ? "allows" : "does not allow"} that free objects are read (SLAB_TYPESAFE_BY_RCU)`;
      checks.push({ what, result: typesafe === false ? "held" : "not possible" });
    }
    if (freed !== undefined && source?.address !== undefined) checks.push(poisonedAround(kernel, source.address, freed));
    const rate =
      isFree || source?.address === undefined
        ? freeOnStack(fault, role?.object)
        : siblingRate(kernel, source.address, source.size, "the same poison in other objects of the slab", (word) => word === bad.value);
    const object = freedObject(fault);
    const offset = source?.address === undefined || role === undefined ? undefined : source.address - role.object;
    const within = offset === undefined || offset < 0n ? "" : `offset 0x${offset.toString(16)} of `;
    const from =
      object?.type === undefined
        ? role === undefined
          ? "freed memory"
          : `${within}a freed object of ${role.cache}`
        : `a freed ${object.type}`;
    const what = access.kind === "fetch" ? "calls" : `${accessPhrase(fault)} through`;
    const tracks = role === undefined ? {} : tracksOf(kernel, role.object);
    const owner = objectOwner(kernel, source, tracks);
    // The code that met it is nobody's: where to look is where the object came from.
    const place =
      fault.guilty.module !== undefined || owner === undefined ? {} : { place: { function: owner.function, module: owner.module } };
    return {
      class: "use-after-free",
      depth: "mechanism",
      title: `${functionText(fault.guilty)} ${what} ${pointerName(fault)}, read from ${from}`,
      checks,
      baseRate: rate,
      rarity: true,
      ...(object === undefined ? {} : { object }),
      ...place,
      story: [
        ...(isFree && memory !== undefined ? [`The code still had a pointer to memory that was given back: ${memory.text}.`] : []),
        ...clearedBeforeCall(fault),
        ...(poison?.name.startsWith("LIST_POISON") === true ? unlinkedBy(fault) : []),
        ...[tracks.freed, tracks.allocated].flatMap((track) => (track === undefined ? [] : [`The object was ${track.text}.`])),
        ...(place.place === undefined || owner === undefined || tracks.freed !== undefined || tracks.allocated !== undefined
          ? []
          : [`It belongs to ${owner.module}: ${owner.text}.`]),
      ],
      evidence: [
        ...faultEvidence(fault),
        ...sourceEvidence(fault),
        ...objectEvidence(fault),
        ...(role === undefined || (tracks.freed ?? tracks.allocated) === undefined
          ? []
          : [{ claim: `the object was ${(tracks.freed ?? tracks.allocated)?.text}`, command: tracksCommand(role.object), values: [] }]),
      ],
    };
  },
};

/** The pointer leads into an area of vmalloc() that is gone: nothing else can have been there since, its range is not given out again yet. */
function inFreedArea(fault: FaultCase, area: FreedArea): Finding {
  const source = sourceObject(fault);
  return {
    class: "use-after-free",
    depth: "mechanism",
    title: `${functionText(fault.guilty)} ${accessPhrase(fault)} with ${pointerName(fault)} = ${hex16(fault.bad?.value ?? 0n)}, in ${freedAreaText(area)}`,
    checks: [...stateChecks(fault), { what: `the pointer leads into ${freedAreaText(area)}`, result: "held" }],
    object: {
      ...(source?.type === undefined ? {} : { type: source.type }),
      ...(source?.member === undefined ? {} : { member: source.member }),
      address: area.start,
      state: "given back by vfree()",
    },
    story: [`The code still had a pointer to memory that was given back: ${freedAreaText(area)}.`],
    evidence: [
      ...faultEvidence(fault),
      ...sourceEvidence(fault),
      { claim: `the pointer leads into ${freedAreaText(area)}`, command: `kmem ${hex16(area.start)}`, values: [] },
    ],
  };
}

/** What lay on a stack is gone with its function, as what was freed is gone with its owner. */
function outlived(fault: FaultCase, left: LeftOnStack): Finding {
  const object = sourceObject(fault);
  const what = fault.access.kind === "fetch" ? "calls a function" : accessPhrase(fault);
  return {
    class: "use-after-free",
    depth: "mechanism",
    title: `${functionText(fault.guilty)} ${what} through an object on the stack of task ${left.pid} (${left.comm}), whose function has returned`,
    checks: [...stateChecks(fault), { what: leftOnStackText(left), result: "held" }],
    ...(object === undefined ? {} : { object }),
    story: [
      `${leftOnStackText(left)}: the function that had the object there has returned and left it linked. What is read of it is what lies there by now.`,
    ],
    evidence: [...faultEvidence(fault), ...sourceEvidence(fault)],
  };
}

function freedObject(fault: FaultCase): Finding["object"] {
  const source = sourceOf(fault);
  const found = sourceObject(fault);
  if (found?.type !== undefined || source?.base === undefined) return found;
  const typed = objectType(fault.kernel, source.base);
  return typed === undefined ? found : { ...found, type: typed.name };
}

function objectEvidence(fault: FaultCase): Finding["evidence"] {
  const source = sourceOf(fault);
  const role = source?.base === undefined ? undefined : slabRole(tryIdentify(fault.kernel, source.base));
  if (role === undefined) return [];
  return [
    {
      claim: `the object at ${hex16(role.object)} of ${role.cache} is ${stateText(role.state)}`,
      command: `kmem -s ${hex16(role.object)}`,
      values: [],
    },
  ];
}

/** Words beside the source that hold the same poison: one poisoned word may be text, eight are none. */
function poisonedAround(kernel: Kernel, address: bigint, { name, value }: Poison): Check {
  let tried = 0;
  let same = 0;
  for (let at = -AROUND / 2; at < AROUND / 2; at += 8) {
    const word = kernel.memory.tryU64(BigInt.asUintN(64, address + BigInt(at)) as Parameters<typeof kernel.memory.tryU64>[0]);
    if (word === undefined) continue;
    tried++;
    if (word === value) same++;
  }
  const what = `${same} of ${tried} words around it are ${name} too`;
  return { what, result: tried === 0 ? "not possible" : same >= 2 ? "held" : "not possible" };
}
