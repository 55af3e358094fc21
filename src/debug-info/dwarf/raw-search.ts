/**
 * One name without an index: the name's bytes in .debug_str give its offset, the offset's four bytes in .debug_info the places that
 * mention it; each is checked, first by the abbreviations that could lead up to it, then by walking its unit.
 *
 *   .debug_str   … task_struct\0 …      at 0x04e38b
 *   .debug_info  … 37 8b e3 04 00 …     abbreviation 0x37: a structure with its name first?  ──► walk the unit
 *
 * The structures of the kernel's core are defined in its first units, so the search ends there; 164 MB are searched in 50 ms. Where a name
 * is mentioned in very many units the index is built in less time: `undefined` says so.
 */

import { InquestError } from "../../bytes/errors.ts";
import { findBytes } from "../../bytes/find-bytes-node.ts";
import type { DebugSections, SectionData } from "../debug-sections.ts";
import type { EntryPlace, NameKind } from "./name-index.ts";
import { type NameSink, newUnitBases } from "./name-sink.ts";
import { KINDS, RANK_DEFINITION } from "./name-table.ts";
import { readInto, type UnitTable, unitsWithin } from "./name-units.ts";
import { NameWalk } from "./name-walk.ts";
import { inBytes, mentions, verdictOf, withNul } from "./raw-mentions.ts";

/** The first piece is small: most names that people ask for are in it. */
const FIRST_PIECE = 1 << 18;
const PIECE = 1 << 22;
/** Linkers merge a string into the tail of another: "page" may be any of 700 offsets. Where there are more than this, the likely one is taken. */
const MAX_OFFSETS = 8;
/** A name that is the tail of so many others is left to the index. */
const MAX_TAILS = 20_000;
/** Of all bytes, the share whose units may be walked before building the index is cheaper; so many may be in any case. */
const MAX_WALKED = 1 / 8;
const ALWAYS_WALKED = 1 << 22;

/** Waits for one name of one kind. */
class Wanted implements NameSink {
  readonly name: Uint8Array;
  readonly offsets: ReadonlySet<number>;
  readonly kind: number;
  found: { readonly rank: number; readonly print: number; readonly die: number; readonly unit: number }[] = [];
  bases = newUnitBases(0);

  constructor(name: Uint8Array, offsets: ReadonlySet<number>, kind: number) {
    this.name = name;
    this.offsets = offsets;
    this.kind = kind;
  }

  readonly names = {
    fromStrings: (offset: number) => (this.offsets.has(offset) ? 0 : -1),
    fromBytes: (bytes: Uint8Array, offset: number) =>
      bytes[offset + this.name.length] === 0 && this.name.every((byte, i) => bytes[offset + i] === byte) ? 0 : -1,
    // Different definitions are not told apart here.
    print: () => 0,
  };
  readonly records = {
    add: (name: number, kind: number, rank: number, print: number, die: number, unit: number) => {
      if (name === 0 && kind === this.kind) this.found.push({ rank, print, die, unit });
    },
    // All enumerations are walked.
    fold: (name: number, kind: number, rank: number, print: number, die: number, unit: number) => {
      this.records.add(name, kind, rank, print, die, unit);
      return true;
    },
  };
  readonly functions = { add: () => {} };
  readonly strays = { push: () => {} };
  readonly skeletons = { push: () => {} };
}

export class RawSearch {
  readonly #sections: DebugSections;
  readonly #info: SectionData;
  readonly #budget: number;
  #strings: Uint8Array | undefined;
  #buffer: Uint8Array = new Uint8Array(0);
  /** Bytes of .debug_info searched so far, by all searches: what an index would have cost instead. */
  searched = 0;

  /** @param info its .debug_info; @param budget bytes whose units may be walked for one name */
  constructor(sections: DebugSections, info: SectionData, budget = Math.max(info.size * MAX_WALKED, ALWAYS_WALKED)) {
    this.#sections = sections;
    this.#info = info;
    this.#budget = budget;
  }

  /** False for files whose names do not stand in .debug_str or in the entries: by index (clang, split units), in a dwz file. */
  static canSearch(sections: DebugSections): boolean {
    return ![".debug_str_offsets", ".gnu_debugaltlink", ".debug_sup"].some((name) => sections.section(name) !== undefined);
  }

  /**
   * Entries of a name: the first definition in file order alone, or, where there is none, everything else that bears it.
   * undefined when the index would know it sooner. Throws FormatError for a damaged header of a unit.
   */
  find(kind: NameKind, name: string): { readonly places: readonly EntryPlace[]; readonly definition: boolean } | undefined {
    const bytes = new TextEncoder().encode(name);
    if (bytes.length === 0 || bytes.includes(0)) return { places: [], definition: false };
    const tails = this.#tails(bytes);
    const certain = tails.length <= MAX_OFFSETS;
    const offsets = certain ? tails : this.#likely(tails);
    const wanted = new Wanted(bytes, new Set(offsets), KINDS.indexOf(kind));
    const walk = new NameWalk(this.#sections, wanted);
    const patterns = [withNul(bytes), ...offsets.map(inBytes)];
    let walked = 0;
    const others: UnitTable[] = [];
    let declaring: UnitTable | undefined;
    for (const { piece, base, units } of this.#pieces()) {
      wanted.bases = newUnitBases(units.count);
      for (const [unit, hits] of mentions(piece, base, units, patterns)) {
        const verdict = verdictOf(walk, units, unit, piece, base, hits, wanted.kind);
        if (verdict === "no") continue;
        if (verdict !== "walk") {
          // All declarations are one; functions without code are told apart.
          if (verdict === "abstract") others.push(single(units, unit));
          else declaring ??= single(units, unit);
          continue;
        }
        walked += (units.end[unit] as number) - (units.start[unit] as number);
        if (walked > this.#budget) return undefined;
        const found = this.#walk(walk, wanted, units, unit, piece, base);
        const definition = found.filter(({ rank }) => rank === RANK_DEFINITION).sort((a, b) => a.die - b.die)[0];
        if (definition !== undefined) return { places: [{ unit: units.start[unit] as number, die: definition.die }], definition: true };
        if (found.length > 0) others.push(single(units, unit));
      }
    }
    if (declaring !== undefined) others.push(declaring);
    others.sort((a, b) => (a.start[0] as number) - (b.start[0] as number));
    // A linker that merges has one offset for all who use the name: the likely one that somebody uses is it.
    return certain || (offsets.length === 1 && others.length > 0) ? this.#declarations(walk, wanted, others) : undefined;
  }

  /** What bears the name without defining anything, once each, as the index keeps it. */
  #declarations(walk: NameWalk, wanted: Wanted, units: readonly UnitTable[]): ReturnType<RawSearch["find"]> {
    const size = units.reduce((sum, { start, end }) => sum + (end[0] as number) - (start[0] as number), 0);
    if (size > this.#budget) return undefined;
    const places: (EntryPlace & { readonly rank: number })[] = [];
    const seen = new Set<string>();
    wanted.bases = newUnitBases(1);
    for (const unit of units) {
      const base = unit.start[0] as number;
      const bytes = this.#info.read(base, (unit.end[0] as number) - base);
      for (const { rank, print, die } of this.#walk(walk, wanted, unit, 0, bytes, base)) {
        const key = `${rank} ${print}`;
        if (!seen.has(key)) places.push({ unit: base, die, rank });
        seen.add(key);
      }
    }
    return { places: places.sort((a, b) => a.rank - b.rank || a.die - b.die).map(({ unit, die }) => ({ unit, die })), definition: false };
  }

  /** Entries of the name in a unit; of a damaged one those before the damage. */
  #walk(walk: NameWalk, wanted: Wanted, units: UnitTable, unit: number, bytes: Uint8Array, base: number): Wanted["found"] {
    wanted.found = [];
    try {
      walk.walk(units, unit, bytes, base);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
    return wanted.found;
  }

  /** The section in pieces of whole units. A piece is overwritten by the next. */
  *#pieces(): Iterable<{ readonly piece: Uint8Array; readonly base: number; readonly units: UnitTable }> {
    const { size } = this.#info;
    let length = FIRST_PIECE;
    for (let base = 0; base < size; ) {
      length = Math.min(length, size - base);
      if (this.#buffer.length < length) this.#buffer = new Uint8Array(Math.min(size, Math.max(length, PIECE)));
      const read = this.#buffer.subarray(0, length);
      readInto(this.#info, read, base);
      const units = unitsWithin(read, base, this.#info);
      this.searched += length;
      if (units.count === 0) {
        if (units.damage !== undefined || length === size - base) return;
        length *= 4;
        continue;
      }
      const end = units.end[units.count - 1] as number;
      yield { piece: read.subarray(0, end - base), base, units };
      if (units.damage !== undefined) return;
      base = end;
      length = Math.min(PIECE, Math.max(length, FIRST_PIECE) * 4);
    }
  }

  /** Where in .debug_str the name may stand: whole strings and tails of others. */
  #tails(name: Uint8Array): number[] {
    if (this.#strings === undefined) {
      const section = this.#sections.section(".debug_str");
      this.#strings = section === undefined ? new Uint8Array(0) : section.read(0, section.size);
    }
    const wanted = withNul(name);
    const offsets: number[] = [];
    for (let at = 0; offsets.length < MAX_TAILS; at++) {
      at = findBytes(this.#strings, wanted, at);
      if (at < 0) break;
      offsets.push(at);
    }
    return offsets;
  }

  /**
   * Of many tails those that the linker may have chosen: whole strings, else the tail of the string that comes first when all are sorted from
   * their ends (binutils, bfd/merge.c, merge_strings()).
   */
  #likely(tails: readonly number[]): number[] {
    const strings = this.#strings as Uint8Array;
    const whole = tails.filter((at) => at === 0 || strings[at - 1] === 0);
    if (whole.length > 0) return whole.slice(0, MAX_OFFSETS);
    const before = (a: number, b: number) => {
      for (let i = 1; ; i++) {
        const left = strings[a - i] ?? 0;
        const right = strings[b - i] ?? 0;
        if (left !== right) return left < right;
        if (left === 0) return false;
      }
    };
    return tails.slice(0, 1).map((first) => tails.reduce((least, each) => (before(each, least) ? each : least), first));
  }
}

/** A table of one unit. */
function single(units: UnitTable, unit: number): UnitTable {
  const only = <T extends Float64Array | Uint8Array>(column: T) => column.slice(unit, unit + 1) as T;
  return {
    count: 1,
    start: only(units.start),
    end: only(units.end),
    first: only(units.first),
    abbrev: only(units.abbrev),
    version: only(units.version),
    type: only(units.type),
    offsetSize: only(units.offsetSize),
    addressSize: only(units.addressSize),
    damage: undefined,
  };
}
