/**
 * Functions by address: a row for each range of code of each function, sorted. The pass over all units leaves DW_AT_ranges unread (rows of
 * size RANGES); they are resolved here, from .debug_rnglists (DWARF 5, 7.25) or .debug_ranges (DWARF 4, 2.17.3).
 *
 *   low     ffffffff81000160  ffffffff81000260 …       ascending
 *   size    249               95
 *   die     0x23              0x34                     entry, and unit by number
 */
import { InquestError } from "../../bytes/errors.ts";
import type { DebugSections } from "../debug-sections.ts";
import type { EntryPlace } from "./name-index.ts";
import { RangeLists } from "./name-ranges.ts";
import type { UnitBases } from "./name-sink.ts";
import { type FunctionRows, RANGES } from "./name-table.ts";
import type { UnitTable } from "./name-units.ts";

export interface FunctionArrays {
  readonly low: BigUint64Array;
  readonly size: Uint32Array;
  readonly die: Uint32Array;
  readonly unit: Uint32Array;
}

/** Resolves ranges and sorts. A list that cannot be read leaves its function out. */
export function finishFunctions(rows: FunctionRows, units: UnitTable, bases: UnitBases, sections: DebugSections): FunctionArrays {
  const lists = new RangeLists(sections, units, bases);
  const low: bigint[] = [];
  const size: number[] = [];
  const row: number[] = [];
  for (let each = 0; each < rows.count; each++) {
    for (const [from, length] of rangesOf(rows, each, lists)) {
      // Code that the linker dropped lies at 0.
      if (from === 0n || !(length > 0 && length < RANGES)) continue;
      low.push(from);
      size.push(length);
      row.push(each);
    }
  }
  const dieOf = (each: number) => rows.die[row[each] as number] as number;
  const order = Uint32Array.from(low.keys()).sort((a, b) => compare(low[a] as bigint, low[b] as bigint) || dieOf(a) - dieOf(b));
  return {
    low: BigUint64Array.from(order, (each) => low[each] as bigint),
    size: order.map((each) => size[each] as number),
    die: order.map(dieOf),
    unit: order.map((each) => rows.unit[row[each] as number] as number),
  };
}

function rangesOf(rows: FunctionRows, row: number, lists: RangeLists): readonly (readonly [from: bigint, length: number])[] {
  const low = rows.low[row] as number;
  const high = rows.high[row] as number;
  const size = rows.size[row] as number;
  if (size !== RANGES) return [[(BigInt(high) << 32n) | BigInt(low), size]];
  try {
    return lists
      .read(rows.unit[row] as number, low, high === 1)
      .map(([from, to]) => [BigInt.asUintN(64, from), Number(to - from)] as const);
  } catch (error) {
    if (error instanceof InquestError) return [];
    throw error;
  }
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export class FunctionMap {
  readonly arrays: FunctionArrays;
  readonly #unitStart: Float64Array;

  constructor(arrays: FunctionArrays, unitStart: Float64Array) {
    this.arrays = arrays;
    this.#unitStart = unitStart;
  }

  /** The function whose code covers a link-time address. */
  at(address: bigint): EntryPlace | undefined {
    const { low, size, die, unit } = this.arrays;
    let from = 0;
    let to = low.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((low[middle] as bigint) <= address) from = middle + 1;
      else to = middle;
    }
    // Of several at one place (folded identical code) the first that reaches so far.
    for (let row = from - 1; row >= 0 && low[row] === low[from - 1]; row--) {
      if (address - (low[row] as bigint) < BigInt(size[row] as number)) {
        return { unit: this.#unitStart[unit[row] as number] as number, die: die[row] as number };
      }
    }
    return undefined;
  }
}
