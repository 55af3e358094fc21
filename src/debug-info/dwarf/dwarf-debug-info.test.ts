import { describe, expect, it } from "vitest";
import { FormatError } from "../../bytes/errors.ts";
import { declare } from "../c-format-type.ts";
import type { CType, TypeKey } from "../c-type.ts";
import * as dw from "./constants.ts";
import { DwarfDebugInfo, type DwarfOptions, type EntryNames } from "./dwarf-debug-info.ts";
import { buildDwarf } from "./testing/build-dwarf.ts";
import { die, type TestAttribute, type TestDie, type TestUnit } from "./testing/test-entries.ts";

const named = (name: string): TestAttribute => [dw.DW_AT_name, name];
const int = () => die(dw.DW_TAG_base_type, [named("int"), [dw.DW_AT_byte_size, 4], [dw.DW_AT_encoding, dw.DW_ATE_signed]]);
const struct = (name: string, size: number, ...members: [string, TestDie][]) =>
  die(
    dw.DW_TAG_structure_type,
    [named(name), [dw.DW_AT_byte_size, size]],
    ...members.map(([member, type]) => die(dw.DW_TAG_member, [named(member), [dw.DW_AT_type, type], [dw.DW_AT_data_member_location, 0]])),
  );
const unit = (name: string, ...entries: TestDie[]): TestUnit => ({ root: die(dw.DW_TAG_compile_unit, [named(name)], ...entries) });

function open(units: readonly TestUnit[], options: DwarfOptions = {}) {
  return DwarfDebugInfo.open(buildDwarf(units), "vmlinux", options);
}

describe("types by name", () => {
  const intOfA = int();
  const intOfB = int();
  const pointer = die(dw.DW_TAG_pointer_type, [
    [dw.DW_AT_type, die(dw.DW_TAG_structure_type, [named("far"), [dw.DW_AT_declaration, true]])],
  ]);
  const far = (pointer.attributes[0] as TestAttribute)[1] as TestDie;
  const a = unit(
    "a.c",
    intOfA,
    far,
    pointer,
    struct("same", 8, ["x", intOfA]),
    struct("twice", 8, ["x", intOfA]),
    struct("holder", 8, ["p", pointer]),
  );
  const b = unit("b.c", intOfB, struct("same", 8, ["x", intOfB]), struct("twice", 8, ["other", intOfB]), struct("far", 4, ["y", intOfB]));
  const constant = die(dw.DW_TAG_enumerator, [named("RED"), [dw.DW_AT_const_value, 7]]);
  const c = unit("c.c", die(dw.DW_TAG_enumeration_type, [[dw.DW_AT_byte_size, 4]], constant));

  it("are found, several definitions of one name once each", () => {
    const info = open([a, b, c]);
    expect(info.owner).toBe("vmlinux");
    expect(info.find("struct", "same")).toMatchObject({ name: "same", size: 8 });
    expect(info.find("struct", "nothing")).toBeUndefined();
    expect(info.find("union", "same")).toBeUndefined();
    expect(info.findAll("struct", "same")).toHaveLength(1);
    expect(info.findAll("struct", "twice").map((type) => (type.kind === "struct" ? type.members[0]?.name : ""))).toEqual(["x", "other"]);
    expect(info.constant("RED")).toMatchObject({ value: 7n, type: { kind: "enum", name: undefined } });
    expect(info.constant("BLUE")).toBeUndefined();
    expect(info.names("struct", "", 10)).toEqual(["far", "holder", "same", "twice"]);
    expect([...info.structs()].map(({ name }) => name).sort()).toEqual(["far", "holder", "same", "twice", "twice"]);
  });

  const target = (info: DwarfDebugInfo) => {
    const holder = info.find("struct", "holder");
    const member = holder?.kind === "struct" ? holder.members[0]?.type : undefined;
    return member?.kind === "pointer" ? member.target : undefined;
  };

  it("complete what another unit only declares", () => {
    const info = open([a, b]);
    expect(target(info)).toBe(info.find("struct", "far"));
    expect(open([a]).names("struct", "", 10)).toEqual(["holder", "same", "twice"]);
    expect(target(open([a]))).toEqual({ kind: "forward", of: "struct", name: "far" });
  });

  it("are completed by who opened the file first", () => {
    const known: CType = { kind: "struct", name: "far", size: 99, members: [] };
    expect(target(open([a, b], { complete: (key, name) => (key === "struct" && name === "far" ? known : undefined) }))).toBe(known);
  });
});

describe("functions and variables", () => {
  const parameter = (type: TestDie) => die(dw.DW_TAG_formal_parameter, [named("n"), [dw.DW_AT_type, type]]);
  const assembler: TestUnit = {
    root: die(
      dw.DW_TAG_compile_unit,
      [named("memcpy.S"), [dw.DW_AT_language, dw.DW_LANG_Mips_Assembler]],
      die(dw.DW_TAG_subprogram, [named("memcpy"), [dw.DW_AT_low_pc, 0x5000n], [dw.DW_AT_high_pc, 0x10, dw.DW_FORM_data4]]),
    ),
  };
  const type = int();
  const abstract = die(dw.DW_TAG_subprogram, [named("sometimes"), [dw.DW_AT_type, type], [dw.DW_AT_inline, 1]]);
  const c: TestUnit = {
    root: die(
      dw.DW_TAG_compile_unit,
      [named("a.c"), [dw.DW_AT_low_pc, 0x1000n], [dw.DW_AT_high_pc, 0x1000, dw.DW_FORM_data4]],
      type,
      die(dw.DW_TAG_subprogram, [named("memcpy"), [dw.DW_AT_declaration, true], [dw.DW_AT_prototyped, true]], parameter(type)),
      die(dw.DW_TAG_variable, [named("jiffies"), [dw.DW_AT_type, type], [dw.DW_AT_declaration, true], [dw.DW_AT_external, true]]),
      die(dw.DW_TAG_variable, [named("here"), [dw.DW_AT_type, type], [dw.DW_AT_location, [dw.DW_OP_addr, 1, 0, 0, 0, 0, 0, 0, 0]]]),
      abstract,
      die(dw.DW_TAG_subprogram, [
        [dw.DW_AT_abstract_origin, abstract],
        [dw.DW_AT_low_pc, 0x1000n],
        [dw.DW_AT_high_pc, 0x10, dw.DW_FORM_data4],
      ]),
      die(dw.DW_TAG_subprogram, [named("f"), [dw.DW_AT_low_pc, 0x1010n], [dw.DW_AT_high_pc, 0x10, dw.DW_FORM_data4]]),
    ),
    aranges: [[0x1000n, 0x1000]],
  };
  const info = open([assembler, c]);

  it("have the type of a declaration where the definition has none", () => {
    expect(declare(info.find("function", "memcpy") as CType, "memcpy")).toBe("void memcpy(int)");
    expect(declare(info.find("variable", "jiffies") as CType)).toBe("int");
    expect(declare(open([assembler]).find("function", "memcpy") as CType, "memcpy")).toBe("void memcpy()");
  });

  it("are found where their code and data are", () => {
    expect(info.functions("memcpy").map(({ entry }) => entry)).toEqual([0x5000n]);
    expect(info.functions("sometimes").map(({ name, entry }) => [name, entry])).toEqual([["sometimes", 0x1000n]]);
    expect(info.variables("here").map(({ name, address }) => [name, address])).toEqual([["here", 1n]]);
    expect(info.variables("jiffies")).toEqual([]);
    expect(info.scopesAt(0x1005n).map(({ name }) => name)).toEqual(["sometimes"]);
    expect(info.scopesAt(0x101fn).map(({ name }) => name)).toEqual(["f"]);
    expect(info.scopesAt(0x1020n)).toEqual([]);
    expect(info.scopesAt(0x9000n)).toEqual([]);
  });
});

describe("static variables within functions", () => {
  const type = int();
  const at = (byte: number): TestAttribute => [dw.DW_AT_location, [dw.DW_OP_addr, byte, 0, 0, 0, 0, 0, 0, 0]];
  const static_ = (name: string, byte: number, form: number = dw.DW_FORM_strp) =>
    die(dw.DW_TAG_variable, [[dw.DW_AT_name, name, form], [dw.DW_AT_decl_file, 1], [dw.DW_AT_type, type], at(byte)]);
  const local = die(dw.DW_TAG_variable, [named("once"), [dw.DW_AT_type, type], [dw.DW_AT_location, [dw.DW_OP_fbreg, 0]]]);
  const first = die(dw.DW_TAG_subprogram, [named("first")], local, die(dw.DW_TAG_lexical_block, [], static_("once", 1)));
  const second = die(dw.DW_TAG_subprogram, [named("second")], static_("once", 2), static_("n", 3, dw.DW_FORM_string));
  const both = die(dw.DW_TAG_subprogram, [named("third")], static_("both", 4));
  const info = open([unit("a.c", type, first, second), unit("b.c", static_("both", 5), both, static_("not_once", 6))]);
  const found = (name: string) => info.variables(name).map(({ address, scope }) => [address, scope]);

  it("are found with their functions", () => {
    expect(found("once")).toEqual([
      [1n, "first"],
      [2n, "second"],
    ]);
    expect(found("n")).toEqual([[3n, "second"]]);
    expect(found("nothing")).toEqual([]);
    expect(found("")).toEqual([]);
  });

  it("do not come where the file has one of that name outside", () => {
    expect(found("both")).toEqual([[5n, undefined]]);
  });
});

describe("an index made elsewhere", () => {
  const type = int();
  const f = die(dw.DW_TAG_subprogram, [named("f"), [dw.DW_AT_low_pc, 0x1000n], [dw.DW_AT_high_pc, 0x10, dw.DW_FORM_data4]]);
  const file = buildDwarf([unit("a.c", type, f)]);
  const index = (places: readonly number[], functionAt?: number): EntryNames => ({
    places: (key: TypeKey | "constant") => (key === "base" ? places.map((offset) => ({ unit: 0, die: offset })) : []),
    names: () => [],
    structPlaces: () => [],
    functionAt: () => (functionAt === undefined ? undefined : { unit: 0, die: functionAt }),
  });
  const opened = (...names: Parameters<typeof index>) => DwarfDebugInfo.open(file, "vmlinux", { names: index(...names) });

  it("may point to damage: what else has the name is found, and one error tells of it when there is nothing", () => {
    expect(opened([0xffff, file.offsetOf(type)]).find("base", "int")).toMatchObject({ name: "int" });
    expect(() => opened([0xffff]).find("base", "int")).toThrow(FormatError);
  });

  it("gives functions by address, and is not believed where it is wrong", () => {
    expect(opened([], file.offsetOf(f)).scopesAt(0x1000n)[0]?.name).toBe("f");
    expect(opened([], file.offsetOf(f)).scopesAt(0x2000n)).toEqual([]);
    expect(opened([], file.offsetOf(type)).scopesAt(0x2000n)).toEqual([]);
  });
});

it("finds entries of split units", () => {
  const id = 0x1234n;
  const type = int();
  const split = buildDwarf(
    [{ root: die(dw.DW_TAG_compile_unit, [named("a.c")], struct("padding", 4), type), type: dw.DW_UT_split_compile, id }],
    {
      file: "a.dwo",
      split: true,
    },
  );
  const skeleton = { root: die(dw.DW_TAG_skeleton_unit, [[dw.DW_AT_dwo_name, "a.dwo"]]), type: dw.DW_UT_skeleton, id };
  const main = buildDwarf([skeleton]);
  main.splits.set(id, split);
  const names: EntryNames = {
    places: () => [{ unit: 0, die: split.offsetOf(type) }],
    names: () => [],
    structPlaces: () => [],
  };
  expect(DwarfDebugInfo.open(main, "vmlinux", { names }).find("base", "int")).toMatchObject({ name: "int", size: 4 });
});

it("without sections knows nothing and says so without an error", () => {
  const info = DwarfDebugInfo.open(buildDwarf([]), "vmlinux");
  expect(info.find("struct", "x")).toBeUndefined();
  expect([info.scopesAt(1n), info.functions("x"), info.variables("x"), info.names("struct", "", 5), [...info.structs()]]).toEqual([
    [],
    [],
    [],
    [],
    [],
  ]);
  expect([info.lineAt(1n), info.frameRow(1n), info.addressesOf("a.c", 1)]).toEqual([undefined, undefined, []]);
});
