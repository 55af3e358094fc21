/**
 * Entries of .debug_info by name, functions by address: from the index (name-index.ts), which is built when it is worth it; until then
 * single names are searched for (raw-search.ts).
 */

import type { Helper } from "../../bytes/worker-pool.ts";
import type { TypeKey } from "../c-type.ts";
import type { DebugSections } from "../debug-sections.ts";
import { FunctionMap } from "./function-map.ts";
import type { BuiltIndex } from "./name-build.ts";
import { type EntryPlace, NameIndex } from "./name-index.ts";
import { loadIndex, saveIndex } from "./name-index-file.ts";
import { buildInBackground, buildParallel } from "./name-parallel.ts";
import { RawSearch } from "./raw-search.ts";

interface Built {
  readonly names: NameIndex;
  readonly functions: FunctionMap;
  readonly complete: boolean;
}

/** A file with less is indexed at once: a module. */
const SMALL = 1 << 23;
const PATIENCE_MS = 30_000;
/** Searching so many times the bytes of .debug_info costs what the index costs. */
const SEARCH_LIMIT = 3;

export class DieNames {
  readonly #sections: DebugSections;
  #built: Built | undefined;
  /** An index of an earlier run was looked for. */
  #looked = false;
  #search: RawSearch | undefined;
  /** At work on the index, which it also keeps. */
  #background: Helper | undefined;

  /** Nothing is read yet. */
  constructor(sections: DebugSections) {
    this.#sections = sections;
  }

  /**
   * Entries of one kind and name: definitions in file order, then functions without code of their own, then declarations; copies of one
   * definition once. Of "constant" the enumerations that have an enumerator of that name. The first is found without the index where that
   * is quicker, and the others when they are asked for.
   */
  *places(key: TypeKey | "constant", name: string): Iterable<EntryPlace> {
    const single = this.#known() === undefined ? this.#single(key, name) : undefined;
    if (single !== undefined) {
      yield* single.places;
      if (!single.definition) return;
    }
    const first = single?.places[0];
    for (const place of this.#index()?.names.find(key, name) ?? []) if (place.die !== first?.die || place.unit !== first.unit) yield place;
  }

  /** Names of one kind that start with the prefix, sorted, at most `limit`. */
  names(key: TypeKey, prefix: string, limit: number): readonly string[] {
    return this.#index()?.names.names(key, prefix, limit) ?? [];
  }

  /** Definitions of structures and unions with a name, different ones of one name each. */
  *structPlaces(): Iterable<EntryPlace> {
    for (const key of ["struct", "union"] as const) yield* this.#index()?.names.all(key) ?? [];
  }

  /** The function whose code covers a link-time address, where the index is at hand: it is not made for this. */
  functionAt(address: bigint): EntryPlace | undefined {
    return this.#known()?.functions.at(address);
  }

  /** False when damage hides names. */
  get complete(): boolean {
    return this.#index()?.complete ?? true;
  }

  #single(key: TypeKey | "constant", name: string): ReturnType<RawSearch["find"]> {
    if (this.#search === undefined) {
      const info = this.#sections.section(".debug_info");
      if (info === undefined || info.size < SMALL || !RawSearch.canSearch(this.#sections)) return undefined;
      this.#search = new RawSearch(this.#sections, info);
    }
    const limit = SEARCH_LIMIT * (this.#sections.section(".debug_info")?.size ?? 0);
    return this.#search.searched > limit ? undefined : this.#search.find(key, name);
  }

  /** The index, made when it is not there. */
  #index(): Built | undefined {
    const known = this.#known();
    if (known !== undefined) return known;
    const section = this.#sections.section(".debug_info");
    if (section === undefined) return undefined;
    this.#search = undefined;
    const index = (this.#background?.wait(PATIENCE_MS) as BuiltIndex | undefined) ?? buildParallel(this.#sections, section);
    if (this.#background === undefined && section.size >= SMALL) saveIndex(this.#sections, index);
    return this.#use(index);
  }

  /** The index when it was made already, in this run or in an earlier one. */
  #known(): Built | undefined {
    if (this.#built === undefined && !this.#looked) {
      this.#looked = true;
      const kept = loadIndex(this.#sections);
      if (kept !== undefined) this.#use(kept);
    }
    return this.#built;
  }

  /** Starts making the index on another thread where that can be done, so that it is there when it is needed. */
  prepare(): void {
    if (this.#known() !== undefined || this.#background !== undefined) return;
    this.#background = buildInBackground(this.#sections);
    this.#background?.onDone((index) => this.#use(index as BuiltIndex));
  }

  #use({ names, functions, damaged }: BuiltIndex): Built {
    this.#built = {
      names: new NameIndex(names, this.#sections.section(".debug_str")),
      functions: new FunctionMap(functions, names.unitStart),
      complete: damaged === 0,
    };
    return this.#built;
  }
}
