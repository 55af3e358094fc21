/**
 * The pass of the index over a unit: only its top level (and namespaces, and the enumerators of enumerations not met before); whatever
 * else has children is jumped over by DW_AT_sibling, or walked to its end where that is missing.
 *
 *   unit ─┬─ struct ── member …          first member peeked at, for the fingerprint
 *         ├─ pointer_type                skipped in one step
 *         ├─ enum ── enumerator …        walked when new
 *         ├─ subprogram ── …             jumped over
 *         └─ namespace ─┬─ struct …      as the unit itself
 */
import { FormatError } from "../../bytes/errors.ts";
import type { DebugSections } from "../debug-sections.ts";
import type { NameSink } from "./name-sink.ts";
import * as step from "./name-steps.ts";
import { CONSTANT, mix, RANGES, RANK_ABSTRACT, RANK_DECLARATION, RANK_DEFINITION } from "./name-table.ts";
import { NO_UNITS, type UnitTable } from "./name-units.ts";

/** Namespaces within namespaces, and origins of origins, that are followed. */
const MAX_NESTING = 64;
const MAX_ORIGINS = 4;
/** Stands for the missing name of an enumeration, which is folded as the others for the sake of its enumerators. */
export const ANONYMOUS = 0xffff_ffff;

export class NameWalk {
  readonly #sections: DebugSections;
  readonly #sink: NameSink;
  readonly steps: step.NameSteps;
  readonly #small = new Map<string, Uint8Array>();
  // The unit being walked: number and headers, its bytes, where it begins and ends in them, and their offset in the section.
  #unit = 0;
  #units: UnitTable = NO_UNITS;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  #start = 0;
  #end = 0;
  #base = 0;
  #strBase = 0;
  #addrBase = 0;

  constructor(sections: DebugSections, sink: NameSink) {
    this.#sections = sections;
    this.#sink = sink;
    this.steps = new step.NameSteps(this.#whole(".debug_abbrev"), sections.file);
  }

  /**
   * Walks one unit. `bytes` hold it, and begin at `base` of .debug_info.
   * Throws FormatError at the first damage; what came before it stays.
   */
  walk(units: UnitTable, unit: number, bytes: Uint8Array, base: number): void {
    this.#enter(units, unit, bytes, base);
    this.#entries((units.first[unit] as number) - base);
  }

  #enter(units: UnitTable, unit: number, bytes: Uint8Array, base: number): void {
    this.#units = units;
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      this.steps.over(bytes);
    }
    this.#unit = unit;
    this.#base = base;
    this.#start = (units.start[unit] as number) - base;
    this.#end = (units.end[unit] as number) - base;
    this.compile(units, unit);
    const offsetSize = units.offsetSize[unit] as number;
    this.#strBase = (units.version[unit] as number) >= 5 ? (offsetSize === 8 ? 16 : 8) : 0;
    this.#addrBase = this.#strBase;
  }

  /** Number of the name of one entry of a unit, or of what it refers to; -1: none. Throws FormatError. */
  nameAt(units: UnitTable, unit: number, bytes: Uint8Array, base: number, offset: number): number {
    this.#enter(units, unit, bytes, base);
    // The bases of its tables are in the unit's own entry.
    const root = (units.first[unit] as number) - base;
    const slot = this.steps.slotOf[this.#code(root)] ?? -1;
    if (slot >= 0 && this.steps.role[slot] === step.ROLE_UNIT) {
      this.steps.step(this.#behindCode(root), slot);
      this.#root(this.steps.flags[slot] as number);
    }
    return this.#nameAt(offset - base, 1);
  }

  /** Readies `steps` for a unit without walking it. */
  compile(units: UnitTable, unit: number): step.NameSteps {
    this.steps.compile(
      units.abbrev[unit] as number,
      units.version[unit] as number,
      units.offsetSize[unit] as number,
      units.addressSize[unit] as number,
    );
    return this.steps;
  }

  #entries(from: number): void {
    const bytes = this.#bytes;
    const view = this.#view;
    const { fixed, siblingAt, slotOf, role, flags } = this.steps;
    const start = this.#start;
    const end = this.#end;
    let at = from;
    let depth = 0;
    while (at < end) {
      const die = at;
      let code = bytes[at++] as number;
      if (code === 0) {
        if (--depth <= 0) return;
        continue;
      }
      if (code >= 0x80) {
        code = this.#code(die);
        at = this.#behindCode(die);
      }
      const slot = slotOf[code] ?? -1;
      if (slot < 0) this.#unknown(code, die);
      const kind = role[slot] as number;
      if (kind === step.ROLE_OTHER) {
        const size = fixed[slot] as number;
        if (size >= 0) {
          const sibling = siblingAt[slot] as number;
          const next = at + size;
          if (((flags[slot] as number) & step.HAS_CHILDREN) === 0) at = next;
          else {
            const target = sibling >= 0 && next <= end ? start + view.getUint32(at + sibling, true) : 0;
            at = target >= next && target <= end ? target : this.#behindChildren(next);
          }
        } else at = this.#behind(this.steps.step(at, slot), slot);
      } else if (kind === step.ROLE_UNIT || kind === step.ROLE_NAMESPACE) {
        const next = this.steps.step(at, slot);
        if (kind === step.ROLE_UNIT) {
          this.#root(flags[slot] as number);
          if (((flags[slot] as number) & step.IS_SKELETON) !== 0) this.#sink.skeletons.push(this.#unit);
        }
        at = next;
        if (((flags[slot] as number) & step.HAS_CHILDREN) !== 0) {
          if (++depth > MAX_NESTING) throw this.#damage(`${depth} namespaces in each other`, die);
        } else if (depth === 0) return;
      } else at = this.#named(kind, slot, die, at);
    }
    if (at > end) throw this.#damage("an entry that reaches beyond its unit", end);
  }

  /** An entry that may have a name. Returns where the next one is. */
  #named(role: number, slot: number, die: number, position: number): number {
    const { registers, flags: allFlags } = this.steps;
    const flags = allFlags[slot] as number;
    const next = this.steps.step(position, slot);
    if (next > this.#end) throw this.#damage("an entry that reaches beyond its unit", die);
    if (role >= step.ROLE_ENUMERATOR) return this.#behind(next, slot);
    const { records } = this.#sink;
    const jumps = (flags & (1 << step.SIBLING)) !== 0 && (flags & step.HAS_CHILDREN) !== 0;
    const after = jumps ? this.#start + (registers[step.SIBLING] as number) : -1;
    const rank = (flags & (1 << step.DECLARATION)) !== 0 && registers[step.DECLARATION] !== 0 ? RANK_DECLARATION : RANK_DEFINITION;
    // Whole numbers of 32 bits: doubles that are passed on would be allocated.
    const line = (flags & (1 << step.LINE)) !== 0 ? (registers[step.LINE] as number) | 0 : 0;
    const column = (flags & (1 << step.COLUMN)) !== 0 ? (registers[step.COLUMN] as number) | 0 : 0;
    const size = (flags & (1 << step.SIZE)) !== 0 ? (registers[step.SIZE] as number) | 0 : 0;
    const place = Math.imul(line, 1 << 8) ^ column;
    let name = this.#name(flags);
    let walkedTo = -1;
    switch (role) {
      case step.ROLE_STRUCT:
      case step.ROLE_UNION: {
        if (name < 0) break;
        const print = rank === RANK_DECLARATION ? 0 : mix(size, place, (flags & step.HAS_CHILDREN) !== 0 ? this.#firstChild(next) : 0);
        records.fold(name, role, rank, print, this.#base + die, this.#unit);
        break;
      }
      case step.ROLE_ENUM: {
        const print = rank === RANK_DECLARATION ? 0 : mix(size, place, (flags & step.HAS_CHILDREN) !== 0 ? this.#firstChild(next) : 0);
        // Drivers written after one model begin their nameless enumerations on one line with one constant: their length tells those apart.
        const told = name < 0 ? mix(print, jumps ? after - next : 0, role) : print;
        const fresh = records.fold(name < 0 ? ANONYMOUS : name, role, rank, told, this.#base + die, this.#unit) || (name < 0 && !jumps);
        // Declarations are not told apart, but no compiler gives them enumerators.
        if ((fresh || rank === RANK_DECLARATION) && (flags & step.HAS_CHILDREN) !== 0)
          walkedTo = this.#enumerators(next, this.#base + die, mix(print, this.#sink.names.print(name), role));
        break;
      }
      case step.ROLE_TYPEDEF:
        if (name >= 0) records.fold(name, role, rank, place, this.#base + die, this.#unit);
        break;
      case step.ROLE_BASE:
        if (name >= 0) {
          const encoding = (flags & (1 << step.ENCODING)) !== 0 ? (registers[step.ENCODING] as number) | 0 : 0;
          records.fold(name, role, rank, mix(size, encoding, 0), this.#base + die, this.#unit);
        }
        break;
      default: {
        // A function or a variable; one with a place in memory is no copy of another.
        const single = (flags & (role === step.ROLE_FUNCTION ? (1 << step.LOW) | (1 << step.RANGES) : step.HAS_LOCATION)) !== 0;
        const constant = role === step.ROLE_VARIABLE && (flags & step.HAS_CONST_VALUE) !== 0;
        const worth = single || constant ? RANK_DEFINITION : rank === RANK_DECLARATION ? rank : RANK_ABSTRACT;
        const print = single || worth === RANK_DECLARATION ? 0 : constant ? mix(place, 1, 0) : place;
        if (single && role === step.ROLE_FUNCTION) this.#function(flags, this.#base + die);
        const origin = registers[step.ORIGIN] as number;
        if (name < 0) name = this.#nameOfOrigin(flags);
        if (name >= 0) records[single ? "add" : "fold"](name, role, worth, print, this.#base + die, this.#unit);
        else if ((flags & (1 << step.ORIGIN)) !== 0 && (flags & step.ORIGIN_IN_SECTION) !== 0)
          this.#sink.strays.push({ origin, single, kind: role, rank: worth, print, die: this.#base + die, unit: this.#unit });
      }
    }
    if ((flags & step.HAS_CHILDREN) === 0) return next;
    if (walkedTo >= 0) return walkedTo;
    return after >= next && after <= this.#end ? after : this.#behindChildren(next);
  }

  /** The enumerators of an enumeration not met before. Returns where the entry behind them is. */
  #enumerators(from: number, enumeration: number, print: number): number {
    const bytes = this.#bytes;
    const { slotOf, role, flags } = this.steps;
    let at = from;
    while (at < this.#end) {
      const die = at;
      const code = this.#code(die);
      at = this.#behindCode(die);
      if (code === 0) return at;
      const slot = slotOf[code] ?? -1;
      if (slot < 0) this.#unknown(code, die);
      const next = this.steps.step(at, slot);
      if (role[slot] === step.ROLE_ENUMERATOR) {
        const name = this.#name(flags[slot] as number);
        if (name >= 0) this.#sink.records.fold(name, CONSTANT, RANK_DEFINITION, print, enumeration, this.#unit);
      }
      at = this.#behind(next, slot);
    }
    throw this.#damage(`an enumeration that does not end within its unit (${bytes.length} bytes)`, from);
  }

  /** The first child's name as part of a fingerprint; 0 when it has none. */
  #firstChild(at: number): number {
    return this.#sink.names.print(this.#nameAt(at, 0));
  }

  /** Name of the entry that this one's registers refer to (DW_AT_specification, DW_AT_abstract_origin) within the unit; -1: none. */
  #nameOfOrigin(flags: number, depth = 0): number {
    if ((flags & (1 << step.ORIGIN)) === 0 || depth > MAX_ORIGINS) return -1;
    const origin = this.steps.registers[step.ORIGIN] as number;
    const at = (flags & step.ORIGIN_IN_SECTION) !== 0 ? origin - this.#base : this.#start + origin;
    return this.#nameAt(at, depth + 1);
  }

  #nameAt(at: number, depth: number): number {
    if (at < this.#start || at >= this.#end) return -1;
    const slot = this.steps.slotOf[this.#code(at)] ?? -1;
    if (slot < 0 || (this.steps.role[slot] as number) >= step.ROLE_OTHER) return -1;
    this.steps.step(this.#behindCode(at), slot);
    const flags = this.steps.flags[slot] as number;
    const name = this.#name(flags);
    return name < 0 && depth > 0 ? this.#nameOfOrigin(flags, depth) : name;
  }

  /** Number of the name in the registers; -1: none. */
  #name(flags: number): number {
    const { names } = this.#sink;
    const value = (this.steps.registers[step.NAME] as number) >>> 0;
    switch ((flags >> step.NAME_SHIFT) & 7) {
      case step.NAME_STRP:
        return names.fromStrings(value);
      case step.NAME_INLINE:
        return names.fromBytes(this.#bytes, value);
      case step.NAME_LINE_STRP:
        return names.fromBytes(this.#whole(".debug_line_str"), value);
      case step.NAME_SUPPLEMENTARY:
        return names.fromBytes(this.#whole("supplementary .debug_str"), value);
      case step.NAME_INDEX: {
        const offset = this.#indexed(".debug_str_offsets", this.#strBase, value, this.#units.offsetSize[this.#unit] as number);
        return offset === undefined ? -1 : names.fromStrings(offset[0]);
      }
      default:
        return -1;
    }
  }

  /** The unit's own entry: where its tables are. */
  #root(flags: number): void {
    const { registers } = this.steps;
    const { bases } = this.#sink;
    if (flags & (1 << step.STR_BASE)) this.#strBase = registers[step.STR_BASE] as number;
    if (flags & (1 << step.ADDR_BASE)) this.#addrBase = registers[step.ADDR_BASE] as number;
    bases.addresses[this.#unit] = this.#addrBase;
    if (flags & (1 << step.RANGES_BASE)) bases.ranges[this.#unit] = registers[step.RANGES_BASE] as number;
    const low = this.#lowPc(flags);
    if (low === undefined) return;
    bases.low[this.#unit] = low[0];
    bases.high[this.#unit] = low[1];
  }

  /** Keeps where the code of the function in the registers is. */
  #function(flags: number, die: number): void {
    const { registers } = this.steps;
    const { functions } = this.#sink;
    const low = this.#lowPc(flags);
    if ((flags & (1 << step.RANGES)) !== 0) {
      functions.add(registers[step.RANGES] as number, (flags & step.RANGES_IS_INDEX) !== 0 ? 1 : 0, RANGES, die, this.#unit);
    } else if (low !== undefined && (flags & (1 << step.HIGH)) !== 0) {
      const size =
        (flags & step.HIGH_IS_LENGTH) !== 0
          ? (registers[step.HIGH] as number)
          : difference(this.#addressIn(step.HIGH, (flags & step.HIGH_IS_INDEX) !== 0), low);
      if (size > 0 && size < RANGES) functions.add(low[0], low[1], size, die, this.#unit);
    }
  }

  #lowPc(flags: number): Address | undefined {
    return (flags & (1 << step.LOW)) === 0 ? undefined : this.#addressIn(step.LOW, (flags & step.LOW_IS_INDEX) !== 0);
  }

  #addressIn(register: number, index: boolean): Address | undefined {
    const { registers } = this.steps;
    if (!index) return [registers[register] as number, registers[register + 1] as number];
    return this.#indexed(".debug_addr", this.#addrBase, registers[register] as number, this.#units.addressSize[this.#unit] as number);
  }

  /** Element of a table of 4 or 8 bytes each, as its two halves. */
  #indexed(section: string, base: number, index: number, size: number): Address | undefined {
    const bytes = this.#whole(section);
    const at = base + index * size;
    if (at + size > bytes.length) return undefined;
    const half = (from: number) =>
      ((bytes[from] as number) |
        ((bytes[from + 1] as number) << 8) |
        ((bytes[from + 2] as number) << 16) |
        ((bytes[from + 3] as number) << 24)) >>>
      0;
    return [half(at), size === 8 ? half(at + 4) : 0];
  }

  /** A small section whole; empty when the file has none. */
  #whole(name: string): Uint8Array {
    let bytes = this.#small.get(name);
    if (bytes === undefined) {
      const section = name.startsWith("supplementary")
        ? this.#sections.supplementary()?.section(".debug_str")
        : this.#sections.section(name);
      bytes = section === undefined ? new Uint8Array(0) : section.read(0, section.size);
      this.#small.set(name, bytes);
    }
    return bytes;
  }

  /** Where the next entry of the same level is, from the end of this one's attributes; its DW_AT_sibling is in the registers. */
  #behind(next: number, slot: number): number {
    const flags = this.steps.flags[slot] as number;
    if (next > this.#end) throw this.#damage("an entry that reaches beyond its unit", this.#end);
    if ((flags & step.HAS_CHILDREN) === 0) return next;
    const target = (flags & (1 << step.SIBLING)) === 0 ? 0 : this.#start + (this.steps.registers[step.SIBLING] as number);
    return target >= next && target <= this.#end ? target : this.#behindChildren(next);
  }

  /** Behind the children that begin at `at`, and theirs. */
  #behindChildren(from: number): number {
    const { slotOf, flags } = this.steps;
    let depth = 1;
    let at = from;
    while (at < this.#end) {
      const die = at;
      const code = this.#code(die);
      at = this.#behindCode(die);
      if (code === 0) {
        if (--depth === 0) return at;
        continue;
      }
      const slot = slotOf[code] ?? -1;
      if (slot < 0) this.#unknown(code, die);
      const next = this.steps.step(at, slot);
      const flag = flags[slot] as number;
      if ((flag & step.HAS_CHILDREN) === 0) at = next;
      else {
        const target = (flag & (1 << step.SIBLING)) === 0 ? 0 : this.#start + (this.steps.registers[step.SIBLING] as number);
        if (target >= next && target <= this.#end) at = target;
        else {
          at = next;
          depth++;
        }
      }
    }
    // GCC and LLVM end every list of children; a unit that is cut off has told what it had.
    return at;
  }

  #code(at: number): number {
    let code = 0;
    for (let i = 0, scale = 1; i < 5; i++, scale *= 128) {
      const byte = this.#bytes[at + i] ?? 0;
      code += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
    }
    return code;
  }

  #behindCode(at: number): number {
    let next = at;
    while ((this.#bytes[next++] as number) >= 0x80);
    return next;
  }

  #unknown(code: number, at: number): never {
    throw this.#damage(`abbreviation code ${code}, which the unit does not have`, at);
  }

  #damage(what: string, at: number): FormatError {
    return new FormatError(this.#sections.file, `${what} in .debug_info`, this.#base + at);
  }
}

/** Two halves of an address. */
type Address = readonly [low: number, high: number];

/** a - b; 0 when a is not known. Exact for what a function may have. */
function difference(a: Address | undefined, b: Address): number {
  return a === undefined ? 0 : (a[1] - b[1]) * 0x1_0000_0000 + (a[0] - b[0]);
}
