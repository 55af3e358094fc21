/**
 * What the pass over all units collects: names, and under each the entries that define it, folded: the 2,800 copies of struct list_head
 * become one record, two different structs of one name stay two.
 *
 *   names     at   ─► bytes in .debug_str, or (at ≥ its size) in the pool, where names that stand elsewhere are copied
 *   records   name, kind, rank, entry, unit
 */

/** Kinds of names; the first are the roles of name-steps.ts. */
export const KINDS = ["struct", "union", "enum", "typedef", "base", "function", "variable", "constant"] as const;
export const CONSTANT = 7;

/** What an entry is worth among others of its name: definitions first. */
export const RANK_DEFINITION = 0;
/** An inline function without code of its own, a variable without a place. */
export const RANK_ABSTRACT = 1;
export const RANK_DECLARATION = 2;

/** Offsets above this are not followed by a table as large as .debug_str, but by hash. */
const DIRECT_LIMIT = 1 << 26;

/** Names, each once, by its bytes. */
export class NameTable {
  readonly #strings: Uint8Array;
  /** By offset in .debug_str: number of the name + 1; 0 not met yet. */
  readonly #direct: Uint32Array | undefined;
  /** By name: where its bytes stand, and their hash. */
  at = new Uint32Array(1 << 12);
  hash = new Uint32Array(1 << 12);
  count = 0;
  pool = new Uint8Array(1 << 10);
  poolSize = 0;
  /** Hash table: number of the name + 1. */
  #slots = new Uint32Array(1 << 13);

  /** @param strings the whole .debug_str */
  constructor(strings: Uint8Array) {
    this.#strings = strings;
    this.#direct = strings.length <= DIRECT_LIMIT ? new Uint32Array(strings.length) : undefined;
  }

  /** The name at an offset of .debug_str; -1 when that is outside or the name is empty. */
  fromStrings(offset: number): number {
    const known = this.#direct?.[offset];
    if (known !== undefined && known !== 0) return known - 1;
    if (offset >= this.#strings.length) return -1;
    const number = this.#intern(this.#strings, offset, offset);
    if (number >= 0 && this.#direct !== undefined) this.#direct[offset] = number + 1;
    return number;
  }

  /** A name that stands in other bytes, up to its NUL. */
  fromBytes(bytes: Uint8Array, offset: number): number {
    return offset < bytes.length ? this.#intern(bytes, offset, -1) : -1;
  }

  /** Hash of a name's bytes, 0 of none. */
  print(name: number): number {
    return name < 0 ? 0 : (this.hash[name] as number) | 0;
  }

  /** Number of a name by its bytes; -1: not known. */
  find(bytes: Uint8Array): number {
    const hash = hashBytes(bytes, 0, bytes.length);
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const number = (this.#slots[slot] as number) - 1;
      if (number < 0) return -1;
      if (this.hash[number] === hash && this.#equals(number, bytes, 0, bytes.length)) return number;
    }
  }

  #intern(bytes: Uint8Array, from: number, place: number): number {
    let to = from;
    while (to < bytes.length && bytes[to] !== 0) to++;
    if (to === from || to === bytes.length) return -1;
    const hash = hashBytes(bytes, from, to);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (; ; slot = (slot + 1) & mask) {
      const number = (this.#slots[slot] as number) - 1;
      if (number < 0) break;
      if (this.hash[number] === hash && this.#equals(number, bytes, from, to)) return number;
    }
    const number = this.count++;
    if (number === this.at.length) {
      this.at = doubled(this.at);
      this.hash = doubled(this.hash);
    }
    this.at[number] = place >= 0 ? place : this.#strings.length + this.#keep(bytes, from, to);
    this.hash[number] = hash;
    this.#slots[slot] = number + 1;
    if (this.count * 2 > this.#slots.length) this.#rehash();
    return number;
  }

  #equals(number: number, bytes: Uint8Array, from: number, to: number): boolean {
    let at = this.at[number] as number;
    const own = at < this.#strings.length ? this.#strings : this.pool;
    if (own === this.pool) at -= this.#strings.length;
    for (let i = from; i < to; i++) if (own[at++] !== bytes[i]) return false;
    return own[at] === 0;
  }

  #keep(bytes: Uint8Array, from: number, to: number): number {
    const start = this.poolSize;
    const size = to - from + 1;
    while (start + size > this.pool.length) {
      const more = new Uint8Array(this.pool.length * 2);
      more.set(this.pool);
      this.pool = more;
    }
    this.pool.set(bytes.subarray(from, to), start);
    this.poolSize = start + size;
    return start;
  }

  #rehash(): void {
    const slots = new Uint32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let number = 0; number < this.count; number++) {
      let slot = (this.hash[number] as number) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = number + 1;
    }
    this.#slots = slots;
  }
}

/** Records of entries, folded as they come. */
export class RecordTable {
  count = 0;
  name = new Uint32Array(1 << 12);
  /** Kind, and the rank in the high four bits. */
  kind = new Uint8Array(1 << 12);
  /** Offset of the entry in its section; of an enum constant the enumeration's. */
  die = new Uint32Array(1 << 12);
  /** Number of the unit. */
  unit = new Uint32Array(1 << 12);
  /** What tells different definitions of one name apart. */
  print = new Int32Array(1 << 12);
  #slots = new Uint32Array(1 << 13);

  /**
   * Adds a record unless one with the same name, kind, rank and fingerprint is there, of which the first in the file stays; tells whether
   * it was new.
   */
  fold(name: number, kind: number, rank: number, print: number, die: number, unit: number): boolean {
    const tagged = kind | (rank << 4);
    const mask = this.#slots.length - 1;
    let slot = mix(name, tagged, print) & mask;
    for (; ; slot = (slot + 1) & mask) {
      const record = (this.#slots[slot] as number) - 1;
      if (record < 0) break;
      if (this.name[record] !== name || this.print[record] !== print || this.kind[record] !== tagged) continue;
      if (die < (this.die[record] as number)) {
        this.die[record] = die;
        this.unit[record] = unit;
      }
      return false;
    }
    this.#slots[slot] = this.add(name, kind, rank, print, die, unit) + 1;
    if (++this.#folded * 2 > this.#slots.length) this.#rehash();
    return true;
  }
  #folded = 0;

  /** Adds a record that is never folded: code and variables have a place of their own. Returns its number. */
  add(name: number, kind: number, rank: number, print: number, die: number, unit: number): number {
    const record = this.count++;
    if (record === this.name.length) {
      this.name = doubled(this.name);
      this.die = doubled(this.die);
      this.unit = doubled(this.unit);
      this.print = doubledSigned(this.print);
      const more = new Uint8Array(this.kind.length * 2);
      more.set(this.kind);
      this.kind = more;
    }
    this.name[record] = name;
    this.kind[record] = kind | (rank << 4);
    this.die[record] = die;
    this.unit[record] = unit;
    this.print[record] = print;
    return record;
  }

  #rehash(): void {
    const old = this.#slots;
    const slots = new Uint32Array(old.length * 2);
    const mask = slots.length - 1;
    for (const entry of old) {
      if (entry === 0) continue;
      const record = entry - 1;
      let slot = mix(this.name[record] as number, this.kind[record] as number, this.print[record] as number) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = entry;
    }
    this.#slots = slots;
  }
}

/** Code of functions as it is met: a row per function, or per range of one whose DW_AT_ranges is resolved. */
export class FunctionRows {
  count = 0;
  /** Low and high 32 bits of the first address; for DW_AT_ranges its value, and 1 in the high half when it is an index. */
  low = new Uint32Array(1 << 10);
  high = new Uint32Array(1 << 10);
  /** Bytes of code; RANGES: the place is a list yet to be read. */
  size = new Uint32Array(1 << 10);
  die = new Uint32Array(1 << 10);
  unit = new Uint32Array(1 << 10);

  add(low: number, high: number, size: number, die: number, unit: number): void {
    const row = this.count++;
    if (row === this.low.length) {
      this.low = doubled(this.low);
      this.high = doubled(this.high);
      this.size = doubled(this.size);
      this.die = doubled(this.die);
      this.unit = doubled(this.unit);
    }
    this.low[row] = low;
    this.high[row] = high;
    this.size[row] = size;
    this.die[row] = die;
    this.unit[row] = unit;
  }
}
export const RANGES = 0xffff_ffff;

/** FNV-1a of a name's bytes, finished so that the low bits can index a table. */
export function hashBytes(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  hash ^= hash >>> 15;
  return Math.imul(hash, 0x2c1b3c6d) >>> 0;
}

/** Three numbers into 32 bits, the low ones well mixed; signed, since those above 2^31 would be allocated. */
export function mix(a: number, b: number, c: number): number {
  let hash = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}

function doubled(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const more = new Uint32Array(array.length * 2);
  more.set(array);
  return more;
}

function doubledSigned(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const more = new Int32Array(array.length * 2);
  more.set(array);
  return more;
}
