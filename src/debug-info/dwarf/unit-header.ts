/**
 * Headers of units. DWARF 5, 7.5.1; versions 2 to 4, their 7.5.1; type units of version 4 (.debug_types), its 7.5.1.2.
 *
 *   2–4:  │ length 4/12 │ version 2 │ abbreviations 4/8 │ address size 1 │ [types: signature 8 │ type's offset 4/8] │ entries …
 *   5:    │ length 4/12 │ version 2 │ kind 1 │ address size 1 │ abbreviations 4/8 │ [split: id 8] [types: as above]  │ entries …
 */
import { FormatError } from "../../bytes/errors.ts";
import { DW_UT_skeleton, DW_UT_split_compile, DW_UT_split_type, DW_UT_type } from "./constants.ts";
import { DwarfReader } from "./dwarf-reader.ts";

/** The longest header: 64-bit DWARF 5 of a type unit. */
export const MAX_HEADER = 40;

export interface UnitHeader {
  readonly offset: number;
  readonly end: number;
  readonly version: number;
  readonly addressSize: number;
  readonly offsetSize: 4 | 8;
  /** DW_UT_ number; 0 when the version does not tell it. */
  readonly type: number;
  readonly abbrevOffset: number;
  /** Bytes before the first entry. */
  readonly size: number;
  /** Type units: the signature, and where in the unit the type is. */
  readonly signature: bigint | undefined;
  readonly typeOffset: number | undefined;
  /** Skeletons and split units of version 5. */
  readonly id: bigint | undefined;
}

/**
 * Parses the header at an offset.
 * @param bytes from the header on, MAX_HEADER of them where the section has so many; @param where file and section, for messages
 * @param size of the section; @param types true for .debug_types. Throws FormatError.
 */
export function parseUnitHeader(bytes: Uint8Array, where: string, offset: number, size: number, types: boolean): UnitHeader {
  const reader = new DwarfReader(bytes, where, offset);
  const { end, offsetSize } = unitExtent(reader, offset, size);
  const version = reader.u16();
  if (version < 2 || version > 5) return reader.fail(`a unit of DWARF version ${version}`);
  const type = version === 5 ? reader.u8() : types ? DW_UT_type : 0;
  let addressSize = version === 5 ? reader.u8() : 0;
  const abbrevOffset = reader.offset(offsetSize);
  if (version < 5) addressSize = reader.u8();
  if (addressSize !== 8 && addressSize !== 4) return reader.fail(`a unit with addresses of ${addressSize} bytes`);
  const isType = type === DW_UT_type || type === DW_UT_split_type;
  const id = type === DW_UT_skeleton || type === DW_UT_split_compile ? reader.u64() : undefined;
  const signature = isType ? reader.u64() : undefined;
  const typeOffset = isType ? reader.offset(offsetSize) : undefined;
  if (type > DW_UT_split_type || (version === 5 && type === 0)) return reader.fail(`a unit of unknown kind ${type}`);
  if (offset + reader.position > end) return reader.fail("a unit shorter than its header");
  return { offset, end, version, addressSize, offsetSize, type, abbrevOffset, size: reader.position, signature, typeOffset, id };
}

/** End of the unit whose header begins at an offset, from its length alone. */
export function unitExtent(reader: DwarfReader, offset: number, size: number): { readonly end: number; readonly offsetSize: 4 | 8 } {
  const { length, offsetSize } = reader.initialLength();
  const end = offset + reader.position + length;
  if (end > size) throw new FormatError(reader.where, `a unit of ${length} bytes, where the section ends at ${size}`, offset);
  return { end, offsetSize };
}
