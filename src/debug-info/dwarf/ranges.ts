/**
 * Which addresses an entry covers: one range, or a list of them. DWARF 5, 2.17 and 7.25 (.debug_rnglists); version 4, 2.17.3
 * (.debug_ranges); GCC's split units of version 4 keep theirs in the main file, behind GNU_ranges_base.
 *
 *   .debug_ranges    │ begin, end │ begin, end │ ffff…, new base │ begin, end │ 0, 0 │     relative to the base
 *   .debug_rnglists  │ kind, operands │ kind, operands │ … │ 0 │
 */
import * as dw from "./constants.ts";
import type { AddressRange } from "./die.ts";
import type { DwarfDie } from "./die-entry.ts";
import type { SectionPages } from "./section-pages.ts";
import { SectionWalk } from "./section-pages.ts";
import type { DwarfUnit } from "./unit.ts";

/** A unit of the kernel has a range per section of functions; built as a whole (LTO) it may have some 100,000. */
const MAX_ENTRIES = 1 << 20;
/** Bytes that an entry takes at most: its kind and two numbers. */
const ENTRY = 64;
/** Read at once. */
const WINDOW = 256;

/** Ranges of an entry; empty when it has no code. Throws FormatError for a list that cannot be read. */
export function rangesOf(die: DwarfDie): readonly AddressRange[] {
  const place = die.listPlace(dw.DW_AT_ranges);
  if (place !== undefined) return die.unit.version >= 5 ? rangeList(die, place) : oldRangeList(die.unit, place.offset ?? 0);
  const low = die.address(dw.DW_AT_low_pc);
  if (low === undefined) return [];
  const size = die.bigint(dw.DW_AT_high_pc);
  const high = size === undefined ? die.address(dw.DW_AT_high_pc) : sum(low, size);
  return high !== undefined && high > low ? [{ low, high }] : [];
}

/** An address within 64 bits. */
export function sum(base: bigint, offset: bigint): bigint {
  return BigInt.asUintN(64, base + offset);
}

/** Base selection entries have the largest address of the unit as their begin. */
export function isBaseSelection(begin: bigint, addressSize: number): boolean {
  return begin === (addressSize === 4 ? 0xffffffffn : 0xffffffffffffffffn);
}

function rangeList(die: DwarfDie, place: { readonly index?: number; readonly offset?: number }): AddressRange[] {
  const { unit } = die;
  const offset = place.index === undefined ? place.offset! + (unit.contributions?.ranges ?? 0) : unit.rangeListOffset(place.index);
  const ranges: AddressRange[] = [];
  const walk = walkOf(unit.file.table(".debug_rnglists"), offset);
  let base = unit.baseAddress;
  for (let count = 0; count < MAX_ENTRIES; count++) {
    const reader = walk.need(ENTRY);
    const kind = reader.u8();
    let low: bigint;
    let high: bigint;
    switch (kind) {
      case dw.DW_RLE_end_of_list:
        return ranges;
      case dw.DW_RLE_base_addressx:
        base = unit.addressAt(reader.uleb());
        continue;
      case dw.DW_RLE_base_address:
        base = reader.address(unit.addressSize);
        continue;
      case dw.DW_RLE_offset_pair:
        low = sum(base, reader.uleb64());
        high = sum(base, reader.uleb64());
        break;
      case dw.DW_RLE_start_length:
        low = reader.address(unit.addressSize);
        high = sum(low, reader.uleb64());
        break;
      case dw.DW_RLE_start_end:
        low = reader.address(unit.addressSize);
        high = reader.address(unit.addressSize);
        break;
      case dw.DW_RLE_startx_length:
        low = unit.addressAt(reader.uleb());
        high = sum(low, reader.uleb64());
        break;
      case dw.DW_RLE_startx_endx:
        low = unit.addressAt(reader.uleb());
        high = unit.addressAt(reader.uleb());
        break;
      default:
        return reader.fail(`an entry of a range list of unknown kind ${kind}`);
    }
    // Code that the linker threw away leaves empty ranges, or such that end before they begin.
    if (high > low) ranges.push({ low, high });
  }
  return walk.reader.fail(`a range list of more than ${MAX_ENTRIES} entries`);
}

function oldRangeList(unit: DwarfUnit, place: number): AddressRange[] {
  const { outer, addressSize } = unit;
  const split = outer === unit ? 0 : (outer.ownRoot.number(dw.DW_AT_GNU_ranges_base) ?? 0);
  const ranges: AddressRange[] = [];
  const walk = walkOf(outer.file.table(".debug_ranges"), place + split);
  let base = unit.baseAddress;
  for (let count = 0; count < MAX_ENTRIES; count++) {
    const reader = walk.need(ENTRY);
    const begin = reader.address(addressSize);
    const end = reader.address(addressSize);
    if (begin === 0n && end === 0n) return ranges;
    if (isBaseSelection(begin, addressSize)) base = end;
    else if (end > begin) ranges.push({ low: sum(base, begin), high: sum(base, end) });
  }
  return walk.reader.fail(`a range list of more than ${MAX_ENTRIES} entries`);
}

function walkOf(pages: SectionPages, offset: number): SectionWalk {
  return new SectionWalk(pages, offset, WINDOW);
}
