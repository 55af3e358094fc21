/**
 * The units of one file: by offset, by address, by signature; and the tables that all of them share. Opening reads nothing: each table
 * waits until it is asked for. DWARF 5, 3.1, 6.1.2, 7.3 (split units), 7.3.6 (supplementary files).
 */
import { FormatError, type InquestError } from "../../bytes/errors.ts";
import type { DebugSections } from "../debug-sections.ts";
import { AbbrevTable } from "./abbrev.ts";
import { AddressMap, addressKey, readAranges } from "./aranges.ts";
import * as dw from "./constants.ts";
import type { Units } from "./die.ts";
import type { DwarfDie } from "./die-entry.ts";
import { DwarfReader } from "./dwarf-reader.ts";
import type { UnitSizes } from "./forms.ts";
import { SectionPages } from "./section-pages.ts";
import { findContributions } from "./split-index.ts";
import type { DwarfUnit } from "./unit.ts";
import { sharedUnitBytes, type UnitBytes } from "./unit-bytes.ts";
import { keepProblem, UnitTable } from "./unit-table.ts";

/** Pages of 32 KiB kept per section: names are read from all over .debug_str. */
const STRING_PAGES = 160;
const OTHER_PAGES = 32;
/** .debug_aranges of a vmlinux has 200 KiB. */
const MAX_ARANGES = 1 << 28;
/** Abbreviations of units that are not loaded: first entries of many units are read one after another, often over one table. */
const ABBREV_TABLES = 8;
/** Die.key: each section gets numbers of its own, far enough apart for its size. */
const KEYS_PER_SECTION = 2 ** 36;

/** A main file, and those that its units lead to. */
interface Family {
  keys: number;
  readonly bytes: UnitBytes;
  readonly members: Map<DebugSections, DwarfUnits>;
}

export class DwarfUnits implements Units {
  readonly sections: DebugSections;
  /** Bytes of units, shared with other files. */
  readonly bytes: UnitBytes;
  readonly #family: Family;
  readonly #pages = new Map<string, SectionPages>();
  readonly #abbrevs = new Map<string, AbbrevTable>();
  readonly #problems: InquestError[] = [];
  /** null: not looked for yet. */
  #infoTable: UnitTable | undefined | null = null;
  #typeTable: UnitTable | undefined | null = null;
  #aranges: { readonly map: AddressMap; readonly listed: ReadonlySet<number> } | undefined;
  #unlisted: AddressMap | undefined;
  #signatures: Map<bigint, DwarfUnit> | undefined;

  constructor(sections: DebugSections, family: Family) {
    this.sections = sections;
    this.bytes = family.bytes;
    this.#family = family;
    family.members.set(sections, this);
  }

  get name(): string {
    return this.sections.file;
  }

  /** What of the units could not be read so far. */
  get problems(): readonly InquestError[] {
    return [...this.#problems, ...(this.#infoTable?.problems ?? []), ...(this.#typeTable?.problems ?? [])];
  }

  at(address: bigint): DwarfUnit | undefined {
    const { map } = this.#addresses();
    const unit = map.find(address) ?? this.#unlistedUnits().find(address);
    return unit === undefined ? undefined : this.unitAt(unit);
  }

  containing(offset: number): DwarfUnit | undefined {
    return this.#info?.containing(offset);
  }

  *all(): Iterable<DwarfUnit> {
    for (const unit of this.#info ?? []) {
      let kind: string;
      try {
        kind = unit.kind;
      } catch (error) {
        keepProblem(this.#problems, error);
        continue;
      }
      if (kind !== "type" && kind !== "partial") yield unit;
    }
  }

  *every(): Iterable<DwarfUnit> {
    yield* this.#info ?? [];
    yield* this.#types ?? [];
  }

  /** The unit whose header is at an offset of .debug_info. Throws FormatError. */
  unitAt(offset: number): DwarfUnit {
    if (this.#info === undefined) throw new FormatError(this.name, "no .debug_info");
    return this.#info.at(offset);
  }

  die(offset: number): DwarfDie {
    const unit = this.containing(offset);
    if (unit === undefined) throw new FormatError(`${this.name}: .debug_info`, "an entry is expected where no unit can be read", offset);
    return unit.dieAt(offset);
  }

  /** A type unit by its signature; undefined when this file has none. */
  typeUnit(signature: bigint): DwarfUnit | undefined {
    const index = this.pages(".debug_tu_index");
    if (index !== undefined) {
      const contributions = findContributions(index, signature);
      const table = this.#types ?? this.#info;
      return contributions === undefined ? undefined : table?.at(contributions.unit).link(undefined, contributions);
    }
    this.#signatures ??= this.#findSignatures();
    return this.#signatures.get(signature);
  }

  #findSignatures(): Map<bigint, DwarfUnit> {
    const found = new Map<bigint, DwarfUnit>();
    for (const unit of this.every())
      if (unit.header.signature !== undefined && !found.has(unit.header.signature)) found.set(unit.header.signature, unit);
    return found;
  }

  /** True for units of .debug_types, whose offsets are not those of .debug_info. */
  isTypeUnit(unit: DwarfUnit): boolean {
    return unit.firstKey === this.#types?.firstKey;
  }

  /** The split unit of a skeleton; undefined when it cannot be found or read. */
  splitOf(skeleton: DwarfUnit): DwarfUnit | undefined {
    try {
      const root = skeleton.ownRoot;
      const id = skeleton.splitId;
      if (id === undefined) return undefined;
      const sections = this.sections.splitUnit(root.string(dw.DW_AT_dwo_name), root.string(dw.DW_AT_comp_dir), id);
      return sections === undefined ? undefined : this.#member(sections).#splitUnit(id)?.link(skeleton);
    } catch (error) {
      keepProblem(this.#problems, error);
      return undefined;
    }
  }

  /** The dwz file whose strings and entries this one shares. Throws FormatError when it is not there. */
  supplementary(): DwarfUnits {
    const sections = this.sections.supplementary();
    if (sections === undefined) throw new FormatError(this.name, "refers to a supplementary file (dwz), which was not found");
    return this.#member(sections);
  }

  /** A section read by pieces; undefined when the file has none. */
  pages(name: string): SectionPages | undefined {
    let pages = this.#pages.get(name);
    if (pages === undefined) {
      const section = this.sections.section(name);
      if (section === undefined) return undefined;
      pages = new SectionPages(section, this.name, name === ".debug_str" ? STRING_PAGES : OTHER_PAGES);
      this.#pages.set(name, pages);
    }
    return pages;
  }

  /** pages() of a section that something refers to. Throws FormatError when the file has none. */
  table(name: string): SectionPages {
    const pages = this.pages(name);
    if (pages === undefined) throw new FormatError(this.name, `refers to section ${name}, which it does not have`);
    return pages;
  }

  string(section: ".debug_str" | ".debug_line_str", offset: number): string {
    return this.table(section).string(offset);
  }

  /** The abbreviations at an offset, for units of one kind. */
  abbrevs(offset: number, sizes: UnitSizes): AbbrevTable {
    const key = `${offset}/${sizes.version <= 2 ? 2 : 3}/${sizes.addressSize}/${sizes.offsetSize}`;
    const known = this.#abbrevs.get(key);
    if (known !== undefined) return known;
    const table = new AbbrevTable(this.table(".debug_abbrev"), offset, sizes);
    if (this.#abbrevs.size >= ABBREV_TABLES) this.#abbrevs.delete(this.#abbrevs.keys().next().value!);
    this.#abbrevs.set(key, table);
    return table;
  }

  /** The split unit of an id, in a .dwo or a package. */
  #splitUnit(id: bigint): DwarfUnit | undefined {
    const index = this.pages(".debug_cu_index");
    if (index !== undefined) {
      const contributions = findContributions(index, id);
      return contributions === undefined ? undefined : this.unitAt(contributions.unit).link(undefined, contributions);
    }
    for (const unit of this.all()) if (unit.splitId === id) return unit;
    return undefined;
  }

  #member(sections: DebugSections): DwarfUnits {
    return this.#family.members.get(sections) ?? new DwarfUnits(sections, this.#family);
  }

  get #info(): UnitTable | undefined {
    if (this.#infoTable === null) this.#infoTable = this.#table(".debug_info", false);
    return this.#infoTable;
  }

  /** Without .debug_types, or with one that cannot be opened, everything else is still there. */
  get #types(): UnitTable | undefined {
    if (this.#typeTable === null) {
      let table: UnitTable | undefined;
      try {
        table = this.#table(".debug_types", true);
      } catch (error) {
        keepProblem(this.#problems, error);
      }
      this.#typeTable = table;
    }
    return this.#typeTable;
  }

  /** Throws FormatError or UnsupportedError for a section that cannot be opened. */
  #table(name: string, types: boolean): UnitTable | undefined {
    const section = this.sections.section(name);
    return section === undefined ? undefined : new UnitTable(this, section, types, this.#family.keys++ * KEYS_PER_SECTION);
  }

  #addresses(): { readonly map: AddressMap; readonly listed: ReadonlySet<number> } {
    if (this.#aranges === undefined) {
      const map = new AddressMap();
      const listed = new Set<number>();
      try {
        const section = this.sections.section(".debug_aranges");
        if (section !== undefined && section.size <= MAX_ARANGES)
          readAranges(new DwarfReader(section.read(0, section.size), `${this.name}: .debug_aranges`), map, listed);
      } catch (error) {
        // Units whose sets were not reached are found by their own ranges.
        keepProblem(this.#problems, error);
      }
      this.#aranges = { map, listed };
    }
    return this.#aranges;
  }

  /** Code of the units that .debug_aranges does not list, from their first entries. */
  #unlistedUnits(): AddressMap {
    if (this.#unlisted === undefined) {
      const map = new AddressMap();
      const { listed } = this.#addresses();
      for (const unit of this.all()) {
        if (listed.has(unit.offset)) continue;
        try {
          for (const { low, high } of unit.ranges) map.add(addressKey(low), addressKey(high - 1n) + 1, unit.offset);
        } catch (error) {
          keepProblem(this.#problems, error);
        }
      }
      this.#unlisted = map;
    }
    return this.#unlisted;
  }
}

/**
 * Opens the units of a file. Nothing is read yet.
 * @param bytes cache for the bytes of units, by default the one that all files share
 */
export function openUnits(sections: DebugSections, bytes = sharedUnitBytes): DwarfUnits {
  return new DwarfUnits(sections, { keys: 0, bytes, members: new Map() });
}
