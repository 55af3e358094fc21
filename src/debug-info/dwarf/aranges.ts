/**
 * From addresses to units. DWARF 5, 6.1.2 (.debug_aranges). Compilers list a unit there or they do not: for those that are not listed, the
 * ranges of their own first entries are taken.
 *
 *   set:  │ length │ version 2 │ unit's offset │ address size │ segment size │ pad │ address, length │ … │ 0, 0 │
 *
 * Addresses are kept as signed doubles, ffffffff81000000 as −0x7f000000: those of kernels are exact that way, and ranges sort 20 times
 * faster than with bigints.
 */
import type { DwarfReader } from "./dwarf-reader.ts";
import { sortedOrder } from "./sorted-order.ts";

/** Ranges of addresses, each with the offset of its unit. */
export class AddressMap {
  #lows: number[] = [];
  #highs: number[] = [];
  #units: number[] = [];
  /** The largest end of all ranges up to each, after sorting: tells where the search for a range that lies around others may stop. */
  #reach: Float64Array | undefined;

  get size(): number {
    return this.#lows.length;
  }

  add(low: number, high: number, unit: number): void {
    if (!(high > low) || !Number.isSafeInteger(low) || !Number.isSafeInteger(high)) return;
    this.#lows.push(low);
    this.#highs.push(high);
    this.#units.push(unit);
    this.#reach = undefined;
  }

  /** Offset of the unit that covers an address; of several the range that begins last. */
  find(address: bigint): number | undefined {
    const key = addressKey(address);
    const reach = this.#reach ?? this.#sort();
    let low = 0;
    let high = this.#lows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#lows[middle]! <= key) low = middle + 1;
      else high = middle;
    }
    for (let index = low - 1; index >= 0 && reach[index]! > key; index--) if (this.#highs[index]! > key) return this.#units[index];
    return undefined;
  }

  #sort(): Float64Array {
    const lows = this.#lows;
    const order = sortedOrder(lows);
    const sorted = (values: number[]) => {
      const result: number[] = [];
      for (let i = 0; i < order.length; i++) result.push(values[order[i]!]!);
      return result;
    };
    const highs = sorted(this.#highs);
    const units = sorted(this.#units);
    const ascending = sorted(lows);
    const reach = new Float64Array(order.length);
    let largest = Number.NEGATIVE_INFINITY;
    for (let index = 0; index < reach.length; index++) {
      largest = Math.max(largest, highs[index]!);
      reach[index] = largest;
    }
    // All or nothing: no call between these.
    this.#highs = highs;
    this.#units = units;
    this.#lows = ascending;
    this.#reach = reach;
    return reach;
  }
}

/** An address as AddressMap keeps it. */
export function addressKey(address: bigint): number {
  return Number(BigInt.asIntN(64, address));
}

/**
 * Reads all sets of .debug_aranges into a map.
 * @param reader at the start of the section
 * @returns offsets of the units that have a set; a set that is damaged ends the reading with FormatError, what came before is in the map
 */
export function readAranges(reader: DwarfReader, map: AddressMap, listed: Set<number>): void {
  const view = new DataView(reader.bytes.buffer, reader.bytes.byteOffset, reader.end);
  while (reader.end - reader.position > 4) {
    const start = reader.position;
    const { length, offsetSize } = reader.initialLength();
    const end = reader.position + length;
    if (end > reader.end) reader.fail(`a set of ${length} bytes`);
    if (length === 0) continue;
    const version = reader.u16();
    const unit = reader.offset(offsetSize);
    const addressSize = reader.u8();
    const segmentSize = reader.u8();
    if (version !== 2 || (addressSize !== 8 && addressSize !== 4) || segmentSize !== 0)
      reader.fail(`a set of version ${version} with addresses of ${addressSize} and segments of ${segmentSize} bytes`);
    const tuple = 2 * addressSize;
    const first = start + Math.ceil((reader.position - start) / tuple) * tuple;
    // Entries of discarded code may be 0, 0 too: only the length says where the set ends.
    const count = Math.max(0, Math.floor((end - first) / tuple));
    const before = map.size;
    for (let at = first; at < first + count * tuple; at += tuple) {
      if (addressSize === 8) addTuple(map, view, at, unit);
      else map.add(view.getUint32(at, true), view.getUint32(at, true) + view.getUint32(at + 4, true), unit);
    }
    // A unit whose set is empty may have code all the same.
    if (map.size > before) listed.add(unit);
    reader.position = end;
  }
}

function addTuple(map: AddressMap, view: DataView, at: number, unit: number): void {
  const low = view.getUint32(at, true) + view.getInt32(at + 4, true) * 0x1_0000_0000;
  map.add(low, low + view.getUint32(at + 8, true) + view.getUint32(at + 12, true) * 0x1_0000_0000, unit);
}
