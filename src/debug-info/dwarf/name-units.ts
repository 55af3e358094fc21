/**
 * Where the units of .debug_info lie: their headers in typed arrays, for passes over all of them. DWARF 5, 7.5.1.
 *
 *   unit     0      1      2 …
 *   start    0      0x76   0xf7a6         header
 *   first    0xc    0x82   0xf7b2         its own entry
 *   abbrev   0      0x26   0x4f1          in .debug_abbrev
 */
import { InquestError } from "../../bytes/errors.ts";
import type { SectionData } from "../debug-sections.ts";
import { MAX_HEADER, parseUnitHeader } from "./unit-header.ts";

/** Headers of all units, one element each in every array. */
export interface UnitTable {
  readonly count: number;
  /** Offset of the header, end of the unit, and first entry, in .debug_info. */
  readonly start: Float64Array;
  readonly end: Float64Array;
  readonly first: Float64Array;
  readonly abbrev: Float64Array;
  readonly version: Uint8Array;
  /** DW_UT_ number; 0 when the version does not tell it. */
  readonly type: Uint8Array;
  readonly offsetSize: Uint8Array;
  readonly addressSize: Uint8Array;
  /** Why the table ends before the section does; undefined when all headers were read. */
  readonly damage: string | undefined;
}

/** Reads all headers; a damaged one ends the table, since the next cannot be found. */
export function readUnitTable(section: SectionData): UnitTable {
  const rows: number[][] = [];
  let damage: string | undefined;
  const header = new Uint8Array(MAX_HEADER);
  for (let at = 0; at + 4 <= section.size; ) {
    const bytes = header.subarray(0, Math.min(MAX_HEADER, section.size - at));
    readInto(section, bytes, at);
    // Padding between units; each header below is longer than nothing, so this ends.
    if (bytes[0] === 0 && bytes[1] === 0 && bytes[2] === 0 && bytes[3] === 0) {
      at += 4;
      continue;
    }
    try {
      const { offset, end, size, abbrevOffset, version, type, offsetSize, addressSize } = parseUnitHeader(
        bytes,
        section.name,
        at,
        section.size,
        false,
      );
      rows.push([offset, end, offset + size, abbrevOffset, version, type, offsetSize, addressSize]);
      at = end;
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      damage = error.message;
      break;
    }
  }
  const column = (index: number) => rows.map((row) => row[index] as number);
  return {
    count: rows.length,
    start: Float64Array.from(column(0)),
    end: Float64Array.from(column(1)),
    first: Float64Array.from(column(2)),
    abbrev: Float64Array.from(column(3)),
    version: Uint8Array.from(column(4)),
    type: Uint8Array.from(column(5)),
    offsetSize: Uint8Array.from(column(6)),
    addressSize: Uint8Array.from(column(7)),
    damage,
  };
}

/** Number of the unit that contains an offset of .debug_info; -1 when none does. */
export function unitContaining(units: UnitTable, offset: number): number {
  let low = 0;
  let high = units.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((units.end[middle] as number) <= offset) low = middle + 1;
    else high = middle;
  }
  return low < units.count && (units.start[low] as number) <= offset ? low : -1;
}

/** Bytes of a section into an array of the caller's, past any cache where the section can. */
export function readInto(section: SectionData, target: Uint8Array, offset: number): void {
  if (section.readInto === undefined) target.set(section.read(offset, target.length));
  else section.readInto(target, offset);
}
