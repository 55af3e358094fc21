/**
 * The finished index of names: typed arrays only, so that it can be kept in a file and used where it was read. Names stay undecoded in
 * .debug_str; a look-up hashes the name wanted, and compares bytes once.
 *
 *   name ──hash──► slots ──► number ──► nameAt (its bytes)
 *                                  └──► first[n] … first[n+1]  records: kind and rank, entry, unit; definitions first
 */
import type { SectionData } from "../debug-sections.ts";
import { decodeText } from "./dwarf-reader.ts";
import { hashBytes, KINDS, type NameTable, RANK_DEFINITION, type RecordTable } from "./name-table.ts";

export type NameKind = (typeof KINDS)[number];

/** An entry of .debug_info by the header of its unit and its own offset; of a skeleton unit's split part, the offset there. */
export interface EntryPlace {
  readonly unit: number;
  readonly die: number;
}

/** The arrays, as built, as transferred, as stored. */
export interface NameArrays {
  /** Offset of the name in .debug_str; what lies beyond its size is an offset in the pool. */
  readonly nameAt: Uint32Array;
  readonly nameHash: Uint32Array;
  /** By hash: number of the name + 1. */
  readonly slots: Uint32Array;
  /** First record of each name, and their count as the last element. */
  readonly first: Uint32Array;
  /** Kind, rank << 4. */
  readonly kind: Uint8Array;
  readonly die: Uint32Array;
  readonly unit: Uint32Array;
  /** Names that do not stand in .debug_str. */
  readonly pool: Uint8Array;
  /** Offsets of the units' headers. */
  readonly unitStart: Float64Array;
}

/** Sorts what the pass collected by name, then kind, rank and offset. Names without records are dropped. */
export function finishNames(names: NameTable, records: RecordTable, unitStart: Float64Array): NameArrays {
  const { count } = records;
  const counts = new Uint32Array(names.count + 1);
  for (let record = 0; record < count; record++) {
    const name = records.name[record] as number;
    if (name < names.count) counts[name + 1] = (counts[name + 1] as number) + 1;
  }
  const renamed = new Uint32Array(names.count);
  let kept = 0;
  for (let name = 0; name < names.count; name++) if (counts[name + 1] !== 0) renamed[name] = kept++;
  const nameAt = new Uint32Array(kept);
  const nameHash = new Uint32Array(kept);
  const first = new Uint32Array(kept + 1);
  for (let name = 0, total = 0; name < names.count; name++) {
    if (counts[name + 1] === 0) continue;
    const number = renamed[name] as number;
    nameAt[number] = names.at[name] as number;
    nameHash[number] = names.hash[name] as number;
    total += counts[name + 1] as number;
    first[number + 1] = total;
  }
  const total = first[kept] as number;
  const kind = new Uint8Array(total);
  const die = new Uint32Array(total);
  const unit = new Uint32Array(total);
  const next = first.slice();
  for (let record = 0; record < count; record++) {
    const name = records.name[record] as number;
    if (name >= names.count) continue;
    const number = renamed[name] as number;
    const at = next[number] as number;
    next[number] = at + 1;
    kind[at] = records.kind[record] as number;
    die[at] = records.die[record] as number;
    unit[at] = records.unit[record] as number;
  }
  sortGroups(first, kind, die, unit);
  const slots = hashSlots(nameHash);
  return { nameAt, nameHash, slots, first, kind, die, unit, pool: names.pool.slice(0, names.poolSize), unitStart };
}

/** Sorts the records of each name by kind, rank and offset. */
function sortGroups(first: Uint32Array, kind: Uint8Array, die: Uint32Array, unit: Uint32Array): void {
  const before = (a: number, b: number) => {
    const left = kind[a] as number;
    const right = kind[b] as number;
    return (left & 15) - (right & 15) || left - right || (die[a] as number) - (die[b] as number);
  };
  for (let name = 0; name + 1 < first.length; name++) {
    const from = first[name] as number;
    const to = first[name + 1] as number;
    let sorted = true;
    for (let record = from + 1; record < to && sorted; record++) sorted = before(record - 1, record) <= 0;
    if (sorted) continue;
    const order = Uint32Array.from({ length: to - from }, (_, i) => from + i).sort(before);
    for (const column of [kind, die, unit])
      column.set(
        Array.from(order, (record) => column[record] as number),
        from,
      );
  }
}

function hashSlots(hashes: Uint32Array): Uint32Array {
  let size = 16;
  while (size < hashes.length * 2) size *= 2;
  const slots = new Uint32Array(size);
  for (let number = 0; number < hashes.length; number++) {
    let slot = (hashes[number] as number) & (size - 1);
    while (slots[slot] !== 0) slot = (slot + 1) & (size - 1);
    slots[slot] = number + 1;
  }
  return slots;
}

export class NameIndex {
  readonly arrays: NameArrays;
  readonly #strings: SectionData | undefined;
  readonly #size: number;

  /** @param strings .debug_str, undefined when the file has none */
  constructor(arrays: NameArrays, strings: SectionData | undefined) {
    this.arrays = arrays;
    this.#strings = strings;
    this.#size = strings?.size ?? 0;
  }

  /** Entries of one kind by name: definitions in file order, then the others. */
  find(kind: NameKind, name: string): EntryPlace[] {
    const number = this.#number(new TextEncoder().encode(name));
    if (number < 0) return [];
    const wanted = KINDS.indexOf(kind);
    const { first } = this.arrays;
    const found: EntryPlace[] = [];
    for (let record = first[number] as number; record < (first[number + 1] as number); record++) {
      if (((this.arrays.kind[record] as number) & 15) === wanted) found.push(this.#place(record));
    }
    return found;
  }

  /** Names of one kind that start with the prefix, sorted, at most `limit`. */
  names(kind: NameKind, prefix: string, limit: number): string[] {
    const wanted = KINDS.indexOf(kind);
    const start = new TextEncoder().encode(prefix);
    const { nameAt, pool } = this.arrays;
    const strings = this.#strings?.read(0, this.#size) ?? new Uint8Array(0);
    const found: string[] = [];
    for (let number = 0; number < nameAt.length; number++) {
      const place = nameAt[number] as number;
      const bytes = place < this.#size ? strings : pool;
      const at = place < this.#size ? place : place - this.#size;
      let same = 0;
      while (same < start.length && bytes[at + same] === start[same]) same++;
      if (same < start.length || !this.#has(number, wanted)) continue;
      const end = bytes.indexOf(0, at);
      found.push(decodeText(bytes, at, end < 0 ? bytes.length : end));
    }
    return found.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)).slice(0, limit);
  }

  /** Definitions of one kind in file order, different ones of a name each. */
  *all(kind: NameKind): Iterable<EntryPlace> {
    const wanted = KINDS.indexOf(kind) | (RANK_DEFINITION << 4);
    const { kind: kinds, die } = this.arrays;
    let count = 0;
    for (const each of kinds) if (each === wanted) count++;
    const records = new Uint32Array(count);
    for (let record = 0, at = 0; record < kinds.length; record++) if (kinds[record] === wanted) records[at++] = record;
    records.sort((a, b) => (die[a] as number) - (die[b] as number));
    for (const record of records) yield this.#place(record);
  }

  #place(record: number): EntryPlace {
    const { unit, die, unitStart } = this.arrays;
    return { unit: unitStart[unit[record] as number] as number, die: die[record] as number };
  }

  /** Whether there is something of a kind to show: a tag that is only declared has nothing. */
  #has(number: number, wanted: number): boolean {
    const { first, kind } = this.arrays;
    const declared = wanted > KINDS.indexOf("enum");
    for (let record = first[number] as number; record < (first[number + 1] as number); record++) {
      const tagged = kind[record] as number;
      if ((tagged & 15) === wanted && (declared || tagged >> 4 === RANK_DEFINITION)) return true;
    }
    return false;
  }

  #number(name: Uint8Array): number {
    const { slots, nameHash } = this.arrays;
    const hash = hashBytes(name, 0, name.length);
    const mask = slots.length - 1;
    for (let slot = hash & mask, count = 0; count <= mask; slot = (slot + 1) & mask, count++) {
      const number = (slots[slot] as number) - 1;
      if (number < 0) return -1;
      if (nameHash[number] === hash && this.#equals(number, name)) return number;
    }
    return -1;
  }

  #equals(number: number, name: Uint8Array): boolean {
    const at = this.arrays.nameAt[number] as number;
    const inPool = at >= this.#size;
    const from = inPool ? at - this.#size : at;
    const end = from + name.length + 1;
    if (end > (inPool ? this.arrays.pool.length : this.#size)) return false;
    const bytes = inPool ? this.arrays.pool.subarray(from, end) : (this.#strings as SectionData).read(from, name.length + 1);
    return bytes[name.length] === 0 && name.every((byte, i) => bytes[i] === byte);
  }
}
