/** Values of a comparison for people: pointers as addresses, enumerators by name, small numbers in decimal, the rest in hexadecimal. */
import { hex16 } from "../../bytes/address.ts";
import type { CType } from "../../debug-info/c-type.ts";

export interface ValueKind {
  /** Bytes; 0 when not known. */
  readonly size: number;
  readonly isPointer: boolean;
  readonly isSigned: boolean;
  /** Without typedefs. */
  readonly type?: CType | undefined;
}

/** Numbers that code is written with are decimal up to a smaller size than those that are counted. */
const LARGE_CONSTANT = 0x1_0000n;
const LARGE_COUNT = 0x100_0000n;
/** Above it lies the kernel's half, with five levels of page tables too; signed numbers at its end are small negative ones. */
const KERNEL_HALF = 0xff00_0000_0000_0000n;
const SMALL_NEGATIVE = 0xffff_ffff_ffff_0000n;

/** A value that was read. */
export function valueText(value: bigint, { size, isPointer, isSigned, type }: ValueKind): string {
  if (isPointer || (size === 8 && value > KERNEL_HALF && !(isSigned && value > SMALL_NEGATIVE)))
    return value === 0n ? "NULL" : hex16(value);
  if (type?.kind === "int" && type.encoding === "bool") return value === 0n ? "false" : "true";
  if (type?.kind === "enum") {
    const named = type.enumerators.find((each) => BigInt.asUintN(size * 8, each.value) === value);
    if (named !== undefined) return named.name;
  }
  return numberText(value, size, isSigned, LARGE_COUNT);
}

/** A constant that the code compares with. */
export function constantText(constant: bigint, { size, isSigned, isPointer }: ValueKind): string {
  return constant === 0n && isPointer ? "NULL" : numberText(constant, size > 0 ? size : 8, isSigned, LARGE_CONSTANT);
}

/** Small negative numbers are what they look like, whatever the type says. */
function numberText(value: bigint, size: number, isSigned: boolean, large: bigint): string {
  const signed = BigInt.asIntN(size * 8, value);
  if (isSigned || (signed < 0n && signed > -4096n)) return signed.toString();
  return value < large ? value.toString() : `0x${value.toString(16)}`;
}
