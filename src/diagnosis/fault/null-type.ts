/**
 * The structure that a NULL should have been, where no value carries a type: the code itself has the NULL, and the compiler folded it into
 * the instruction's address or a cleared register.
 *
 *   mov 0x804,%eax        with debug information: the variable of an inlined function that is the constant 0 there
 *                         without: the only structure of the module that has a member of 4 bytes at 0x804
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import { type CType, type StructType, sizeOf, strip } from "../../debug-info/c-type.ts";
import { DW_AT_const_value, DW_AT_location } from "../../debug-info/dwarf/constants.ts";
import { OP } from "../../debug-info/dwarf/expression-opcodes.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type MemberPath, membersAt } from "../../type-flow/member-path.ts";
import { shapeOfType } from "../../type-flow/shape.ts";
import { ownStructures } from "./own-structures.ts";

/** Offsets below are those of the first members of any structure. */
const TELLING = 0x20;

export interface NullType {
  readonly type: StructType;
  /** Name of the variable that is NULL. */
  readonly variable?: string;
}

/** @param offset that was accessed, from NULL */
export function nullType(
  kernel: Kernel,
  pc: VirtualAddress,
  module: string | undefined,
  offset: number,
  size: number,
): NullType | undefined {
  const described = nullVariables(kernel, pc).filter(({ type }) => isMember(type, offset, size));
  const [innermost] = described;
  if (innermost !== undefined) return innermost;
  if (module === undefined || offset < TELLING) return undefined;
  const fitting = ownStructures(kernel, module).filter((type) => isMember(type, offset, size));
  const names = new Set(fitting.map(({ name }) => name));
  const [only] = fitting;
  return only === undefined || names.size > 1 ? undefined : { type: only };
}

function isMember(type: CType, offset: number, size: number): boolean {
  const whole = (each: MemberPath) => each.bitfield || (each.leftover === 0 && sizeOf(each.type) === size);
  return membersAt({ kind: "pointer", target: type, offset, stride: 0 }, size).some(whole);
}

/** Pointers to structures that are the constant 0 at an instruction, those of the innermost scope first. */
function nullVariables(kernel: Kernel, pc: VirtualAddress): readonly NullType[] {
  try {
    const at = kernel.debugInfo.present ? kernel.debugInfo.at(pc) : undefined;
    if (at === undefined) return [];
    return at.info
      .scopesAt(at.link)
      .flatMap(({ variables }) => variables)
      .flatMap(({ name, type, die }) => {
        const shape = shapeOfType(type);
        const target = shape?.kind === "pointer" ? strip(shape.target) : undefined;
        if (target?.kind !== "struct") return [];
        const expression = die.has(DW_AT_location) ? die.unit.locationAt(die, DW_AT_location, at.link) : undefined;
        const isNull = expression === undefined ? die.signed(DW_AT_const_value) === 0n : isZero(expression);
        return isNull ? [{ type: target, variable: name }] : [];
      });
  } catch (error) {
    if (error instanceof InquestError) return [];
    throw error;
  }
}

/** DW_OP_lit0, DW_OP_stack_value: DWARF 5, 2.6.1.1.3. */
function isZero(expression: Uint8Array): boolean {
  return expression.length === 2 && expression[0] === OP.lit0 && expression[1] === OP.stack_value;
}
