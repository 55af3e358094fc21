/**
 * The line table of one unit: which source line an address comes from, and which addresses a line has. The header is read when the table
 * is opened, the program runs when the first row is asked for. DWARF 5, section 6.2.
 */
import { FormatError } from "../../bytes/errors.ts";
import type { LineRow } from "../debug-info.ts";
import type { DebugSections } from "../debug-sections.ts";
import type { AddressRange, Unit } from "./die.ts";
import { LineHeader } from "./line-header.ts";
import { baseName, endsWithPath } from "./line-paths.ts";
import { type LineRows, runLineProgram } from "./line-program.ts";
import { type FoundRow, searchLineProgram } from "./line-search.ts";
import { signedAddress, unsignedAddress } from "./link-address.ts";

/** Addresses that are searched for one by one before all rows are made. */
const MAX_SEARCHES = 3;

/** What a line table needs to know of its unit. */
export type LineUnit = Pick<Unit, "lineOffset" | "directory" | "addressSize">;

export class LineTable {
  readonly #sections: DebugSections;
  readonly #header: LineHeader;
  #rows: LineRows | undefined;
  #searches = 0;

  private constructor(sections: DebugSections, header: LineHeader) {
    this.#sections = sections;
    this.#header = header;
  }

  /** undefined when the unit has none. Throws FormatError when its header is damaged. */
  static open(sections: DebugSections, unit: LineUnit): LineTable | undefined {
    if (unit.lineOffset === undefined) return undefined;
    return new LineTable(sections, LineHeader.read(sections, unit.lineOffset, unit.directory, unit.addressSize));
  }

  /** Path of a file by its number in rows, DW_AT_decl_file and DW_AT_call_file; undefined when there is none. */
  fileName(index: number): string | undefined {
    return this.#header.path(index);
  }

  /** Rows that the program made, ends of sequences among them: what this table costs in memory (17 bytes each). 0 before it ran. */
  get size(): number {
    return this.#rows?.lines.length ?? 0;
  }

  /** The row that covers a link-time address. Throws FormatError when the program is damaged. */
  row(address: bigint): LineRow | undefined {
    const found = this.#rows === undefined && this.#searches++ < MAX_SEARCHES ? this.#search(signedAddress(address)) : null;
    if (found === undefined) return undefined;
    if (found !== null) {
      const { low, high, file, line, column, statement } = found;
      const range = { low: unsignedAddress(low), high: unsignedAddress(high) };
      return { range, file: this.fileName(file) ?? "?", line, column, statement };
    }
    const covering = this.#covering(signedAddress(address));
    // The last of several rows at one address: those before it cover nothing.
    return covering === undefined ? undefined : this.#row(covering.row);
  }

  /**
   * The row that gdb shows for an address: of several at one address the last that begins a statement. The others name where the
   * instruction itself comes from, this one what a reader of the source would say happens here.
   */
  statementRow(address: bigint): LineRow | undefined {
    const found = this.#covering(signedAddress(address));
    if (found === undefined) return undefined;
    const { addresses, statements, lines } = this.#run();
    for (let row = found.row; row >= found.first && addresses[row] === addresses[found.row] && lines[row] !== 0; row--) {
      if (statements[row] === 1) return { ...this.#row(row), range: this.#row(found.row).range };
    }
    return this.#row(found.row);
  }

  /** The last row at or before an address, and the first one of its sequence. */
  #covering(wanted: number): { readonly row: number; readonly first: number } | undefined {
    const { addresses, firsts, lasts } = this.#run();
    const sequence = lastNotAbove(firsts.length, (i) => addresses[firsts[i]!]!, wanted);
    if (sequence < 0 || !(wanted < addresses[lasts[sequence]!]!)) return undefined;
    const first = firsts[sequence]!;
    return { row: first + lastNotAbove(lasts[sequence]! - first, (i) => addresses[first + i]!, wanted), first };
  }

  /** Rows that touch a range, in ascending order; rows that cover nothing are left out. */
  *rows(range: AddressRange): Iterable<LineRow> {
    const { addresses, firsts, lasts } = this.#run();
    const low = signedAddress(range.low);
    const high = signedAddress(range.high);
    let sequence = Math.max(
      0,
      lastNotAbove(firsts.length, (i) => addresses[firsts[i]!]!, low),
    );
    for (; sequence < firsts.length && addresses[firsts[sequence]!]! < high; sequence++) {
      const first = firsts[sequence]!;
      const last = lasts[sequence]!;
      const start = Math.max(
        0,
        lastNotAbove(last - first, (i) => addresses[first + i]!, low),
      );
      for (let i = first + start; i < last && addresses[i]! < high; i++) {
        if (addresses[i + 1]! > addresses[i]! && addresses[i + 1]! > low) yield this.#row(i);
      }
    }
  }

  /** The first row of each run of rows of a line. @param tail of the file's path: "mm/slub.c" */
  find(tail: string, line: number): readonly LineRow[] {
    const numbers = this.#numbersOf(tail);
    const found: LineRow[] = [];
    if (numbers.size === 0) return found;
    const { addresses, lines, files, firsts, lasts } = this.#run();
    firsts.forEach((first, sequence) => {
      let before = false;
      for (let i = first; i < lasts[sequence]!; i++) {
        if (addresses[i + 1] === addresses[i]) continue;
        const matches = lines[i] === line && numbers.has(files[i]!);
        if (matches && !before) found.push(this.#row(i));
        before = matches;
      }
    });
    return found;
  }

  #search(wanted: number): FoundRow | undefined | null {
    const section = this.#sections.section(".debug_line");
    return section === undefined ? undefined : searchLineProgram(section, this.#header, this.#sections.file, wanted);
  }

  #numbersOf(tail: string): Set<number> {
    const last = baseName(tail);
    const numbers = new Set<number>();
    for (let i = 0; i < this.#header.fileCount; i++) {
      if (this.#header.fileBaseName(i) !== last) continue;
      const path = this.#header.path(i);
      if (path !== undefined && endsWithPath(path, tail)) numbers.add(i);
    }
    return numbers;
  }

  #row(index: number): LineRow {
    const { addresses, lines, files, columns, statements } = this.#run();
    return {
      range: { low: unsignedAddress(addresses[index]!), high: unsignedAddress(addresses[index + 1]!) },
      file: this.fileName(files[index]!) ?? "?",
      line: lines[index]!,
      column: columns[index]!,
      statement: statements[index] === 1,
    };
  }

  #run(): LineRows {
    if (this.#rows !== undefined) return this.#rows;
    const section = this.#sections.section(".debug_line");
    if (section === undefined) throw new FormatError(this.#sections.file, "no section .debug_line");
    this.#rows = runLineProgram(section, this.#header, this.#sections.file);
    return this.#rows;
  }
}

/** Index of the last of `count` ascending keys that is not above the wanted one; -1 when all are (also for NaN). */
function lastNotAbove(count: number, key: (index: number) => number, wanted: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (key(middle) <= wanted) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
