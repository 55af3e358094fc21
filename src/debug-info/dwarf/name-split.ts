/**
 * Names of split units: their entries are in other files (.dwo, .dwp), with tables of their own, and are read by the general reader. What is
 * collected is what the pass over the main file would collect; the entries' offsets are those in the split file.
 */
import * as dw from "./constants.ts";
import type { Die } from "./die.ts";
import type { TableSink } from "./name-build.ts";
import {
  ROLE_BASE,
  ROLE_ENUM,
  ROLE_ENUMERATOR,
  ROLE_FUNCTION,
  ROLE_NAMESPACE,
  ROLE_OTHER,
  ROLE_TYPEDEF,
  ROLE_VARIABLE,
  roleOf,
} from "./name-steps.ts";
import { CONSTANT, mix, RANGES, RANK_ABSTRACT, RANK_DECLARATION, RANK_DEFINITION } from "./name-table.ts";
import { ANONYMOUS } from "./name-walk.ts";

const MAX_NESTING = 64;

/** Adds the names of a unit. @param root the split unit's own entry; @param unit number of its skeleton. Throws FormatError. */
export function addSplitUnit(root: Die, unit: number, sink: TableSink): void {
  new SplitNames(unit, sink).children(root, 0);
}

class SplitNames {
  readonly #unit: number;
  readonly #sink: TableSink;

  constructor(unit: number, sink: TableSink) {
    this.#unit = unit;
    this.#sink = sink;
  }

  children(parent: Die, depth: number): void {
    for (const die of parent.children()) {
      const role = roleOf(die.tag);
      if (role === ROLE_NAMESPACE && depth < MAX_NESTING) this.children(die, depth + 1);
      else if (role === ROLE_FUNCTION || role === ROLE_VARIABLE) this.#placed(die, role);
      else if (role < ROLE_ENUMERATOR) this.#type(die, role);
    }
  }

  #type(die: Die, role: number): void {
    const { records, names } = this.#sink;
    const name = this.#name(die.name);
    const declared = die.flag(dw.DW_AT_declaration);
    const size = die.number(dw.DW_AT_byte_size) ?? 0;
    const place = placeOf(die);
    const print =
      role === ROLE_TYPEDEF
        ? place
        : role === ROLE_BASE
          ? mix(size, die.number(dw.DW_AT_encoding) ?? 0, 0)
          : declared
            ? 0
            : mix(size, place, names.print(this.#name(firstChild(die)?.name)));
    if (name < 0 && role !== ROLE_ENUM) return;
    const rank = declared ? RANK_DECLARATION : RANK_DEFINITION;
    const fresh = records.fold(name < 0 ? ANONYMOUS : name, role, rank, print, die.offset, this.#unit);
    // Nameless enumerations are not told apart by this print alone.
    if ((!fresh && !declared && name >= 0) || role !== ROLE_ENUM) return;
    for (const each of die.children()) {
      const constant = each.tag === dw.DW_TAG_enumerator ? this.#name(each.name) : -1;
      if (constant >= 0) records.fold(constant, CONSTANT, RANK_DEFINITION, mix(print, names.print(name), role), die.offset, this.#unit);
    }
  }

  #placed(die: Die, role: number): void {
    const { records, functions } = this.#sink;
    const single = role === ROLE_FUNCTION ? die.has(dw.DW_AT_low_pc) || die.has(dw.DW_AT_ranges) : die.has(dw.DW_AT_location);
    if (single && role === ROLE_FUNCTION) {
      for (const { low, high } of die.ranges) {
        const size = Number(high - low);
        if (size > 0 && size < RANGES) functions.add(Number(low & 0xffff_ffffn), Number(low >> 32n), size, die.offset, this.#unit);
      }
    }
    const name = this.#name(nameOf(die));
    if (name < 0) return;
    const constant = role === ROLE_VARIABLE && die.has(dw.DW_AT_const_value);
    const declared = die.flag(dw.DW_AT_declaration);
    const rank = single || constant ? RANK_DEFINITION : declared ? RANK_DECLARATION : RANK_ABSTRACT;
    const print = single || rank === RANK_DECLARATION ? 0 : constant ? mix(placeOf(die), 1, 0) : placeOf(die);
    records[single ? "add" : "fold"](name, role, rank, print, die.offset, this.#unit);
  }

  #name(name: string | undefined): number {
    return name === undefined ? -1 : this.#sink.names.fromBytes(new TextEncoder().encode(`${name}\0`), 0);
  }
}

/** Line and column, as name-walk.ts folds by them. */
function placeOf(die: Die): number {
  return Math.imul(die.number(dw.DW_AT_decl_line) ?? 0, 1 << 8) ^ (die.number(dw.DW_AT_decl_column) ?? 0);
}

function firstChild(die: Die): Die | undefined {
  for (const child of die.children()) return roleOf(child.tag) < ROLE_OTHER ? child : undefined;
  return undefined;
}

/** Its name, or that of what it completes. */
function nameOf(die: Die): string | undefined {
  let here: Die | undefined = die;
  for (let hops = 0; hops < 5 && here !== undefined; hops++) {
    if (here.name !== undefined) return here.name;
    here = here.reference(dw.DW_AT_specification) ?? here.reference(dw.DW_AT_abstract_origin);
  }
  return undefined;
}
