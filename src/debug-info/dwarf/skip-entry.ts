/**
 * Moving over an entry with all below it: by DW_AT_sibling where the compiler wrote one, else value by value and level by level, without
 * making entries of what is passed.
 */
import type { Abbrev, AbbrevTable } from "./abbrev.ts";
import * as dw from "./constants.ts";
import type { DwarfReader } from "./dwarf-reader.ts";
import type { DwarfUnit } from "./unit.ts";

/** Moves a reader from the first value of an entry behind the entry and all below it. */
export function skipEntry(unit: DwarfUnit, reader: DwarfReader, first: Abbrev, abbrevs: AbbrevTable): void {
  let abbrev = first;
  let depth = 0;
  for (;;) {
    if (!abbrev.hasChildren) abbrev.skip(reader, unit);
    else if (abbrev.sibling >= 0) jump(unit, reader, abbrev);
    else {
      abbrev.skip(reader, unit);
      depth++;
    }
    for (;;) {
      if (depth === 0 || reader.position >= reader.end) return;
      const code = reader.uleb();
      if (code !== 0) {
        abbrev = abbrevs.get(code) ?? undeclared(reader, code);
        break;
      }
      depth--;
    }
  }
}

/** Follows DW_AT_sibling. */
function jump(unit: DwarfUnit, reader: DwarfReader, abbrev: Abbrev): void {
  const start = reader.position;
  abbrev.seek(reader, start, abbrev.sibling, unit);
  const form = abbrev.formAt(abbrev.sibling);
  let target: number;
  if (form === dw.DW_FORM_ref4) target = reader.u32();
  else if (form === dw.DW_FORM_ref2) target = reader.u16();
  else if (form === dw.DW_FORM_ref1) target = reader.u8();
  else if (form === dw.DW_FORM_ref_udata) target = reader.uleb();
  else if (form === dw.DW_FORM_ref8) target = reader.u64AsNumber();
  else if (form === dw.DW_FORM_ref_addr) target = reader.offset(unit.offsetSize) - unit.offset;
  else target = reader.fail(`DW_AT_sibling of form 0x${form.toString(16)}`);
  // Only forward: a chain of entries must end.
  if (!(target > start && target <= reader.end)) reader.fail(`a sibling at 0x${target.toString(16)} of the unit`);
  reader.position = target;
}

/** Throws the FormatError of an entry whose abbreviation is not declared. */
export function undeclared(reader: DwarfReader, code: number): never {
  return reader.fail(`an entry of abbreviation ${code}, which is not declared`);
}
