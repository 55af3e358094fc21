/**
 * The tables that the entries of a unit index: addresses, strings, lists of ranges and of locations. Where its part of each begins is said by
 * the unit's first entry, and in a package by the index of the package. DWARF 5, 7.26 to 7.29; split units of version 4 have no bases.
 */
import * as dw from "./constants.ts";
import type { DwarfDie } from "./die-entry.ts";
import type { Contributions } from "./split-index.ts";
import type { DwarfUnits } from "./units.ts";

/** The part of a unit that looks into tables. */
export abstract class UnitTables {
  abstract readonly file: DwarfUnits;
  abstract readonly version: number;
  abstract readonly addressSize: number;
  abstract readonly offsetSize: 4 | 8;
  readonly #bases = new Map<number, number>();

  /** The first entry of this very unit. */
  abstract get ownRoot(): DwarfDie;
  /** The skeleton of a split unit, else the unit itself. */
  abstract get outer(): UnitTables;
  /** Where the sections of this unit begin in a package. */
  abstract get contributions(): Contributions | undefined;

  addressAt(index: number): bigint {
    const { outer } = this;
    const size = this.addressSize;
    return outer.file
      .table(".debug_addr")
      .readerAt(outer.addressBase + index * size, size)
      .address(size);
  }

  /** DW_FORM_strx: entry of .debug_str_offsets. */
  stringAt(index: number): string {
    const size = this.offsetSize;
    // Without a base: behind the header in version 5, which a split unit shares with nobody; there is none in version 4.
    const base = this.#base(dw.DW_AT_str_offsets_base, this.version >= 5 ? (size === 8 ? 16 : 8) : 0);
    const at = (this.contributions?.strOffsets ?? 0) + base + index * size;
    return this.file.string(".debug_str", this.file.table(".debug_str_offsets").readerAt(at, size).offset(size));
  }

  get addressBase(): number {
    return this.#base(
      this.version >= 5 ? dw.DW_AT_addr_base : dw.DW_AT_GNU_addr_base,
      this.version >= 5 ? (this.offsetSize === 8 ? 16 : 8) : 0,
    );
  }

  get rangeListsBase(): number {
    return this.#base(dw.DW_AT_rnglists_base, this.offsetSize === 8 ? 20 : 12);
  }

  get locationListsBase(): number {
    return this.#base(dw.DW_AT_loclists_base, this.offsetSize === 8 ? 20 : 12);
  }

  /** DW_FORM_rnglistx: where in .debug_rnglists the list is. */
  rangeListOffset(index: number): number {
    const base = (this.contributions?.ranges ?? 0) + this.rangeListsBase;
    const size = this.offsetSize;
    return (
      base +
      this.file
        .table(".debug_rnglists")
        .readerAt(base + index * size, size)
        .offset(size)
    );
  }

  /** DW_FORM_loclistx: where in .debug_loclists the list is. */
  locationListOffset(index: number): number {
    const base = (this.contributions?.locations ?? 0) + this.locationListsBase;
    const size = this.offsetSize;
    return (
      base +
      this.file
        .table(".debug_loclists")
        .readerAt(base + index * size, size)
        .offset(size)
    );
  }

  #base(attribute: number, otherwise: number): number {
    let base = this.#bases.get(attribute);
    if (base === undefined) {
      base = this.ownRoot.number(attribute) ?? otherwise;
      this.#bases.set(attribute, base);
    }
    return base;
  }
}
