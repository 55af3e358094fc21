import { describe, expect, it } from "vitest";
import * as dw from "./constants.ts";
import type { DwarfDie } from "./die-entry.ts";
import { SectionPages } from "./section-pages.ts";
import { findContributions } from "./split-index.ts";
import { type BuiltDwarf, buildDwarf } from "./testing/build-dwarf.ts";
import { locationList, rangeList } from "./testing/build-lists.ts";
import { buildPackage } from "./testing/build-package.ts";
import { base, die, type TestAttribute, type TestUnit } from "./testing/test-entries.ts";
import { openUnits } from "./units.ts";

const TEXT = 0xffffffff81000000n;
const ID = 0xfedcba9876543210n;
const SIGNATURE = 0x1122334455667788n;

/** A main file of one skeleton behind a unit that is whole. */
function skeleton(version: 4 | 5, id: bigint): BuiltDwarf {
  const v5 = version === 5;
  const attributes: TestAttribute[] = [
    [v5 ? dw.DW_AT_dwo_name : dw.DW_AT_GNU_dwo_name, "x.dwo"],
    [dw.DW_AT_comp_dir, "/build"],
    [dw.DW_AT_stmt_list, 0x4242, dw.DW_FORM_sec_offset],
    [dw.DW_AT_low_pc, TEXT, v5 ? dw.DW_FORM_addrx : dw.DW_FORM_addr],
    [dw.DW_AT_high_pc, 0x1000],
    [v5 ? dw.DW_AT_addr_base : dw.DW_AT_GNU_addr_base, base],
    // Makes entries 1 and 2 of the unit's .debug_addr.
    [dw.DW_AT_const_value, TEXT + 0x100n, dw.DW_FORM_addrx],
    [dw.DW_AT_const_value, TEXT + 0x200n, dw.DW_FORM_addrx],
  ];
  if (!v5) {
    const index = attributes.findIndex(([attribute]) => attribute === dw.DW_AT_low_pc);
    attributes.splice(index, 0, [dw.DW_AT_const_value, TEXT, dw.DW_FORM_addrx]);
    attributes.push([dw.DW_AT_GNU_dwo_id, id, dw.DW_FORM_data8], [dw.DW_AT_GNU_ranges_base, 0x20, dw.DW_FORM_sec_offset]);
    // Two lists in .debug_ranges: padding, then the one that the base points to.
    attributes.push(
      [dw.DW_AT_start_scope, rangeList(["offset_pair", 1, 2])],
      [dw.DW_AT_start_scope, rangeList(["offset_pair", 0x10, 0x20])],
    );
  }
  const other: TestUnit = {
    version,
    root: die(dw.DW_TAG_compile_unit, [
      [dw.DW_AT_low_pc, 5n, dw.DW_FORM_addrx],
      [dw.DW_AT_name, "whole.c"],
    ]),
  };
  return buildDwarf([
    other,
    v5
      ? { version, id, type: dw.DW_UT_skeleton, root: die(dw.DW_TAG_skeleton_unit, attributes) }
      : { version, root: die(dw.DW_TAG_compile_unit, attributes) },
  ]);
}

/** A split file: a function with ranges and a variable with places, a type by signature. */
function splitFile(version: 4 | 5, id: bigint, name: string): { built: BuiltDwarf; typeUnit: TestUnit } {
  const v5 = version === 5;
  const strx = v5 ? dw.DW_FORM_strx1 : dw.DW_FORM_GNU_str_index;
  const places = locationList(["base_addressx", 1], ["offset_pair", 0, 8, [1]], ["startx_endx", 1, 2, [2]], ["startx_length", 2, 4, [3]]);
  const attributes: TestAttribute[] = [[dw.DW_AT_name, name, strx]];
  if (!v5) attributes.push([dw.DW_AT_GNU_dwo_id, id, dw.DW_FORM_data8]);
  const root = die(
    dw.DW_TAG_compile_unit,
    attributes,
    die(
      dw.DW_TAG_subprogram,
      [
        [dw.DW_AT_name, `function of ${name}`, strx],
        v5 ? [dw.DW_AT_ranges, rangeList(["offset_pair", 0x10, 0x20]), dw.DW_FORM_rnglistx] : [dw.DW_AT_ranges, 0, dw.DW_FORM_sec_offset],
        [dw.DW_AT_entry_pc, 2, v5 ? dw.DW_FORM_addrx : dw.DW_FORM_GNU_addr_index],
      ],
      die(dw.DW_TAG_variable, [
        [dw.DW_AT_location, places, v5 ? dw.DW_FORM_loclistx : dw.DW_FORM_sec_offset],
        [dw.DW_AT_type, SIGNATURE, dw.DW_FORM_ref_sig8],
      ]),
    ),
  );
  const type = die(dw.DW_TAG_structure_type, [[dw.DW_AT_name, "shared", strx]]);
  const typeUnit: TestUnit = {
    version,
    type: v5 ? dw.DW_UT_split_type : dw.DW_UT_type,
    signature: SIGNATURE,
    typeDie: type,
    root: die(dw.DW_TAG_type_unit, [], type),
  };
  const unit: TestUnit = { version, root, ...(v5 ? { id, type: dw.DW_UT_split_compile } : {}) };
  return { built: buildDwarf([unit], { split: true, file: `${name}.dwo` }), typeUnit };
}

function check(main: BuiltDwarf, name: string): void {
  const units = openUnits(main);
  const unit = units.at(TEXT + 0xfffn)!;
  expect(unit.kind).toBe("skeleton");
  expect(unit.name).toBe(name);
  expect(unit.directory).toBe("/build");
  expect(unit.lineOffset).toBe(0x4242);
  expect(unit.ranges).toEqual([{ low: TEXT, high: TEXT + 0x1000n }]);
  expect(unit.root.unit.kind).toBe("split");
  expect(unit.root.unit.lineOffset).toBe(0x4242);
  const [f] = [...unit.root.children()] as [DwarfDie];
  expect(f.name).toBe(`function of ${name}`);
  expect(f.ranges).toEqual([{ low: TEXT + 0x10n, high: TEXT + 0x20n }]);
  expect(f.address(dw.DW_AT_entry_pc)).toBe(TEXT + 0x200n);
  const [x] = [...f.children()] as [DwarfDie];
  const at = (offset: bigint) => x.unit.locationAt(x, dw.DW_AT_location, TEXT + offset)?.[0];
  expect([0xffn, 0x100n, 0x107n, 0x108n, 0x1ffn, 0x200n, 0x203n, 0x204n].map(at)).toEqual([undefined, 1, 1, 2, 2, 3, 3, undefined]);
  expect(units.problems).toEqual([]);
  // The whole unit beside it is none the worse.
  expect([...units.all()].map((each) => each.name)).toEqual(["whole.c", name]);
  expect(new Set([unit.ownRoot.key, unit.root.key, f.key, x.key]).size).toBe(4);
}

function typeOf(main: BuiltDwarf): string | undefined {
  const [f] = [...openUnits(main).at(TEXT)!.root.children()] as [DwarfDie];
  return ([...f.children()] as [DwarfDie])[0].reference(dw.DW_AT_type)?.name;
}

describe("split units", () => {
  for (const version of [4, 5] as const) {
    it(`version ${version}: a .dwo beside`, () => {
      const main = skeleton(version, ID);
      main.splits.set(ID, splitFile(version, ID, "x.c").built);
      check(main, "x.c");
    });

    it(`version ${version}: a package`, () => {
      const ids = [ID, ID + 4n, ID + 8n, 7n, (1n << 32n) + 7n];
      const files = ids.map((id, i) => ({ id, sections: splitFile(version, id, `${i}.c`).built }));
      const types = buildDwarf([splitFile(version, 1n, "t").typeUnit], { split: true });
      const packed = buildPackage(version === 4 ? 2 : 5, [...files, { id: SIGNATURE, sections: types, type: true }]);
      ids.forEach((id, i) => {
        const main = skeleton(version, id);
        main.splits.set(id, packed);
        check(main, `${i}.c`);
        expect(typeOf(main)).toBe("shared");
      });
      const missing = skeleton(version, 99n);
      missing.splits.set(99n, packed);
      const unit = openUnits(missing).at(TEXT)!;
      expect(unit.root).toBe(unit.ownRoot);
    });

    it(`version ${version}: without its split part the skeleton stands for itself`, () => {
      const unit = openUnits(skeleton(version, ID)).at(TEXT)!;
      expect(unit.kind).toBe("skeleton");
      expect(unit.root).toBe(unit.ownRoot);
      expect(unit.name).toBeUndefined();
      expect(unit.ranges).toHaveLength(1);
      const wrong = skeleton(version, ID);
      wrong.splits.set(ID, splitFile(version, ID + 1n, "x.c").built);
      expect(openUnits(wrong).at(TEXT)!.root.tag).not.toBeUndefined();
      expect(openUnits(wrong).at(TEXT)!.split).toBeUndefined();
    });

    it(`version ${version}: a type unit in the .dwo`, () => {
      const { typeUnit } = splitFile(version, ID, "x.c");
      const type: TestAttribute[] = [[dw.DW_AT_type, SIGNATURE, dw.DW_FORM_ref_sig8]];
      const root = die(
        dw.DW_TAG_compile_unit,
        version === 5 ? [] : [[dw.DW_AT_GNU_dwo_id, ID, dw.DW_FORM_data8]],
        die(dw.DW_TAG_label, [], die(dw.DW_TAG_label, type)),
      );
      const unit: TestUnit = version === 5 ? { version, id: ID, type: dw.DW_UT_split_compile, root } : { version, root };
      const main = skeleton(version, ID);
      main.splits.set(ID, buildDwarf([typeUnit, unit], { split: true }));
      expect(typeOf(main)).toBe("shared");
    });
  }

  it("a type of the main file", () => {
    const { typeUnit, built } = splitFile(5, ID, "x.c");
    const root = die(dw.DW_TAG_skeleton_unit, [
      [dw.DW_AT_low_pc, TEXT],
      [dw.DW_AT_high_pc, 16],
    ]);
    const main = buildDwarf([
      { ...typeUnit, type: dw.DW_UT_type },
      { id: ID, type: dw.DW_UT_skeleton, root },
    ]);
    main.splits.set(ID, built);
    expect(typeOf(main)).toBe("shared");
  });
});

describe("indexes of packages", () => {
  const pages = (bytes: Uint8Array) =>
    new SectionPages(
      { name: ".debug_cu_index", size: bytes.length, address: 0n, read: (offset, length) => bytes.subarray(offset, offset + length) },
      "p.dwp",
      2,
    );
  const index = buildPackage(5, [{ id: 5n, sections: splitFile(5, 5n, "x").built }]).contents.get(".debug_cu_index")!;

  it("that are damaged", () => {
    expect(findContributions(pages(index), 5n)).toMatchObject({ unit: 0, abbrev: 0 });
    expect(findContributions(pages(index), 6n)).toBeUndefined();
    for (const [at, value, message] of [
      [0, 3, "version 3"],
      [4, 0xff, "255 columns"],
      [11, 0xff, "units"],
      [12, 3, "3 slots"],
      [15, 0x80, "slots"],
    ] as const) {
      const bytes = index.slice();
      bytes[at] = value;
      expect(() => findContributions(pages(bytes), 5n)).toThrow(message);
    }
    const full = index.slice();
    // Every slot taken by another unit: the search ends.
    for (let slot = 0; slot < 2; slot++) full.set([9, 0, 0, 0, 0, 0, 0, 0], 16 + 8 * slot);
    for (let slot = 0; slot < 2; slot++) full[16 + 16 + 4 * slot] = 1;
    expect(findContributions(pages(full), 5n)).toBeUndefined();
  });
});
