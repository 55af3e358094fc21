import { describe, expect, it } from "vitest";
import { FormatError } from "../../bytes/errors.ts";
import * as dw from "./constants.ts";
import type { DwarfDie } from "./die-entry.ts";
import { buildDwarf } from "./testing/build-dwarf.ts";
import { base, die, type TestAttribute, type TestUnit, type TestValue } from "./testing/test-entries.ts";
import { openUnits } from "./units.ts";

const A = dw.DW_AT_const_value;

/** An entry with fields around the one under test: what stands behind shows that it was stepped over rightly. */
function one(value: TestValue, form?: number, unit: Partial<TestUnit> = {}, more: readonly TestAttribute[] = []): DwarfDie {
  const attribute: TestAttribute = form === undefined ? [A, value] : [A, value, form];
  const before: TestAttribute[] = [
    [dw.DW_AT_byte_size, 300],
    [dw.DW_AT_decl_line, 7, dw.DW_FORM_data2],
  ];
  const entry = die(dw.DW_TAG_variable, [...before, attribute, [dw.DW_AT_decl_column, 99, dw.DW_FORM_data1]]);
  const built = buildDwarf([{ ...unit, root: die(dw.DW_TAG_compile_unit, more, die(dw.DW_TAG_label), entry) }]);
  const found = openUnits(built).die(built.offsetOf(entry));
  expect(found.number(dw.DW_AT_byte_size)).toBe(300);
  expect(found.number(dw.DW_AT_decl_line)).toBe(7);
  expect(found.number(dw.DW_AT_decl_column)).toBe(99);
  expect(found.has(A)).toBe(true);
  expect(found.has(dw.DW_AT_upper_bound)).toBe(false);
  return found;
}

describe("constants", () => {
  const cases: readonly [form: number, value: bigint, unsigned: bigint, signed: bigint][] = [
    [dw.DW_FORM_data1, -1n, 0xffn, -1n],
    [dw.DW_FORM_data2, -2n, 0xfffen, -2n],
    [dw.DW_FORM_data4, -3n, 0xfffffffdn, -3n],
    [dw.DW_FORM_data8, -4n, 0xfffffffffffffffcn, -4n],
    [dw.DW_FORM_data8, 0x7fn, 0x7fn, 0x7fn],
    [dw.DW_FORM_udata, 0xffffffffffffffffn, 0xffffffffffffffffn, 0xffffffffffffffffn],
    [dw.DW_FORM_sdata, -5n, -5n, -5n],
    [dw.DW_FORM_sdata, -(1n << 63n), -(1n << 63n), -(1n << 63n)],
    [dw.DW_FORM_implicit_const, -6n, -6n, -6n],
    [dw.DW_FORM_sec_offset, 0x1234n, 0x1234n, 0x1234n],
    [dw.DW_FORM_indirect, 0x4321n, 0x4321n, 0x4321n],
  ];
  for (const [form, value, unsigned, signed] of cases) {
    for (const offsetSize of [4, 8] as const) {
      it(`form 0x${form.toString(16)}: ${value}, ${8 * offsetSize}-bit`, () => {
        const entry = one(value, form, { offsetSize });
        expect(entry.bigint(A)).toBe(unsigned);
        expect(entry.signed(A)).toBe(signed);
        expect(entry.number(A)).toBe(Number.isSafeInteger(Number(unsigned)) ? Number(unsigned) : undefined);
        expect(entry.classOf(A)).toBe(form === dw.DW_FORM_sec_offset ? "section offset" : "constant");
        for (const other of [entry.string(A), entry.address(A), entry.bytes(A), entry.reference(A)]) expect(other).toBeUndefined();
        expect(entry.flag(A)).toBe(false);
      });
    }
  }

  it("are nothing else", () => {
    expect(one("x").bigint(A)).toBeUndefined();
    expect(one("x").number(A)).toBeUndefined();
    expect(one(5n).number(A)).toBeUndefined();
    expect(one(true).number(A)).toBeUndefined();
    expect(one(5).bigint(dw.DW_AT_upper_bound)).toBeUndefined();
  });
});

describe("strings", () => {
  const bases: TestAttribute[] = [[dw.DW_AT_str_offsets_base, base]];
  for (const form of [dw.DW_FORM_string, dw.DW_FORM_strp, dw.DW_FORM_line_strp, dw.DW_FORM_indirect]) {
    it(`form 0x${form.toString(16)}`, () => {
      expect(one("häuser", form).string(A)).toBe("häuser");
      expect(one("", form, { offsetSize: 8, version: 4 }).string(A)).toBe("");
      expect(one("x", form).classOf(A)).toBe("string");
    });
  }
  for (const form of [dw.DW_FORM_strx, dw.DW_FORM_strx1, dw.DW_FORM_strx2, dw.DW_FORM_strx3, dw.DW_FORM_strx4]) {
    for (const offsetSize of [4, 8] as const)
      it(`form 0x${form.toString(16)}, ${8 * offsetSize}-bit`, () => {
        // The first string of the table belongs to the first entry.
        const more: TestAttribute[] = [[dw.DW_AT_name, "first", dw.DW_FORM_strx1], ...bases];
        const entry = one("second", form, { offsetSize }, more);
        expect(entry.string(A)).toBe("second");
        expect(entry.unit.name).toBe("first");
        expect(entry.classOf(A)).toBe("string");
      });
  }

  it("longer than a page of the section, and across two", () => {
    const texts = ["a".repeat(32_760), "across", "b".repeat(70_000), "c"];
    const entries = texts.map((text) => die(dw.DW_TAG_label, [[dw.DW_AT_name, text]]));
    const built = buildDwarf([{ root: die(dw.DW_TAG_compile_unit, [], ...entries) }]);
    const units = openUnits(built);
    expect(entries.map((entry) => units.die(built.offsetOf(entry)).name)).toEqual(texts);
    built.contents.set(".debug_str", built.contents.get(".debug_str")!.slice(0, -1));
    expect(() => openUnits(built).die(built.offsetOf(entries[3]!)).name).toThrow("a string that does not end");
    built.contents.delete(".debug_str");
    expect(() => openUnits(built).die(built.offsetOf(entries[3]!)).name).toThrow("section .debug_str, which it does not have");
  });

  it("of a supplementary file", () => {
    const shared = buildDwarf([{ root: die(dw.DW_TAG_partial_unit, [[dw.DW_AT_name, "shared"]]) }]);
    for (const form of [dw.DW_FORM_strp_sup, dw.DW_FORM_GNU_strp_alt]) {
      const entry = die(dw.DW_TAG_label, [[dw.DW_AT_name, 0, form]]);
      const built = buildDwarf([{ root: die(dw.DW_TAG_compile_unit, [], entry) }]);
      expect(() => openUnits(built).die(built.offsetOf(entry)).name).toThrow("supplementary file (dwz), which was not found");
      built.alternative = shared;
      expect(openUnits(built).die(built.offsetOf(entry)).name).toBe("shared");
    }
  });
});

describe("addresses, flags, blocks", () => {
  it("addresses", () => {
    expect(one(0xffffffff81000000n).address(A)).toBe(0xffffffff81000000n);
    expect(one(0x81000000n, undefined, { addressSize: 4, version: 4 }).address(A)).toBe(0x81000000n);
    for (const form of [dw.DW_FORM_addrx, dw.DW_FORM_addrx1, dw.DW_FORM_addrx2, dw.DW_FORM_addrx3, dw.DW_FORM_addrx4]) {
      const more: TestAttribute[] = [
        [dw.DW_AT_low_pc, 0x1000n, dw.DW_FORM_addrx1],
        [dw.DW_AT_addr_base, base],
      ];
      const entry = one(0xffffffff81000000n, form, {}, more);
      expect(entry.address(A)).toBe(0xffffffff81000000n);
      expect(entry.classOf(A)).toBe("address");
      expect(entry.unit.baseAddress).toBe(0x1000n);
    }
  });

  it("flags", () => {
    expect(one(true, dw.DW_FORM_flag_present).flag(A)).toBe(true);
    expect(one(true, dw.DW_FORM_flag).flag(A)).toBe(true);
    expect(one(false, dw.DW_FORM_flag).flag(A)).toBe(false);
    expect(one(false, dw.DW_FORM_flag).classOf(A)).toBe("flag");
    expect(one(1).flag(dw.DW_AT_external)).toBe(false);
  });

  for (const form of [dw.DW_FORM_block1, dw.DW_FORM_block2, dw.DW_FORM_block4, dw.DW_FORM_block, dw.DW_FORM_exprloc])
    it(`block of form 0x${form.toString(16)}`, () => {
      const bytes = Array.from({ length: 200 }, (_, i) => i);
      expect([...one(bytes, form).bytes(A)!]).toEqual(bytes);
      expect(one([], form).bytes(A)).toHaveLength(0);
      expect(one([], form).classOf(A)).toBe("block");
    });

  it("data16", () => {
    const bytes = Array.from({ length: 16 }, (_, i) => i);
    const entry = one(bytes, dw.DW_FORM_data16);
    expect([...entry.bytes(A)!]).toEqual(bytes);
    expect(entry.bigint(A)).toBeUndefined();
    expect(entry.classOf(A)).toBe("constant");
  });

  it("constants of versions 2 and 3 that are offsets by their attribute", () => {
    const attributes: TestAttribute[] = [
      [dw.DW_AT_location, 0, dw.DW_FORM_data4],
      [A, 0, dw.DW_FORM_data4],
    ];
    for (const version of [2, 3, 4] as const) {
      const entry = die(dw.DW_TAG_variable, attributes);
      const built = buildDwarf([{ version, root: die(dw.DW_TAG_compile_unit, [], entry) }]);
      const found = openUnits(built).die(built.offsetOf(entry));
      expect(found.classOf(dw.DW_AT_location)).toBe(version < 4 ? "section offset" : "constant");
      expect(found.classOf(A)).toBe("constant");
    }
  });
});

describe("references", () => {
  for (const form of [dw.DW_FORM_ref1, dw.DW_FORM_ref2, dw.DW_FORM_ref4, dw.DW_FORM_ref8, dw.DW_FORM_ref_udata, dw.DW_FORM_ref_addr])
    for (const version of [2, 5] as const)
      it(`form 0x${form.toString(16)}, version ${version}`, () => {
        const target = die(dw.DW_TAG_base_type, [[dw.DW_AT_name, "int"]]);
        const entry = die(dw.DW_TAG_variable, [
          [dw.DW_AT_type, target, form],
          [dw.DW_AT_name, "x"],
        ]);
        const built = buildDwarf([
          { root: die(dw.DW_TAG_compile_unit) },
          { version, offsetSize: 8, root: die(dw.DW_TAG_compile_unit, [], target, entry) },
        ]);
        const found = openUnits(built).die(built.offsetOf(entry));
        expect(found.reference(dw.DW_AT_type)?.offset).toBe(built.offsetOf(target));
        expect(found.name).toBe("x");
        expect(found.classOf(dw.DW_AT_type)).toBe("reference");
      });

  it("to another unit, and out of a type unit", () => {
    const target = die(dw.DW_TAG_base_type, [[dw.DW_AT_name, "int"]]);
    const other = die(dw.DW_TAG_variable, [[dw.DW_AT_type, target]]);
    const type = die(dw.DW_TAG_typedef, [[dw.DW_AT_type, target]]);
    const built = buildDwarf([
      { root: die(dw.DW_TAG_compile_unit, [], target) },
      { root: die(dw.DW_TAG_compile_unit, [], other) },
      { version: 4, type: dw.DW_UT_type, signature: 1n, typeDie: type, root: die(dw.DW_TAG_type_unit, [], type) },
    ]);
    const units = openUnits(built);
    expect(units.die(built.offsetOf(other)).reference(dw.DW_AT_type)?.name).toBe("int");
    expect(units.typeUnit(1n)?.typeEntry?.reference(dw.DW_AT_type)?.name).toBe("int");
  });

  it("to a supplementary file, and its partial units", () => {
    const target = die(dw.DW_TAG_base_type, [[dw.DW_AT_name, "shared int"]]);
    const partial = die(dw.DW_TAG_partial_unit, [], target);
    const shared = buildDwarf([{ root: partial, type: dw.DW_UT_partial }]);
    for (const form of [dw.DW_FORM_GNU_ref_alt, dw.DW_FORM_ref_sup4, dw.DW_FORM_ref_sup8]) {
      const entry = die(dw.DW_TAG_variable, [[dw.DW_AT_type, shared.offsetOf(target), form]]);
      const near = die(dw.DW_TAG_partial_unit);
      const built = buildDwarf([
        {
          root: die(
            dw.DW_TAG_compile_unit,
            [],
            die(dw.DW_TAG_imported_unit, [[dw.DW_AT_import, shared.offsetOf(partial), form]]),
            die(dw.DW_TAG_imported_unit, [[dw.DW_AT_import, near]]),
            entry,
          ),
        },
        { root: near, version: 4 },
      ]);
      built.alternative = shared;
      const units = openUnits(built);
      const found = units.die(built.offsetOf(entry)).reference(dw.DW_AT_type)!;
      expect(found.name).toBe("shared int");
      expect(found.unit.kind).toBe("partial");
      const [first] = [...units.all()];
      expect(found.key).not.toBe(first!.firstKey + found.offset);
      expect(new Set(first!.imports)).toEqual(new Set([found.unit, units.containing(built.offsetOf(near))]));
      expect([...units.every()].map(({ kind }) => kind)).toEqual(["compile", "partial"]);
      expect([...units.all()]).toHaveLength(1);
    }
  });

  it("to nowhere", () => {
    const entry = die(dw.DW_TAG_variable, [[dw.DW_AT_type, 0x100000, dw.DW_FORM_ref4]]);
    const built = buildDwarf([{ root: die(dw.DW_TAG_compile_unit, [], entry) }]);
    expect(() => openUnits(built).die(built.offsetOf(entry)).reference(dw.DW_AT_type)).toThrow(FormatError);
  });
});

describe("GCC's call sites of version 4", () => {
  it("have the names of version 5", () => {
    const target = die(dw.DW_TAG_subprogram, [[dw.DW_AT_name, "callee"]]);
    const parameter = die(dw.DW_TAG_GNU_call_site_parameter, [
      [dw.DW_AT_location, [0x55]],
      [dw.DW_AT_GNU_call_site_value, [0x31]],
    ]);
    const site = die(
      dw.DW_TAG_GNU_call_site,
      [
        [dw.DW_AT_low_pc, 0x1005n],
        [dw.DW_AT_abstract_origin, target],
        [dw.DW_AT_GNU_tail_call, true],
      ],
      parameter,
    );
    const built = buildDwarf([{ version: 4, root: die(dw.DW_TAG_compile_unit, [], target, site) }]);
    const found = openUnits(built).die(built.offsetOf(site));
    expect(found.tag).toBe(dw.DW_TAG_call_site);
    expect(found.address(dw.DW_AT_call_return_pc)).toBe(0x1005n);
    expect(found.reference(dw.DW_AT_call_origin)?.name).toBe("callee");
    expect(found.flag(dw.DW_AT_call_tail_call)).toBe(true);
    expect(found.ranges).toEqual([]);
    const [child] = [...found.children()];
    expect(child?.tag).toBe(dw.DW_TAG_call_site_parameter);
    expect([...child!.bytes(dw.DW_AT_call_value)!]).toEqual([0x31]);
  });
});

describe("damage within a unit", () => {
  const entry = die(dw.DW_TAG_variable, [[dw.DW_AT_name, "x"]], die(dw.DW_TAG_label));
  const built = (siblings: boolean) => buildDwarf([{ siblings, root: die(dw.DW_TAG_compile_unit, [], entry, die(dw.DW_TAG_label)) }]);

  it("an abbreviation that is not declared, or of an unknown form", () => {
    const file = built(false);
    const info = file.contents.get(".debug_info")!.slice();
    info[file.offsetOf(entry)] = 77;
    file.contents.set(".debug_info", info);
    expect(() => openUnits(file).die(file.offsetOf(entry))).toThrow("abbreviation 77, which is not declared");
    const other = built(false);
    const abbrevs = other.contents.get(".debug_abbrev")!.slice();
    abbrevs[abbrevs.indexOf(dw.DW_FORM_strp, 5)] = 0x7d;
    other.contents.set(".debug_abbrev", abbrevs);
    const units = openUnits(other);
    expect(() => units.die(other.offsetOf(entry))).toThrow("unknown form 0x7d");
    expect(units.containing(0)?.root.tag).toBe(dw.DW_TAG_compile_unit);
  });

  it("siblings that go back", () => {
    const file = built(true);
    const info = file.contents.get(".debug_info")!.slice();
    info[file.offsetOf(entry) + 1] = 1;
    file.contents.set(".debug_info", info);
    expect(() => [...openUnits(file).containing(0)!.root.children()]).toThrow("a sibling at 0x1 of the unit");
  });

  it("children that are not closed end with the unit", () => {
    const file = built(false);
    const info = file.contents.get(".debug_info")!.slice(0, -2);
    info[0]! -= 2;
    file.contents.set(".debug_info", info);
    expect([...openUnits(file).containing(0)!.root.children()].map(({ tag }) => tag)).toEqual([dw.DW_TAG_variable]);
  });
});
