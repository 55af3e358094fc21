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
import { MAX_HEADER, parseUnitHeader, type UnitHeader } from "./unit-header.ts";

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
  const header = new Uint8Array(MAX_HEADER);
  return tableOf(section, 0, section.size, (at) => {
    const bytes = header.subarray(0, Math.min(MAX_HEADER, section.size - at));
    readInto(section, bytes, at);
    return bytes;
  });
}

/** Headers of the units that lie wholly in a piece of the section, which begins with a header at `base`. */
export function unitsWithin(piece: Uint8Array, base: number, section: SectionData): UnitTable {
  return tableOf(section, base, base + piece.length, (at) => piece.subarray(at - base, at - base + MAX_HEADER));
}

export const NO_UNITS: UnitTable = columns([], undefined);

function tableOf(section: SectionData, from: number, to: number, headerAt: (at: number) => Uint8Array): UnitTable {
  const rows: UnitHeader[] = [];
  for (let at = from; at + 4 <= to; ) {
    const bytes = headerAt(at);
    // Padding between units.
    if (bytes[0] === 0 && bytes[1] === 0 && bytes[2] === 0 && bytes[3] === 0) {
      at += 4;
      continue;
    }
    // The piece may end within a header; then it is the first of the next one.
    if (to < section.size && at + MAX_HEADER > to) break;
    let header: UnitHeader;
    try {
      header = parseUnitHeader(bytes, section.name, at, section.size, false);
    } catch (error) {
      if (error instanceof InquestError) return columns(rows, error.message);
      throw error;
    }
    if (header.end > to) break;
    rows.push(header);
    at = header.end;
  }
  return columns(rows, undefined);
}

function columns(rows: readonly UnitHeader[], damage: string | undefined): UnitTable {
  const doubles = (of: (row: UnitHeader) => number) => Float64Array.from(rows, of);
  const bytes = (of: (row: UnitHeader) => number) => Uint8Array.from(rows, of);
  return {
    count: rows.length,
    start: doubles((row) => row.offset),
    end: doubles((row) => row.end),
    first: doubles((row) => row.offset + row.size),
    abbrev: doubles((row) => row.abbrevOffset),
    version: bytes((row) => row.version),
    type: bytes((row) => row.type),
    offsetSize: bytes((row) => row.offsetSize),
    addressSize: bytes((row) => row.addressSize),
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
