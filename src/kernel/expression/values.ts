/**
 * C's arithmetic types and conversions: promotion, the common type of two operands, pointers, casts. A floating-point operand is held by
 * the bits of its type, like every other scalar.
 */
import { UsageError } from "../../bytes/errors.ts";
import { type CType, type FloatType, type FunctionType, type IntType, type PointerType, sizeOf, strip } from "../../debug-info/c-type.ts";

function integer(name: string, size: number, signed: boolean): IntType {
  return { kind: "int", name, size, signed, encoding: name === "char" ? "char" : "int" };
}

export const VOID: CType = { kind: "void" };
export const DOUBLE: FloatType = { kind: "float", name: "double", size: 8 };
export const FLOAT: FloatType = { kind: "float", name: "float", size: 4 };
/** A function of which nothing is known but that it is one. */
export const UNKNOWN_FUNCTION: FunctionType = { kind: "function", returns: VOID, parameters: [], variadic: false };
export const CHAR = integer("char", 1, true);
export const INT = integer("int", 4, true);
export const UNSIGNED_INT = integer("unsigned int", 4, false);
export const LONG = integer("long", 8, true);
export const INT16 = integer("short", 2, true);
export const UNSIGNED_LONG = integer("unsigned long", 8, false);

/** An operand read: its bits (signed by its type) and a scalar type. */
export interface Scalar {
  readonly type: CType;
  readonly value: bigint;
}

/** The value cut to the width and sign of an integer, enum, pointer or bool type. */
export function wrap(value: bigint, type: CType): bigint {
  const plain = strip(type);
  if (plain.kind === "int" && plain.encoding === "bool") return value === 0n ? 0n : 1n;
  const bits = sizeOf(type) * 8;
  const signed = (plain.kind === "int" || plain.kind === "enum") && plain.signed;
  return signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
}

/** C's type of an integer constant. */
export function constantType(
  value: bigint,
  shape: { readonly decimal: boolean; readonly unsigned: boolean; readonly long: boolean },
): IntType {
  const candidates = shape.unsigned
    ? [UNSIGNED_INT, UNSIGNED_LONG]
    : shape.decimal
      ? [INT, LONG]
      : [INT, UNSIGNED_INT, LONG, UNSIGNED_LONG];
  const fits = candidates.find((type) => (!shape.long || type.size === 8) && wrap(value, type) === value);
  return fits ?? UNSIGNED_LONG;
}

/** Integer promotion: what is narrower than int becomes int. */
export function promote(scalar: Scalar): Scalar & { readonly type: IntType } {
  const plain = strip(scalar.type);
  if (plain.kind !== "int" && plain.kind !== "enum") throw new UsageError("an integer is expected");
  const type =
    plain.size > 8 || (plain.kind === "int" && plain.size >= 4) ? (plain as IntType) : plain.size < 4 || plain.signed ? INT : UNSIGNED_INT;
  const widened = plain.kind === "enum" && plain.size === 8 ? (plain.signed ? LONG : UNSIGNED_LONG) : type;
  return { type: widened, value: wrap(scalar.value, widened) };
}

/** The common type of two promoted operands. */
export function commonType(left: IntType, right: IntType): IntType {
  if (left.size !== right.size) return left.size > right.size ? left : right;
  return left.signed ? right : left;
}

export function pointerTo(target: CType): PointerType {
  return { kind: "pointer", size: 8, target };
}

export function asPointer(type: CType): PointerType | undefined {
  const plain = strip(type);
  return plain.kind === "pointer" ? plain : undefined;
}

/** Bytes that a pointer moves by one; gdb and GCC let `void *` move by bytes. */
export function stride(pointer: PointerType): bigint {
  return BigInt(sizeOf(pointer.target) || 1);
}

export function asFloat(type: CType): FloatType | undefined {
  const plain = strip(type);
  return plain.kind === "float" ? plain : undefined;
}

/** A scalar as a double, whatever its type. */
export function toNumber({ type, value }: Scalar): number {
  const float = asFloat(type);
  if (float === undefined) return Number(value);
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt.asUintN(64, value), true);
  return float.size === 4 ? view.getFloat32(0, true) : view.getFloat64(0, true);
}

/** The bits of a number in a floating-point type. */
export function floatBits(value: number, type: FloatType): bigint {
  const view = new DataView(new ArrayBuffer(8));
  if (type.size === 4) view.setFloat32(0, value, true);
  else view.setFloat64(0, value, true);
  return view.getBigUint64(0, true);
}

/** A scalar converted to another scalar type, as a cast does. */
export function convert(scalar: Scalar, type: CType): bigint {
  const target = asFloat(type);
  if (target !== undefined) return asFloat(scalar.type)?.size === target.size ? scalar.value : floatBits(toNumber(scalar), target);
  if (asFloat(scalar.type) === undefined) return wrap(scalar.value, type);
  const number = Math.trunc(toNumber(scalar));
  return wrap(Number.isFinite(number) ? BigInt(number) : 0n, type);
}
