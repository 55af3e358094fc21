/**
 * Base types: DWARF 5, section 5.1 and table 7.11 (encodings). Names stay as the compiler gives them ("long unsigned int"), as BTF's do.
 */
import { FormatError } from "../../bytes/errors.ts";
import type { FloatType, IntType } from "../c-type.ts";
import {
  DW_AT_bit_size,
  DW_AT_byte_size,
  DW_AT_encoding,
  DW_ATE_boolean,
  DW_ATE_complex_float,
  DW_ATE_decimal_float,
  DW_ATE_float,
  DW_ATE_imaginary_float,
  DW_ATE_signed,
  DW_ATE_signed_char,
  DW_ATE_signed_fixed,
  DW_ATE_unsigned_char,
} from "./constants.ts";
import type { Die } from "./die.ts";

/** The largest base type of any compiler is a complex of two long doubles of 16 bytes; readers of values allocate by this size. */
const MAX_SIZE = 64;

/** The type of a DW_TAG_base_type. Throws FormatError when it is larger than any. */
export function baseType(die: Die): IntType | FloatType {
  const size = die.number(DW_AT_byte_size) ?? Math.ceil((die.number(DW_AT_bit_size) ?? 0) / 8);
  if (size > MAX_SIZE) throw new FormatError(".debug_info", `a base type of ${size} bytes`, die.offset);
  const encoding = die.number(DW_AT_encoding) ?? 0;
  const name = die.name ?? `(base type of ${size} bytes)`;
  switch (encoding) {
    case DW_ATE_float:
    case DW_ATE_complex_float:
    case DW_ATE_imaginary_float:
    case DW_ATE_decimal_float:
      return { kind: "float", name, size };
    case DW_ATE_boolean:
      return { kind: "int", name, size, signed: false, encoding: "bool" };
    case DW_ATE_signed_char:
    case DW_ATE_unsigned_char:
      // Two encodings that also serve for small integers of languages without chars; of one byte they are C's.
      return { kind: "int", name, size, signed: encoding === DW_ATE_signed_char, encoding: size === 1 ? "char" : "int" };
    default:
      return { kind: "int", name, size, signed: encoding === DW_ATE_signed || encoding === DW_ATE_signed_fixed, encoding: "int" };
  }
}
