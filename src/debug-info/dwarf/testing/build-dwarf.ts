/**
 * Composes debug information in memory: entries as a tree, written as units of any version with their abbreviations, strings, addresses
 * and lists.
 *
 *   const int = die(dw.DW_TAG_base_type, [[dw.DW_AT_name, "int"], [dw.DW_AT_byte_size, 4]]);
 *   const root = die(dw.DW_TAG_compile_unit, [[dw.DW_AT_name, "a.c"], [dw.DW_AT_low_pc, 0x1000n]], int,
 *     die(dw.DW_TAG_variable, [[dw.DW_AT_name, "x"], [dw.DW_AT_type, int]]));
 *   const units = openUnits(buildDwarf([{ root }]));
 *
 * A value's form follows from its type: text is strp, a number udata (sdata below 0), a bigint an address, true a flag, an entry a reference
 * (ref4 in its unit, ref_addr to another), bytes an expression, rangeList() and locationList() an offset, base a unit's base of a table. Any
 * other form is given as the third element.
 */
import { MemorySections } from "./memory-sections.ts";
import type { TestDie, TestFile, TestUnit } from "./test-entries.ts";
import { Sections, UnitWriter } from "./unit-writer.ts";

/** Sections that buildDwarf() made. */
export class BuiltDwarf extends MemorySections {
  readonly #offsets: ReadonlyMap<TestDie, number>;

  constructor(contents: Map<string, Uint8Array>, file: TestFile, offsets: ReadonlyMap<TestDie, number>) {
    super(contents, file.file, file.split);
    this.#offsets = offsets;
  }

  /** Where an entry was written, in its section. */
  offsetOf(die: TestDie): number {
    return this.#offsets.get(die)!;
  }
}

export function buildDwarf(units: readonly TestUnit[], file: TestFile = {}): BuiltDwarf {
  const builder = new Builder(units, file.split ?? false);
  // The first pass finds where entries are; sizes do not depend on it.
  builder.write();
  const contents = builder.write();
  for (const [name, bytes] of Object.entries(file.sections ?? {})) contents.set(name, bytes);
  return new BuiltDwarf(contents, file, builder.offsets);
}

class Builder {
  readonly offsets = new Map<TestDie, number>();
  readonly #units: readonly TestUnit[];
  readonly #split: boolean;
  readonly #unitOf = new Map<TestDie, TestUnit>();
  readonly #ends = new Map<TestDie, number>();

  constructor(units: readonly TestUnit[], split: boolean) {
    this.#units = units;
    this.#split = split;
    for (const unit of units) {
      const queue = [unit.root];
      for (let die = queue.pop(); die !== undefined; die = queue.pop()) {
        this.#unitOf.set(die, unit);
        queue.push(...die.children);
      }
    }
  }

  write(): Map<string, Uint8Array> {
    const out = new Sections();
    for (const unit of this.#units) new UnitWriter(unit, this.#split, out, this.offsets, this.#ends, this.#unitOf).write();
    return new Map([...out.writers].filter(([, writer]) => writer.length > 0).map(([name, writer]) => [name, writer.finish()]));
  }
}
