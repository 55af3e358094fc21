/**
 * Abbreviations compiled to steps, for the pass over all entries of all units: what the index wants of an entry is read into registers,
 * everything else is skipped, fixed sizes together. DWARF 5, 7.5.3 and 7.5.6.
 *
 *   5 DW_TAG_structure_type, children        ──►   read4 NAME · read1 SIZE · skip 1 · read1 LINE · read1 COLUMN · read4 SIBLING · end
 *     name strp, byte_size data1, decl_file data1, decl_line data1, decl_column data1, sibling ref4
 *
 * Each unit of a kernel has a table of its own, of about 130 abbreviations: the arrays below are used again from unit to unit.
 */
import { FormatError } from "../../bytes/errors.ts";
import * as dw from "./constants.ts";

/** What an entry is for the index: the kinds of names first, in the order of KINDS in name-table.ts. */
export const ROLE_STRUCT = 0;
export const ROLE_UNION = 1;
export const ROLE_ENUM = 2;
export const ROLE_TYPEDEF = 3;
export const ROLE_BASE = 4;
export const ROLE_FUNCTION = 5;
export const ROLE_VARIABLE = 6;
/** Of an enumerator or a member only the name is wanted. */
export const ROLE_ENUMERATOR = 7;
export const ROLE_MEMBER = 8;
export const ROLE_NAMESPACE = 9;
export const ROLE_UNIT = 10;
/** Nothing is wanted of it but where it ends. */
export const ROLE_OTHER = 11;

/** Registers: valid for an entry whose abbreviation has the flag of the same name. */
export const NAME = 0;
export const SIBLING = 1;
export const SIZE = 2;
export const LINE = 3;
export const COLUMN = 4;
export const DECLARATION = 5;
export const ENCODING = 6;
export const ORIGIN = 7;
export const RANGES = 8;
export const STR_BASE = 9;
export const ADDR_BASE = 10;
export const RANGES_BASE = 11;
/** An address takes two registers: its low and its high 32 bits. */
export const LOW = 12;
export const HIGH = 14;
export const REGISTERS = 16;

/** Flags: 1 << register tells that the register is set; these tell more. */
export const HAS_CHILDREN = 1 << 16;
export const HAS_LOCATION = 1 << 17;
export const HAS_CONST_VALUE = 1 << 18;
/** DW_FORM_addrx and its like, rnglistx: the register holds an index. */
export const LOW_IS_INDEX = 1 << 19;
export const HIGH_IS_INDEX = 1 << 20;
export const RANGES_IS_INDEX = 1 << 21;
/** DW_AT_high_pc of class constant: a length. */
export const HIGH_IS_LENGTH = 1 << 22;
/** DW_FORM_ref_addr: an offset in the section and not in the unit. */
export const ORIGIN_IN_SECTION = 1 << 23;
/** A unit whose entries are in a split file. */
export const IS_SKELETON = 1 << 27;
/** Three bits: where the name stands. */
export const NAME_SHIFT = 24;
export const NAME_STRP = 1;
/** At a position of the bytes walked. */
export const NAME_INLINE = 2;
export const NAME_LINE_STRP = 3;
export const NAME_INDEX = 4;
export const NAME_SUPPLEMENTARY = 5;

/** Codes above are no compiler's. */
const MAX_CODE = 1 << 16;
const MAX_ATTRIBUTES = 4096;

const END = 0;
const SKIP = 1;
const SKIP_LEB = 2;
const SKIP_STRING = 3;
const SKIP_BLOCK = 4;
const SKIP_BLOCK1 = 5;
const SKIP_BLOCK2 = 6;
const SKIP_BLOCK4 = 7;
const SKIP_INDIRECT = 8;
const SET = 9;
const READ1 = 10;
const READ2 = 11;
const READ3 = 12;
const READ4 = 13;
const READ8 = 14;
const READ_LEB = 15;
const READ_STRING = 16;
const READ_ADDRESS8 = 17;
const READ_ADDRESS4 = 18;

const VARIABLE_SIZE = -1;

export class NameSteps {
  /** Values of the entry stepped over last. */
  readonly registers = new Float64Array(REGISTERS);
  /** By abbreviation code; -1: no such code in this unit. */
  slotOf = new Int32Array(256).fill(-1);
  /** By slot. */
  role = new Uint8Array(256);
  flags = new Int32Array(256);
  /** Bytes behind the code when that is fixed, else -1; and where in them DW_AT_sibling stands as 4 bytes, else -1. Roles without a name only. */
  fixed = new Int32Array(256);
  siblingAt = new Int32Array(256);
  #start = new Int32Array(256);
  #ops = new Int32Array(4096);
  #opCount = 0;
  #slots = 0;
  #maxCode = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  #addressSize = 8;
  #offsetSize = 4;
  #version = 5;
  #compiled = "";
  /** Index of the step SKIP emitted last in this abbreviation; -1: none. */
  #lastSkip = -1;
  readonly #abbrevs: Uint8Array;
  readonly #file: string;

  /** @param abbrevs the whole .debug_abbrev; @param file for messages */
  constructor(abbrevs: Uint8Array, file: string) {
    this.#abbrevs = abbrevs;
    this.#file = file;
  }

  /** Bytes that step() walks from now on. */
  over(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Compiles the table of a unit; throws FormatError when it is damaged. */
  compile(offset: number, version: number, offsetSize: number, addressSize: number): void {
    const key = `${offset} ${version} ${offsetSize} ${addressSize}`;
    if (key === this.#compiled) return;
    this.#compiled = "";
    this.slotOf.fill(-1, 0, this.#maxCode + 1);
    this.#slots = this.#opCount = this.#maxCode = 0;
    this.#lastSkip = -1;
    this.#version = version;
    this.#offsetSize = offsetSize;
    this.#addressSize = addressSize;
    if (addressSize !== 8 && addressSize !== 4) throw new FormatError(this.#file, `addresses of ${addressSize} bytes`);
    this.#parse(offset);
    this.#compiled = key;
  }

  /**
   * Steps over the attributes of an entry, from behind its code; what is wanted of it is in the registers then.
   * @returns where the next entry (its first child) begins; a position beyond the bytes when they end before
   */
  step(position: number, slot: number): number {
    const bytes = this.#bytes;
    const view = this.#view;
    const ops = this.#ops;
    const { registers } = this;
    const limit = bytes.length;
    let at = position;
    let pc = this.#start[slot] as number;
    for (;;) {
      const op = ops[pc++] as number;
      const register = (op >> 8) & 0xff;
      switch (op & 0xff) {
        case END:
          return at;
        case SKIP:
          at += op >>> 8;
          break;
        case SKIP_LEB:
          while ((bytes[at++] as number) >= 0x80);
          break;
        case SKIP_STRING: {
          while (bytes[at] !== 0 && at < limit) at++;
          at++;
          break;
        }
        case SKIP_BLOCK: {
          const length = this.#leb(at);
          while ((bytes[at++] as number) >= 0x80);
          at += length;
          break;
        }
        case SKIP_BLOCK1:
          at += 1 + (bytes[at] ?? limit);
          break;
        case SKIP_BLOCK2:
          at += 2 + (at + 2 <= limit ? view.getUint16(at, true) : limit);
          break;
        case SKIP_BLOCK4:
          at += 4 + (at + 4 <= limit ? view.getUint32(at, true) : limit);
          break;
        case SKIP_INDIRECT:
          at = this.#skipIndirect(at);
          break;
        case SET:
          registers[register] = ops[pc++] as number;
          break;
        case READ1:
          registers[register] = bytes[at++] ?? 0;
          break;
        case READ2:
          if (at + 2 > limit) return limit + 1;
          registers[register] = view.getUint16(at, true);
          at += 2;
          break;
        case READ3:
          if (at + 3 > limit) return limit + 1;
          registers[register] = view.getUint16(at, true) | ((bytes[at + 2] as number) << 16);
          at += 3;
          break;
        case READ4:
          if (at + 4 > limit) return limit + 1;
          registers[register] = view.getUint32(at, true);
          at += 4;
          break;
        case READ8:
          if (at + 8 > limit) return limit + 1;
          registers[register] = view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x1_0000_0000;
          at += 8;
          break;
        case READ_LEB:
          registers[register] = this.#leb(at);
          while ((bytes[at++] as number) >= 0x80);
          break;
        case READ_STRING:
          registers[register] = at;
          while (bytes[at] !== 0 && at < limit) at++;
          at++;
          break;
        case READ_ADDRESS8:
          if (at + 8 > limit) return limit + 1;
          registers[register] = view.getUint32(at, true);
          registers[register + 1] = view.getUint32(at + 4, true);
          at += 8;
          break;
        case READ_ADDRESS4:
          if (at + 4 > limit) return limit + 1;
          registers[register] = view.getUint32(at, true);
          registers[register + 1] = 0;
          at += 4;
          break;
      }
    }
  }

  /**
   * Entries of one role that may begin before a value: those of whose abbreviation the register stands as far behind the code as the
   * value does. `die` is -1 where that is not fixed.
   */
  *before(position: number, register: number, role: number): Iterable<{ readonly die: number; readonly slot: number }> {
    for (let code = 1; code <= this.#maxCode; code++) {
      const slot = this.slotOf[code] as number;
      if (slot < 0 || this.role[slot] !== role || ((this.flags[slot] as number) & (1 << register)) === 0) continue;
      const distance = this.#distance(slot, register);
      const die = distance < 0 ? -1 : position - distance - (code < 0x80 ? 1 : code < 0x4000 ? 2 : 3);
      if (die >= 0 && this.#leb(die) !== code) continue;
      yield { die, slot };
    }
  }

  /** Bytes between the code and the value of a register; -1 when other values of variable size stand between. */
  #distance(slot: number, register: number): number {
    let distance = 0;
    for (let pc = this.#start[slot] as number; ; pc++) {
      const op = this.#ops[pc] as number;
      const kind = op & 0xff;
      if (kind >= READ1 && ((op >> 8) & 0xff) === register) return distance;
      if (kind === SKIP) distance += op >>> 8;
      else if (kind === SET) pc++;
      else if (kind >= READ1 && kind <= READ4) distance += kind - READ1 + 1;
      else if (kind === READ8 || kind === READ_ADDRESS8) distance += 8;
      else if (kind === READ_ADDRESS4) distance += 4;
      else return -1;
    }
  }

  /** An unsigned LEB128 number, exact below 2^53; ends at the tenth byte. */
  #leb(position: number): number {
    let value = 0;
    let scale = 1;
    for (let at = position; at < position + 10; at++) {
      const byte = this.#bytes[at] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 128;
    }
    return value;
  }

  /** DW_FORM_indirect: the form stands in the entry. No compiler writes it; such a value is skipped, never used. */
  #skipIndirect(position: number): number {
    const form = this.#leb(position);
    let at = position;
    while ((this.#bytes[at++] as number) >= 0x80);
    if (form === dw.DW_FORM_indirect || form === dw.DW_FORM_implicit_const) return this.#bytes.length + 1;
    const start = this.#opCount;
    this.#lastSkip = -1;
    this.#skip(form, 0);
    this.#emit(END);
    const slot = this.#slots;
    this.#reserve(slot);
    this.#start[slot] = start;
    at = this.step(at, slot);
    this.#opCount = start;
    return at;
  }

  #parse(offset: number): void {
    const bytes = this.#abbrevs;
    let at = offset;
    const leb = (): number => {
      let value = 0;
      let scale = 1;
      for (let count = 0; count < 10; count++) {
        const byte = bytes[at++];
        if (byte === undefined) throw new FormatError(this.#file, "the abbreviations of a unit reach beyond .debug_abbrev", offset);
        value += (byte & 0x7f) * scale;
        if (byte < 0x80) return value;
        scale *= 128;
      }
      throw new FormatError(this.#file, "a number of more than 10 bytes in .debug_abbrev", at);
    };
    for (;;) {
      const code = leb();
      if (code === 0) return;
      if (code > MAX_CODE) throw new FormatError(this.#file, `abbreviation code ${code}`, at);
      const tag = leb();
      const children = bytes[at++] === 1;
      const slot = this.#slots++;
      this.#reserve(slot);
      this.#setCode(code, slot);
      const role = roleOf(tag);
      this.role[slot] = role;
      this.#start[slot] = this.#opCount;
      this.#lastSkip = -1;
      let flags = children ? HAS_CHILDREN : 0;
      for (let count = 0; ; count++) {
        const attribute = leb();
        const form = leb();
        let constant = 0;
        if (form === dw.DW_FORM_implicit_const) {
          constant = leb();
        }
        if (attribute === 0 && form === 0) break;
        if (count >= MAX_ATTRIBUTES) throw new FormatError(this.#file, `an abbreviation with ${count} attributes`, at);
        flags |= this.#attribute(role, attribute, form, constant);
      }
      this.#emit(END);
      this.flags[slot] = flags;
      this.#measure(slot);
    }
  }

  /** Emits the step of one attribute. Returns the flags that it sets. */
  #attribute(role: number, attribute: number, form: number, constant: number): number {
    if (attribute === dw.DW_AT_sibling) return this.#reference(SIBLING, form);
    if (role < ROLE_OTHER) {
      switch (attribute) {
        case dw.DW_AT_name:
          return this.#name(form);
        case dw.DW_AT_declaration:
          return this.#constant(DECLARATION, form, constant);
        case dw.DW_AT_specification:
        case dw.DW_AT_abstract_origin:
          return this.#reference(ORIGIN, form);
      }
    }
    if (role <= ROLE_VARIABLE) {
      switch (attribute) {
        case dw.DW_AT_byte_size:
          return this.#constant(SIZE, form, constant);
        case dw.DW_AT_decl_line:
          return this.#constant(LINE, form, constant);
        case dw.DW_AT_decl_column:
          return this.#constant(COLUMN, form, constant);
        case dw.DW_AT_encoding:
          return this.#constant(ENCODING, form, constant);
        case dw.DW_AT_location:
          return this.#skip(form, 0) | HAS_LOCATION;
        case dw.DW_AT_const_value:
          return this.#skip(form, 0) | HAS_CONST_VALUE;
      }
    }
    if (role === ROLE_FUNCTION || role === ROLE_UNIT) {
      switch (attribute) {
        case dw.DW_AT_low_pc:
          return this.#address(LOW, form, LOW_IS_INDEX, 0);
        case dw.DW_AT_high_pc:
          return this.#address(HIGH, form, HIGH_IS_INDEX, HIGH_IS_LENGTH, constant);
        case dw.DW_AT_ranges:
          return this.#constant(RANGES, form, constant) | (form === dw.DW_FORM_rnglistx ? RANGES_IS_INDEX : 0);
        case dw.DW_AT_str_offsets_base:
          return this.#constant(STR_BASE, form, constant);
        case dw.DW_AT_addr_base:
        case dw.DW_AT_GNU_addr_base:
          return this.#constant(ADDR_BASE, form, constant);
        case dw.DW_AT_rnglists_base:
          return this.#constant(RANGES_BASE, form, constant);
        case dw.DW_AT_dwo_name:
        case dw.DW_AT_GNU_dwo_name:
          return this.#skip(form, 0) | (role === ROLE_UNIT ? IS_SKELETON : 0);
      }
    }
    return this.#skip(form, 0);
  }

  #name(form: number): number {
    const set = (space: number) => (1 << NAME) | (space << NAME_SHIFT);
    switch (form) {
      case dw.DW_FORM_string:
        this.#emit(READ_STRING | (NAME << 8));
        return set(NAME_INLINE);
      case dw.DW_FORM_strp:
        return this.#read(NAME, this.#offsetSize) | set(NAME_STRP);
      case dw.DW_FORM_line_strp:
        return this.#read(NAME, this.#offsetSize) | set(NAME_LINE_STRP);
      case dw.DW_FORM_strp_sup:
      case dw.DW_FORM_GNU_strp_alt:
        return this.#read(NAME, this.#offsetSize) | set(NAME_SUPPLEMENTARY);
      case dw.DW_FORM_strx:
      case dw.DW_FORM_GNU_str_index:
        return this.#read(NAME, 0) | set(NAME_INDEX);
      case dw.DW_FORM_strx1:
      case dw.DW_FORM_strx2:
      case dw.DW_FORM_strx3:
      case dw.DW_FORM_strx4:
        return this.#read(NAME, form - dw.DW_FORM_strx1 + 1) | set(NAME_INDEX);
      default:
        return this.#skip(form, 0);
    }
  }

  /** A constant, a flag or a section offset into a register. */
  #constant(register: number, form: number, constant: number): number {
    switch (form) {
      case dw.DW_FORM_data1:
      case dw.DW_FORM_flag:
        return this.#read(register, 1);
      case dw.DW_FORM_data2:
        return this.#read(register, 2);
      case dw.DW_FORM_data4:
        return this.#read(register, 4);
      case dw.DW_FORM_data8:
        return this.#read(register, 8);
      case dw.DW_FORM_sec_offset:
        return this.#read(register, this.#offsetSize);
      case dw.DW_FORM_udata:
      case dw.DW_FORM_sdata:
      case dw.DW_FORM_rnglistx:
        return this.#read(register, 0);
      case dw.DW_FORM_implicit_const:
        return this.#set(register, constant);
      case dw.DW_FORM_flag_present:
        return this.#set(register, 1);
      default:
        return this.#skip(form, 0);
    }
  }

  #reference(register: number, form: number): number {
    switch (form) {
      case dw.DW_FORM_ref1:
        return this.#read(register, 1);
      case dw.DW_FORM_ref2:
        return this.#read(register, 2);
      case dw.DW_FORM_ref4:
        return this.#read(register, 4);
      case dw.DW_FORM_ref8:
        return this.#read(register, 8);
      case dw.DW_FORM_ref_udata:
        return this.#read(register, 0);
      case dw.DW_FORM_ref_addr:
        if (register !== ORIGIN) break;
        return this.#read(register, this.#version === 2 ? this.#addressSize : this.#offsetSize) | ORIGIN_IN_SECTION;
    }
    return this.#skip(form, 0);
  }

  #address(register: number, form: number, isIndex: number, isLength: number, constant = 0): number {
    switch (form) {
      case dw.DW_FORM_addr:
        this.#emit((this.#addressSize === 8 ? READ_ADDRESS8 : READ_ADDRESS4) | (register << 8));
        return 1 << register;
      case dw.DW_FORM_addrx:
      case dw.DW_FORM_GNU_addr_index:
        return this.#read(register, 0) | isIndex;
      case dw.DW_FORM_addrx1:
      case dw.DW_FORM_addrx2:
      case dw.DW_FORM_addrx3:
      case dw.DW_FORM_addrx4:
        return this.#read(register, form - dw.DW_FORM_addrx1 + 1) | isIndex;
    }
    if (isLength === 0) return this.#skip(form, 0);
    const set = this.#constant(register, form, constant);
    return set === 0 ? 0 : set | isLength;
  }

  /** Reads so many bytes into a register; 0 stands for a LEB128 number. */
  #read(register: number, size: number): number {
    const op = size === 0 ? READ_LEB : size === 1 ? READ1 : size === 2 ? READ2 : size === 3 ? READ3 : size === 4 ? READ4 : READ8;
    this.#emit(op | (register << 8));
    return 1 << register;
  }

  #set(register: number, value: number): number {
    this.#emit(SET | (register << 8));
    this.#emit(value);
    return 1 << register;
  }

  /** Emits the step over a value that nobody wants; returns `flags` for brevity of the callers. */
  #skip(form: number, flags: number): number {
    switch (form) {
      case dw.DW_FORM_flag_present:
      case dw.DW_FORM_implicit_const:
        break;
      case dw.DW_FORM_data1:
      case dw.DW_FORM_ref1:
      case dw.DW_FORM_flag:
      case dw.DW_FORM_strx1:
      case dw.DW_FORM_addrx1:
        this.#skipFixed(1);
        break;
      case dw.DW_FORM_data2:
      case dw.DW_FORM_ref2:
      case dw.DW_FORM_strx2:
      case dw.DW_FORM_addrx2:
        this.#skipFixed(2);
        break;
      case dw.DW_FORM_strx3:
      case dw.DW_FORM_addrx3:
        this.#skipFixed(3);
        break;
      case dw.DW_FORM_data4:
      case dw.DW_FORM_ref4:
      case dw.DW_FORM_strx4:
      case dw.DW_FORM_addrx4:
      case dw.DW_FORM_ref_sup4:
        this.#skipFixed(4);
        break;
      case dw.DW_FORM_data8:
      case dw.DW_FORM_ref8:
      case dw.DW_FORM_ref_sig8:
      case dw.DW_FORM_ref_sup8:
        this.#skipFixed(8);
        break;
      case dw.DW_FORM_data16:
        this.#skipFixed(16);
        break;
      case dw.DW_FORM_addr:
        this.#skipFixed(this.#addressSize);
        break;
      case dw.DW_FORM_strp:
      case dw.DW_FORM_line_strp:
      case dw.DW_FORM_sec_offset:
      case dw.DW_FORM_strp_sup:
      case dw.DW_FORM_GNU_strp_alt:
      case dw.DW_FORM_GNU_ref_alt:
        this.#skipFixed(this.#offsetSize);
        break;
      case dw.DW_FORM_ref_addr:
        this.#skipFixed(this.#version === 2 ? this.#addressSize : this.#offsetSize);
        break;
      case dw.DW_FORM_sdata:
      case dw.DW_FORM_udata:
      case dw.DW_FORM_ref_udata:
      case dw.DW_FORM_strx:
      case dw.DW_FORM_addrx:
      case dw.DW_FORM_loclistx:
      case dw.DW_FORM_rnglistx:
      case dw.DW_FORM_GNU_addr_index:
      case dw.DW_FORM_GNU_str_index:
        this.#emit(SKIP_LEB);
        break;
      case dw.DW_FORM_string:
        this.#emit(SKIP_STRING);
        break;
      case dw.DW_FORM_block:
      case dw.DW_FORM_exprloc:
        this.#emit(SKIP_BLOCK);
        break;
      case dw.DW_FORM_block1:
        this.#emit(SKIP_BLOCK1);
        break;
      case dw.DW_FORM_block2:
        this.#emit(SKIP_BLOCK2);
        break;
      case dw.DW_FORM_block4:
        this.#emit(SKIP_BLOCK4);
        break;
      case dw.DW_FORM_indirect:
        this.#emit(SKIP_INDIRECT);
        break;
      default:
        throw new FormatError(this.#file, `form 0x${form.toString(16)} in .debug_abbrev is none of DWARF 2 to 5`);
    }
    return flags;
  }

  #skipFixed(count: number): void {
    const last = this.#opCount - 1;
    // Merges with the step before when that skips too; that one may be the constant of SET, so its content does not tell.
    if (last === this.#lastSkip && last >= 0) this.#ops[last] = (this.#ops[last] as number) + (count << 8);
    else {
      this.#lastSkip = this.#opCount;
      this.#emit(SKIP | (count << 8));
    }
  }

  #emit(op: number): void {
    if (this.#opCount === this.#ops.length) this.#ops = grown(this.#ops);
    this.#ops[this.#opCount++] = op;
  }

  /** Entries of which nothing is wanted, and of fixed size, are skipped without their steps. */
  #measure(slot: number): void {
    this.fixed[slot] = VARIABLE_SIZE;
    this.siblingAt[slot] = -1;
    let size = 0;
    for (let pc = this.#start[slot] as number; ; pc++) {
      const op = this.#ops[pc] as number;
      if (op === END) break;
      if ((op & 0xff) === SKIP) size += op >>> 8;
      else if (op === (READ4 | (SIBLING << 8))) {
        this.siblingAt[slot] = size;
        size += 4;
      } else return;
    }
    this.fixed[slot] = size;
  }

  #setCode(code: number, slot: number): void {
    if (code >= this.slotOf.length) {
      const more = new Int32Array(Math.max(code + 1, this.slotOf.length * 2)).fill(-1);
      more.set(this.slotOf);
      this.slotOf = more;
    }
    if (code > this.#maxCode) this.#maxCode = code;
    this.slotOf[code] = slot;
  }

  #reserve(slot: number): void {
    if (slot < this.#start.length) return;
    this.#start = grown(this.#start);
    this.flags = grown(this.flags);
    this.fixed = grown(this.fixed);
    this.siblingAt = grown(this.siblingAt);
    const role = new Uint8Array(this.role.length * 2);
    role.set(this.role);
    this.role = role;
  }
}

function grown(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const more = new Int32Array(array.length * 2);
  more.set(array);
  return more;
}

/** What an entry of a tag is for the index. */
export function roleOf(tag: number): number {
  switch (tag) {
    case dw.DW_TAG_structure_type:
    case dw.DW_TAG_class_type:
      return ROLE_STRUCT;
    case dw.DW_TAG_union_type:
      return ROLE_UNION;
    case dw.DW_TAG_enumeration_type:
      return ROLE_ENUM;
    case dw.DW_TAG_typedef:
      return ROLE_TYPEDEF;
    case dw.DW_TAG_base_type:
      return ROLE_BASE;
    case dw.DW_TAG_subprogram:
      return ROLE_FUNCTION;
    case dw.DW_TAG_variable:
      return ROLE_VARIABLE;
    case dw.DW_TAG_enumerator:
      return ROLE_ENUMERATOR;
    case dw.DW_TAG_member:
      return ROLE_MEMBER;
    case dw.DW_TAG_namespace:
      return ROLE_NAMESPACE;
    case dw.DW_TAG_compile_unit:
    case dw.DW_TAG_partial_unit:
    case dw.DW_TAG_type_unit:
    case dw.DW_TAG_skeleton_unit:
      return ROLE_UNIT;
    default:
      return ROLE_OTHER;
  }
}
