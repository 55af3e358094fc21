/**
 * Entries of .debug_info by name, functions by address.
 */
import type { TypeKey } from "../c-type.ts";
import type { DebugSections } from "../debug-sections.ts";
import { FunctionMap } from "./function-map.ts";
import { buildIndex } from "./name-build.ts";
import { type EntryPlace, NameIndex } from "./name-index.ts";
import { readUnitTable } from "./name-units.ts";

interface Built {
  readonly names: NameIndex;
  readonly functions: FunctionMap;
  readonly complete: boolean;
}

export class DieNames {
  readonly #sections: DebugSections;
  #built: Built | undefined;

  /** Nothing is read yet. */
  constructor(sections: DebugSections) {
    this.#sections = sections;
  }

  /** Entries of one kind and name by their offset in .debug_info: definitions in file order, then abstract functions, then declarations. */
  *find(key: TypeKey, name: string): Iterable<number> {
    for (const { die } of this.#index()?.names.find(key, name) ?? []) yield die;
  }

  /** Enumerations with an enumerator of that name. */
  *constant(name: string): Iterable<number> {
    for (const { die } of this.#index()?.names.find("constant", name) ?? []) yield die;
  }

  /** The same as find() and constant(), with their units: the entries of split units have offsets of their own. */
  places(key: TypeKey | "constant", name: string): readonly EntryPlace[] {
    return this.#index()?.names.find(key, name) ?? [];
  }

  /** Definitions of structures and unions with a name, as structs(). */
  *structPlaces(): Iterable<EntryPlace> {
    for (const key of ["struct", "union"] as const) yield* this.#index()?.names.all(key) ?? [];
  }

  /** Names of one kind that start with the prefix, sorted, at most `limit`. */
  names(key: TypeKey, prefix: string, limit: number): readonly string[] {
    return this.#index()?.names.names(key, prefix, limit) ?? [];
  }

  /** Definitions of structures and unions with a name, different ones of one name each. */
  *structs(): Iterable<number> {
    for (const key of ["struct", "union"] as const) for (const { die } of this.#index()?.names.all(key) ?? []) yield die;
  }

  /** The function whose code covers a link-time address. */
  functionAt(address: bigint): EntryPlace | undefined {
    return this.#index()?.functions.at(address);
  }

  /** False when damage hides names. */
  get complete(): boolean {
    return this.#index()?.complete ?? true;
  }

  #index(): Built | undefined {
    if (this.#built !== undefined) return this.#built;
    const section = this.#sections.section(".debug_info");
    if (section === undefined) return undefined;
    const units = readUnitTable(section);
    const { names, functions, damaged } = buildIndex(this.#sections, units);
    this.#built = {
      names: new NameIndex(names, this.#sections.section(".debug_str")),
      functions: new FunctionMap(functions, units.start),
      complete: damaged === 0 && units.damage === undefined,
    };
    return this.#built;
  }
}
