/**
 * The index of names as the general reader of entries would make it, slowly and plainly: truth for the fast one. Every entry of the top
 * level (and of namespaces, and enumerators) under its kind and name, copies told apart by what the index says it tells them apart by.
 */
import * as dw from "../constants.ts";
import type { Die, Units } from "../die.ts";
import type { EntryPlace, NameKind } from "../name-index.ts";

const KIND = new Map<number, NameKind>([
  [dw.DW_TAG_structure_type, "struct"],
  [dw.DW_TAG_class_type, "struct"],
  [dw.DW_TAG_union_type, "union"],
  [dw.DW_TAG_enumeration_type, "enum"],
  [dw.DW_TAG_typedef, "typedef"],
  [dw.DW_TAG_base_type, "base"],
  [dw.DW_TAG_subprogram, "function"],
  [dw.DW_TAG_variable, "variable"],
]);

export interface NaiveNames {
  /** By kind and name: entries in the order of the index. */
  readonly entries: ReadonlyMap<string, readonly EntryPlace[]>;
  /** Functions with code: first address of each range, and their entries. */
  readonly functions: ReadonlyMap<bigint, readonly number[]>;
}

interface Found extends EntryPlace {
  readonly rank: number;
}

export function naiveNames(units: Units): NaiveNames {
  const found = new Map<string, Map<string, Found>>();
  const functions = new Map<bigint, number[]>();
  const add = (kind: NameKind, name: string, print: string, place: Found) => {
    const key = `${kind} ${name}`;
    const known = found.get(key) ?? found.set(key, new Map()).get(key);
    const told = `${place.rank} ${print}`;
    if (known !== undefined && !known.has(told)) known.set(told, place);
  };
  const visit = (parent: Die, unit: number): void => {
    for (const die of parent.children()) {
      if (die.tag === dw.DW_TAG_namespace) visit(die, unit);
      const kind = KIND.get(die.tag);
      if (kind === undefined) continue;
      const own = die.name;
      const line = `${die.number(dw.DW_AT_decl_line) ?? 0}:${die.number(dw.DW_AT_decl_column) ?? 0}`;
      const size = die.number(dw.DW_AT_byte_size) ?? 0;
      const declared = die.flag(dw.DW_AT_declaration);
      const place = { unit, die: die.offset };
      if (kind === "function" || kind === "variable") {
        const code = kind === "function" && (die.has(dw.DW_AT_low_pc) || die.has(dw.DW_AT_ranges));
        if (code)
          for (const { low, high } of die.ranges)
            if (low > 0n && high > low) functions.set(low, [...(functions.get(low) ?? []), die.offset]);
        const name = own ?? nameOfOrigin(die);
        if (name === undefined) continue;
        if (code || (kind === "variable" && die.has(dw.DW_AT_location))) add(kind, name, `at ${die.offset}`, { ...place, rank: 0 });
        else if (kind === "variable" && die.has(dw.DW_AT_const_value)) add(kind, name, line, { ...place, rank: 0 });
        else add(kind, name, declared ? "" : line, { ...place, rank: declared ? 2 : 1 });
        continue;
      }
      const first = declared || !die.hasChildren ? undefined : [...die.children()][0];
      const child = first !== undefined && CHILDREN.has(first.tag) ? (first.name ?? "") : "";
      const print =
        kind === "base"
          ? `${size} ${die.number(dw.DW_AT_encoding) ?? 0}`
          : kind === "typedef"
            ? line
            : declared
              ? ""
              : `${size} ${line} ${child}`;
      if (own !== undefined) add(kind, own, print, { ...place, rank: declared ? 2 : 0 });
      if (kind !== "enum") continue;
      for (const enumerator of die.children()) {
        if (enumerator.tag === dw.DW_TAG_enumerator && enumerator.name !== undefined)
          add("constant", enumerator.name, `${own ?? ""} ${print}`, { ...place, rank: 0 });
      }
    }
  };
  for (const unit of units.every()) visit(unit.root, unit.offset);
  const entries = new Map(
    [...found].map(([key, places]) => [
      key,
      [...places.values()].sort((a, b) => a.rank - b.rank || a.die - b.die).map(({ unit, die }) => ({ unit, die })),
    ]),
  );
  return { entries, functions };
}

const CHILDREN = new Set([...KIND.keys(), dw.DW_TAG_member, dw.DW_TAG_enumerator, dw.DW_TAG_namespace]);

function nameOfOrigin(die: Die): string | undefined {
  let here: Die | undefined = die;
  for (let hops = 0; hops < 4 && here !== undefined; hops++) {
    here = here.reference(dw.DW_AT_abstract_origin) ?? here.reference(dw.DW_AT_specification);
    if (here?.name !== undefined) return here.name;
  }
  return undefined;
}
