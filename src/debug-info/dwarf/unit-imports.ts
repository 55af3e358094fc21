/** Imported units (DW_TAG_imported_unit): dwz moves entries that several units share into partial units. DWARF 5, 3.2.5 and appendix E. */
import * as dw from "./constants.ts";
import type { DwarfUnit } from "./unit.ts";

const MAX_IMPORTS = 1 << 16;

/** Every unit that a unit imports, also through others, once each. */
export function importedUnits(importer: DwarfUnit): DwarfUnit[] {
  const found = new Set<DwarfUnit>();
  const queue: DwarfUnit[] = [importer];
  for (let unit = queue.pop(); unit !== undefined && found.size < MAX_IMPORTS; unit = queue.pop()) {
    if (!unit.load().abbrevs.declares(dw.DW_TAG_imported_unit)) continue;
    for (const die of unit.root.children()) {
      if (die.tag !== dw.DW_TAG_imported_unit) continue;
      const imported = die.reference(dw.DW_AT_import)?.unit;
      if (imported === undefined || imported === importer || found.has(imported)) continue;
      found.add(imported);
      queue.push(imported);
    }
  }
  return [...found];
}
