/**
 * A unit: its header, its entries over its bytes, and what its first entry says of all others. DWARF 5, 3.1 and 7.5; split units 3.1.3;
 * GCC's split units of version 4, https://gcc.gnu.org/wiki/DebugFission.
 *
 *   skeleton in vmlinux ── dwo_name, dwo_id ──► split unit in a .dwo or .dwp
 *     addr_base, ranges, line program                entries
 */
import { FormatError } from "../../bytes/errors.ts";
import { BusyMark } from "../../bytes/interruption.ts";
import type { SectionData } from "../debug-sections.ts";
import type { AbbrevTable } from "./abbrev.ts";
import * as dw from "./constants.ts";
import type { AddressRange, Unit, UnitKind } from "./die.ts";
import { DwarfDie } from "./die-entry.ts";
import { DwarfReader } from "./dwarf-reader.ts";
import { locationAt, locations } from "./location-list.ts";
import { rangesOf } from "./ranges.ts";
import { readOwn } from "./section-pages.ts";
import { skipEntry, undeclared } from "./skip-entry.ts";
import type { Contributions } from "./split-index.ts";
import type { LoadedUnit } from "./unit-bytes.ts";
import { UnitChildren } from "./unit-children.ts";
import type { UnitHeader } from "./unit-header.ts";
import { importedUnits } from "./unit-imports.ts";
import { UnitTables } from "./unit-tables.ts";
import type { DwarfUnits } from "./units.ts";

export class DwarfUnit extends UnitTables implements Unit {
  override readonly file: DwarfUnits;
  readonly header: UnitHeader;
  readonly offset: number;
  readonly end: number;
  override readonly version: number;
  override readonly addressSize: number;
  override readonly offsetSize: 4 | 8;
  /** Die.key of offset 0 of this unit's section. */
  readonly firstKey: number;
  /** Its bytes and abbreviations while they are in memory. */
  loaded: LoadedUnit | undefined;
  readonly #section: SectionData;
  readonly #where: string;
  /** The first bytes, which hold the root of most units. */
  readonly #head: DwarfReader;
  #rootInHead = false;
  #root: DwarfDie | undefined;
  #kind: UnitKind | undefined;
  #skeleton: DwarfUnit | undefined;
  #contributions: Contributions | undefined;
  #split: DwarfUnit | undefined | null = null;
  readonly #splitting = new BusyMark();
  #baseAddress: bigint | undefined;
  #ranges: readonly AddressRange[] | undefined;
  #imports: readonly DwarfUnit[] | undefined;

  /** @param head bytes from the header on; @param where file and section, for messages */
  constructor(file: DwarfUnits, section: SectionData, header: UnitHeader, head: Uint8Array, where: string, firstKey: number) {
    super();
    this.file = file;
    this.header = header;
    this.offset = header.offset;
    this.end = header.end;
    this.version = header.version;
    this.addressSize = header.addressSize;
    this.offsetSize = header.offsetSize;
    this.firstKey = firstKey;
    this.loaded = undefined;
    this.#section = section;
    this.#where = where;
    this.#head = new DwarfReader(head, where, header.offset);
  }

  get kind(): UnitKind {
    this.#kind ??= this.#kindOf();
    return this.#kind;
  }

  get root(): DwarfDie {
    return this.split?.ownRoot ?? this.ownRoot;
  }

  /** The first entry of this very unit, also of a skeleton. */
  override get ownRoot(): DwarfDie {
    this.#root ??= this.#openRoot();
    return this.#root;
  }

  get name(): string | undefined {
    return this.root.name;
  }

  get directory(): string | undefined {
    return this.root.string(dw.DW_AT_comp_dir) ?? this.outer.ownRoot.string(dw.DW_AT_comp_dir);
  }

  get lineOffset(): number | undefined {
    const own = this.outer.ownRoot.number(dw.DW_AT_stmt_list);
    return own === undefined ? undefined : own + (this.outer.contributions?.line ?? 0);
  }

  get baseAddress(): bigint {
    this.#baseAddress ??= this.outer.ownRoot.address(dw.DW_AT_low_pc) ?? 0n;
    return this.#baseAddress;
  }

  get ranges(): readonly AddressRange[] {
    if (this.#ranges === undefined) {
      const own = rangesOf(this.outer.ownRoot);
      this.#ranges = own.length > 0 ? own : rangesOf(this.root);
    }
    return this.#ranges;
  }

  get imports(): readonly DwarfUnit[] {
    this.#imports ??= importedUnits(this);
    return this.#imports;
  }

  /** The skeleton of a split unit, else the unit itself: what holds line program, addresses and ranges. */
  override get outer(): DwarfUnit {
    return this.#skeleton ?? this;
  }

  /** Where the sections of this unit begin in a package. */
  override get contributions(): Contributions | undefined {
    return this.#contributions;
  }

  /** The split part of a skeleton, where it was found. */
  get split(): DwarfUnit | undefined {
    if (this.#split !== null) return this.#split;
    // While it is looked for, the unit stands for itself.
    if (this.#splitting.set) return undefined;
    this.#splitting.begin();
    this.#split = this.kind === "skeleton" ? this.file.splitOf(this) : undefined;
    return this.#split;
  }

  /** dwo_id of a skeleton or a split unit. */
  get splitId(): bigint | undefined {
    return this.header.id ?? this.ownRoot.bigint(dw.DW_AT_GNU_dwo_id);
  }

  /** Makes this unit the split part of a skeleton, and one of a package. */
  link(skeleton: DwarfUnit | undefined, contributions = this.#contributions): this {
    this.#skeleton = skeleton;
    this.#contributions = contributions;
    return this;
  }

  dieAt(offset: number): DwarfDie {
    const at = offset - this.offset;
    if (!(at >= this.header.size && offset < this.end))
      throw new FormatError(this.#where, `no entry of the unit at 0x${this.offset.toString(16)}`, offset);
    const { reader, abbrevs } = this.load();
    const die = this.#read(reader, abbrevs, at);
    if (die === undefined) throw new FormatError(this.#where, "an end of children where an entry is expected", offset);
    return die;
  }

  /** An entry of .debug_info of this unit's file. */
  dieOfSection(offset: number): DwarfDie {
    return offset >= this.offset && offset < this.end && !this.file.isTypeUnit(this) ? this.dieAt(offset) : this.file.die(offset);
  }

  /** The type that a type unit describes. */
  get typeEntry(): DwarfDie | undefined {
    const { typeOffset } = this.header;
    return typeOffset === undefined ? undefined : this.dieAt(this.offset + typeOffset);
  }

  typeBySignature(signature: bigint): DwarfDie {
    const found = this.file.typeUnit(signature) ?? (this.outer === this ? undefined : this.outer.file.typeUnit(signature));
    const type = found?.typeEntry;
    if (type === undefined) throw new FormatError(this.#where, `no type unit of signature ${signature.toString(16).padStart(16, "0")}`);
    return type;
  }

  locationAt(die: DwarfDie, attribute: number, pc: bigint): Uint8Array | undefined {
    return locationAt(die, attribute, pc);
  }

  locations(die: DwarfDie, attribute: number): Iterable<{ readonly range: AddressRange | undefined; readonly expression: Uint8Array }> {
    return locations(die, attribute);
  }

  rangesOf(die: DwarfDie): readonly AddressRange[] {
    return rangesOf(die);
  }

  /** Bytes and abbreviations, read when they are not in memory. */
  load(): LoadedUnit {
    const cache = this.file.bytes;
    let { loaded } = this;
    if (loaded === undefined) {
      const size = this.end - this.offset;
      const bytes = readOwn(this.#section, this.offset, size);
      const abbrevs = this.#abbrevs();
      cache.admit(this, size);
      loaded = { reader: new DwarfReader(bytes, this.#where, this.offset), abbrevs, used: 0 };
      this.loaded = loaded;
    }
    loaded.used = cache.clock++;
    return loaded;
  }

  unload(): void {
    this.loaded = undefined;
  }

  /** A reader over the bytes of an entry; shared by all of the unit. */
  readerOf(die: DwarfDie): DwarfReader {
    if (this.loaded === undefined && this.#rootInHead && die.start === this.#root?.start) return this.#head;
    return this.load().reader;
  }

  childrenOf(die: DwarfDie): Iterable<DwarfDie> {
    return new UnitChildren(this, die);
  }

  /** The entry at a place counted from the unit's header; undefined for the end of children. */
  childAt(at: number): DwarfDie | undefined {
    const { reader, abbrevs } = this.load();
    // A unit may end without closing what is open.
    return at >= reader.end ? undefined : this.#read(reader, abbrevs, at);
  }

  /** Where the first child of an entry is, counted from the unit's header. */
  firstChild(die: DwarfDie): number {
    const { reader } = this.load();
    reader.position = die.start;
    die.abbrev.skip(reader, this);
    return reader.position;
  }

  /** Where the sibling of an entry is, counted from the unit's header. */
  behind(die: DwarfDie): number {
    const { reader, abbrevs } = this.load();
    reader.position = die.start;
    skipEntry(this, reader, die.abbrev, abbrevs);
    return reader.position;
  }

  #read(reader: DwarfReader, abbrevs: AbbrevTable, at: number): DwarfDie | undefined {
    reader.position = at;
    const code = reader.uleb();
    if (code === 0) return undefined;
    return new DwarfDie(this, this.offset + at, abbrevs.get(code) ?? undeclared(reader, code), reader.position);
  }

  #abbrevs(): AbbrevTable {
    return this.file.abbrevs(this.header.abbrevOffset + (this.#contributions?.abbrev ?? 0), this);
  }

  #openRoot(): DwarfDie {
    const at = this.header.size;
    if (this.loaded === undefined && at < this.#head.end) {
      this.#head.position = at;
      try {
        const die = this.#read(this.#head, this.#abbrevs(), at);
        if (die !== undefined) {
          die.abbrev.skip(this.#head, this);
          this.#rootInHead = this.#head.position <= this.#head.end;
          return die;
        }
      } catch (error) {
        // The entry is longer than the head, or damaged: the whole unit shows which.
        if (!(error instanceof FormatError)) throw error;
      }
    }
    return this.dieAt(this.offset + at);
  }

  #kindOf(): UnitKind {
    switch (this.header.type) {
      case dw.DW_UT_type:
      case dw.DW_UT_split_type:
        return "type";
      case dw.DW_UT_partial:
        return "partial";
      case dw.DW_UT_skeleton:
        return "skeleton";
      case dw.DW_UT_split_compile:
        return "split";
      case dw.DW_UT_compile:
        return "compile";
    }
    const root = this.ownRoot;
    if (root.tag === dw.DW_TAG_partial_unit) return "partial";
    if (this.file.sections.split) return "split";
    return root.has(dw.DW_AT_dwo_name) && root.has(dw.DW_AT_GNU_dwo_id) ? "skeleton" : "compile";
  }
}
