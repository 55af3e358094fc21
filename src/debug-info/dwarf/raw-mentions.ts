/**
 * Where a name is mentioned in the raw bytes of .debug_info, and what a mention can be: by the abbreviations of its unit, an entry of the wanted
 * kind begins before it, or none. A mention that is no entry costs no walk.
 */
import { InquestError } from "../../bytes/errors.ts";
import { findBytes } from "../../bytes/find-bytes-node.ts";
import {
  DECLARATION,
  HAS_CONST_VALUE,
  HAS_LOCATION,
  LOW,
  NAME,
  type NameSteps,
  ORIGIN,
  RANGES,
  ROLE_ENUMERATOR,
  ROLE_FUNCTION,
  ROLE_VARIABLE,
} from "./name-steps.ts";
import { CONSTANT } from "./name-table.ts";
import { type UnitTable, unitContaining } from "./name-units.ts";
import type { NameWalk } from "./name-walk.ts";

/** What is known of a unit that mentions the name. */
type Verdict = "walk" | "abstract" | "declares" | "no";

/** Units of a piece in which a pattern occurs, in order, each with the positions in the piece. */
export function mentions(piece: Uint8Array, base: number, units: UnitTable, patterns: readonly Uint8Array[]): Map<number, number[]> {
  const hits: number[] = [];
  for (const pattern of patterns) for (let at = findBytes(piece, pattern); at >= 0; at = findBytes(piece, pattern, at + 1)) hits.push(at);
  const byUnit = new Map<number, number[]>();
  for (const hit of hits.sort((a, b) => a - b)) {
    const unit = unitContaining(units, base + hit);
    const known = byUnit.get(unit);
    if (known !== undefined) known.push(hit);
    else if (unit >= 0) byUnit.set(unit, [hit]);
  }
  return byUnit;
}

/** Whether a unit is worth walking: it is when an entry of the kind may stand at a hit, and may be a definition. */
export function verdictOf(
  walk: NameWalk,
  units: UnitTable,
  unit: number,
  piece: Uint8Array,
  base: number,
  hits: readonly number[],
  kind: number,
): Verdict {
  let steps: NameSteps;
  try {
    steps = walk.compile(units, unit);
  } catch (error) {
    if (error instanceof InquestError) return "no";
    throw error;
  }
  steps.over(piece);
  const role = kind === CONSTANT ? ROLE_ENUMERATOR : kind;
  const places = role === ROLE_FUNCTION ? (1 << LOW) | (1 << RANGES) : role === ROLE_VARIABLE ? HAS_LOCATION | HAS_CONST_VALUE : -1;
  const start = (units.start[unit] as number) - base;
  const bytes = piece.subarray(start, (units.end[unit] as number) - base);
  let verdict: Verdict = "no";
  for (const hit of hits) {
    for (const { die, slot } of steps.before(hit, NAME, role)) {
      const flags = steps.flags[slot] as number;
      const defines = places === -1 ? (flags & (1 << DECLARATION)) === 0 : (flags & places) !== 0;
      if (die < 0 || defines) return "walk";
      if ((flags & (1 << DECLARATION)) === 0) verdict = "abstract";
      else if (verdict === "no") verdict = "declares";
      if (places === -1) continue;
      // The definition may lie apart, and have its name from here.
      const reference = inBytes(die - start);
      for (let at = findBytes(bytes, reference); at >= 0; at = findBytes(bytes, reference, at + 1)) {
        for (const _ of steps.before(start + at, ORIGIN, role)) return "walk";
      }
    }
  }
  return verdict;
}

export function withNul(bytes: Uint8Array): Uint8Array {
  const more = new Uint8Array(bytes.length + 1);
  more.set(bytes);
  return more;
}

/** A number as its four bytes. */
export function inBytes(value: number): Uint8Array {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}
