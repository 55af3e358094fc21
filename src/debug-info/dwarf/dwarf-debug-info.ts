/**
 * Debug information of one file from its DWARF sections: `DebugInfo`, composed of readers that each know one part.
 *
 *   Units (entries) ─┬─ DwarfTypes    types.ts          entry → CType
 *                    ├─ DwarfScopes   scopes.ts         address → function, inlined calls, blocks, variables, calls
 *                    ├─ DieNames      names.ts          name → entries
 *                    ├─ LineTables    line-tables.ts    address ↔ source line
 *                    └─ CallFrames    call-frame.ts     pc → how to find the caller's registers
 *
 * Opening costs nothing; each part is opened when it is first asked for.
 */
import { FormatError } from "../../bytes/errors.ts";
import type { CType, EnumType, StructType, TypeKey } from "../c-type.ts";
import type { DebugInfo, FrameRow, GlobalVariable, LineRow, Scope } from "../debug-info.ts";
import type { DebugSections } from "../debug-sections.ts";
import { CallFrames } from "./call-frame.ts";
import { DW_AT_declaration, DW_AT_language, DW_LANG_Mips_Assembler, DW_TAG_subprogram, DW_TAG_variable } from "./constants.ts";
import type { AddressRange, Die, Unit, Units } from "./die.ts";
import { LineTables } from "./line-tables.ts";
import type { EntryPlace } from "./name-index.ts";
import { DieNames } from "./names.ts";
import { DwarfScopes } from "./scopes.ts";
import { originChain } from "./scopes-origin.ts";
import { SourcePlaces } from "./scopes-places.ts";
import { DwarfTypes, type TypeCompletion } from "./types.ts";
import { distinct } from "./types-same.ts";
import { openUnits } from "./units.ts";
import { nestedVariables } from "./variables-nested.ts";
import { globalVariable } from "./variables-static.ts";

/** What is asked of an index of names; DieNames is one. */
export interface EntryNames {
  /** Entries of one kind and name, definitions before abstract functions before declarations; of "constant" the enumerations that have it. */
  places(key: TypeKey | "constant", name: string): Iterable<EntryPlace>;
  names(key: TypeKey, prefix: string, limit: number): readonly string[];
  /** The function that covers a link-time address, where the index knows it at once. */
  functionAt?(address: bigint): EntryPlace | undefined;
  /** Definitions of structures and unions with a name, one of each where they are told apart. */
  structPlaces(): Iterable<EntryPlace>;
  /** Starts in the background what many answers need. */
  prepare?(): void;
}

export interface DwarfOptions {
  /** The full type of what this file only declares, asked before the index of names is made: the kernel's BTF. */
  readonly complete?: TypeCompletion;
  /** An index of names made elsewhere (kept from an earlier run); otherwise one is made when a name is first asked for. */
  readonly names?: EntryNames;
}

/** Definitions of one name that are looked at: C allows one per file, and all files that include a header have its own. */
const MAX_DEFINITIONS = 100_000;

/** Names whose variables are kept. */
const MAX_VARIABLES = 4096;

export class DwarfDebugInfo implements DebugInfo {
  readonly owner: string;
  readonly #sections: DebugSections;
  readonly #names: EntryNames;
  readonly #units: Units;
  readonly #types: DwarfTypes;
  readonly #lines: LineTables;
  readonly #scopes: DwarfScopes;
  readonly #places: SourcePlaces;
  readonly #frames: CallFrames;
  readonly #variables = new Map<string, readonly GlobalVariable[]>();

  private constructor(sections: DebugSections, units: Units, owner: string, options: DwarfOptions = {}) {
    this.owner = owner;
    this.#sections = sections;
    this.#units = units;
    this.#names = options.names ?? new DieNames(sections);
    this.#lines = new LineTables(sections, units);
    this.#frames = CallFrames.open(sections);
    this.#places = new SourcePlaces((unit, index) => (this.#isOwn(unit) ? this.#lines.of(unit)?.fileName(index) : undefined));
    const { complete } = options;
    const byName: TypeCompletion = (key, name) => this.#first(key, name);
    this.#types = complete === undefined ? new DwarfTypes(byName) : new DwarfTypes(complete, byName);
    this.#scopes = new DwarfScopes({ types: this.#types, places: this.#places }, sections.machine);
  }

  /**
   * Opens the debug information of a file; reads nothing yet, and throws nothing: what is damaged is told when it is asked for.
   * @param owner "vmlinux" or the module's name
   */
  static open(sections: DebugSections, owner: string, options: DwarfOptions = {}): DwarfDebugInfo {
    return new DwarfDebugInfo(sections, openUnits(sections), owner, options);
  }

  get file(): string {
    return this.#sections.file;
  }

  /** The entries, for who wants more than this answers. */
  get units(): Units {
    return this.#units;
  }

  /** The type of an entry of this file. Throws FormatError for a damaged entry. */
  typeOf(die: Die): CType {
    return this.#types.of(die);
  }

  find(key: TypeKey, name: string): CType | undefined {
    return this.#first(key, name);
  }

  findAll(key: TypeKey, name: string): readonly CType[] {
    return distinct(this.#definitions(key, name));
  }

  constant(name: string): { readonly value: bigint; readonly type: EnumType } | undefined {
    for (const die of this.#entries("constant", name)) {
      const type = this.#described(die);
      if (type.kind !== "enum") continue;
      const enumerator = type.enumerators.find((each) => each.name === name);
      if (enumerator !== undefined) return { value: enumerator.value, type };
    }
    return undefined;
  }

  names(key: TypeKey, prefix: string, limit: number): readonly string[] {
    return this.#names.names(key, prefix, limit);
  }

  *structs(): Iterable<StructType> {
    for (const place of this.#names.structPlaces()) {
      const type = this.#described(this.#entry(place));
      if ((type.kind === "struct" || type.kind === "union") && type.name !== undefined) yield type;
    }
  }

  lineAt(address: bigint): LineRow | undefined {
    return this.#lines.at(address);
  }

  statementAt(address: bigint): LineRow | undefined {
    return this.#lines.statementAt(address);
  }

  lines(range: AddressRange): Iterable<LineRow> {
    return this.#lines.rows(range);
  }

  addressesOf(file: string, line: number): readonly LineRow[] {
    return this.#lines.find(file, line);
  }

  scopesAt(address: bigint): readonly Scope[] {
    const known = this.#names.functionAt?.(address);
    const die = known === undefined ? undefined : this.#entry(known);
    if (die?.tag === DW_TAG_subprogram && covers(die, address)) return this.#scopes.within(die, address);
    // The entry of a unit's first function may lie in front of what the unit says it covers.
    for (const place of [address, address + this.#scopes.entryBytes]) {
      const unit = this.#units.at(place);
      const scopes = unit === undefined ? [] : this.#scopes.at(unit, address);
      if (scopes.length > 0) return scopes;
    }
    return [];
  }

  functions(name: string): readonly Scope[] {
    const found = new Map<number, Scope>();
    for (const die of this.#entries("function", name)) {
      if (die.tag !== DW_TAG_subprogram) continue;
      const concrete = die.ranges.length > 0 ? [die] : die.flag(DW_AT_declaration) ? [] : this.#scopes.instancesOf(die);
      for (const each of concrete) found.set(each.key, this.#scopes.function(each));
    }
    return [...found.values()];
  }

  /** Those within functions are looked for when there is none outside: C would not see them from there either. */
  variables(name: string): readonly GlobalVariable[] {
    const known = this.#variables.get(name);
    if (known !== undefined) return known;
    const variable = (die: Die) => globalVariable({ types: this.#types, places: this.#places }, die) ?? [];
    let found = [...this.#entries("variable", name)].flatMap(variable);
    if (found.length === 0) found = nestedVariables(this.#sections, this.#units, name).flatMap(variable);
    if (this.#variables.size >= MAX_VARIABLES) this.#variables.clear();
    this.#variables.set(name, found);
    return found;
  }

  frameRow(pc: bigint): FrameRow | undefined {
    return this.#frames.row(pc);
  }

  prepare(): void {
    this.#names.prepare?.();
  }

  #entry({ unit, die }: EntryPlace): Die {
    return this.#units.unitAt(unit).root.unit.dieAt(die);
  }

  /** Of a variable its type; of a type or a function what it is. */
  #described(die: Die): CType {
    return die.tag === DW_TAG_variable ? this.#types.typeOf(die) : this.#types.of(die);
  }

  /**
   * Types of the definitions of a name, one for each entry. Functions and variables may be defined where their type is not known (an
   * assembler file, the linker's script) and declared where it is: a declaration then goes before, or stands in. A tag that is only
   * declared is none.
   */
  *#definitions(key: TypeKey, name: string): Iterable<CType> {
    const ofCode = key === "function" || key === "variable";
    const later: Die[] = [];
    let found = false;
    for (const die of this.#entries(key, name)) {
      if (!die.flag(DW_AT_declaration) && !(ofCode && isUntyped(die))) {
        found = true;
        yield this.#described(die);
      } else if (ofCode) later.push(die);
    }
    if (found) return;
    yield* later.sort((a, b) => Number(isUntyped(a)) - Number(isUntyped(b))).map((die) => this.#described(die));
  }

  /** Entries of a name. Damaged ones are left out while there are others; throws FormatError when there are none. */
  *#entries(key: TypeKey | "constant", name: string): Iterable<Die> {
    let damage: FormatError | undefined;
    let count = 0;
    for (const place of this.#names.places(key, name)) {
      let die: Die;
      try {
        die = this.#entry(place);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        damage ??= error;
        continue;
      }
      yield die;
      if (++count >= MAX_DEFINITIONS) return;
    }
    if (count === 0 && damage !== undefined) throw damage;
  }

  #first(key: TypeKey, name: string): CType | undefined {
    for (const type of this.#definitions(key, name)) return type;
    return undefined;
  }

  /** Not a unit of the supplementary file, whose line tables are not those of this one. */
  #isOwn(unit: Unit): boolean {
    if (unit.kind === "split" || unit.kind === "skeleton" || this.#sections.supplementary() === undefined) return true;
    return this.#units.containing(unit.offset) === unit;
  }
}

function covers(die: Die, address: bigint): boolean {
  return die.ranges.some(({ low, high }) => address >= low && address < high);
}

/** An entry of an assembler file: it has a place, and nothing is known of what is there. */
function isUntyped(die: Die): boolean {
  const holder = originChain(die).at(-1) ?? die;
  return holder.unit.root.number(DW_AT_language) === DW_LANG_Mips_Assembler;
}
