/**
 * Parameters and locals of one scope. DWARF 5, sections 3.3.8 and 4.1.
 *
 * A call inlined into a function, and the out-of-line copy of a function that is also inlined, has two entries: the abstract one, with all
 * variables in the order of the source, and the concrete one, with the locations of those that the optimiser left something of.
 *
 *   abstract subprogram      parameter a, parameter b, variable x          order, names, types
 *          ▲ abstract_origin     ▲                        ▲
 *   inlined_subroutine       parameter → a                variable → x     locations; b has none: it is listed, as the abstract entry
 */
import type { CType } from "../c-type.ts";
import type { SourcePlace, Variable } from "../debug-info.ts";
import {
  DW_AT_abstract_origin,
  DW_AT_declaration,
  DW_AT_location,
  DW_AT_name,
  DW_TAG_formal_parameter,
  DW_TAG_variable,
} from "./constants.ts";
import type { Die } from "./die.ts";
import { holderOf, originChain } from "./scopes-origin.ts";
import type { SourcePlaces } from "./scopes-places.ts";
import type { DieTypes } from "./types-objects.ts";

/** What scopes, variables and calls ask of the file they belong to. */
export interface DescribedBy {
  readonly types: DieTypes;
  readonly places: SourcePlaces;
}

class DwarfVariable implements Variable {
  readonly kind: "parameter" | "local";
  readonly name: string;
  readonly die: Die;
  readonly #by: DescribedBy;
  constructor(by: DescribedBy, die: Die, name: string) {
    this.kind = die.tag === DW_TAG_formal_parameter ? "parameter" : "local";
    this.name = name;
    this.die = die;
    this.#by = by;
  }
  get type(): CType {
    return this.#by.types.typeOf(this.die);
  }
  get declared(): SourcePlace | undefined {
    return this.#by.places.declared(this.die);
  }
}

/**
 * Variables directly in a scope, parameters in their order; what has no name (unnamed parameters) and what is only declared left out.
 * @param blocks within the scope, around the address in question: GCC puts the variables of an inlined function's own body into a block
 *   when its ranges differ from the call's, and what is listed there is not listed here as optimised out
 */
export function variablesOf(by: DescribedBy, scope: Die, blocks: readonly Die[] = []): readonly Variable[] {
  const concrete = directVariables(scope);
  const abstract = scope.has(DW_AT_abstract_origin) ? originChain(scope).at(-1) : undefined;
  const merged = abstract === undefined ? concrete : mergeAbstract(concrete, abstract, blocks.flatMap(directVariables));
  const found: Variable[] = [];
  for (const die of merged) {
    const name = holderOf(die, DW_AT_name)?.name;
    if (name !== undefined && name !== "") found.push(new DwarfVariable(by, die, name));
  }
  return found;
}

/** The abstract entry's variables in their order, each by its concrete entry where there is one; then the concrete ones of inner blocks. */
function mergeAbstract(concrete: readonly Die[], abstract: Die, elsewhere: readonly Die[]): readonly Die[] {
  const byOrigin = new Map<number, Die>();
  for (const die of concrete) {
    const key = rootKey(die);
    if (!byOrigin.has(key)) byOrigin.set(key, die);
  }
  const listedElsewhere = new Set(elsewhere.map(rootKey));
  const merged: Die[] = [];
  for (const die of directVariables(abstract)) {
    const chosen = byOrigin.get(die.key) ?? (listedElsewhere.has(die.key) ? undefined : die);
    if (chosen !== undefined) merged.push(chosen);
  }
  const listed = new Set(merged.map((die) => die.key));
  return [...merged, ...concrete.filter((die) => !listed.has(die.key))];
}

/** Key of the entry that a variable's entries all lead to. */
function rootKey(die: Die): number {
  return (originChain(die).at(-1) ?? die).key;
}

function directVariables(scope: Die): readonly Die[] {
  const found: Die[] = [];
  for (const child of scope.children()) {
    if (child.tag !== DW_TAG_formal_parameter && child.tag !== DW_TAG_variable) continue;
    // `extern int x;` within a function names something that lives elsewhere.
    if (child.flag(DW_AT_declaration) && !child.has(DW_AT_location)) continue;
    found.push(child);
  }
  return found;
}
