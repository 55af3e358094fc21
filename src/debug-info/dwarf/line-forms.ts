/** Values in the tables of a line program's header (DWARF 5, section 6.2.4.1): the few that are wanted are read, all others passed over. */
import * as DW from "./constants.ts";
import type { DwarfReader } from "./dwarf-reader.ts";

/** A directory's number. Throws FormatError for forms that hold none. */
export function readNumber(reader: DwarfReader, form: number): number {
  switch (form) {
    case DW.DW_FORM_data1:
      return reader.u8();
    case DW.DW_FORM_data2:
      return reader.u16();
    case DW.DW_FORM_data4:
      return reader.u32();
    case DW.DW_FORM_udata:
      return reader.uleb();
    default:
      return reader.fail(`a directory's number in form 0x${form.toString(16)}`);
  }
}

/** Bytes of forms of fixed size. */
const FIXED: Readonly<Record<number, number>> = {
  [DW.DW_FORM_data1]: 1,
  [DW.DW_FORM_strx1]: 1,
  [DW.DW_FORM_flag]: 1,
  [DW.DW_FORM_data2]: 2,
  [DW.DW_FORM_strx2]: 2,
  [DW.DW_FORM_strx3]: 3,
  [DW.DW_FORM_data4]: 4,
  [DW.DW_FORM_strx4]: 4,
  [DW.DW_FORM_data8]: 8,
  [DW.DW_FORM_data16]: 16,
};

/** Moves over a value; every form that the standard allows in these tables, for any content. */
export function skipForm(reader: DwarfReader, form: number, offsetSize: 4 | 8): void {
  const fixed = FIXED[form];
  if (fixed !== undefined) {
    reader.skip(fixed);
    return;
  }
  switch (form) {
    case DW.DW_FORM_udata:
    case DW.DW_FORM_sdata:
    case DW.DW_FORM_strx:
      reader.skipLeb();
      break;
    case DW.DW_FORM_block:
      reader.skip(reader.uleb());
      break;
    case DW.DW_FORM_block1:
      reader.skip(reader.u8());
      break;
    case DW.DW_FORM_block2:
      reader.skip(reader.u16());
      break;
    case DW.DW_FORM_block4:
      reader.skip(reader.u32());
      break;
    case DW.DW_FORM_string:
      reader.skipString();
      break;
    case DW.DW_FORM_line_strp:
    case DW.DW_FORM_strp:
    case DW.DW_FORM_strp_sup:
    case DW.DW_FORM_GNU_strp_alt:
    case DW.DW_FORM_sec_offset:
      reader.skip(offsetSize);
      break;
    default:
      reader.fail(`form 0x${form.toString(16)} in a table of files`);
  }
}
