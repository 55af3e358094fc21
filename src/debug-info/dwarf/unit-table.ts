/**
 * The units of one section, found by jumping from header to header and only as far as asked; those that were asked for are kept.
 *
 *   .debug_info  │ header … │ header …    │ header … │
 *                 └─ length ─^ └─ length ──^
 */
import { FormatError, InquestError } from "../../bytes/errors.ts";
import type { SectionData } from "../debug-sections.ts";
import { DwarfReader } from "./dwarf-reader.ts";
import { DwarfUnit } from "./unit.ts";
import { parseUnitHeader, unitExtent } from "./unit-header.ts";
import type { DwarfUnits } from "./units.ts";

/** Read at each header: it and, of most units, the whole first entry. */
const HEAD = 192;
const LENGTH = 12;
/** Lengths from here on are not those of 32-bit DWARF. */
const RESERVED = 0xfffffff0;
/** Damage is told, not collected. */
const MAX_PROBLEMS = 100;

/** Adds an error to a list, once and in bounds; throws what is none of ours. */
export function keepProblem(problems: InquestError[], error: unknown): void {
  if (!(error instanceof InquestError)) throw error;
  if (problems.length < MAX_PROBLEMS && !problems.some(({ message }) => message === error.message)) problems.push(error);
}

export class UnitTable {
  readonly section: SectionData;
  /** Die.key of offset 0. */
  readonly firstKey: number;
  /** What of the units could not be read so far. */
  readonly problems: InquestError[] = [];
  readonly #file: DwarfUnits;
  readonly #where: string;
  readonly #types: boolean;
  /** Offsets of the headers met so far. */
  readonly #starts: number[] = [];
  readonly #units = new Map<number, DwarfUnit>();
  #next = 0;
  /** The bytes read last at a header, and where that was. */
  readonly #head = new Uint8Array(HEAD);
  readonly #headView = new DataView(this.#head.buffer);
  #headAt = -1;

  /** @param types true for .debug_types of version 4; @param firstKey what Die.key adds to offsets here */
  constructor(file: DwarfUnits, section: SectionData, types: boolean, firstKey: number) {
    this.#file = file;
    this.section = section;
    this.#types = types;
    this.firstKey = firstKey;
    this.#where = `${file.name}: ${section.name}`;
  }

  /** The unit whose header is at an offset. Throws FormatError when that is no header. */
  at(offset: number): DwarfUnit {
    const known = this.#units.get(offset);
    if (known !== undefined) return known;
    const { size } = this.section;
    if (!(offset >= 0 && offset + LENGTH <= size)) throw new FormatError(this.#where, "no unit begins there", offset);
    const bytes = this.#readHead(offset);
    const header = parseUnitHeader(bytes, this.#where, offset, size, this.#types);
    const unit = new DwarfUnit(this.#file, this.section, header, bytes.slice(0, header.end - offset), this.#where, this.firstKey);
    this.#units.set(offset, unit);
    return unit;
  }

  /** The unit that contains an offset; undefined when there is none, or it cannot be read. */
  containing(offset: number): DwarfUnit | undefined {
    while (this.#next <= offset && this.#step()) {}
    const starts = this.#starts;
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (starts[middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return undefined;
    try {
      const unit = this.at(starts[low - 1]!);
      return offset < unit.end ? unit : undefined;
    } catch (error) {
      this.problem(error);
      return undefined;
    }
  }

  /** All units in order; those that cannot be read are left out and told in `problems`. */
  *[Symbol.iterator](): Iterator<DwarfUnit> {
    for (let index = 0; index < this.#starts.length || this.#step(); index++) {
      const start = this.#starts[index]!;
      let unit: DwarfUnit;
      try {
        unit = this.at(start);
      } catch (error) {
        this.problem(error);
        continue;
      }
      yield unit;
    }
  }

  /** Keeps an error for the user; throws what is none of ours. */
  problem(error: unknown): void {
    keepProblem(this.problems, error);
  }

  /** Bytes from a header on, in an array that the next call overwrites. */
  #readHead(offset: number): Uint8Array {
    const head = this.#head.subarray(0, Math.min(HEAD, this.section.size - offset));
    if (this.#headAt !== offset) {
      this.#headAt = -1;
      if (this.section.readInto !== undefined) this.section.readInto(head, offset);
      else head.set(this.section.read(offset, head.length));
      this.#headAt = offset;
    }
    return head;
  }

  /** Finds one more header; false at the end. */
  #step(): boolean {
    const { size } = this.section;
    for (;;) {
      const start = this.#next;
      if (start + LENGTH > size) return false;
      try {
        const head = this.#readHead(start);
        const length = this.#headView.getUint32(0, true);
        // Linkers fill gaps with zeros: units of no length.
        if (length === 0) {
          this.#next = start + 4;
          continue;
        }
        const end = start + 4 + length;
        const next = length < RESERVED && end <= size ? end : unitExtent(new DwarfReader(head, this.#where, start), start, size).end;
        // Listed before it is passed, and once.
        if (this.#starts.at(-1) !== start) this.#starts.push(start);
        this.#next = next;
      } catch (error) {
        this.problem(error);
        this.#next = size;
        return false;
      }
      return true;
    }
  }
}
