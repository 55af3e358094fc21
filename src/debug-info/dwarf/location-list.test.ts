import { describe, expect, it } from "vitest";
import * as dw from "./constants.ts";
import type { DwarfDie } from "./die-entry.ts";
import { buildDwarf } from "./testing/build-dwarf.ts";
import { locationList, type TestListEntry } from "./testing/build-lists.ts";
import { base, die, type TestAttribute, type TestUnit } from "./testing/test-entries.ts";
import { openUnits } from "./units.ts";

const BASE = 0xffffffff81000000n;
const L = dw.DW_AT_location;

function variable(attributes: readonly TestAttribute[], root: readonly TestAttribute[] = [], unit: Partial<TestUnit> = {}): DwarfDie {
  const entry = die(dw.DW_TAG_variable, attributes);
  const before = die(dw.DW_TAG_compile_unit, [[L, locationList(["offset_pair", 1, 2, [9]])], ...root]);
  const built = buildDwarf([
    { ...unit, root: before },
    { ...unit, root: die(dw.DW_TAG_compile_unit, root, entry) },
  ]);
  return openUnits(built).die(built.offsetOf(entry));
}

/** Offset from BASE to the expression's bytes, for places around each bound. */
function probe(entry: DwarfDie, ...offsets: number[]): (number[] | undefined)[] {
  return offsets.map((offset) => {
    const found = entry.unit.locationAt(entry, L, BASE + BigInt(offset));
    return found === undefined ? undefined : [...found];
  });
}

describe("locations", () => {
  it("one expression holds everywhere", () => {
    const entry = variable([[L, [0x91, 0x10]]]);
    expect(probe(entry, 0, 1 << 20)).toEqual([
      [0x91, 0x10],
      [0x91, 0x10],
    ]);
    expect([...entry.unit.locations(entry, L)]).toEqual([{ range: undefined, expression: Uint8Array.of(0x91, 0x10) }]);
    expect(probe(variable([[L, [1], dw.DW_FORM_block1]], [], { version: 3 }), 0)).toEqual([[1]]);
  });

  it("none of what is no location", () => {
    expect(probe(variable([[dw.DW_AT_name, "x"]]), 0)).toEqual([undefined]);
    expect(probe(variable([[L, 5]]), 0)).toEqual([undefined]);
  });

  const low: TestAttribute = [dw.DW_AT_low_pc, BASE];
  const old: TestListEntry[] = [
    ["offset_pair", 0x10, 0x20, [1]],
    ["offset_pair", 0x20, 0x20, [2]],
    ["offset_pair", 0x20, 0x28, []],
    ["base_address", BASE + 0x1000n],
    ["offset_pair", 0, 8, [3]],
  ];
  for (const version of [2, 3, 4] as const)
    for (const offsetSize of [4, 8] as const)
      it(`lists of version ${version}, ${8 * offsetSize}-bit`, () => {
        const form = version === 4 ? dw.DW_FORM_sec_offset : offsetSize === 8 ? dw.DW_FORM_data8 : dw.DW_FORM_data4;
        const entry = variable([[L, locationList(...old), form]], [low], { version, offsetSize });
        expect(probe(entry, 0xf, 0x10, 0x1f, 0x20, 0x27, 0x28, 0x1000, 0x1007, 0x1008)).toEqual([
          undefined,
          [1],
          [1],
          [],
          [],
          undefined,
          [3],
          [3],
          undefined,
        ]);
      });

  const all: TestListEntry[] = [
    ["view_pair", 0, 200],
    ["offset_pair", 0x10, 0x20, [1]],
    ["default_location", [7]],
    ["base_address", BASE + 0x1000n],
    ["offset_pair", 0, 0, [2]],
    ["offset_pair", 0, 8, [3]],
    ["start_end", BASE + 0x2000n, BASE + 0x2008n, [4, 4]],
    ["start_length", BASE + 0x3000n, 8, new Array(700).fill(5)],
    ["base_addressx", BASE + 0x4000n],
    ["offset_pair", 0, 8, [6]],
    ["startx_endx", BASE + 0x5000n, BASE + 0x5008n, [8]],
    ["startx_length", BASE + 0x6000n, 8, [9]],
  ];
  for (const offsetSize of [4, 8] as const)
    for (const form of [dw.DW_FORM_sec_offset, dw.DW_FORM_loclistx])
      it(`lists of version 5, ${8 * offsetSize}-bit, form 0x${form.toString(16)}`, () => {
        const root: TestAttribute[] = [low, [dw.DW_AT_addr_base, base], [dw.DW_AT_loclists_base, base]];
        // The views of GCC lie before the list that the attribute points to.
        const views: TestAttribute = [dw.DW_AT_GNU_locviews, 3, dw.DW_FORM_sec_offset];
        const entry = variable([views, [L, locationList(...all), form]], root, { offsetSize });
        expect(probe(entry, 0x10, 0x1000, 0x2007, 0x3000, 0x4000, 0x5007, 0x6007, 0x6008)).toEqual([
          [1],
          [3],
          [4, 4],
          new Array(700).fill(5),
          [6],
          [8],
          [9],
          [7],
        ]);
        expect([...entry.unit.locations(entry, L)]).toHaveLength(8);
      });

  it("lists that are damaged", () => {
    const entry = die(dw.DW_TAG_variable, [[L, locationList(["start_length", 8n, 1, [1, 2, 3]])]]);
    const built = buildDwarf([{ root: die(dw.DW_TAG_compile_unit, [], entry) }]);
    const lists = built.contents.get(".debug_loclists")!;
    const read = () => {
      const found = openUnits(built).die(built.offsetOf(entry));
      return found.unit.locationAt(found, L, 100n);
    };
    expect(read()).toBeUndefined();
    built.contents.set(".debug_loclists", lists.slice(0, -3));
    expect(read).toThrow("the data ends");
    const wrong = lists.slice();
    wrong[wrong.length - 1] = 99;
    built.contents.set(".debug_loclists", wrong);
    expect(read).toThrow("unknown kind 99");
  });
});
