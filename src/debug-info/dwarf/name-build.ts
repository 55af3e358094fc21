/**
 * Building the index: one pass over all units in large pieces, each read once.
 *
 *   .debug_info  │ piece of whole units, ~4 MiB │ … │     each: read, walk its units into the sink
 */
import { FormatError, InquestError } from "../../bytes/errors.ts";
import type { DebugSections, SectionData } from "../debug-sections.ts";
import { type FunctionArrays, finishFunctions } from "./function-map.ts";
import { finishNames, type NameArrays } from "./name-index.ts";
import { type NameSink, newUnitBases, type Stray } from "./name-sink.ts";
import { addSplitUnit } from "./name-split.ts";
import { FunctionRows, NameTable, RecordTable } from "./name-table.ts";
import { readInto, type UnitTable, unitContaining } from "./name-units.ts";
import { NameWalk } from "./name-walk.ts";
import { openUnits } from "./units.ts";

const PIECE = 1 << 22;
/** A unit larger than this is no compiler's. */
const MAX_UNIT = 1 << 30;

export interface BuiltIndex {
  readonly names: NameArrays;
  readonly functions: FunctionArrays;
  /** Units that are damaged, the list of them included; their names up to the damage are in. */
  readonly damaged: number;
}

/** The tables that a pass fills. */
export interface TableSink extends NameSink {
  readonly names: NameTable;
  readonly records: RecordTable;
  readonly functions: FunctionRows;
  readonly strays: Stray[];
  readonly skeletons: number[];
}

export class NameBuilder {
  readonly sink: TableSink;
  /** What is wrong with units, a few. */
  damaged = 0;
  /** Bytes of .debug_str: names with a larger place stand in the pool. */
  readonly stringsSize: number;
  readonly #units: UnitTable;
  readonly #section: SectionData;
  readonly #walk: NameWalk;
  #buffer = new Uint8Array(0);

  constructor(sections: DebugSections, section: SectionData, units: UnitTable) {
    const strings = sections.section(".debug_str");
    this.#units = units;
    this.#section = section;
    this.stringsSize = strings?.size ?? 0;
    this.sink = {
      names: new NameTable(strings === undefined ? new Uint8Array(0) : strings.read(0, strings.size)),
      records: new RecordTable(),
      functions: new FunctionRows(),
      strays: [],
      skeletons: [],
      bases: newUnitBases(units.count),
    };
    this.#walk = new NameWalk(sections, this.sink);
  }

  /** Walks units from one number to another. */
  walk(from: number, to: number): void {
    const { start, end } = this.#units;
    for (let unit = from; unit < to; ) {
      const base = start[unit] as number;
      let behind = unit + 1;
      while (behind < to && (end[behind] as number) - base <= PIECE) behind++;
      const size = (end[behind - 1] as number) - base;
      if (size > MAX_UNIT) {
        this.damaged++;
        unit = behind;
        continue;
      }
      this.#load(base, size);
      for (; unit < behind; unit++) this.#attempt(() => this.#walk.walk(this.#units, unit, this.#buffer, base));
    }
  }

  /** Names the strays, from the units that they refer to. */
  nameStrays(): void {
    const { strays, records } = this.sink;
    let loaded = -1;
    for (const { origin, single, kind, rank, print, die, unit } of strays.splice(0).sort((a, b) => a.origin - b.origin)) {
      const holder = unitContaining(this.#units, origin);
      if (holder < 0) continue;
      const base = this.#units.start[holder] as number;
      if (holder !== loaded) this.#load(base, (this.#units.end[holder] as number) - base);
      loaded = holder;
      this.#attempt(() => {
        const name = this.#walk.nameAt(this.#units, holder, this.#buffer, base, origin);
        if (name >= 0) records[single ? "add" : "fold"](name, kind, rank, print, die, unit);
      });
    }
  }

  /** Adds what the split files of skeleton units have; one that is not there hides names, which is damage. */
  addSplitUnits(sections: DebugSections): void {
    if (this.sink.skeletons.length === 0) return;
    const file = openUnits(sections);
    for (const number of this.sink.skeletons.splice(0)) {
      this.#attempt(() => {
        const { root } = file.unitAt(this.#units.start[number] as number);
        if (root.unit.kind === "split") addSplitUnit(root, number, this.sink);
        else this.damaged++;
      });
    }
  }

  #load(base: number, size: number): void {
    if (size > this.#buffer.length) this.#buffer = new Uint8Array(Math.max(size, Math.min(PIECE, this.#section.size)));
    readInto(this.#section, this.#buffer.subarray(0, size), base);
  }

  /** Damage costs what it damages. */
  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      this.damaged++;
    }
  }
}

/** The index of a file, built at once. Throws FormatError when it has no .debug_info. */
export function buildIndex(sections: DebugSections, units: UnitTable): BuiltIndex {
  const section = sections.section(".debug_info");
  if (section === undefined) throw new FormatError(sections.file, "no .debug_info");
  const builder = new NameBuilder(sections, section, units);
  builder.walk(0, units.count);
  return finish(builder, sections, units);
}

/** Makes an index of what was collected. */
export function finish(builder: NameBuilder, sections: DebugSections, units: UnitTable): BuiltIndex {
  builder.nameStrays();
  builder.addSplitUnits(sections);
  const { names, records, functions, bases } = builder.sink;
  return {
    names: finishNames(names, records, units.start),
    functions: finishFunctions(functions, units, bases, sections),
    damaged: builder.damaged + (units.damage === undefined ? 0 : 1),
  };
}
