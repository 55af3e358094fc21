/**
 * Forms: how many bytes the value of an attribute takes, and what it is good for. DWARF 5, 7.5.5 and 7.5.6; section 7.5.4 of versions 2
 * and 3 for offsets that were written as constants.
 */
import * as dw from "./constants.ts";
import type { DwarfReader } from "./dwarf-reader.ts";

export type FormClass = "address" | "block" | "constant" | "flag" | "reference" | "string" | "section offset";

/** What of a unit's header decides about sizes. */
export interface UnitSizes {
  readonly version: number;
  readonly addressSize: number;
  readonly offsetSize: 4 | 8;
}

/** Sizes that are told by the data itself: negative numbers in place of a count of bytes. */
const LEB = -1;
const STRING = -2;
const BLOCK1 = -3;
const BLOCK2 = -4;
const BLOCK4 = -5;
const BLOCK = -6;
const INDIRECT = -7;

/** Bytes of a value, or which of the sizes above it has; undefined for a form that DWARF does not know. */
export function formSize(form: number, unit: UnitSizes): number | undefined {
  switch (form) {
    case dw.DW_FORM_flag_present:
    case dw.DW_FORM_implicit_const:
      return 0;
    case dw.DW_FORM_data1:
    case dw.DW_FORM_flag:
    case dw.DW_FORM_ref1:
    case dw.DW_FORM_strx1:
    case dw.DW_FORM_addrx1:
      return 1;
    case dw.DW_FORM_data2:
    case dw.DW_FORM_ref2:
    case dw.DW_FORM_strx2:
    case dw.DW_FORM_addrx2:
      return 2;
    case dw.DW_FORM_strx3:
    case dw.DW_FORM_addrx3:
      return 3;
    case dw.DW_FORM_data4:
    case dw.DW_FORM_ref4:
    case dw.DW_FORM_ref_sup4:
    case dw.DW_FORM_strx4:
    case dw.DW_FORM_addrx4:
      return 4;
    case dw.DW_FORM_data8:
    case dw.DW_FORM_ref8:
    case dw.DW_FORM_ref_sig8:
    case dw.DW_FORM_ref_sup8:
      return 8;
    case dw.DW_FORM_data16:
      return 16;
    case dw.DW_FORM_addr:
      return unit.addressSize;
    case dw.DW_FORM_ref_addr:
      // Version 2 gave it the size of an address.
      return unit.version <= 2 ? unit.addressSize : unit.offsetSize;
    case dw.DW_FORM_strp:
    case dw.DW_FORM_line_strp:
    case dw.DW_FORM_strp_sup:
    case dw.DW_FORM_sec_offset:
    case dw.DW_FORM_GNU_ref_alt:
    case dw.DW_FORM_GNU_strp_alt:
      return unit.offsetSize;
    case dw.DW_FORM_sdata:
    case dw.DW_FORM_udata:
    case dw.DW_FORM_ref_udata:
    case dw.DW_FORM_strx:
    case dw.DW_FORM_addrx:
    case dw.DW_FORM_loclistx:
    case dw.DW_FORM_rnglistx:
    case dw.DW_FORM_GNU_addr_index:
    case dw.DW_FORM_GNU_str_index:
      return LEB;
    case dw.DW_FORM_string:
      return STRING;
    case dw.DW_FORM_block1:
      return BLOCK1;
    case dw.DW_FORM_block2:
      return BLOCK2;
    case dw.DW_FORM_block4:
      return BLOCK4;
    case dw.DW_FORM_block:
    case dw.DW_FORM_exprloc:
      return BLOCK;
    case dw.DW_FORM_indirect:
      return INDIRECT;
    default:
      return undefined;
  }
}

/** Steps over a value of a size that its own data tells (below 0 as formSize() gives it). */
export function skipVariable(reader: DwarfReader, size: number, unit: UnitSizes): void {
  switch (size) {
    case LEB:
      reader.skipLeb();
      return;
    case STRING:
      reader.skipString();
      return;
    case BLOCK1:
      reader.skip(reader.u8());
      return;
    case BLOCK2:
      reader.skip(reader.u16());
      return;
    case BLOCK4:
      reader.skip(reader.u32());
      return;
    case BLOCK:
      reader.skip(reader.uleb());
      return;
    case INDIRECT: {
      const actual = formSize(indirectForm(reader), unit)!;
      if (actual < 0) skipVariable(reader, actual, unit);
      else reader.skip(actual);
      return;
    }
    default:
      reader.skip(size);
  }
}

/** The form that stands before the value of DW_FORM_indirect. */
export function indirectForm(reader: DwarfReader): number {
  const form = reader.uleb();
  // implicit_const has its value in the abbreviation, where none was given; a form behind a form behind a form says nothing.
  if (form === dw.DW_FORM_indirect || form === dw.DW_FORM_implicit_const || formSize(form, ANY_SIZES) === undefined)
    return reader.fail(`an indirect form 0x${form.toString(16)}`);
  return form;
}

const ANY_SIZES: UnitSizes = { version: 5, addressSize: 8, offsetSize: 4 };

/** Reads the bytes of a block or an expression; undefined for another form. */
export function readBlock(reader: DwarfReader, form: number): Uint8Array | undefined {
  switch (form) {
    case dw.DW_FORM_block1:
      return reader.take(reader.u8());
    case dw.DW_FORM_block2:
      return reader.take(reader.u16());
    case dw.DW_FORM_block4:
      return reader.take(reader.u32());
    case dw.DW_FORM_block:
    case dw.DW_FORM_exprloc:
      return reader.take(reader.uleb());
    case dw.DW_FORM_data16:
      return reader.take(16);
    default:
      return undefined;
  }
}

/** What a value of a form is good for in an attribute. */
export function formClass(form: number, attribute: number, version: number): FormClass {
  switch (form) {
    case dw.DW_FORM_addr:
    case dw.DW_FORM_addrx:
    case dw.DW_FORM_addrx1:
    case dw.DW_FORM_addrx2:
    case dw.DW_FORM_addrx3:
    case dw.DW_FORM_addrx4:
    case dw.DW_FORM_GNU_addr_index:
      return "address";
    case dw.DW_FORM_block:
    case dw.DW_FORM_block1:
    case dw.DW_FORM_block2:
    case dw.DW_FORM_block4:
    case dw.DW_FORM_exprloc:
      return "block";
    case dw.DW_FORM_flag:
    case dw.DW_FORM_flag_present:
      return "flag";
    case dw.DW_FORM_ref1:
    case dw.DW_FORM_ref2:
    case dw.DW_FORM_ref4:
    case dw.DW_FORM_ref8:
    case dw.DW_FORM_ref_udata:
    case dw.DW_FORM_ref_addr:
    case dw.DW_FORM_ref_sig8:
    case dw.DW_FORM_ref_sup4:
    case dw.DW_FORM_ref_sup8:
    case dw.DW_FORM_GNU_ref_alt:
      return "reference";
    case dw.DW_FORM_string:
    case dw.DW_FORM_strp:
    case dw.DW_FORM_line_strp:
    case dw.DW_FORM_strp_sup:
    case dw.DW_FORM_strx:
    case dw.DW_FORM_strx1:
    case dw.DW_FORM_strx2:
    case dw.DW_FORM_strx3:
    case dw.DW_FORM_strx4:
    case dw.DW_FORM_GNU_str_index:
    case dw.DW_FORM_GNU_strp_alt:
      return "string";
    case dw.DW_FORM_sec_offset:
    case dw.DW_FORM_loclistx:
    case dw.DW_FORM_rnglistx:
      return "section offset";
    case dw.DW_FORM_data4:
    case dw.DW_FORM_data8:
      return version < 4 && OFFSETS.has(attribute) ? "section offset" : "constant";
    default:
      return "constant";
  }
}

/**
 * Attributes whose data4 and data8 are offsets in versions 2 and 3. DW_AT_data_member_location could be one too by the letter of version
 * 3, but a list of locations for a member was never made, and the constant is.
 */
const OFFSETS = new Set<number>([
  dw.DW_AT_location,
  dw.DW_AT_stmt_list,
  dw.DW_AT_string_length,
  dw.DW_AT_return_addr,
  dw.DW_AT_start_scope,
  dw.DW_AT_frame_base,
  dw.DW_AT_macro_info,
  dw.DW_AT_static_link,
  dw.DW_AT_use_location,
  dw.DW_AT_vtable_elem_location,
  dw.DW_AT_ranges,
]);
