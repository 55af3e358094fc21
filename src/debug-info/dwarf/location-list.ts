/**
 * Where a variable is: one expression, or a list of them by ranges of addresses. DWARF 5, 2.6.2 and 7.7.3 (.debug_loclists); version 4,
 * 2.6.2 (.debug_loc); GCC's split units of version 4, https://gcc.gnu.org/wiki/DebugFission.
 *
 *   .debug_loc       │ begin, end, length 2, expression │ ffff…, new base │ … │ 0, 0 │      relative to the base
 *   .debug_loclists  │ kind, operands, length, expression │ … │ 0 │
 *
 * GCC's view numbers (DW_AT_GNU_locviews) lie before the list that DW_AT_location points to; view pairs within a list are stepped over.
 * Both only order places within one address.
 */
import * as dw from "./constants.ts";
import type { AddressRange } from "./die.ts";
import type { DwarfDie } from "./die-entry.ts";
import type { DwarfReader } from "./dwarf-reader.ts";
import { isBaseSelection, sum } from "./ranges.ts";
import { SectionWalk } from "./section-pages.ts";
import type { DwarfUnit } from "./unit.ts";

export interface Location {
  /** undefined for a place that holds wherever no other does: an expression without a list, or a list's default. */
  readonly range: AddressRange | undefined;
  readonly expression: Uint8Array;
}

/** The longest list seen in a kernel has some 2,000 entries. */
const MAX_ENTRIES = 1 << 18;
/** Kind, two numbers, the length of the expression. */
const ENTRY = 96;
const WINDOW = 512;

/** The expression that holds at a pc; undefined when none does. Throws FormatError for a list that cannot be read. */
export function locationAt(die: DwarfDie, attribute: number, pc: bigint): Uint8Array | undefined {
  let otherwise: Uint8Array | undefined;
  for (const { range, expression } of locations(die, attribute)) {
    if (range === undefined) otherwise ??= expression;
    else if (pc >= range.low && pc < range.high) return expression;
  }
  return otherwise;
}

/** All entries of an attribute of class exprloc, block or loclist. Throws FormatError. */
export function* locations(die: DwarfDie, attribute: number): Iterable<Location> {
  const { unit } = die;
  const kind = die.classOf(attribute);
  if (kind === "block") yield { range: undefined, expression: die.bytes(attribute)! };
  if (kind !== "section offset") return;
  const place = die.listPlace(attribute);
  if (place === undefined) return;
  const base = unit.contributions?.locations ?? 0;
  if (unit.version >= 5) yield* locationList(unit, place.index === undefined ? base + place.offset! : unit.locationListOffset(place.index));
  else if (unit.file.sections.split) yield* splitLocationList(unit, base + (place.offset ?? 0));
  else yield* oldLocationList(unit, place.offset ?? 0);
}

function* locationList(unit: DwarfUnit, offset: number): Iterable<Location> {
  const walk = new SectionWalk(unit.file.table(".debug_loclists"), offset, WINDOW);
  let base = unit.baseAddress;
  for (let count = 0; count < MAX_ENTRIES; count++) {
    const reader = walk.need(ENTRY);
    const kind = reader.u8();
    let low = 0n;
    let high = 0n;
    switch (kind) {
      case dw.DW_LLE_end_of_list:
        return;
      case dw.DW_LLE_base_addressx:
        base = unit.addressAt(reader.uleb());
        continue;
      case dw.DW_LLE_base_address:
        base = reader.address(unit.addressSize);
        continue;
      case dw.DW_LLE_GNU_view_pair:
        reader.skipLeb();
        reader.skipLeb();
        continue;
      case dw.DW_LLE_offset_pair:
        low = sum(base, reader.uleb64());
        high = sum(base, reader.uleb64());
        break;
      case dw.DW_LLE_start_length:
        low = reader.address(unit.addressSize);
        high = sum(low, reader.uleb64());
        break;
      case dw.DW_LLE_start_end:
        low = reader.address(unit.addressSize);
        high = reader.address(unit.addressSize);
        break;
      case dw.DW_LLE_startx_length:
        low = unit.addressAt(reader.uleb());
        high = sum(low, reader.uleb64());
        break;
      case dw.DW_LLE_startx_endx:
        low = unit.addressAt(reader.uleb());
        high = unit.addressAt(reader.uleb());
        break;
      case dw.DW_LLE_default_location:
        yield { range: undefined, expression: expression(walk, reader.uleb()) };
        continue;
      default:
        reader.fail(`an entry of a location list of unknown kind ${kind}`);
    }
    const found = expression(walk, reader.uleb());
    if (high > low) yield { range: { low, high }, expression: found };
  }
  walk.reader.fail(`a location list of more than ${MAX_ENTRIES} entries`);
}

function* oldLocationList(unit: DwarfUnit, offset: number): Iterable<Location> {
  const { addressSize } = unit;
  const walk = new SectionWalk(unit.file.table(".debug_loc"), offset, WINDOW);
  let base = unit.baseAddress;
  for (let count = 0; count < MAX_ENTRIES; count++) {
    const reader = walk.need(ENTRY);
    const begin = reader.address(addressSize);
    const end = reader.address(addressSize);
    if (begin === 0n && end === 0n) return;
    if (isBaseSelection(begin, addressSize)) {
      base = end;
      continue;
    }
    const found = expression(walk, reader.u16());
    if (end > begin) yield { range: { low: sum(base, begin), high: sum(base, end) }, expression: found };
  }
  walk.reader.fail(`a location list of more than ${MAX_ENTRIES} entries`);
}

/** Kinds 0 to 4 have the numbers of version 5, but lengths and offsets of four bytes, and expressions counted in two. */
function* splitLocationList(unit: DwarfUnit, offset: number): Iterable<Location> {
  const walk = new SectionWalk(unit.file.table(".debug_loc"), offset, WINDOW);
  let base = unit.baseAddress;
  for (let count = 0; count < MAX_ENTRIES; count++) {
    const reader = walk.need(ENTRY);
    const kind = reader.u8();
    if (kind === dw.DW_LLE_end_of_list) return;
    if (kind === dw.DW_LLE_base_addressx) {
      base = unit.addressAt(reader.uleb());
      continue;
    }
    const range = splitRange(unit, reader, kind, base);
    const found = expression(walk, reader.u16());
    if (range.high > range.low) yield { range, expression: found };
  }
  walk.reader.fail(`a location list of more than ${MAX_ENTRIES} entries`);
}

function splitRange(unit: DwarfUnit, reader: DwarfReader, kind: number, base: bigint): AddressRange {
  switch (kind) {
    case dw.DW_LLE_startx_endx: {
      const low = unit.addressAt(reader.uleb());
      return { low, high: unit.addressAt(reader.uleb()) };
    }
    case dw.DW_LLE_startx_length: {
      // GCC up to 12 writes end - begin - 1 for end - (begin - 1) where a place begins within a call: 2 too few, or below 0.
      const low = unit.addressAt(reader.uleb());
      return { low, high: low + BigInt(reader.i32()) };
    }
    case dw.DW_LLE_offset_pair: {
      const low = sum(base, BigInt(reader.u32()));
      return { low, high: sum(base, BigInt(reader.u32())) };
    }
    default:
      return reader.fail(`an entry of a location list of unknown kind ${kind}`);
  }
}

/** The next `length` bytes: the walk refills its reader when they are not in it. */
function expression(walk: SectionWalk, length: number): Uint8Array {
  return walk.need(length).take(length);
}
