/**
 * Where a member lies in its structure: DWARF 5, section 5.7.6, and the older encodings of bitfields, which are still met.
 *
 *   DW_AT_data_bit_offset (4, 5)         bits from the start of the structure to the lowest bit: what a Member wants
 *   DW_AT_bit_offset (2, 3)              bits from the *highest* bit of the storage unit to the highest of the field
 *                                        │ unit of byte_size bytes at data_member_location │
 *                                         ◄ bit_offset ►◄ bit_size ►◄ what a Member wants ►     (little-endian)
 *   DW_AT_data_member_location           bytes, as a constant, or as an expression over the structure's address
 */
import { FormatError } from "../../bytes/errors.ts";
import {
  DW_AT_bit_offset,
  DW_AT_bit_size,
  DW_AT_byte_size,
  DW_AT_data_bit_offset,
  DW_AT_data_member_location,
  DW_OP_constu,
  DW_OP_plus,
  DW_OP_plus_uconst,
} from "./constants.ts";
import type { Die } from "./die.ts";

export interface MemberPlace {
  readonly bitOffset: number;
  readonly bitSize: number | undefined;
}

/**
 * Place of a DW_TAG_member. @param unitSize bytes of the member's type, asked only for a bitfield of version 2 or 3 that does not
 * give its storage unit. Throws FormatError for a location that is no constant.
 */
export function memberPlace(die: Die, unitSize: () => number): MemberPlace {
  const bitSize = die.number(DW_AT_bit_size);
  const direct = die.number(DW_AT_data_bit_offset);
  if (direct !== undefined) return { bitOffset: direct, bitSize };
  const start = memberBytes(die) * 8;
  const fromTop = bitSize === undefined ? undefined : die.number(DW_AT_bit_offset);
  if (bitSize === undefined || fromTop === undefined) return { bitOffset: start, bitSize };
  const storage = (die.number(DW_AT_byte_size) ?? unitSize()) * 8;
  return { bitOffset: start + storage - fromTop - bitSize, bitSize };
}

/** Bytes from the start of the structure; 0 where nothing is said, as in unions. */
function memberBytes(die: Die): number {
  if (!die.has(DW_AT_data_member_location)) return 0;
  const constant = die.number(DW_AT_data_member_location);
  if (constant !== undefined) return constant;
  const expression = die.bytes(DW_AT_data_member_location);
  const offset = expression === undefined ? undefined : addedConstant(expression);
  if (offset === undefined) throw new FormatError(".debug_info", "a member whose place is not a constant", die.offset);
  return offset;
}

/** N of the expressions `plus_uconst N` and `constu N; plus`, which is all that C compilers wrote before version 3. */
function addedConstant(expression: Uint8Array): number | undefined {
  const operation = expression[0];
  if (operation !== DW_OP_plus_uconst && operation !== DW_OP_constu) return undefined;
  let value = 0;
  let at = 1;
  for (let scale = 1; ; scale *= 128) {
    const byte = expression[at++];
    if (byte === undefined || !Number.isSafeInteger(value + (byte & 0x7f) * scale)) return undefined;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  const rest = expression.subarray(at);
  if (operation === DW_OP_plus_uconst) return rest.length === 0 ? value : undefined;
  return rest.length === 1 && rest[0] === DW_OP_plus ? value : undefined;
}
