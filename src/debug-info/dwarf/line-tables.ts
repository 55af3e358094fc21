/**
 * Line tables of all units of a file, opened on need and kept within bounds: the tables of a whole kernel would take 100 MB.
 *
 * Looking for a source line: a source file is the name of its unit, so those units come first; headers, and files that other files
 * include, are found by the tables of files of all units.
 */
import { InquestError } from "../../bytes/errors.ts";
import type { LineRow } from "../debug-info.ts";
import type { DebugSections } from "../debug-sections.ts";
import type { AddressRange, Unit, Units } from "./die.ts";
import { endsWithPath, joinPath } from "./line-paths.ts";
import { LineTable } from "./line-table.ts";

/** Rows kept (17 bytes each), and tables. */
const MAX_ROWS = 1 << 20;
const MAX_TABLES = 256;
/** Places that one source line can have: that of a small inline function is in thousands of functions. */
const MAX_PLACES = 10_000;

export class LineTables {
  readonly #sections: DebugSections;
  readonly #units: Pick<Units, "at" | "all">;
  /** By offset of the program; oldest use first. */
  readonly #tables = new Map<number, LineTable>();

  constructor(sections: DebugSections, units: Pick<Units, "at" | "all">) {
    this.#sections = sections;
    this.#units = units;
  }

  /** A unit's table; undefined when it has none. Throws FormatError when it is damaged. */
  of(unit: Unit): LineTable | undefined {
    const { lineOffset } = unit;
    if (lineOffset === undefined) return undefined;
    const known = this.#tables.get(lineOffset);
    const table = known ?? LineTable.open(this.#sections, unit);
    if (table === undefined) return undefined;
    this.#tables.delete(lineOffset);
    this.#tables.set(lineOffset, table);
    if (known === undefined) this.#shrink();
    return table;
  }

  /** The row that covers a link-time address. */
  at(address: bigint): LineRow | undefined {
    const unit = this.#units.at(address);
    return unit === undefined ? undefined : this.of(unit)?.row(address);
  }

  /** The row that gdb shows for a link-time address. */
  statementAt(address: bigint): LineRow | undefined {
    const unit = this.#units.at(address);
    return unit === undefined ? undefined : this.of(unit)?.statementRow(address);
  }

  /** Rows of a range, across units, in ascending order. */
  *rows(range: AddressRange): Iterable<LineRow> {
    for (let low = range.low; low < range.high; ) {
      const unit = this.#units.at(low);
      if (unit === undefined) return;
      const part = unit.ranges.find((each) => low >= each.low && low < each.high);
      const high = part === undefined || part.high > range.high ? range.high : part.high;
      yield* this.of(unit)?.rows({ low, high }) ?? [];
      low = high;
    }
  }

  /**
   * The first row of each run of rows that a source line has, sorted by address; at most 10,000. Units whose table is damaged are left out.
   * @param file path or tail of one
   */
  find(file: string, line: number): readonly LineRow[] {
    const found = new Map<bigint, LineRow>();
    const collect = (unit: Unit) => {
      try {
        for (const row of this.of(unit)?.find(file, line) ?? []) if (found.size < MAX_PLACES) found.set(row.range.low, row);
      } catch (error) {
        if (!(error instanceof InquestError)) throw error;
      }
    };
    const others: Unit[] = [];
    for (const unit of this.#units.all()) {
      if (unit.name !== undefined && endsWithPath(joinPath(unit.directory ?? "", unit.name), file)) collect(unit);
      else others.push(unit);
    }
    if (found.size === 0) for (const unit of others) collect(unit);
    return [...found.values()].sort((a, b) => (a.range.low < b.range.low ? -1 : 1));
  }

  #shrink(): void {
    let rows = 0;
    for (const table of this.#tables.values()) rows += table.size;
    for (const [offset, table] of this.#tables) {
      if (this.#tables.size <= MAX_TABLES && rows <= MAX_ROWS) return;
      this.#tables.delete(offset);
      rows -= table.size;
    }
  }
}
