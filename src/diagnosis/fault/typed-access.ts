/**
 * The structure and the member of an access, by the first that tells them:
 *
 *   the code        the type that the flow has for the operand's base: inode->flags
 *   the slice       where the flow lost it on one of several ways, the type of the way that the value came
 *   null-type.ts    where the code itself has the NULL, the structure that this must be
 */
import type { Kernel } from "../../kernel/kernel.ts";
import type { OperandFact } from "../../type-flow/function-flow.ts";
import { membersAt, pathsOf } from "../../type-flow/member-path.ts";
import type { Activation } from "./activation.ts";
import type { AccessPath } from "./fault-case.ts";
import { nullType } from "./null-type.ts";
import { pointedTo, type ValueOrigin } from "./origin-step.ts";

type TypedPath = Pick<AccessPath, "container" | "member" | "offset" | "base" | "object">;

export function typedPath(
  kernel: Kernel,
  fault: Activation,
  fact: OperandFact | undefined,
  origin: ValueOrigin | undefined,
  value: bigint,
  offset: bigint,
  size: number,
): TypedPath {
  const byFlow = typedBy(fact);
  if (byFlow.member !== undefined) return byFlow;
  const byOrigin = typedByOrigin(origin, offset, size);
  return byOrigin.member === undefined ? typedByNull(kernel, fault, value, offset, size) : byOrigin;
}

export function typedBy(fact: OperandFact | undefined): Pick<AccessPath, "container" | "member" | "offset" | "base"> {
  // A number that a pointer leads to is no member.
  if (fact?.container === undefined || fact.member === undefined || fact.member === "") return {};
  // An element of an array of numbers has no structure.
  if (fact.member.startsWith("[") && !/^(?:struct|union) /.test(fact.container)) return {};
  // "(struct tx_ring *)->count": no name of it is known.
  const arrow = fact.text?.includes("*)->") === true ? -1 : (fact.text?.lastIndexOf("->") ?? -1);
  return {
    container: fact.container,
    member: fact.member,
    ...(fact.offset === undefined ? {} : { offset: BigInt(fact.offset) }),
    ...(arrow > 0 && fact.text !== undefined ? { base: fact.text.slice(0, arrow) } : {}),
  };
}

/** The code itself has the NULL. */
export function typedByNull(kernel: Kernel, { pc, module }: Activation, value: bigint, offset: bigint, size: number): TypedPath {
  if (value !== 0n || offset < 0n || offset > 1n << 20n) return {};
  const found = nullType(kernel, pc, module, Number(offset), size);
  if (found === undefined) return {};
  const members = membersAt({ kind: "pointer", target: found.type, offset: Number(offset), stride: 0 }, size);
  return {
    container: `struct ${found.type.name}`,
    member: pathsOf(members),
    offset,
    object: value,
    ...(found.variable === undefined ? {} : { base: found.variable }),
  };
}

/** Where the flow lost the type on one of several ways, the way that the value came tells it. */
function typedByOrigin(origin: ValueOrigin | undefined, offset: bigint, size: number): Pick<AccessPath, "container" | "member" | "offset"> {
  // Arithmetic on the way moved the pointer: the type is of another place.
  if (origin === undefined || origin.steps.some(({ kind }) => kind === "sum")) return {};
  const target = pointedTo(origin.type);
  if (target === undefined || offset < 0n || offset > 1n << 20n) return {};
  const members = membersAt({ kind: "pointer", target: target.target, offset: Number(offset), stride: 0 }, size);
  const member = pathsOf(members);
  return member === "" ? {} : { container: target.name, member, offset };
}

export function sameOperand(a: OperandFact["memory"], b: OperandFact["memory"] | undefined): boolean {
  return b !== undefined && a.base === b.base && a.index === b.index && a.displacement === b.displacement && a.segment === b.segment;
}
