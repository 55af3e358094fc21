/**
 * Abbreviations: what entries are made of, declared once per kind. DWARF 5, 7.5.3. They are read in order and only as far as asked, and
 * those that are used are compiled for stepping over its entries: runs of values of fixed size become one addition.
 *
 *   code 5: DW_TAG_variable, no children          entry:  │05│ name 4 │file 1│line 1│ type 4 │ location │
 *     name strp, decl_file data1, decl_line …     steps:      └──────── +10 ────────────────┘ block  +0
 */
import * as dw from "./constants.ts";
import type { DwarfReader } from "./dwarf-reader.ts";
import { formSize, skipVariable, type UnitSizes } from "./forms.ts";
import { type SectionPages, SectionWalk } from "./section-pages.ts";

/** Numbers that each attribute takes in Abbrev.attributes. */
const STRIDE = 4;
/** Bytes that an attribute's two or three numbers take at most. */
const NUMBERS = 96;
/** Entries of C have some 30 attributes at most. */
const MAX_ATTRIBUTES = 4096;
/** Read at once. */
const WINDOW = 2048;

export class Abbrev {
  readonly tag: number;
  readonly hasChildren: boolean;
  /** Per attribute: its number, its form, how many values of variable size stand before, fixed bytes since the last of them. */
  readonly attributes: readonly number[];
  /** Values of DW_FORM_implicit_const by index of the attribute. */
  readonly implicit: ReadonlyMap<number, bigint> | undefined;
  /** Fixed bytes, variable size, fixed bytes, variable size … fixed bytes. */
  readonly steps: readonly number[];
  /** Index of DW_AT_sibling, or -1. */
  readonly sibling: number;

  constructor(
    tag: number,
    hasChildren: boolean,
    attributes: readonly number[],
    implicit: Map<number, bigint> | undefined,
    steps: number[],
  ) {
    this.tag = tag;
    this.hasChildren = hasChildren;
    this.attributes = attributes;
    this.implicit = implicit;
    this.steps = steps;
    this.sibling = this.indexOf(dw.DW_AT_sibling);
  }

  get count(): number {
    return this.attributes.length / STRIDE;
  }

  /** Index of an attribute, -1 when entries of this kind have none. */
  indexOf(attribute: number): number {
    const { attributes } = this;
    for (let at = 0; at < attributes.length; at += STRIDE) if (attributes[at] === attribute) return at / STRIDE;
    return -1;
  }

  attributeAt(index: number): number {
    return this.attributes[index * STRIDE]!;
  }

  formAt(index: number): number {
    return this.attributes[index * STRIDE + 1]!;
  }

  /** Moves a reader from the first value of an entry to the value of one attribute. */
  seek(reader: DwarfReader, start: number, index: number, sizes: UnitSizes): void {
    const variable = this.attributes[index * STRIDE + 2]!;
    reader.position = start;
    for (let step = 0; step < 2 * variable; step += 2) {
      reader.position += this.steps[step]!;
      skipVariable(reader, this.steps[step + 1]!, sizes);
    }
    reader.position += this.attributes[index * STRIDE + 3]!;
  }

  /** Moves a reader from the first value of an entry behind the last. */
  skip(reader: DwarfReader, sizes: UnitSizes): void {
    const { steps } = this;
    reader.position += steps[0]!;
    for (let step = 1; step < steps.length; step += 2) {
      skipVariable(reader, steps[step]!, sizes);
      reader.position += steps[step + 1]!;
    }
  }
}

/** The abbreviations of one or more units, from one offset of .debug_abbrev. */
export class AbbrevTable {
  readonly #pages: SectionPages;
  /** At the declaration at #at; absent while one is read, so that what is ended in its midst begins there again. */
  #walk: SectionWalk | undefined;
  #at: number;
  readonly #sizes: UnitSizes;
  /** Compiled ones by code. Compilers number from 1 on; the maps are for others. */
  readonly #byCode: (Abbrev | undefined)[] = [];
  readonly #sparse = new Map<number, Abbrev>();
  /** Where in the section the declarations met so far are, behind their codes. */
  readonly #places: number[] = [];
  readonly #sparsePlaces = new Map<number, number>();
  #ended = false;

  constructor(pages: SectionPages, offset: number, sizes: UnitSizes) {
    this.#pages = pages;
    this.#walk = undefined;
    this.#at = offset;
    this.#sizes = sizes;
  }

  /** The abbreviation of a code; undefined when the table ends without it. Throws FormatError for one that cannot be understood. */
  get(code: number): Abbrev | undefined {
    return this.#byCode[code] ?? this.#find(code);
  }

  /** True when some entry may have a tag; reads the table to its end to say no. */
  declares(tag: number): boolean {
    while (!this.#ended) this.#next();
    return [...this.#places.keys(), ...this.#sparsePlaces.keys()].some((code) => this.get(code)?.tag === tag);
  }

  #find(code: number): Abbrev | undefined {
    const known = this.#sparse.get(code);
    if (known !== undefined) return known;
    let place = this.#places[code] ?? this.#sparsePlaces.get(code);
    while (place === undefined && !this.#ended) {
      this.#next();
      place = this.#places[code] ?? this.#sparsePlaces.get(code);
    }
    if (place === undefined || place < 0) return undefined;
    const abbrev = this.#compile(place);
    if (code < this.#places.length) this.#byCode[code] = abbrev;
    else this.#sparse.set(code, abbrev);
    return abbrev;
  }

  /** Notes where one more declaration is, and steps over it: most are never needed. */
  #next(): void {
    const walk = this.#walk ?? new SectionWalk(this.#pages, this.#at, WINDOW);
    this.#walk = undefined;
    let reader = walk.need(NUMBERS);
    // A table may end with its section instead of a 0.
    const code = reader.atEnd ? 0 : reader.uleb();
    if (code === 0) {
      this.#ended = true;
      return;
    }
    const place = walk.offset;
    reader.skipLeb();
    reader.skip(1);
    for (;;) {
      reader = walk.need(NUMBERS);
      const attribute = reader.uleb();
      const form = reader.uleb();
      if (form === dw.DW_FORM_implicit_const) reader.skipLeb();
      else if (form === 0 && attribute === 0) break;
    }
    const behind = walk.offset;
    const places = this.#places;
    if (places.length === 0) places.push(-1);
    if (code === places.length) places.push(place);
    else if (code > places.length && !this.#sparsePlaces.has(code)) this.#sparsePlaces.set(code, place);
    this.#at = behind;
    this.#walk = walk;
  }

  /** Reads a declaration from behind its code. */
  #compile(place: number): Abbrev {
    const walk = new SectionWalk(this.#pages, place, NUMBERS);
    let reader = walk.reader;
    const tag = reader.uleb();
    const hasChildren = reader.u8() !== 0;
    const attributes: number[] = [];
    const steps = [0];
    let implicit: Map<number, bigint> | undefined;
    for (let index = 0; ; index++) {
      reader = walk.need(NUMBERS);
      const attribute = reader.uleb();
      const form = reader.uleb();
      if (attribute === 0 && form === 0) break;
      if (index >= MAX_ATTRIBUTES) reader.fail(`an abbreviation of more than ${MAX_ATTRIBUTES} attributes`);
      if (form === dw.DW_FORM_implicit_const) {
        implicit ??= new Map();
        implicit.set(index, reader.sleb64());
      }
      const size = formSize(form, this.#sizes);
      if (size === undefined) return reader.fail(`an attribute 0x${attribute.toString(16)} of unknown form 0x${form.toString(16)}`);
      attributes.push(standardAttribute(attribute, tag), form, (steps.length - 1) / 2, steps[steps.length - 1]!);
      if (size >= 0) steps[steps.length - 1]! += size;
      else steps.push(size, 0);
    }
    return new Abbrev(STANDARD_TAGS.get(tag) ?? tag, hasChildren, attributes, implicit, steps);
  }
}

/** GCC's call sites of version 4 under the names that version 5 gave them. */
const STANDARD_TAGS = new Map<number, number>([
  [dw.DW_TAG_GNU_call_site, dw.DW_TAG_call_site],
  [dw.DW_TAG_GNU_call_site_parameter, dw.DW_TAG_call_site_parameter],
]);

const STANDARD_ATTRIBUTES = new Map<number, number>([
  [dw.DW_AT_GNU_call_site_value, dw.DW_AT_call_value],
  [dw.DW_AT_GNU_call_site_data_value, dw.DW_AT_call_data_value],
  [dw.DW_AT_GNU_call_site_target, dw.DW_AT_call_target],
  [dw.DW_AT_GNU_call_site_target_clobbered, dw.DW_AT_call_target_clobbered],
  [dw.DW_AT_GNU_tail_call, dw.DW_AT_call_tail_call],
  [dw.DW_AT_GNU_all_tail_call_sites, dw.DW_AT_call_all_tail_calls],
  [dw.DW_AT_GNU_all_call_sites, dw.DW_AT_call_all_calls],
  [dw.DW_AT_GNU_all_source_call_sites, dw.DW_AT_call_all_source_calls],
  [dw.DW_AT_GNU_dwo_name, dw.DW_AT_dwo_name],
  [dw.DW_AT_MIPS_linkage_name, dw.DW_AT_linkage_name],
]);

/** GCC, dwarf2out.c, dwarf_AT(): which attributes took the place of the extensions, and of borrowed ones in call sites. */
function standardAttribute(attribute: number, tag: number): number {
  if (attribute >= 0x2000) return STANDARD_ATTRIBUTES.get(attribute) ?? attribute;
  if (tag === dw.DW_TAG_GNU_call_site) {
    if (attribute === dw.DW_AT_low_pc) return dw.DW_AT_call_return_pc;
    if (attribute === dw.DW_AT_abstract_origin) return dw.DW_AT_call_origin;
  }
  if (tag === dw.DW_TAG_GNU_call_site_parameter && attribute === dw.DW_AT_abstract_origin) return dw.DW_AT_call_parameter;
  return attribute;
}
