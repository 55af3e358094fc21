import { describe, expect, it } from "vitest";
import { FormatError } from "../../bytes/errors.ts";
import * as dw from "./constants.ts";
import { buildDwarf } from "./testing/build-dwarf.ts";
import { die, type TestDie, type TestUnit } from "./testing/test-entries.ts";
import { UnitBytes } from "./unit-bytes.ts";
import { type DwarfUnits, openUnits } from "./units.ts";

const VERSIONS = [2, 3, 4, 5] as const;

/** A unit of some C: a type, a variable of it, a function with children, something behind. */
function program(name: string): { root: TestDie; int: TestDie; variable: TestDie; inner: TestDie; last: TestDie } {
  const int = die(dw.DW_TAG_base_type, [
    [dw.DW_AT_name, "int"],
    [dw.DW_AT_byte_size, 4, dw.DW_FORM_data1],
    [dw.DW_AT_encoding, dw.DW_ATE_signed, dw.DW_FORM_data1],
  ]);
  const variable = die(dw.DW_TAG_variable, [
    [dw.DW_AT_name, "x", dw.DW_FORM_string],
    [dw.DW_AT_location, [dw.DW_OP_addr, 1, 2, 3, 4, 5, 6, 7, 8]],
    [dw.DW_AT_type, int],
    [dw.DW_AT_external, true],
  ]);
  const inner = die(dw.DW_TAG_variable, [
    [dw.DW_AT_name, "inner"],
    [dw.DW_AT_type, int],
  ]);
  const block = die(dw.DW_TAG_lexical_block, [], die(dw.DW_TAG_lexical_block, [], inner), die(dw.DW_TAG_label));
  const last = die(dw.DW_TAG_typedef, [
    [dw.DW_AT_name, "last"],
    [dw.DW_AT_type, int, dw.DW_FORM_ref_udata],
  ]);
  const root = die(
    dw.DW_TAG_compile_unit,
    [
      [dw.DW_AT_name, name],
      [dw.DW_AT_comp_dir, "/src", dw.DW_FORM_string],
      [dw.DW_AT_low_pc, 0x1000n],
      [dw.DW_AT_high_pc, 0x1100n],
      [dw.DW_AT_stmt_list, 0x77, dw.DW_FORM_data4],
    ],
    int,
    variable,
    die(dw.DW_TAG_subprogram, [[dw.DW_AT_name, "f"]], block, die(dw.DW_TAG_formal_parameter)),
    last,
  );
  return { root, int, variable, inner, last };
}

function tags(units: DwarfUnits): number[] {
  const found: number[] = [];
  const walk = (entry: ReturnType<DwarfUnits["die"]>) => {
    found.push(entry.tag);
    for (const child of entry.children()) walk(child);
  };
  for (const unit of units.every()) walk(unit.root);
  return found;
}

const TAGS = [
  dw.DW_TAG_compile_unit,
  dw.DW_TAG_base_type,
  dw.DW_TAG_variable,
  dw.DW_TAG_subprogram,
  dw.DW_TAG_lexical_block,
  dw.DW_TAG_lexical_block,
  dw.DW_TAG_variable,
  dw.DW_TAG_label,
  dw.DW_TAG_formal_parameter,
  dw.DW_TAG_typedef,
];

describe("units", () => {
  for (const version of VERSIONS) {
    for (const offsetSize of [4, 8] as const) {
      for (const siblings of [false, true]) {
        it(`version ${version}, ${8 * offsetSize}-bit DWARF, ${siblings ? "with" : "without"} siblings`, () => {
          const a = program("a.c");
          const b = program("b.c");
          const unit = { version, offsetSize, siblings } satisfies Omit<TestUnit, "root">;
          const built = buildDwarf([
            { ...unit, root: a.root },
            { ...unit, root: b.root },
          ]);
          const units = openUnits(built);
          expect(tags(units)).toEqual([...TAGS, ...TAGS]);
          const all = [...units.all()];
          expect(all.map(({ name, directory, kind }) => [name, directory, kind])).toEqual([
            ["a.c", "/src", "compile"],
            ["b.c", "/src", "compile"],
          ]);
          expect(all[1]).toMatchObject({ version, offsetSize, addressSize: 8, lineOffset: 0x77, baseAddress: 0x1000n });
          expect(all[1]?.ranges).toEqual([{ low: 0x1000n, high: 0x1100n }]);
          expect(all[0]?.end).toBe(all[1]?.offset);
          const variable = units.die(built.offsetOf(b.variable));
          expect(variable.name).toBe("x");
          expect(variable.flag(dw.DW_AT_external)).toBe(true);
          expect([...variable.bytes(dw.DW_AT_location)!]).toEqual([3, 1, 2, 3, 4, 5, 6, 7, 8]);
          expect(variable.reference(dw.DW_AT_type)).toMatchObject({ offset: built.offsetOf(b.int), name: "int", unit: all[1] });
          expect(units.die(built.offsetOf(b.last)).reference(dw.DW_AT_type)?.number(dw.DW_AT_byte_size)).toBe(4);
          expect([...all[0]!.root.children()].map(({ name }) => name)).toEqual(["int", "x", "f", "last"]);
          expect(units.containing(built.offsetOf(b.inner))).toBe(all[1]);
          expect(units.containing(1e9)).toBeUndefined();
          expect(units.problems).toEqual([]);
        });
      }
    }
  }

  it("answers from any place without reading what lies before, and forgets what does not fit", () => {
    const programs = Array.from({ length: 20 }, (_, i) => program(`${i}.c`));
    const built = buildDwarf(programs.map(({ root }) => ({ root })));
    const cache = new UnitBytes(400);
    const units = openUnits(built, cache);
    const dies = programs.map(({ variable }) => units.die(built.offsetOf(variable)));
    expect(cache.held).toBeLessThanOrEqual(400);
    expect(cache.held).toBeGreaterThan(100);
    for (const entry of [...dies, ...dies.toReversed()]) {
      expect(entry.name).toBe("x");
      expect(entry.reference(dw.DW_AT_type)?.name).toBe("int");
      expect(cache.held).toBeLessThanOrEqual(400);
    }
    // Walks that take turns, each throwing the other's bytes out.
    const tiny = openUnits(built, new UnitBytes(1));
    const [a, b] = [...tiny.all()].map(({ root }) => root.children()[Symbol.iterator]());
    const names: unknown[] = [];
    for (let step = 0; step < 5; step++) names.push(a!.next().value?.name, b!.next().value?.name);
    expect(names).toEqual(["int", "int", "x", "x", "f", "f", "last", "last", undefined, undefined]);
  });

  it("reads roots that are longer than what is read at the header", () => {
    const root = die(dw.DW_TAG_compile_unit, [
      [dw.DW_AT_producer, "p".repeat(1000), dw.DW_FORM_string],
      [dw.DW_AT_name, "long.c"],
    ]);
    expect(openUnits(buildDwarf([{ root, version: 4 }, { root: program("b.c").root }])).containing(0)?.name).toBe("long.c");
  });

  it("gives entries of all sections keys of their own", () => {
    const type = die(dw.DW_TAG_structure_type, [[dw.DW_AT_name, "s"]]);
    const user = die(dw.DW_TAG_variable, [[dw.DW_AT_type, 0x1234567890abcdefn, dw.DW_FORM_ref_sig8]]);
    const other = die(dw.DW_TAG_variable, [[dw.DW_AT_type, 1n, dw.DW_FORM_ref_sig8]]);
    for (const version of [4, 5] as const) {
      const built = buildDwarf([
        { version, root: die(dw.DW_TAG_compile_unit, [], user, other) },
        { version, root: die(dw.DW_TAG_type_unit, [], type), type: dw.DW_UT_type, signature: 0x1234567890abcdefn, typeDie: type },
      ]);
      const units = openUnits(built);
      const found = units.die(built.offsetOf(user)).reference(dw.DW_AT_type)!;
      expect(found.name).toBe("s");
      expect(found.unit.kind).toBe("type");
      expect([...units.all()]).toHaveLength(1);
      const keys: number[] = [];
      for (const unit of units.every()) keys.push(unit.root.key, ...[...unit.root.children()].map(({ key }) => key));
      expect(new Set(keys).size).toBe(5);
      expect(keys).toContain(found.key);
      expect(() => units.die(built.offsetOf(other)).reference(dw.DW_AT_type)).toThrow("no type unit of signature 0000000000000001");
    }
  });

  it("keeps to what is right around damage", () => {
    const built = buildDwarf([{ root: program("a.c").root }, { root: program("b.c").root }, { root: program("c.c").root }]);
    const info = built.contents.get(".debug_info")!.slice();
    const size = info.length / 3;
    info[size + 4] = 9;
    built.contents.set(".debug_info", info);
    const units = openUnits(built);
    expect([...units.all()].map(({ name }) => name)).toEqual(["a.c", "c.c"]);
    expect(units.problems.map(({ message }) => message)).toEqual([
      `vmlinux: .debug_info: at byte ${size + 6} (0x${(size + 6).toString(16)}): a unit of DWARF version 9`,
    ]);
    expect(() => units.die(size + 20)).toThrow(FormatError);
    expect(() => units.die(2)).toThrow("no entry of the unit at 0x0");
    expect(() => units.die(size - 1)).toThrow("an end of children");
    info[2 * size + 3] = 0x7f;
    const short = openUnits(built);
    expect([...short.all()].map(({ name }) => name)).toEqual(["a.c"]);
    expect(short.problems[1]?.message).toContain("where the section ends");
  });

  it("steps over gaps that linkers fill with zeros", () => {
    const built = buildDwarf([{ root: program("a.c").root }]);
    const info = built.contents.get(".debug_info")!;
    built.contents.set(".debug_info", Uint8Array.from([...info, ...new Array(24).fill(0), ...info]));
    expect([...openUnits(built).all()].map(({ offset }) => offset)).toEqual([0, info.length + 24]);
  });

  it("has nothing where there is nothing", () => {
    const units = openUnits(buildDwarf([]));
    expect([...units.all()]).toEqual([]);
    expect(units.at(0x1000n)).toBeUndefined();
    expect(() => units.die(11)).toThrow(FormatError);
  });
});
