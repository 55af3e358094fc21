/**
 * The code takes an object for a structure that it is not: its slab cache holds another one, or it is too small. Row 6 of the catalogue.
 *
 *   sk = skb->sk; sk->sk_user_data      sk lies in request_sock_TCP: struct tcp_request_sock, 0x130 bytes; sk_user_data would be at 0x2a0
 *
 * Structures that begin with the same members (struct sock_common) may be used for each other as far as those go; a structure that stands
 * in the other at that place is no mistake either.
 */

import { hex16 } from "../../../bytes/address.ts";
import { type CType, type StructType, sizeOf, strip } from "../../../debug-info/c-type.ts";
import { stateText } from "../../../identity/describe.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { membersAt } from "../../../type-flow/member-path.ts";
import { sameType } from "../../../type-flow/shape.ts";
import type { Finding } from "../../finding.ts";
import type { Check } from "../../verdict.ts";
import type { FaultCase } from "../fault-case.ts";
import { type FaultDetector, has } from "../fault-detector.ts";
import { objectType } from "../object-type.ts";
import { type SlabRole, slabRole } from "../samples.ts";
import { sourceOf } from "../source-of.ts";
import { tryIdentify } from "../try-identify.ts";
import { isFitted } from "../typed-flow.ts";
import { accessPhrase, faultEvidence, functionText, sourceEvidence, stateChecks } from "../words.ts";

/** What the code took an address for. */
interface Taken {
  readonly base: bigint;
  /** "struct sock". */
  readonly container: string;
  readonly member: string | undefined;
  /** The function's own prototype says so. */
  readonly declared?: true;
  /** Of the member, from the structure's start. */
  readonly offset: number;
  readonly size: number;
}

export const typeConfusion: FaultDetector = {
  class: "type-confusion",
  needs: ["bad value"],
  refutedBy: [
    "the object's structure holds the other one at that place",
    "both begin with the same members, and the member is one of those",
    "the structure was only guessed from the members that the code uses",
    "no type is known, and the place is not a constant distance behind the object's end",
    "the object is free, or its cache was merged with others: then its name says nothing",
  ],
  detect(fault: FaultCase): Finding | undefined {
    const { bad, kernel, access } = fault;
    if (!has(fault, typeConfusion.needs) || bad === undefined || access.kind === "trap") return undefined;
    for (const taken of takenFor(fault)) {
      const role = slabRole(tryIdentify(kernel, taken.base));
      if (role === undefined || (taken.declared === undefined && isFitted(kernel, taken.container))) continue;
      const expected = structNamed(kernel, taken.container);
      if (expected === undefined) continue;
      const found = judged(fault, taken, role, expected);
      if (found !== undefined) return found;
    }
    return tooSmall(fault);
  },
};

/**
 * No type is known, but the code adds a constant to the object's start that leads behind its end: whatever the code takes it for is larger.
 * An index that went too far is no constant.
 */
function tooSmall(fault: FaultCase): Finding | undefined {
  const { kernel, access } = fault;
  const source = sourceOf(fault);
  if (source?.base === undefined || source.container !== undefined || source.reread === true || source.comparison !== "same")
    return undefined;
  if (source.index !== undefined || source.counted !== undefined) return undefined;
  const first = source.from ?? source.offset;
  const role = slabRole(tryIdentify(kernel, source.base));
  if (first === undefined || role === undefined || role.offset !== 0 || role.state.state !== "allocated") return undefined;
  if (first < BigInt(role.objectSize) || first > MAX_STRUCTURE) return undefined;
  const into = `0x${first.toString(16)}`;
  const what = access.kind === "fetch" ? "calls what" : `${accessPhrase(fault)} with what`;
  return {
    class: "type-confusion",
    title: `${functionText(fault.guilty)} takes an object of ${role.cache} at ${hex16(role.object)}, ${role.objectSize} bytes, for something larger: ${what} lies ${into} bytes from its start`,
    checks: [
      ...stateChecks(fault),
      { what: `${hex16(role.object)} is an object of ${role.cache}, ${role.objectSize} bytes, and allocated`, result: "held" },
      { what: `the code adds ${into} to its start, a constant: behind its end`, result: "held" },
      { what: "the code means a structure of that size: no type is known", result: "not possible" },
    ],
    depth: "cause",
    object: { address: role.object, state: stateText(role.state), cache: role.cache },
    story: [`The object has ${role.objectSize} bytes; what the code read ${into} bytes from its start belongs to another one.`],
    evidence: [
      ...faultEvidence(fault),
      { claim: `${hex16(role.object)} is an object of ${role.cache}`, command: `kmem -s ${hex16(role.object)}`, values: [] },
      ...sourceEvidence(fault),
    ],
  };
}

/** Bytes; what is further off is no member. */
const MAX_STRUCTURE = 1n << 16n;

function takenFor(fault: FaultCase): readonly Taken[] {
  const { bad, path } = fault;
  const source = sourceOf(fault);
  const found: Taken[] = [];
  if (source?.base !== undefined && source.container !== undefined && source.containerBy === undefined && source.offset !== undefined)
    found.push({
      base: source.base,
      container: source.container,
      member: source.member,
      ...(source.declared === undefined ? {} : { declared: true as const }),
      offset: Number(source.offset),
      size: source.size,
    });
  if (bad !== undefined && path?.container !== undefined && path.offset !== undefined && path.object === undefined)
    found.push({
      base: bad.value,
      container: path.container,
      member: path.member,
      offset: Number(path.offset),
      size: path.access.size ?? 1,
    });
  return found;
}

function judged(fault: FaultCase, taken: Taken, role: SlabRole, expected: StructType): Finding | undefined {
  const { kernel } = fault;
  const held = objectType(kernel, taken.base);
  const isGeneric = /kmalloc/.test(role.cache);
  const into = role.offset;
  const beyond = into + taken.offset + taken.size > role.objectSize;
  const tooLarge = into === 0 && expected.size > role.objectSize && !isFlexible(expected);
  // A cache may be named after the structure that those in it begin with.
  const isExtended = held !== undefined && into === 0 && expected.size <= role.objectSize && beginsWith(expected, held.type);
  const other = held !== undefined && !isExtended && !contains(held.type, expected, into, 0);
  // Of kmalloc() only the size speaks; of a cache of its own the structure does.
  if (held === undefined ? !(beyond && tooLarge) : !other) return undefined;
  if (held === undefined && !isGeneric && role.cache.startsWith(":")) return undefined;
  if (held !== undefined && isShared(held.type, expected, taken)) return undefined;
  const name = held?.name ?? `an object of ${role.cache}`;
  const member = taken.member ?? `0x${taken.offset.toString(16)}`;
  const checks: Check[] = [
    ...stateChecks(fault),
    {
      what: `${hex16(taken.base)} is ${name}, ${role.objectSize} bytes, and no ${taken.container} stands in it there`,
      result: "held",
    },
    {
      what: `the object is ${stateText(role.state)}`,
      result: role.state.state === "allocated" ? "held" : role.state.state === "free" ? "refuted" : "not possible",
    },
    beyond
      ? { what: `${member} would lie 0x${taken.offset.toString(16)} bytes into it, behind its end`, result: "held" }
      : {
          what: `${held?.name ?? role.cache} has another member at 0x${taken.offset.toString(16)}`,
          result: held === undefined ? "not possible" : "held",
        },
  ];
  return {
    class: "type-confusion",
    title: `${functionText(fault.guilty)} takes ${name} at ${hex16(taken.base)} for ${taken.container}: ${accessPhrase(fault)}`,
    checks,
    depth: "cause",
    object: {
      type: taken.container,
      ...(taken.member === undefined ? {} : { member: taken.member }),
      address: role.object,
      state: stateText(role.state),
      cache: role.cache,
    },
    story: [
      `The code used ${hex16(taken.base)} as ${taken.container} (${expected.size} bytes); it is ${name} of ${role.objectSize} bytes in the cache ${role.cache}.`,
      ...(beyond
        ? [`${taken.container}.${member} would be at 0x${taken.offset.toString(16)}: what was read there belongs to the next object.`]
        : []),
    ],
    evidence: [
      ...faultEvidence(fault),
      { claim: `${hex16(taken.base)} is an object of ${role.cache}`, command: `kmem -s ${hex16(taken.base)}`, values: [] },
      ...sourceEvidence(fault),
    ],
  };
}

function structNamed(kernel: Kernel, container: string): StructType | undefined {
  const name = /^struct (\w+)$/.exec(container)?.[1];
  const type = name === undefined ? undefined : kernel.types.find("struct", name, { modules: true });
  return type?.kind === "struct" && type.size > 0 ? type : undefined;
}

function isFlexible({ members }: StructType): boolean {
  const last = members.at(-1);
  return last !== undefined && strip(last.type).kind === "array" && sizeOf(last.type) === 0;
}

/** Does a structure hold the other at an offset? */
export function contains(outer: CType, wanted: StructType, offset: number, depth: number): boolean {
  const plain = strip(outer);
  if (offset === 0 && sameType(plain, wanted)) return true;
  if (plain.kind === "array") {
    const size = sizeOf(plain.element);
    return size > 0 && depth < 12 && contains(plain.element, wanted, offset % size, depth + 1);
  }
  if ((plain.kind !== "struct" && plain.kind !== "union") || depth > 12) return false;
  return plain.members.some(({ type, bitOffset, bitSize }) => {
    const start = bitOffset >> 3;
    return (
      bitSize === undefined &&
      offset >= start &&
      offset < start + Math.max(1, sizeOf(type)) &&
      contains(type, wanted, offset - start, depth + 1)
    );
  });
}

/** `struct child { struct parent first; … }`. */
export function beginsWith(child: StructType, parent: CType): boolean {
  let here: CType | undefined = child;
  for (let depth = 0; depth < 12 && here !== undefined; depth++) {
    const plain: CType = strip(here);
    if (plain.kind !== "struct") return false;
    if (sameType(plain, parent)) return true;
    here = plain.members[0]?.type;
  }
  return false;
}

/** Both structures have the same member there: they begin with the same one. */
function isShared(held: CType, expected: StructType, { offset, size }: Taken): boolean {
  const at = (target: CType) => membersAt({ kind: "pointer", target, offset, stride: 0 }, size);
  const one = at(held);
  return at(expected).some(({ path, type }) =>
    one.some((each) => each.path.split(".").at(-1) === path.split(".").at(-1) && sameType(each.type, type)),
  );
}
