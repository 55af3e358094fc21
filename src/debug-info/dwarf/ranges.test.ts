import { describe, expect, it } from "vitest";
import * as dw from "./constants.ts";
import type { DwarfDie } from "./die-entry.ts";
import { buildDwarf } from "./testing/build-dwarf.ts";
import { rangeList, type TestListEntry } from "./testing/build-lists.ts";
import { base, die, type TestAttribute, type TestUnit } from "./testing/test-entries.ts";
import { openUnits } from "./units.ts";

const BASE = 0xffffffff81000000n;

function rangesIn(attributes: readonly TestAttribute[], root: readonly TestAttribute[], unit: Partial<TestUnit>): DwarfDie["ranges"] {
  const entry = die(dw.DW_TAG_subprogram, attributes);
  const built = buildDwarf([
    // Something before, so that no offset is 0 by chance.
    { ...unit, root: die(dw.DW_TAG_compile_unit, [[dw.DW_AT_ranges, rangeList(["offset_pair", 1, 2])], ...root]) },
    { ...unit, root: die(dw.DW_TAG_compile_unit, root, entry) },
  ]);
  return openUnits(built).die(built.offsetOf(entry)).ranges;
}

const at = (...pairs: [number, number][]) => pairs.map(([low, high]) => ({ low: BASE + BigInt(low), high: BASE + BigInt(high) }));

describe("one range", () => {
  it("of an address and an end, or a size", () => {
    const low: TestAttribute = [dw.DW_AT_low_pc, BASE];
    expect(rangesIn([low, [dw.DW_AT_high_pc, BASE + 16n]], [], {})).toEqual(at([0, 16]));
    expect(rangesIn([low, [dw.DW_AT_high_pc, 16]], [], {})).toEqual(at([0, 16]));
    expect(rangesIn([low, [dw.DW_AT_high_pc, 0x7ffffffn, dw.DW_FORM_data8]], [], {})).toEqual(at([0, 0x7ffffff]));
    expect(rangesIn([low, [dw.DW_AT_high_pc, 0]], [], {})).toEqual([]);
    expect(rangesIn([low], [], {})).toEqual([]);
    expect(rangesIn([[dw.DW_AT_high_pc, 4]], [], {})).toEqual([]);
  });
});

describe("lists", () => {
  const low: TestAttribute = [dw.DW_AT_low_pc, BASE];
  const old: TestListEntry[] = [
    ["offset_pair", 0x10, 0x20],
    ["offset_pair", 0x30, 0x30],
    ["base_address", BASE + 0x1000n],
    ["offset_pair", 0, 8],
  ];
  for (const version of [2, 3, 4] as const)
    for (const offsetSize of [4, 8] as const)
      it(`of version ${version}, ${8 * offsetSize}-bit`, () => {
        const form = version === 4 ? undefined : offsetSize === 8 ? dw.DW_FORM_data8 : dw.DW_FORM_data4;
        const ranges: TestAttribute =
          form === undefined ? [dw.DW_AT_ranges, rangeList(...old)] : [dw.DW_AT_ranges, rangeList(...old), form];
        expect(rangesIn([ranges], [low], { version, offsetSize })).toEqual(at([0x10, 0x20], [0x1000, 0x1008]));
      });

  it("with addresses of four bytes", () => {
    const entries: TestListEntry[] = [
      ["base_address", 0x8000n],
      ["offset_pair", 1, 2],
    ];
    const expected = [{ low: 0x8001n, high: 0x8002n }];
    for (const version of [4, 5] as const)
      expect(rangesIn([[dw.DW_AT_ranges, rangeList(...entries)]], [], { version, addressSize: 4 })).toEqual(expected);
  });

  const all: TestListEntry[] = [
    ["offset_pair", 0x10, 0x200000],
    ["base_address", BASE + 0x400000n],
    ["offset_pair", 1, 2],
    ["start_end", BASE + 0x500000n, BASE + 0x500010n],
    ["start_length", BASE + 0x600000n, 0x20],
    ["base_addressx", BASE + 0x700000n],
    ["offset_pair", 3, 4],
    ["startx_endx", BASE + 0x800000n, BASE + 0x800030n],
    ["startx_length", BASE + 0x900000n, 0x40],
    ["start_length", BASE, 0],
    ["start_end", 0xffffffffffffffffn, 0n],
  ];
  const expected = at(
    [0x10, 0x200000],
    [0x400001, 0x400002],
    [0x500000, 0x500010],
    [0x600000, 0x600020],
    [0x700003, 0x700004],
    [0x800000, 0x800030],
    [0x900000, 0x900040],
  );
  for (const offsetSize of [4, 8] as const)
    for (const form of [dw.DW_FORM_sec_offset, dw.DW_FORM_rnglistx])
      for (const withBase of [true, false])
        it(`of version 5, ${8 * offsetSize}-bit, form 0x${form.toString(16)}, ${withBase ? "a" : "no"} base`, () => {
          if (!withBase && form === dw.DW_FORM_rnglistx) return;
          const root: TestAttribute[] = [low, [dw.DW_AT_addr_base, base], ...(withBase ? [[dw.DW_AT_rnglists_base, base] as const] : [])];
          const ranges: TestAttribute = [dw.DW_AT_ranges, rangeList(...all), form];
          expect(rangesIn([[dw.DW_AT_entry_pc, 1n], ranges], root, { offsetSize })).toEqual(expected);
        });

  it("an index without a base counts from the section's first list", () => {
    const entry = die(dw.DW_TAG_subprogram, [
      [dw.DW_AT_ranges, rangeList(["start_length", 8n, 1]), dw.DW_FORM_rnglistx],
      [dw.DW_AT_start_scope, rangeList(["start_length", 9n, 1]), dw.DW_FORM_rnglistx],
    ]);
    const built = buildDwarf([{ root: die(dw.DW_TAG_compile_unit, [], entry) }]);
    const found = openUnits(built).die(built.offsetOf(entry));
    expect(found.ranges).toEqual([{ low: 8n, high: 9n }]);
    expect(found.classOf(dw.DW_AT_ranges)).toBe("section offset");
    // A header of 12 bytes, 16 offsets, the first list of 11 bytes.
    expect(found.number(dw.DW_AT_start_scope)).toBe(12 + 64 + 11);
  });

  it("longer than what is read at once", () => {
    const entries = Array.from({ length: 5000 }, (_, i) => ["start_length", BASE + BigInt(i * 32), 16] as const);
    expect(rangesIn([[dw.DW_AT_ranges, rangeList(...entries)]], [], {})).toEqual(
      at(...entries.map((_, i) => [i * 32, i * 32 + 16] as [number, number])),
    );
  });

  it("that do not end, of unknown kind, beyond the section", () => {
    const entry = die(dw.DW_TAG_subprogram, [[dw.DW_AT_ranges, rangeList(["start_length", 8n, 1])]]);
    const beyond = die(dw.DW_TAG_subprogram, [[dw.DW_AT_ranges, 5000, dw.DW_FORM_sec_offset]]);
    const built = buildDwarf([{ root: die(dw.DW_TAG_compile_unit, [], entry, beyond) }]);
    const lists = built.contents.get(".debug_rnglists")!;
    const read = (which = entry) => openUnits(built).die(built.offsetOf(which)).ranges;
    expect(() => read(beyond)).toThrow("beyond the section");
    built.contents.set(".debug_rnglists", lists.slice(0, -1));
    expect(() => read()).toThrow("the data ends");
    const wrong = lists.slice();
    wrong[wrong.length - 1] = 99;
    built.contents.set(".debug_rnglists", wrong);
    expect(() => read()).toThrow("unknown kind 99");
    built.contents.delete(".debug_rnglists");
    expect(() => read()).toThrow("section .debug_rnglists, which it does not have");
  });
});
