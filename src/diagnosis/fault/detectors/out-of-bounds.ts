/**
 * A place outside of what the pointer led to: an index beyond a table, a walk over the end of a vmalloc area into its guard page.
 *
 *   mov table(,%rax,8),%rdx            table has 16 entries, rax is 21
 *   mov (%rbx,%rcx,4),%eax             rbx is an object of 256 bytes, rcx is 0x10000000
 *   memcpy(to, buffer, n)              faults behind buffer's last page
 */

import { hex16 } from "../../../bytes/address.ts";
import { type CType, type StructType, sizeOf, strip } from "../../../debug-info/c-type.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { membersAt, pathsOf } from "../../../type-flow/member-path.ts";
import type { Finding } from "../../finding.ts";
import type { Check } from "../../verdict.ts";
import { areaExtent, areaOf, type Extent, extentOf, isTable, stackExtent } from "../extent.ts";
import type { FaultCase } from "../fault-case.ts";
import { type FaultDetector, has } from "../fault-detector.ts";
import { pointedTo } from "../origin-step.ts";
import { ownStructures } from "../own-structures.ts";
import { sourceOf } from "../source-of.ts";
import { accessPhrase, faultEvidence, functionText, sourceEvidence, stateChecks } from "../words.ts";
import { ranOut } from "./stack-overflow.ts";

/** One place that was touched, and what it should have been within. */
interface Reach {
  readonly base: bigint;
  readonly address: bigint;
  readonly size: number;
  readonly index?: { readonly register: string; readonly value: bigint; readonly scale: number; readonly bits?: true };
  /** The area that the place itself is of: its base is no variable's. */
  readonly within?: Extent;
  /** It is not the access that faulted: what it read there is the bad value. */
  readonly earlier?: true;
  readonly type?: string;
  readonly member?: string;
  /** Where that structure lies, when it only holds the pointer. */
  readonly holder?: bigint;
}

export const outOfBounds: FaultDetector = {
  class: "out-of-bounds",
  needs: ["operand", "bad value"],
  refutedBy: [
    "the base itself is no address",
    "the place lies within the object or the variable that the base leads to",
    "the object is free: then it is no longer what the code takes it for",
    "the guard page is that of the task's own stack",
  ],
  detect(fault: FaultCase): Finding | undefined {
    const { bad, kernel, access } = fault;
    if (!has(fault, outOfBounds.needs) || bad === undefined || access.kind !== "memory" || ranOut(fault)) return undefined;
    for (const reach of reaches(fault)) {
      const extent = reach.within ?? stackExtent(fault, reach.base) ?? extentOf(kernel, reach.base);
      if (extent === undefined || (reach.address >= extent.start && reach.address + BigInt(reach.size) <= extent.end)) continue;
      return found(fault, reach, extent);
    }
    return undefined;
  },
};

function reaches(fault: FaultCase): readonly Reach[] {
  const { access, activations, bad, path, guiltyLevel, kernel } = fault;
  if (access.kind !== "memory" || bad === undefined) return [];
  const { culprit } = access;
  const all: Reach[] = [];
  const size = Math.max(1, culprit.size);
  const named = {
    ...(path?.container === undefined ? {} : { type: path.container }),
    ...(path?.member === undefined ? {} : { member: path.member }),
  };
  // `table(,%rax,8)`: the table is the displacement.
  const table = BigInt.asUintN(64, culprit.displacement);
  if (culprit.index !== undefined && culprit.base === undefined && kernel.arch.isKernelAddress(table))
    all.push({ base: table, address: access.address, size, index: culprit.index, ...named });
  // `table(%rax)`: rax is the index, counted in bytes.
  else if (
    culprit.index === undefined &&
    culprit.base !== undefined &&
    isTable(kernel, table) &&
    !kernel.arch.isKernelAddress(culprit.base.value)
  )
    all.push({ base: table, address: access.address, size, index: { ...culprit.base, scale: 1 }, ...named });
  else if (culprit.index !== undefined && culprit.base !== undefined) {
    const table = activations.at(0)?.flow?.at(access.instruction.address)?.registers.get(culprit.base.register);
    all.push({
      base: BigInt.asUintN(64, culprit.base.value + culprit.displacement),
      address: access.address,
      size,
      index: culprit.index,
      ...(named.member === undefined
        ? elementAt(table?.type, culprit.index.bits ? culprit.displacement : access.address - culprit.base.value, size)
        : named),
    });
  }
  // A walk, or a copy: the pointer may have moved on, but not out of the area's own guard page.
  else if (guiltyLevel > 0 || culprit.reach > 0)
    all.push({ base: bad.value, address: access.address, size: 1, ...(named.member === undefined ? holderOf(fault) : named) });
  else {
    const area = areaOf(kernel, access.address);
    if (area !== undefined) all.push({ base: area.start, within: areaExtent(kernel, area), address: access.address, size, ...named });
    else if (stackExtent(fault, bad.value) !== undefined) all.push({ base: bad.value, address: access.address, size, ...named });
  }
  // The index was added before: the register is the sum already.
  const counted = bad.origin?.steps.find(({ counted }) => counted !== undefined)?.counted;
  if (counted !== undefined)
    all.push({
      base: counted.base,
      address: access.address,
      size,
      index: { register: counted.register, value: counted.index / BigInt(counted.scale ?? 1), scale: counted.scale ?? 1 },
      // Counted from within a structure: the table is its member.
      ...elementAt(counted.type, counted.into === undefined ? access.address - counted.base : BigInt(counted.into), size),
    });
  const source = sourceOf(fault);
  if (source?.counted !== undefined && source.address !== undefined && source.comparison === "same")
    all.push({
      base: source.counted.base,
      address: source.address,
      size: source.size,
      index: { register: source.counted.register, value: source.counted.index, scale: 1 },
      earlier: true,
      ...(source.container === undefined ? {} : { type: source.container }),
      ...(source.member === undefined ? {} : { member: source.member }),
    });
  if (source?.base !== undefined && source.address !== undefined && source.index !== undefined && source.comparison === "same")
    all.push({
      base: source.base,
      address: source.address,
      size: source.size,
      index: source.index,
      earlier: true,
      ...(source.container === undefined ? {} : { type: source.container }),
      ...(source.member === undefined ? {} : { member: source.member }),
    });
  return all;
}

/** The member that an index leads to, by the type of the pointer that it is added to: every element has the same ones. */
function elementAt(type: CType | undefined, distanceTo: bigint, size: number): Pick<Reach, "type" | "member"> {
  const pointed = pointedTo(type);
  const length = pointed === undefined ? 0 : sizeOf(pointed.target);
  if (pointed === undefined || length < 1) return {};
  const each = BigInt(length);
  const offset = Number(((distanceTo % each) + each) % each);
  const members = membersAt({ kind: "pointer", target: pointed.target, offset, stride: 0 }, size);
  const member = pathsOf(members);
  return member === "" ? {} : { type: pointed.name, member };
}

/** Of bytes that have no structure: the member that the pointer to them was read from. */
function holderOf(fault: FaultCase): Pick<Reach, "type" | "member" | "holder"> {
  const source = sourceOf(fault);
  if (source?.container === undefined || source.member === undefined) return {};
  return { type: source.container, member: source.member, ...(source.base === undefined ? {} : { holder: source.base }) };
}

/** 1 TiB. */
const FAR = 1n << 40n;

function found(fault: FaultCase, reach: Reach, extent: Extent): Finding {
  const { address, index, earlier, base } = reach;
  const away = address >= extent.end ? address - extent.end : extent.start - address;
  // Beyond what any table could be: the sum went round the end of the address space.
  const bytes = `${away} byte${away === 1n ? "" : "s"}`;
  const behind = away === 0n ? "right behind its end" : `${bytes} behind its end`;
  const by = away > FAR ? "far from it" : address >= extent.end ? behind : `${bytes} before it`;
  const counted = index === undefined ? "" : `with ${index.register} = ${BigInt.asIntN(64, index.value)} `;
  const checks: Check[] = [
    ...stateChecks(fault),
    { what: `${hex16(base)} is in ${extent.text}`, result: "held" },
    { what: `${hex16(address)} is outside: ${by}`, result: "held" },
  ];
  const element = reach.type === undefined ? elementOf(fault.kernel, reach, extent) : undefined;
  const what = earlier === true ? "takes a pointer from outside of" : `${accessPhrase(fault)}, outside of`;
  return {
    class: "out-of-bounds",
    title: `${functionText(fault.guilty)} ${counted}${what} ${extent.text}`,
    checks,
    depth: "cause",
    object: {
      ...(reach.type === undefined ? {} : { type: reach.type }),
      ...(reach.member === undefined ? {} : { member: reach.member }),
      ...element,
      address: reach.holder ?? extent.start,
      ...(extent.cache === undefined ? {} : { cache: extent.cache }),
      ...(extent.state === undefined ? {} : { state: extent.state }),
    },
    story: [
      `The pointer leads to ${extent.text}; ${hex16(address)} is ${by}.`,
      ...(index === undefined ? [] : [`The index in ${index.register} is ${BigInt.asIntN(64, index.value)}, ${unitText(index)}.`]),
    ],
    evidence: [
      ...faultEvidence(fault),
      { claim: `the pointer leads to ${extent.text}`, command: `kmem ${hex16(extent.start)}`, values: [] },
      ...(earlier === true ? sourceEvidence(fault) : []),
    ],
  };
}

function unitText({ scale, bits }: NonNullable<Reach["index"]>): string {
  return bits ? "counted in bits" : `in units of ${scale} byte${scale === 1 ? "" : "s"}`;
}

/**
 * The structure that a table is made of, and the member that the instruction is for: by the variable's type, else the largest structure of
 * the module whose size divides both the table and the index.
 */
function elementOf(
  kernel: Kernel,
  { base, address, size, index }: Reach,
  { start, end, variable }: Extent,
): { readonly type: string; readonly member: string } | undefined {
  if (variable === undefined || index === undefined) return undefined;
  const into = Number(base - start);
  const length = end - start;
  const steps = BigInt.asUintN(64, address - base);
  const declared = kernel.variableType(variable.name);
  const plain = declared === undefined ? undefined : strip(declared);
  const element = plain?.kind === "array" ? strip(plain.element) : undefined;
  const memberOf = (type: StructType) => {
    const members = membersAt({ kind: "pointer", target: type, offset: into % type.size, stride: 0 }, size);
    return members.some(({ leftover, bitfield }) => leftover === 0 || bitfield) ? pathsOf(members) : undefined;
  };
  const isStep = ({ size: each }: StructType) => each > 0 && length % BigInt(each) === 0n && steps % BigInt(each) === 0n;
  const candidates =
    element?.kind === "struct" ? [element] : variable.module === undefined ? [] : ownStructures(kernel, variable.module).filter(isStep);
  const fitting = candidates.flatMap((type) => {
    const member = memberOf(type);
    return member === undefined ? [] : [{ type, member }];
  });
  // What is counted in steps of 24 bytes is counted in steps of 8 too: the largest it is.
  const [first, second] = fitting.sort((a, b) => b.type.size - a.type.size);
  if (first === undefined || second?.type.size === first.type.size) return undefined;
  return { type: `struct ${first.type.name}`, member: first.member };
}
