/** Writes one unit of made-up debug information: its header, entries with their abbreviations and values, its parts of the tables, its aranges. */
import * as dw from "../constants.ts";
import { buildList, type TestList } from "./build-lists.ts";
import { FieldWriter } from "./field-writer.ts";
import { base, type TestAttribute, type TestDie, type TestUnit, type TestValue } from "./test-entries.ts";

/** Sections as they grow, shared by the units of a file. */
export class Sections {
  readonly writers = new Map<string, FieldWriter>();
  readonly #strings = new Map<string, number>();

  get(name: string): FieldWriter {
    let writer = this.writers.get(name);
    if (writer === undefined) {
      writer = new FieldWriter();
      this.writers.set(name, writer);
    }
    return writer;
  }

  /** Offset of a string in a section of strings. */
  string(section: string, text: string): number {
    const key = `${section} ${text}`;
    let offset = this.#strings.get(key);
    if (offset === undefined) {
      offset = this.get(section).length;
      this.#strings.set(key, offset);
      this.get(section).string(text);
    }
    return offset;
  }
}

export class UnitWriter {
  readonly #unit: TestUnit;
  readonly #version: number;
  readonly #offsetSize: 4 | 8;
  readonly #addressSize: 4 | 8;
  readonly #split: boolean;
  readonly #out: Sections;
  readonly #offsets: Map<TestDie, number>;
  readonly #ends: Map<TestDie, number>;
  readonly #unitOf: ReadonlyMap<TestDie, TestUnit>;
  readonly #section: string;
  readonly #start: number;
  readonly #abbrevs = new FieldWriter();
  readonly #codes = new Map<string, number>();
  readonly #strings: number[] = [];
  readonly #addresses: bigint[] = [];
  readonly #lists = { ranges: [] as Uint8Array[], locations: [] as Uint8Array[] };

  constructor(
    unit: TestUnit,
    split: boolean,
    out: Sections,
    offsets: Map<TestDie, number>,
    ends: Map<TestDie, number>,
    unitOf: ReadonlyMap<TestDie, TestUnit>,
  ) {
    this.#unit = unit;
    this.#version = unit.version ?? 5;
    this.#offsetSize = unit.offsetSize ?? 4;
    this.#addressSize = unit.addressSize ?? 8;
    this.#split = split;
    this.#out = out;
    this.#offsets = offsets;
    this.#ends = ends;
    this.#unitOf = unitOf;
    this.#section = unit.type === dw.DW_UT_type && this.#version < 5 ? ".debug_types" : ".debug_info";
    this.#start = out.get(this.#section).length;
  }

  write(): void {
    const { id, signature, typeDie, root, type = dw.DW_UT_compile } = this.#unit;
    const header = new FieldWriter().u16(this.#version);
    const abbrevOffset = this.#out.get(".debug_abbrev").length;
    if (this.#version >= 5) header.u8(type).u8(this.#addressSize).fixed(abbrevOffset, this.#offsetSize);
    else header.fixed(abbrevOffset, this.#offsetSize).u8(this.#addressSize);
    if (id !== undefined && this.#version >= 5) header.fixed(id, 8);
    if (signature !== undefined) header.fixed(signature, 8);
    if (typeDie !== undefined) header.fixed((this.#offsets.get(typeDie) ?? 0) - this.#start, this.#offsetSize);
    const prefix = (this.#offsetSize === 8 ? 12 : 4) + header.length;
    const entries = new FieldWriter();
    this.#entry(root, entries, this.#start + prefix);
    this.#out.get(this.#section).counted(header.bytes(entries.finish()).finish(), this.#offsetSize);
    this.#out.get(".debug_abbrev").bytes(this.#abbrevs.u8(0).finish());
    this.#tables();
    this.#aranges();
  }

  #entry(die: TestDie, out: FieldWriter, origin: number): void {
    this.#offsets.set(die, origin + out.length);
    const withSibling = this.#unit.siblings === true && die.children.length > 0 && die !== this.#unit.root;
    const sibling: TestAttribute = [dw.DW_AT_sibling, this.#ends.get(die) ?? 0, dw.DW_FORM_ref4];
    const attributes = withSibling ? [sibling, ...die.attributes] : die.attributes;
    const forms = attributes.map(([attribute, value, form]) => [attribute, form ?? this.#formOf(value)] as const);
    out.uleb(this.#code(die, attributes, forms));
    attributes.forEach(([attribute, value], index) => {
      this.#value(out, attribute, value, forms[index]![1]);
    });
    for (const child of die.children) this.#entry(child, out, origin);
    if (die.children.length > 0) out.u8(0);
    this.#ends.set(die, origin + out.length - this.#start);
  }

  #code(die: TestDie, attributes: readonly TestAttribute[], forms: readonly (readonly [number, number])[]): number {
    const implicit = forms.map(([, form], index) => (form === dw.DW_FORM_implicit_const ? String(attributes[index]![1]) : ""));
    const key = JSON.stringify([die.tag, die.children.length > 0, forms, implicit]);
    const known = this.#codes.get(key);
    if (known !== undefined) return known;
    const code = this.#codes.size + 1;
    this.#codes.set(key, code);
    this.#abbrevs
      .uleb(code)
      .uleb(die.tag)
      .u8(die.children.length > 0 ? 1 : 0);
    forms.forEach(([attribute, form], index) => {
      this.#abbrevs.uleb(attribute).uleb(form);
      if (form === dw.DW_FORM_implicit_const) this.#abbrevs.sleb(attributes[index]![1] as number);
    });
    this.#abbrevs.u16(0);
    return code;
  }

  #formOf(value: TestValue): number {
    if (typeof value === "string") return dw.DW_FORM_strp;
    if (typeof value === "number") return value < 0 ? dw.DW_FORM_sdata : dw.DW_FORM_udata;
    if (typeof value === "bigint") return dw.DW_FORM_addr;
    if (typeof value === "boolean") return this.#version >= 4 && value ? dw.DW_FORM_flag_present : dw.DW_FORM_flag;
    if (value === base || isList(value)) return this.#version >= 4 ? dw.DW_FORM_sec_offset : dw.DW_FORM_data4;
    if (isDie(value)) return this.#unitOf.get(value) === this.#unit ? dw.DW_FORM_ref4 : dw.DW_FORM_ref_addr;
    return this.#version >= 4 ? dw.DW_FORM_exprloc : dw.DW_FORM_block1;
  }

  #value(out: FieldWriter, attribute: number, value: TestValue, form: number): void {
    if (isList(value)) this.#listValue(out, value, form);
    else if (isDie(value)) this.#reference(out, value, form);
    else if (value === base) out.fixed(this.#base(attribute), form === dw.DW_FORM_data8 ? 8 : this.#offsetSize);
    else if (typeof value === "string") this.#string(out, value, form);
    else if (typeof value === "object") this.#block(out, Uint8Array.from(value as ArrayLike<number>), form);
    else this.#number(out, typeof value === "boolean" ? Number(value) : value, form);
  }

  #number(out: FieldWriter, value: number | bigint, form: number): void {
    const size = FIXED.get(form);
    if (form === dw.DW_FORM_flag_present || form === dw.DW_FORM_implicit_const) return;
    if (size !== undefined) out.fixed(ADDRESS_INDEX.has(form) ? this.#addressIndex(value) : value, size);
    else if (form === dw.DW_FORM_addr) out.fixed(value, this.#addressSize);
    else if (form === dw.DW_FORM_sdata) out.sleb(value);
    else if (form === dw.DW_FORM_udata || form === dw.DW_FORM_ref_udata) out.uleb(value);
    else if (form === dw.DW_FORM_addrx || form === dw.DW_FORM_GNU_addr_index) out.uleb(this.#addressIndex(value));
    else if (form === dw.DW_FORM_indirect) out.uleb(dw.DW_FORM_data2).fixed(value, 2);
    else if (form === dw.DW_FORM_ref_addr) out.fixed(value, this.#version <= 2 ? this.#addressSize : this.#offsetSize);
    else out.fixed(value, this.#offsetSize);
  }

  #string(out: FieldWriter, text: string, form: number): void {
    const index = () => this.#strings.push(this.#out.string(".debug_str", text)) - 1;
    if (form === dw.DW_FORM_string) out.string(text);
    else if (form === dw.DW_FORM_indirect) out.uleb(dw.DW_FORM_string).string(text);
    else if (form === dw.DW_FORM_strp) out.fixed(this.#out.string(".debug_str", text), this.#offsetSize);
    else if (form === dw.DW_FORM_line_strp) out.fixed(this.#out.string(".debug_line_str", text), this.#offsetSize);
    else if (form === dw.DW_FORM_strx || form === dw.DW_FORM_GNU_str_index) out.uleb(index());
    else out.fixed(index(), FIXED.get(form)!);
  }

  #block(out: FieldWriter, bytes: Uint8Array, form: number): void {
    if (form === dw.DW_FORM_block1) out.u8(bytes.length);
    else if (form === dw.DW_FORM_block2) out.u16(bytes.length);
    else if (form === dw.DW_FORM_block4) out.u32(bytes.length);
    else if (form !== dw.DW_FORM_data16) out.uleb(bytes.length);
    out.bytes(bytes);
  }

  #reference(out: FieldWriter, target: TestDie, form: number): void {
    const offset = this.#offsets.get(target) ?? 0;
    if (form === dw.DW_FORM_ref_addr) this.#number(out, offset, form);
    else if (form === dw.DW_FORM_ref_udata) out.uleb(Math.max(0, offset - this.#start), 4);
    else out.fixed(offset - this.#start, FIXED.get(form)!);
  }

  #listValue(out: FieldWriter, value: TestList, form: number): void {
    const lists = this.#lists[value.list];
    const addressIndex = (address: bigint | number) => this.#addressIndex(address);
    const bytes = buildList(value, { version: this.#version, addressSize: this.#addressSize, split: this.#split, addressIndex });
    const before = lists.reduce((sum, list) => sum + list.length, 0);
    lists.push(bytes);
    if (form === dw.DW_FORM_loclistx || form === dw.DW_FORM_rnglistx) out.uleb(lists.length - 1);
    else out.fixed(this.#listStart(value.list) + before, form === dw.DW_FORM_data8 ? 8 : this.#offsetSize);
  }

  #addressIndex(address: bigint | number): number {
    if (typeof address === "number") return address;
    const known = this.#addresses.indexOf(address);
    return known >= 0 ? known : this.#addresses.push(address) - 1;
  }

  #listSection(list: "ranges" | "locations"): string {
    if (this.#version >= 5) return list === "ranges" ? ".debug_rnglists" : ".debug_loclists";
    return list === "ranges" ? ".debug_ranges" : ".debug_loc";
  }

  /** Where the unit's first list will be: behind a table of MAX_LISTS offsets in version 5. */
  #listStart(list: "ranges" | "locations"): number {
    const begin = this.#out.get(this.#listSection(list)).length;
    return this.#version >= 5 ? begin + LIST_HEADER[this.#offsetSize] + MAX_LISTS * this.#offsetSize : begin;
  }

  #base(attribute: number): number {
    const header = this.#version >= 5 ? (this.#offsetSize === 8 ? 16 : 8) : 0;
    switch (attribute) {
      case dw.DW_AT_str_offsets_base:
        return this.#out.get(".debug_str_offsets").length + header;
      case dw.DW_AT_addr_base:
      case dw.DW_AT_GNU_addr_base:
        return this.#out.get(".debug_addr").length + header;
      case dw.DW_AT_rnglists_base:
        return this.#out.get(".debug_rnglists").length + LIST_HEADER[this.#offsetSize];
      case dw.DW_AT_loclists_base:
        return this.#out.get(".debug_loclists").length + LIST_HEADER[this.#offsetSize];
      default:
        throw new Error(`no base for attribute 0x${attribute.toString(16)}`);
    }
  }

  /** Strings by index, addresses by index, lists: behind what other units have there. */
  #tables(): void {
    const size = this.#offsetSize;
    const table = (name: string, head: FieldWriter, body: FieldWriter) => {
      const out = this.#out.get(name);
      if (this.#version >= 5) out.counted(head.bytes(body.finish()).finish(), size);
      else out.bytes(body.finish());
    };
    if (this.#strings.length > 0) {
      const body = new FieldWriter();
      for (const offset of this.#strings) body.fixed(offset, size);
      table(".debug_str_offsets", new FieldWriter().u16(5).u16(0), body);
    }
    if (this.#addresses.length > 0) {
      const body = new FieldWriter();
      for (const address of this.#addresses) body.fixed(address, this.#addressSize);
      table(".debug_addr", new FieldWriter().u16(5).u8(this.#addressSize).u8(0), body);
    }
    for (const list of ["ranges", "locations"] as const) {
      const lists = this.#lists[list];
      if (lists.length === 0) continue;
      const body = new FieldWriter();
      let at = MAX_LISTS * size;
      if (this.#version >= 5) {
        for (let index = 0; index < MAX_LISTS; index++) {
          body.fixed(index < lists.length ? at : 0, size);
          at += lists[index]?.length ?? 0;
        }
      }
      for (const bytes of lists) body.bytes(bytes);
      table(this.#listSection(list), new FieldWriter().u16(5).u8(this.#addressSize).u8(0).u32(MAX_LISTS), body);
    }
  }

  #aranges(): void {
    if (this.#unit.aranges === undefined) return;
    const out = this.#out.get(".debug_aranges");
    const size = this.#addressSize;
    const body = new FieldWriter().u16(2).fixed(this.#start, this.#offsetSize).u8(size).u8(0);
    const header = (this.#offsetSize === 8 ? 12 : 4) + body.length;
    body.bytes(new Uint8Array(Math.ceil(header / (2 * size)) * 2 * size - header));
    for (const [low, length] of this.#unit.aranges) body.fixed(low, size).fixed(length, size);
    out.counted(body.fixed(0, 2 * size).finish(), this.#offsetSize);
  }
}

/** Enough for a test; a fixed number makes sizes known before the lists are. */
const MAX_LISTS = 16;
const LIST_HEADER = { 4: 12, 8: 20 } as const;

const ADDRESS_INDEX = new Set<number>([dw.DW_FORM_addrx1, dw.DW_FORM_addrx2, dw.DW_FORM_addrx3, dw.DW_FORM_addrx4]);
const FIXED = new Map<number, number>([
  ...[dw.DW_FORM_data1, dw.DW_FORM_flag, dw.DW_FORM_ref1, dw.DW_FORM_strx1, dw.DW_FORM_addrx1].map((form) => [form, 1] as const),
  ...[dw.DW_FORM_data2, dw.DW_FORM_ref2, dw.DW_FORM_strx2, dw.DW_FORM_addrx2].map((form) => [form, 2] as const),
  ...[dw.DW_FORM_strx3, dw.DW_FORM_addrx3].map((form) => [form, 3] as const),
  ...[dw.DW_FORM_data4, dw.DW_FORM_ref4, dw.DW_FORM_ref_sup4, dw.DW_FORM_strx4, dw.DW_FORM_addrx4].map((form) => [form, 4] as const),
  ...[dw.DW_FORM_data8, dw.DW_FORM_ref8, dw.DW_FORM_ref_sig8, dw.DW_FORM_ref_sup8].map((form) => [form, 8] as const),
]);

function isList(value: TestValue): value is TestList {
  return typeof value === "object" && "list" in value;
}

function isDie(value: TestValue): value is TestDie {
  return typeof value === "object" && "tag" in value;
}
