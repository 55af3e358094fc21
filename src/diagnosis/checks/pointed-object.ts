/**
 * The member at an address, by a pointer of the same function that leads to the start of what is around it: for places that the code computes
 * with an index, where the type flow knows the array and not the element.
 *
 *   link = struct credit_link * in rbx ─► ffff…300      touched ffff…348      ─► lanes[2].used, of struct credit_lane: used
 */
import { virtual } from "../../bytes/address.ts";
import { type CType, sizeOf, strip } from "../../debug-info/c-type.ts";
import { membersAt } from "../../type-flow/member-path.ts";
import { containerName } from "../../type-flow/origin.ts";
import type { FaultCase } from "../fault/fault-case.ts";
import { objectType } from "../fault/object-type.ts";

type Case = Pick<FaultCase, "kernel" | "activations" | "values">;

export interface PointedMember {
  /** The innermost structure that is an element of an array, else the one that the pointer leads to. */
  readonly container: string;
  readonly member: string;
  readonly base: bigint;
}

/** undefined when no pointer of a known type leads to what is around the address. @param pc where registers are asked for */
export function pointedMember(
  { kernel, activations, values }: Case,
  level: number,
  pc: bigint,
  address: bigint,
  size: number,
): PointedMember | undefined {
  const flow = activations.at(level)?.flow;
  for (const [register, { type, offset = 0 }] of flow?.at(pc)?.registers ?? []) {
    if (flow === undefined || type?.kind !== "pointer") continue;
    const value = values.of(level, flow.originOf(pc, register))?.value;
    const found = value === undefined ? undefined : memberIn(type.target, BigInt.asUintN(64, value - BigInt(offset)), address, size);
    if (found !== undefined) return found;
  }
  const typed = objectType(
    kernel,
    address,
    (type, into) => membersAt({ kind: "pointer", target: type, offset: into, stride: 0 }, size).length > 0,
  );
  return typed === undefined ? undefined : memberIn(typed.type, typed.address, address, size);
}

function memberIn(target: CType, base: bigint, address: bigint, size: number): PointedMember | undefined {
  const whole = BigInt(sizeOf(target));
  if (address < base || address >= base + whole || containerName(target) === undefined) return undefined;
  const [member] = membersAt({ kind: "pointer", target, offset: Number(address - base), stride: 0 }, size);
  if (member === undefined || member.path === "" || member.leftover !== 0) return undefined;
  return elementOf(target, virtual(base), member.path) ?? { container: containerName(target) as string, member: member.path, base };
}

/** "lanes[2].used" of struct credit_link is "used" of struct credit_lane. */
function elementOf(target: CType, base: bigint, path: string): PointedMember | undefined {
  const at = /^(.*\[\d+\])\.([^[\]]+)$/.exec(path);
  if (at === null) return undefined;
  const [, array = "", member = ""] = at;
  let here: CType = target;
  let offset = 0;
  for (const word of array.split(/[.[]/)) {
    const plain = strip(here);
    if (word.endsWith("]")) {
      if (plain.kind !== "array") return undefined;
      offset += Number.parseInt(word, 10) * sizeOf(plain.element);
      here = plain.element;
      continue;
    }
    // Members of anonymous structures are not looked for: the whole path stands for itself then.
    const found = plain.kind === "struct" || plain.kind === "union" ? plain.members.find(({ name }) => name === word) : undefined;
    if (found === undefined) return undefined;
    offset += found.bitOffset >> 3;
    here = found.type;
  }
  const container = containerName(here);
  return container === undefined ? undefined : { container, member, base: BigInt.asUintN(64, base + BigInt(offset)) };
}
