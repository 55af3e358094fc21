/**
 * Static variables within functions by name. The index of names knows what stands at the top level of units; what is inside of functions
 * would make it ten times as large. So the bytes are searched: for every location that is an address, and before it, where compilers write
 * the name, an offset in .debug_str at which the name stands. 200 MB take 200 ms.
 *
 *   .debug_str   … __print_once\0 …            at 0x09cf29
 *   .debug_info  … 29 cf 09 00 │ file line column type │ 09 03 a0 aa a5 82 ff ff ff ff …       exprloc of 9 bytes: addr
 *
 * Not found: names by index (DW_FORM_strx, clang's of version 5), and in split units.
 */
import { InquestError } from "../../bytes/errors.ts";
import { findBytes } from "../../bytes/find-bytes-node.ts";
import type { DebugSections } from "../debug-sections.ts";
import { DW_OP_addr, DW_TAG_inlined_subroutine, DW_TAG_lexical_block, DW_TAG_subprogram, DW_TAG_variable } from "./constants.ts";
import type { Die, Unit, Units } from "./die.ts";
import { addressOf } from "./variables-static.ts";

const PIECE = 1 << 22;
/** Between a name and the location: file, line, column, type, flags. */
const NEAR = 16;
/** Strings that end in the name. */
const MAX_STRINGS = 100_000;
/** A block of nine bytes that begins with DW_OP_addr. */
const LOCATION = Uint8Array.of(9, DW_OP_addr);
/** Places that are looked at; a macro's static variable may be in a thousand functions. */
const MAX_PLACES = 4096;
const MAX_DEPTH = 512;
/** Longer strings stand in .debug_str, where their offset takes as much room as they do. */
const SHORT = 3;

/** Entries of variables of static storage within functions, in file order. Damaged units are left out. */
export function nestedVariables(sections: DebugSections, units: Units, name: string): readonly Die[] {
  const byUnit = new Map<Unit, number[]>();
  for (const place of mentions(sections, new TextEncoder().encode(name))) {
    const unit = tryTo(() => units.containing(place));
    if (unit === undefined) continue;
    const known = byUnit.get(unit);
    if (known === undefined) byUnit.set(unit, [place]);
    else known.push(place);
  }
  const found: Die[] = [];
  for (const [unit, places] of byUnit) {
    tryTo(() => {
      for (const function_ of around(unit, places)) collect(function_, name, found, 0);
    });
  }
  return found;
}

function tryTo<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

/** Functions at a unit's top level around some places, each once. */
function* around(unit: Unit, places: readonly number[]): Iterable<Die> {
  let last: Die | undefined;
  let next = 0;
  for (const die of unit.root.children()) {
    if (last?.tag === DW_TAG_subprogram && (places[next] as number) < die.offset) yield last;
    while (next < places.length && (places[next] as number) < die.offset) next++;
    if (next >= places.length) return;
    last = die;
  }
  if (last?.tag === DW_TAG_subprogram) yield last;
}

function collect(scope: Die, name: string, into: Die[], depth: number): void {
  for (const child of scope.children()) {
    if (child.tag === DW_TAG_variable) {
      if (child.name === name && addressOf(child) !== undefined) into.push(child);
    } else if (child.hasChildren && depth < MAX_DEPTH && SCOPES.has(child.tag)) collect(child, name, into, depth + 1);
  }
}

const SCOPES = new Set([DW_TAG_lexical_block, DW_TAG_inlined_subroutine, DW_TAG_subprogram]);

/** Offsets in .debug_info of static locations that the name is mentioned before. */
function mentions(sections: DebugSections, name: Uint8Array): readonly number[] {
  const info = sections.section(".debug_info");
  if (info === undefined || name.length === 0 || name.includes(0)) return [];
  const strings = stringOffsets(sections, name);
  const inline = name.length <= SHORT ? withNul(name) : undefined;
  if (strings.size === 0 && inline === undefined) return [];
  const found: number[] = [];
  for (let base = 0; base < info.size; base += PIECE) {
    // What precedes a location at the start of a piece is read with it.
    const from = Math.max(0, base - NEAR);
    const piece = info.read(from, Math.min(base + PIECE + LOCATION.length - 1, info.size) - from);
    const view = new DataView(piece.buffer, piece.byteOffset, piece.byteLength);
    for (let at = findBytes(piece, LOCATION, base - from); at >= 0; at = findBytes(piece, LOCATION, at + 1)) {
      if (!mentionsBefore(view, at, strings) && (inline === undefined || !hasBefore(piece, at, inline))) continue;
      found.push(from + at);
      if (found.length >= MAX_PLACES) return found;
    }
  }
  return found;
}

function mentionsBefore(view: DataView, at: number, strings: ReadonlySet<number>): boolean {
  for (let back = 4; back <= NEAR && back <= at; back++) if (strings.has(view.getUint32(at - back, true))) return true;
  return false;
}

function hasBefore(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  const near = bytes.subarray(Math.max(0, at - NEAR), at);
  return findBytes(near, wanted) >= 0;
}

/** Where the name stands in .debug_str: as a string, and as the tail of others, which linkers may have merged it with. */
function stringOffsets(sections: DebugSections, name: Uint8Array): ReadonlySet<number> {
  const section = sections.section(".debug_str");
  const found = new Set<number>();
  if (section === undefined) return found;
  const strings = section.read(0, section.size);
  const wanted = withNul(name);
  for (let at = findBytes(strings, wanted); at >= 0 && found.size < MAX_STRINGS; at = findBytes(strings, wanted, at + 1)) found.add(at);
  return found;
}

function withNul(bytes: Uint8Array): Uint8Array {
  const more = new Uint8Array(bytes.length + 1);
  more.set(bytes);
  return more;
}
