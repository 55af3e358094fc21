/**
 * Values on the stack of a DWARF expression and their arithmetic. DWARF 5, section 2.5.1.4.
 *
 * An untyped value is a word of 64 bits "of unspecified signedness": division and comparison take it as signed, remainder and right shift
 * as unsigned. A typed one follows its base type. All results wrap to the width.
 */
import { UnsupportedError } from "../../bytes/errors.ts";
import type { OperandType } from "./expression-location.ts";
import { OP, operationName } from "./expression-opcodes.ts";

export interface Operand {
  /** Unsigned, below 2^(8 × size). */
  readonly bits: bigint;
  /** undefined: generic, 64 bits. */
  readonly type: OperandType | undefined;
}

const GENERIC_BITS = 64;

function width(type: OperandType | undefined): number {
  return type === undefined ? GENERIC_BITS : type.size * 8;
}

/** An operand of a type, cut to its width. */
export function operand(value: bigint, type?: OperandType): Operand {
  return { bits: BigInt.asUintN(width(type), value), type };
}

/** As a number with the sign of its type; untyped ones as said. */
function integer({ bits, type }: Operand, untypedSigned: boolean): bigint {
  refuseFloat(type);
  const signed = type === undefined ? untypedSigned : type.encoding === "signed";
  return signed ? BigInt.asIntN(width(type), bits) : bits;
}

function refuseFloat(type: OperandType | undefined): void {
  if (type?.encoding === "float") throw new UnsupportedError("it computes with floating-point numbers");
}

/** abs, neg, not. */
export function unary(operation: number, value: Operand): Operand {
  const number = integer(value, true);
  switch (operation) {
    case OP.abs:
      return operand(number < 0n ? -number : number, value.type);
    case OP.neg:
      return operand(-number, value.type);
    default:
      return operand(~number, value.type);
  }
}

/** Operations on two values: `left` was pushed first. */
export function binary(operation: number, left: Operand, right: Operand): Operand {
  if (operation === OP.shl || operation === OP.shr || operation === OP.shra) return shift(operation, left, right);
  const type = commonType(operation, left.type, right.type);
  const signed = (value: Operand) => integer({ bits: value.bits, type }, true);
  const l = signed(left);
  const r = signed(right);
  switch (operation) {
    case OP.and:
      return operand(l & r, type);
    case OP.or:
      return operand(l | r, type);
    case OP.xor:
      return operand(l ^ r, type);
    case OP.plus:
      return operand(l + r, type);
    case OP.minus:
      return operand(l - r, type);
    case OP.mul:
      return operand(l * r, type);
    case OP.div:
      if (r === 0n) throw new UnsupportedError("it divides by zero");
      return operand(l / r, type);
    case OP.mod: {
      // Unsigned when untyped.
      const divisor = integer({ bits: right.bits, type }, false);
      if (divisor === 0n) throw new UnsupportedError("it divides by zero");
      return operand(integer({ bits: left.bits, type }, false) % divisor, type);
    }
    case OP.eq:
      return truth(l === r);
    case OP.ne:
      return truth(l !== r);
    case OP.lt:
      return truth(l < r);
    case OP.le:
      return truth(l <= r);
    case OP.gt:
      return truth(l > r);
    default:
      return truth(l >= r);
  }
}

function truth(value: boolean): Operand {
  return operand(value ? 1n : 0n);
}

/** The count is any integer; counts of the width and more leave nothing but the sign. */
function shift(operation: number, left: Operand, right: Operand): Operand {
  refuseFloat(left.type);
  refuseFloat(right.type);
  const bits = width(left.type);
  const count = right.bits >= BigInt(bits) ? BigInt(bits) : right.bits;
  switch (operation) {
    case OP.shl:
      return operand(left.bits << count, left.type);
    case OP.shr:
      return operand(left.bits >> count, left.type);
    default:
      return operand(BigInt.asIntN(bits, left.bits) >> count, left.type);
  }
}

/**
 * Both operands are of one type; LLVM mixes untyped words with its own 64-bit types, which is harmless because the bits are the same: the
 * typed one then decides about signs.
 */
function commonType(operation: number, left: OperandType | undefined, right: OperandType | undefined): OperandType | undefined {
  if (left === undefined || right === undefined) {
    const typed = left ?? right;
    if (typed === undefined || typed.size * 8 === GENERIC_BITS) return typed;
  } else if (left.size === right.size && left.encoding === right.encoding) {
    return left;
  }
  throw new UnsupportedError(`${operationName(operation)} has operands of different types`);
}

/** DW_OP_convert: the same number in another type (undefined: untyped). */
export function convert(value: Operand, type: OperandType | undefined): Operand {
  refuseFloat(type);
  // What is untyped is extended with zeroes: DWARF leaves that open, GCC and gdb take it as an unsigned address.
  return operand(integer(value, false), type);
}

/** DW_OP_reinterpret: the same bits in another type of that size. */
export function reinterpret(value: Operand, type: OperandType | undefined): Operand {
  if (width(value.type) !== width(type)) throw new UnsupportedError("it reinterprets a value as a type of another size");
  return { bits: value.bits, type };
}
