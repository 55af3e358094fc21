/**
 * One entry over the bytes of its unit: where its values begin and which abbreviation describes them. Nothing is decoded before it is
 * asked for. DWARF 5, 7.5.
 *
 *   unit's bytes  … │ code │ value │ value │ … │ children … 0 │ next sibling
 *                    ^offset ^start
 */
import type { Abbrev } from "./abbrev.ts";
import * as dw from "./constants.ts";
import type { AddressRange, Die } from "./die.ts";
import type { DwarfReader } from "./dwarf-reader.ts";
import { type FormClass, formClass, indirectForm, readBlock } from "./forms.ts";
import type { DwarfUnit } from "./unit.ts";

export class DwarfDie implements Die {
  readonly unit: DwarfUnit;
  readonly offset: number;
  readonly abbrev: Abbrev;
  /** Where the first value is, from the unit's header on. */
  readonly start: number;

  constructor(unit: DwarfUnit, offset: number, abbrev: Abbrev, start: number) {
    this.unit = unit;
    this.offset = offset;
    this.abbrev = abbrev;
    this.start = start;
  }

  get key(): number {
    return this.unit.firstKey + this.offset;
  }

  get tag(): number {
    return this.abbrev.tag;
  }

  get hasChildren(): boolean {
    return this.abbrev.hasChildren;
  }

  /** Numbers of the attributes in the order of the file. */
  get attributes(): readonly number[] {
    return Array.from({ length: this.abbrev.count }, (_, index) => this.abbrev.attributeAt(index));
  }

  has(attribute: number): boolean {
    return this.abbrev.indexOf(attribute) >= 0;
  }

  /** The form of an attribute, the actual one where it is indirect. */
  formOf(attribute: number): number | undefined {
    const index = this.abbrev.indexOf(attribute);
    return index < 0 ? undefined : this.#formAt(this.unit.readerOf(this), index);
  }

  classOf(attribute: number): FormClass | undefined {
    const form = this.formOf(attribute);
    return form === undefined ? undefined : formClass(form, attribute, this.unit.version);
  }

  bigint(attribute: number): bigint | undefined {
    return this.#constant(attribute, false);
  }

  signed(attribute: number): bigint | undefined {
    return this.#constant(attribute, true);
  }

  number(attribute: number): number | undefined {
    const index = this.abbrev.indexOf(attribute);
    if (index < 0) return undefined;
    const reader = this.unit.readerOf(this);
    const form = this.#formAt(reader, index);
    // The forms of nearly all lines, sizes and offsets, without a bigint between.
    switch (form) {
      case dw.DW_FORM_data1:
        return reader.u8();
      case dw.DW_FORM_data2:
        return reader.u16();
      case dw.DW_FORM_data4:
        return reader.u32();
      default: {
        const value = this.#constantOf(reader, form, index, false);
        if (value === undefined) return undefined;
        const number = Number(value);
        return Number.isSafeInteger(number) ? number : undefined;
      }
    }
  }

  flag(attribute: number): boolean {
    const index = this.abbrev.indexOf(attribute);
    if (index < 0) return false;
    const reader = this.unit.readerOf(this);
    const form = this.#formAt(reader, index);
    return form === dw.DW_FORM_flag_present || (form === dw.DW_FORM_flag && reader.u8() !== 0);
  }

  string(attribute: number): string | undefined {
    const index = this.abbrev.indexOf(attribute);
    if (index < 0) return undefined;
    const { unit } = this;
    const reader = unit.readerOf(this);
    const form = this.#formAt(reader, index);
    switch (form) {
      case dw.DW_FORM_string:
        return reader.string();
      case dw.DW_FORM_strp:
        return unit.file.string(".debug_str", reader.offset(unit.offsetSize));
      case dw.DW_FORM_line_strp:
        return unit.file.string(".debug_line_str", reader.offset(unit.offsetSize));
      case dw.DW_FORM_strp_sup:
      case dw.DW_FORM_GNU_strp_alt:
        return unit.file.supplementary().string(".debug_str", reader.offset(unit.offsetSize));
      case dw.DW_FORM_strx:
      case dw.DW_FORM_GNU_str_index:
        return unit.stringAt(reader.uleb());
      case dw.DW_FORM_strx1:
        return unit.stringAt(reader.u8());
      case dw.DW_FORM_strx2:
        return unit.stringAt(reader.u16());
      case dw.DW_FORM_strx3:
        return unit.stringAt(reader.u24());
      case dw.DW_FORM_strx4:
        return unit.stringAt(reader.u32());
      default:
        return undefined;
    }
  }

  address(attribute: number): bigint | undefined {
    const index = this.abbrev.indexOf(attribute);
    if (index < 0) return undefined;
    const { unit } = this;
    const reader = unit.readerOf(this);
    switch (this.#formAt(reader, index)) {
      case dw.DW_FORM_addr:
        return reader.address(unit.addressSize);
      case dw.DW_FORM_addrx:
      case dw.DW_FORM_GNU_addr_index:
        return unit.addressAt(reader.uleb());
      case dw.DW_FORM_addrx1:
        return unit.addressAt(reader.u8());
      case dw.DW_FORM_addrx2:
        return unit.addressAt(reader.u16());
      case dw.DW_FORM_addrx3:
        return unit.addressAt(reader.u24());
      case dw.DW_FORM_addrx4:
        return unit.addressAt(reader.u32());
      default:
        return undefined;
    }
  }

  bytes(attribute: number): Uint8Array | undefined {
    const index = this.abbrev.indexOf(attribute);
    if (index < 0) return undefined;
    const reader = this.unit.readerOf(this);
    return readBlock(reader, this.#formAt(reader, index));
  }

  reference(attribute: number): DwarfDie | undefined {
    const index = this.abbrev.indexOf(attribute);
    if (index < 0) return undefined;
    const { unit } = this;
    const reader = unit.readerOf(this);
    switch (this.#formAt(reader, index)) {
      case dw.DW_FORM_ref1:
        return unit.dieAt(unit.offset + reader.u8());
      case dw.DW_FORM_ref2:
        return unit.dieAt(unit.offset + reader.u16());
      case dw.DW_FORM_ref4:
        return unit.dieAt(unit.offset + reader.u32());
      case dw.DW_FORM_ref8:
        return unit.dieAt(unit.offset + reader.u64AsNumber());
      case dw.DW_FORM_ref_udata:
        return unit.dieAt(unit.offset + reader.uleb());
      case dw.DW_FORM_ref_addr:
        return unit.dieOfSection(unit.version <= 2 ? Number(reader.address(unit.addressSize)) : reader.offset(unit.offsetSize));
      case dw.DW_FORM_ref_sig8:
        return unit.typeBySignature(reader.u64());
      case dw.DW_FORM_GNU_ref_alt:
        return unit.file.supplementary().die(reader.offset(unit.offsetSize));
      case dw.DW_FORM_ref_sup4:
        return unit.file.supplementary().die(reader.u32());
      case dw.DW_FORM_ref_sup8:
        return unit.file.supplementary().die(reader.u64AsNumber());
      default:
        return undefined;
    }
  }

  get ranges(): readonly AddressRange[] {
    return this.unit.rangesOf(this);
  }

  get name(): string | undefined {
    return this.string(dw.DW_AT_name);
  }

  children(): Iterable<DwarfDie> {
    return this.abbrev.hasChildren ? this.unit.childrenOf(this) : [];
  }

  /** A list's place: of DW_FORM_loclistx and rnglistx the index, of everything else the offset. */
  listPlace(attribute: number): { readonly index?: number; readonly offset?: number } | undefined {
    const index = this.abbrev.indexOf(attribute);
    if (index < 0) return undefined;
    const reader = this.unit.readerOf(this);
    switch (this.#formAt(reader, index)) {
      case dw.DW_FORM_loclistx:
      case dw.DW_FORM_rnglistx:
        return { index: reader.uleb() };
      case dw.DW_FORM_sec_offset:
        return { offset: reader.offset(this.unit.offsetSize) };
      case dw.DW_FORM_data4:
        return { offset: reader.u32() };
      case dw.DW_FORM_data8:
        return { offset: reader.u64AsNumber() };
      default:
        return undefined;
    }
  }

  #constant(attribute: number, signed: boolean): bigint | undefined {
    const index = this.abbrev.indexOf(attribute);
    if (index < 0) return undefined;
    const reader = this.unit.readerOf(this);
    return this.#constantOf(reader, this.#formAt(reader, index), index, signed);
  }

  /** Reader at a value of class constant or section offset, as #formAt leaves it. */
  #constantOf(reader: DwarfReader, form: number, index: number, signed: boolean): bigint | undefined {
    const { unit } = this;
    switch (form) {
      case dw.DW_FORM_data1:
        return BigInt(signed ? reader.i8() : reader.u8());
      case dw.DW_FORM_data2:
        return BigInt(signed ? reader.i16() : reader.u16());
      case dw.DW_FORM_data4:
        return BigInt(signed ? reader.i32() : reader.u32());
      case dw.DW_FORM_data8:
        return signed ? reader.i64() : reader.u64();
      case dw.DW_FORM_udata:
        return reader.uleb64();
      case dw.DW_FORM_sdata:
        return reader.sleb64();
      case dw.DW_FORM_implicit_const:
        return this.abbrev.implicit?.get(index);
      case dw.DW_FORM_sec_offset:
        return BigInt(reader.offset(unit.offsetSize));
      case dw.DW_FORM_loclistx:
        return BigInt(unit.locationListOffset(reader.uleb()));
      case dw.DW_FORM_rnglistx:
        return BigInt(unit.rangeListOffset(reader.uleb()));
      default:
        return undefined;
    }
  }

  /** Moves the reader to an attribute's value and answers its form. */
  #formAt(reader: DwarfReader, index: number): number {
    const { abbrev } = this;
    abbrev.seek(reader, this.start, index, this.unit);
    const form = abbrev.formAt(index);
    return form === dw.DW_FORM_indirect ? indirectForm(reader) : form;
  }
}
