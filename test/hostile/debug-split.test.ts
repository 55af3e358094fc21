/**
 * Damaged debug information that is spread over several files: a skeleton with a package of split units, a supplementary file (dwz), type
 * units. Composed in memory; one section of one of the files is damaged per seed.
 */
import { describe, expect, test } from "vitest";
import * as dw from "../../src/debug-info/dwarf/constants.ts";
import { buildDwarf } from "../../src/debug-info/dwarf/testing/build-dwarf.ts";
import { locationList, rangeList } from "../../src/debug-info/dwarf/testing/build-lists.ts";
import { buildPackage } from "../../src/debug-info/dwarf/testing/build-package.ts";
import { MemorySections } from "../../src/debug-info/dwarf/testing/memory-sections.ts";
import { base, die, type TestAttribute, type TestUnit } from "../../src/debug-info/dwarf/testing/test-entries.ts";
import { Answers, askUnits } from "./debug-answers.ts";
import { damage } from "./debug-mutation.ts";

const SEEDS = 1000;
const MAX_MILLISECONDS = 5000;
const TEXT = 0xffffffff81000000n;
const ID = 0x1234n;
const SIGNATURE = 0x5678n;

const name = (text: string): TestAttribute => [dw.DW_AT_name, text];

/** The main file, its package and its supplementary file, version 4 (GCC's extensions) or 5. */
function files(version: 4 | 5): MemorySections[] {
  const v5 = version === 5;
  const strx = v5 ? dw.DW_FORM_strx1 : dw.DW_FORM_GNU_str_index;
  const shared = die(dw.DW_TAG_base_type, [name("int"), [dw.DW_AT_byte_size, 4]]);
  const partial = die(dw.DW_TAG_partial_unit, [], shared);
  const supplementary = buildDwarf([{ version, root: partial, type: dw.DW_UT_partial }], { file: "shared.debug" });
  const type = die(dw.DW_TAG_structure_type, [[dw.DW_AT_name, "s", strx]], die(dw.DW_TAG_member, [[dw.DW_AT_name, "m", strx]]));
  const variable = die(dw.DW_TAG_variable, [
    [
      dw.DW_AT_location,
      locationList(["base_addressx", 1], ["offset_pair", 0, 8, [0x50]], ["startx_length", 1, 4, [0x91, 0]]),
      v5 ? dw.DW_FORM_loclistx : dw.DW_FORM_sec_offset,
    ],
    [dw.DW_AT_type, SIGNATURE, dw.DW_FORM_ref_sig8],
  ]);
  const ranges: TestAttribute = v5
    ? [dw.DW_AT_ranges, rangeList(["offset_pair", 0x10, 0x20]), dw.DW_FORM_rnglistx]
    : [dw.DW_AT_ranges, 0, dw.DW_FORM_sec_offset];
  const root = die(
    dw.DW_TAG_compile_unit,
    [[dw.DW_AT_name, "x.c", strx], ...(v5 ? [] : [[dw.DW_AT_GNU_dwo_id, ID, dw.DW_FORM_data8] as const])],
    die(dw.DW_TAG_subprogram, [[dw.DW_AT_name, "f", strx], ranges], variable),
  );
  const split: TestUnit = { version, root, ...(v5 ? { id: ID, type: dw.DW_UT_split_compile } : {}) };
  const typeUnit: TestUnit = {
    version,
    type: v5 ? dw.DW_UT_split_type : dw.DW_UT_type,
    signature: SIGNATURE,
    typeDie: type,
    root: die(dw.DW_TAG_type_unit, [], type),
  };
  const packed = buildPackage(v5 ? 5 : 2, [
    { id: ID, sections: buildDwarf([split], { split: true }) },
    { id: SIGNATURE, sections: buildDwarf([typeUnit], { split: true }), type: true },
  ]);
  const skeleton: TestAttribute[] = [
    [v5 ? dw.DW_AT_dwo_name : dw.DW_AT_GNU_dwo_name, "x.dwo"],
    [dw.DW_AT_low_pc, TEXT],
    [dw.DW_AT_high_pc, 0x1000],
    [v5 ? dw.DW_AT_addr_base : dw.DW_AT_GNU_addr_base, base],
    [dw.DW_AT_const_value, TEXT, dw.DW_FORM_addrx],
    [dw.DW_AT_const_value, TEXT + 0x100n, dw.DW_FORM_addrx],
    [dw.DW_AT_start_scope, rangeList(["offset_pair", 0x10, 0x20])],
  ];
  if (!v5) skeleton.push([dw.DW_AT_GNU_dwo_id, ID, dw.DW_FORM_data8], [dw.DW_AT_GNU_ranges_base, 0, dw.DW_FORM_sec_offset]);
  const user = die(
    dw.DW_TAG_compile_unit,
    [],
    die(dw.DW_TAG_imported_unit, [[dw.DW_AT_import, supplementary.offsetOf(partial), dw.DW_FORM_GNU_ref_alt]]),
    die(dw.DW_TAG_variable, [
      [dw.DW_AT_name, 0, dw.DW_FORM_GNU_strp_alt],
      [dw.DW_AT_type, supplementary.offsetOf(shared), dw.DW_FORM_GNU_ref_alt],
    ]),
  );
  const main = buildDwarf([
    { version, root: user },
    v5
      ? { version, id: ID, type: dw.DW_UT_skeleton, root: die(dw.DW_TAG_skeleton_unit, skeleton) }
      : { version, root: die(dw.DW_TAG_compile_unit, skeleton) },
  ]);
  return [main, packed, supplementary];
}

/** Copies of the files, tied together as they were, with one section damaged. */
function damaged(originals: readonly MemorySections[], seed: number): MemorySections {
  const places = originals.flatMap((file, index) => [...file.contents.keys()].map((section) => ({ index, section })));
  const place = places[seed % places.length]!;
  const [main, packed, supplementary] = originals.map((file, index) => {
    const contents = new Map(file.contents);
    const bytes = contents.get(place.section)!;
    if (seed > 0 && index === place.index && bytes.length > 0)
      contents.set(place.section, damage(bytes, { name: place.section, from: 0, to: bytes.length }, seed));
    return new MemorySections(contents, file.file, file.split);
  }) as [MemorySections, MemorySections, MemorySections];
  main.alternative = supplementary;
  main.splits.set(ID, packed);
  return main;
}

describe.each([4, 5] as const)("version %i", (version) => {
  const originals = files(version);

  test("as it is, everything is answered", () => {
    const answers = new Answers();
    askUnits(damaged(originals, 0), answers);
    expect(answers.bugs).toEqual([]);
    expect(answers.refused).toBe(0);
    expect(answers.count).toBeGreaterThan(70);
  });

  test(`${SEEDS} seeds`, () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const answers = new Answers();
      const start = performance.now();
      askUnits(damaged(originals, seed), answers);
      expect(answers.bugs, `seed ${seed}`).toEqual([]);
      expect(performance.now() - start, `seed ${seed}`).toBeLessThan(MAX_MILLISECONDS);
    }
  });
});
