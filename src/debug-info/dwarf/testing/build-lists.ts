/**
 * Range lists and location lists for test units: .debug_rnglists and .debug_loclists of version 5, .debug_ranges and .debug_loc before, and
 * GCC's .debug_loc of split units of version 4.
 */
import * as dw from "../constants.ts";
import { FieldWriter } from "./field-writer.ts";

/** The kind as version 5 names it, its operands, and for locations the expression. Before version 5 only offset_pair and base_address. */
export type TestListEntry =
  | readonly ["offset_pair" | "start_length" | "start_end", bigint | number, bigint | number, (readonly number[])?]
  | readonly ["startx_length" | "startx_endx", bigint | number, bigint | number, (readonly number[])?]
  | readonly ["base_address" | "base_addressx", bigint | number]
  | readonly ["view_pair", number, number]
  | readonly ["default_location", readonly number[]];

export interface TestList {
  readonly list: "ranges" | "locations";
  readonly entries: readonly TestListEntry[];
}

/** A value for DW_AT_ranges, of form sec_offset or rnglistx. */
export function rangeList(...entries: TestListEntry[]): TestList {
  return { list: "ranges", entries };
}

/** A value for DW_AT_location, of form sec_offset or loclistx. */
export function locationList(...entries: TestListEntry[]): TestList {
  return { list: "locations", entries };
}

/** Where a unit's lists are written, and how. */
export interface ListContext {
  readonly version: number;
  readonly addressSize: number;
  readonly split: boolean;
  /** Index of an address in the unit's .debug_addr; a number is an index already. */
  addressIndex(address: bigint | number): number;
}

const RANGE_KINDS: Record<string, number> = {
  base_addressx: dw.DW_RLE_base_addressx,
  startx_endx: dw.DW_RLE_startx_endx,
  startx_length: dw.DW_RLE_startx_length,
  offset_pair: dw.DW_RLE_offset_pair,
  base_address: dw.DW_RLE_base_address,
  start_end: dw.DW_RLE_start_end,
  start_length: dw.DW_RLE_start_length,
};
const LOCATION_KINDS: Record<string, number> = {
  base_addressx: dw.DW_LLE_base_addressx,
  startx_endx: dw.DW_LLE_startx_endx,
  startx_length: dw.DW_LLE_startx_length,
  offset_pair: dw.DW_LLE_offset_pair,
  default_location: dw.DW_LLE_default_location,
  base_address: dw.DW_LLE_base_address,
  start_end: dw.DW_LLE_start_end,
  start_length: dw.DW_LLE_start_length,
  view_pair: dw.DW_LLE_GNU_view_pair,
};

/** Bytes of one list with its end. */
export function buildList(list: TestList, unit: ListContext): Uint8Array {
  if (unit.version >= 5) return newList(list, unit);
  return unit.split && list.list === "locations" ? splitList(list, unit) : oldList(list, unit);
}

function newList({ list, entries }: TestList, unit: ListContext): Uint8Array {
  const out = new FieldWriter();
  const kinds = list === "ranges" ? RANGE_KINDS : LOCATION_KINDS;
  for (const entry of entries) {
    out.u8(kinds[entry[0]]!);
    switch (entry[0]) {
      case "base_address":
        out.fixed(entry[1], unit.addressSize);
        continue;
      case "base_addressx":
        out.uleb(unit.addressIndex(entry[1]));
        continue;
      case "view_pair":
        out.uleb(entry[1]).uleb(entry[2]);
        continue;
      case "default_location":
        out.uleb(entry[1].length).bytes(entry[1]);
        continue;
      case "offset_pair":
        out.uleb(entry[1]).uleb(entry[2]);
        break;
      case "start_length":
        out.fixed(entry[1], unit.addressSize).uleb(entry[2]);
        break;
      case "start_end":
        out.fixed(entry[1], unit.addressSize).fixed(entry[2], unit.addressSize);
        break;
      case "startx_length":
        out.uleb(unit.addressIndex(entry[1])).uleb(entry[2]);
        break;
      case "startx_endx":
        out.uleb(unit.addressIndex(entry[1])).uleb(unit.addressIndex(entry[2]));
        break;
    }
    if (list === "locations") out.uleb(entry[3]!.length).bytes(entry[3]!);
  }
  return out.u8(0).finish();
}

function oldList({ list, entries }: TestList, { addressSize }: ListContext): Uint8Array {
  const out = new FieldWriter();
  for (const entry of entries) {
    if (entry[0] === "base_address") out.fixed(-1, addressSize).fixed(entry[1], addressSize);
    else if (entry[0] !== "offset_pair") throw new Error(`${entry[0]} is of version 5`);
    else {
      out.fixed(entry[1], addressSize).fixed(entry[2], addressSize);
      if (list === "locations") out.u16(entry[3]!.length).bytes(entry[3]!);
    }
  }
  return out.fixed(0, 2 * addressSize).finish();
}

function splitList({ entries }: TestList, unit: ListContext): Uint8Array {
  const out = new FieldWriter();
  for (const entry of entries) {
    out.u8(LOCATION_KINDS[entry[0]]!);
    if (entry[0] === "base_addressx") out.uleb(unit.addressIndex(entry[1]));
    else if (entry[0] === "startx_endx") out.uleb(unit.addressIndex(entry[1])).uleb(unit.addressIndex(entry[2]));
    else if (entry[0] === "startx_length") out.uleb(unit.addressIndex(entry[1])).fixed(entry[2], 4);
    else if (entry[0] === "offset_pair") out.fixed(entry[1], 4).fixed(entry[2], 4);
    else throw new Error(`${entry[0]} is not of GCC's split lists`);
    if (entry[0] !== "base_addressx") out.u16(entry[3]!.length).bytes(entry[3]!);
  }
  return out.u8(0).finish();
}
