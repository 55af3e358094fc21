/**
 * What a pass over the entries of a unit (name-walk.ts) fills: the tables of the index (name-table.ts), or one who waits for a single name
 * (raw-search.ts).
 */

/** Where a unit's lists of ranges are, for the functions that have them. */
export interface UnitBases {
  /** DW_AT_rnglists_base (0: none), DW_AT_addr_base, and the two halves of DW_AT_low_pc. */
  readonly ranges: Float64Array;
  readonly addresses: Float64Array;
  readonly low: Uint32Array;
  readonly high: Uint32Array;
}

export function newUnitBases(count: number): UnitBases {
  return { ranges: new Float64Array(count), addresses: new Float64Array(count), low: new Uint32Array(count), high: new Uint32Array(count) };
}

/** What a pass fills: tables (name-table.ts), or one who waits for a name (raw-search.ts). Names go by number; -1: not wanted. */
export interface NameSink {
  readonly names: {
    /** The name at an offset of .debug_str. */
    fromStrings(offset: number): number;
    /** One that stands elsewhere, up to its NUL. */
    fromBytes(bytes: Uint8Array, offset: number): number;
    /** What tells a name from others in every pass over the file, whatever its number; 0 for none. */
    print(name: number): number;
  };
  readonly records: {
    /** Takes an entry that may be a copy of another; tells whether it was new. */
    fold(name: number, kind: number, rank: number, print: number, die: number, unit: number): boolean;
    /** Takes an entry that has a place of its own. */
    add(name: number, kind: number, rank: number, print: number, die: number, unit: number): void;
  };
  readonly functions: { add(low: number, high: number, size: number, die: number, unit: number): void };
  /** Entries whose names stand in other units (link-time optimisation). */
  readonly strays: { push(stray: Stray): void };
  /** Numbers of the units whose entries are in split files. */
  readonly skeletons: { push(unit: number): void };
  readonly bases: UnitBases;
}

/** What records would have got, but for the name; that is the name of the entry at `origin` in .debug_info. */
export interface Stray {
  readonly origin: number;
  /** To add(), not to fold(). */
  readonly single: boolean;
  readonly kind: number;
  readonly rank: number;
  readonly print: number;
  readonly die: number;
  readonly unit: number;
}
