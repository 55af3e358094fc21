/**
 * What a DWARF expression asks of the world around it. Everything a frame may lack is a function that answers undefined: the evaluator
 * then says what was needed. A function may also throw an InquestError with its own reason, which ends the evaluation as well.
 */
import { FormatError } from "../../bytes/errors.ts";
import type { Die, Unit } from "./die.ts";
import type { OperandType } from "./expression-location.ts";

/** Memory of the dead machine, little-endian; reads throw FaultError. */
export interface ExpressionMemory {
  u8(address: bigint): number;
  u16(address: bigint): number;
  u32(address: bigint): number;
  u64(address: bigint): bigint;
}

/** The unit an expression stands in: what its operands refer to. */
export interface ExpressionUnit {
  readonly version: number;
  readonly addressSize: number;
  readonly offsetSize: 4 | 8;
  /** Entry of .debug_addr (DW_OP_addrx, DW_OP_constx), at link time. */
  addressAt(index: number): bigint;
  /** Base type by its offset from the start of the unit; undefined where that is none. */
  baseType(offset: number): OperandType | undefined;
  /** DW_AT_location of an entry as an expression, for DW_OP_call…; empty when it has none. By unit-relative or section offset. */
  procedure(from: "unit" | "section", offset: number): Uint8Array;
}

export interface ExpressionContext {
  readonly unit: ExpressionUnit | undefined;
  readonly memory: ExpressionMemory;
  /** By DWARF number; undefined when the frame does not have it. */
  register(register: number): bigint | undefined;
  /** "rdi"; for the reasons. */
  registerName(register: number): string;
  /** A link-time address in the dump (DW_OP_addr, DW_OP_addrx). */
  runtime(link: bigint): bigint;
  /** Canonical frame address. */
  cfa?(): bigint | undefined;
  /** Value of the function's DW_AT_frame_base. */
  frameBase?(): bigint | undefined;
  /** Value that an expression had on entry to the function. */
  entryValue?(expression: Uint8Array): bigint | undefined;
  /** Value passed for a parameter that the callee does not take (DW_OP_GNU_parameter_ref), by the unit-relative offset of its entry. */
  parameterValue?(entry: number): bigint | undefined;
  /** Value of a variable by the section offset of its entry (DW_OP_GNU_variable_value). */
  variableValue?(entry: number): bigint | undefined;
  /** Address of the object being looked at (DW_OP_push_object_address). */
  objectAddress?(): bigint | undefined;
}

const DW_AT_byte_size = 0x0b;
const DW_AT_encoding = 0x3e;
const DW_AT_location = 0x02;
const DW_TAG_base_type = 0x24;
/** DW_ATE_complex_float, float, imaginary_float, decimal_float; DW_ATE_signed, signed_char. */
const FLOATS = [0x03, 0x04, 0x09, 0x0f];
const SIGNED = [0x05, 0x06];

/**
 * The operands of a unit's expressions.
 * @param pc link-time address at which procedures with a location list are looked up
 */
export function expressionUnit(unit: Unit, pc: bigint): ExpressionUnit {
  return {
    version: unit.version,
    addressSize: unit.addressSize,
    offsetSize: unit.offsetSize,
    addressAt: (index) => unit.addressAt(index),
    baseType: (offset) => operandType(unit.dieAt(unit.offset + offset)),
    procedure(from, offset) {
      const at = from === "unit" ? unit.offset + offset : offset;
      if (at < unit.offset || at >= unit.end) throw new FormatError("DWARF expression", "a call into another unit is not followed", at);
      const die = unit.dieAt(at);
      return die.has(DW_AT_location) ? (unit.locationAt(die, DW_AT_location, pc) ?? new Uint8Array(0)) : new Uint8Array(0);
    },
  };
}

function operandType(die: Die): OperandType | undefined {
  if (die.tag !== DW_TAG_base_type) return undefined;
  const size = die.number(DW_AT_byte_size);
  const encoding = die.number(DW_AT_encoding);
  if (size === undefined || encoding === undefined || size < 1 || size > 16) return undefined;
  return { size, encoding: FLOATS.includes(encoding) ? "float" : SIGNED.includes(encoding) ? "signed" : "unsigned" };
}
