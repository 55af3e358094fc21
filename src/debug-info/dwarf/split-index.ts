/**
 * Index of a package of split units (.dwp): where in its sections the parts of one unit are. DWARF 5, 7.3.5.3; version 2 of GCC's format,
 * https://gcc.gnu.org/wiki/DebugFissionDWP.
 *
 *   │ version │ columns N │ units U │ slots S │ S ids of 8 │ S rows of 4 │ N section numbers │ U×N offsets │ U×N sizes │
 *                                                 hash, open addressing
 */
import type { DwarfReader } from "./dwarf-reader.ts";
import type { SectionPages } from "./section-pages.ts";

/** Where the parts of a unit begin in the sections of its package. */
export interface Contributions {
  /** In .debug_info, or .debug_types. */
  readonly unit: number;
  readonly abbrev: number;
  readonly line: number;
  readonly strOffsets: number;
  /** In .debug_loclists, or .debug_loc. */
  readonly locations: number;
  readonly ranges: number;
}

/** Columns by their DW_SECT_ numbers, in version 5 and in version 2. */
const COLUMNS: Record<5 | 2, Readonly<Record<number, keyof Contributions>>> = {
  5: { 1: "unit", 3: "abbrev", 4: "line", 5: "locations", 6: "strOffsets", 8: "ranges" },
  2: { 1: "unit", 2: "unit", 3: "abbrev", 4: "line", 5: "locations", 6: "strOffsets" },
};

/** The row of a unit by its dwo_id or type signature; undefined when the package has none. Throws FormatError. */
export function findContributions(index: SectionPages, id: bigint): Contributions | undefined {
  const header = index.readerAt(0, 16);
  // Version 2 has four bytes of it, version 5 two and padding.
  const version = header.u32() & 0xffff;
  if (version !== 2 && version !== 5) return header.fail(`an index of version ${version}`);
  const columns = header.u32();
  const units = header.u32();
  const slots = header.u32();
  if (slots === 0) return undefined;
  if ((slots & (slots - 1)) !== 0 || 16 + slots * 12 + columns * 4 + units * columns * 8 > index.size)
    return header.fail(`an index of ${units} units, ${columns} columns and ${slots} slots in ${index.size} bytes`);
  const row = findRow(index, id, slots);
  if (row === 0 || row > units) return undefined;
  const sections = 16 + slots * 12;
  const found: Record<keyof Contributions, number> = { unit: 0, abbrev: 0, line: 0, strOffsets: 0, locations: 0, ranges: 0 };
  for (let column = 0; column < columns; column++) {
    const name = COLUMNS[version][reader4(index, sections + column * 4).u32()];
    if (name !== undefined) found[name] = reader4(index, sections + (row * columns + column) * 4).u32();
  }
  return found;
}

function findRow(index: SectionPages, id: bigint, slots: number): number {
  const mask = slots - 1;
  const step = Number((id >> 32n) & BigInt(mask)) | 1;
  let slot = Number(id & BigInt(mask));
  for (let count = 0; count < slots; count++) {
    const row = reader4(index, 16 + slots * 8 + slot * 4).u32();
    if (row === 0) return 0;
    if (index.readerAt(16 + slot * 8, 8).u64() === id) return row;
    slot = (slot + step) & mask;
  }
  return 0;
}

function reader4(index: SectionPages, offset: number): DwarfReader {
  return index.readerAt(offset, 4);
}
