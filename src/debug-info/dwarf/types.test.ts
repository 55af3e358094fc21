import { describe, expect, it, test } from "vitest";
import { FormatError } from "../../bytes/errors.ts";
import { declare } from "../c-format-type.ts";
import { type CType, type FunctionType, type StructType, sizeOf, strip } from "../c-type.ts";
import * as dw from "./constants.ts";
import { buildDwarf } from "./testing/build-dwarf.ts";
import { die, type TestAttribute, type TestDie } from "./testing/test-entries.ts";
import { DwarfTypes, type TypeCompletion } from "./types.ts";
import { openUnits } from "./units.ts";

const VERSIONS = [2, 3, 4, 5] as const;

const base = (name: string, size: number, encoding: number) =>
  die(dw.DW_TAG_base_type, [
    [dw.DW_AT_name, name],
    [dw.DW_AT_byte_size, size],
    [dw.DW_AT_encoding, encoding],
  ]);
const int = base("int", 4, dw.DW_ATE_signed);
const unsigned = base("unsigned int", 4, dw.DW_ATE_unsigned);
const named = (name: string): TestAttribute[] => [[dw.DW_AT_name, name]];
const of = (type: TestDie): TestAttribute => [dw.DW_AT_type, type];

/** The types of entries at a unit's top level; `int` and `unsigned int` are there for them. */
function typesOf(entries: readonly TestDie[], version: 2 | 3 | 4 | 5 = 5, ...complete: TypeCompletion[]): CType[] {
  const root = die(dw.DW_TAG_compile_unit, named("a.c"), int, unsigned, ...entries);
  const file = buildDwarf([{ root, version }]);
  const units = openUnits(file);
  const types = new DwarfTypes(...complete);
  return entries.map((entry) => types.of(units.die(file.offsetOf(entry))));
}

function typeOf(entry: TestDie, ...others: TestDie[]): CType {
  return typesOf([entry, ...others])[0] as CType;
}

const member = (name: string, type: TestDie, ...more: TestAttribute[]) => die(dw.DW_TAG_member, [...named(name), of(type), ...more]);
const struct = (name: string, size: number, ...members: TestDie[]) =>
  die(dw.DW_TAG_structure_type, [...named(name), [dw.DW_AT_byte_size, size]], ...members);
const places = (type: CType | undefined) => (type as StructType).members.map(({ name, bitOffset, bitSize }) => [name, bitOffset, bitSize]);

describe("base types", () => {
  test.each([
    ["int", 4, dw.DW_ATE_signed, { kind: "int", name: "int", size: 4, signed: true, encoding: "int" }],
    ["char", 1, dw.DW_ATE_signed_char, { kind: "int", name: "char", size: 1, signed: true, encoding: "char" }],
    ["unsigned char", 1, dw.DW_ATE_unsigned_char, { kind: "int", name: "unsigned char", size: 1, signed: false, encoding: "char" }],
    ["_Bool", 1, dw.DW_ATE_boolean, { kind: "int", name: "_Bool", size: 1, signed: false, encoding: "bool" }],
    ["__int128", 16, dw.DW_ATE_signed, { kind: "int", name: "__int128", size: 16, signed: true, encoding: "int" }],
    ["_Float16", 2, dw.DW_ATE_float, { kind: "float", name: "_Float16", size: 2 }],
    ["char32_t", 4, dw.DW_ATE_UTF, { kind: "int", name: "char32_t", size: 4, signed: false, encoding: "int" }],
  ])("%s", (name, size, encoding, expected) => {
    expect(typeOf(base(name, size, encoding))).toEqual(expected);
  });

  it("are no larger than any machine's", () => {
    expect(() => typeOf(base("huge", 1 << 30, dw.DW_ATE_signed))).toThrow(FormatError);
  });
});

describe("bitfields", () => {
  // struct { unsigned int a : 3; unsigned int b : 7; unsigned int c; } in the three encodings.
  const direct: TestAttribute[][] = [
    [
      [dw.DW_AT_bit_size, 3],
      [dw.DW_AT_data_bit_offset, 0],
    ],
    [
      [dw.DW_AT_bit_size, 7],
      [dw.DW_AT_data_bit_offset, 3],
    ],
    [[dw.DW_AT_data_member_location, 4]],
  ];
  const old = (location: (offset: number) => number | readonly number[], size: TestAttribute[]): TestAttribute[][] => [
    [...size, [dw.DW_AT_bit_size, 3], [dw.DW_AT_bit_offset, 29], [dw.DW_AT_data_member_location, location(0)]],
    [...size, [dw.DW_AT_bit_size, 7], [dw.DW_AT_bit_offset, 22], [dw.DW_AT_data_member_location, location(0)]],
    [[dw.DW_AT_data_member_location, location(4)]],
  ];
  const storage: TestAttribute[] = [[dw.DW_AT_byte_size, 4]];
  test.each([
    [5, "data_bit_offset", direct],
    [4, "data_bit_offset", direct],
    [3, "bit_offset in a unit that is given", old((offset) => offset, storage)],
    [2, "bit_offset, places as expressions", old((offset) => [dw.DW_OP_plus_uconst, offset], storage)],
    [2, "bit_offset in a unit of the type's size", old((offset) => [dw.DW_OP_constu, offset, dw.DW_OP_plus], [])],
  ] as const)("version %i: %s", (version, _what, attributes) => {
    const members = ["a", "b", "c"].map((name, i) => member(name, unsigned, ...(attributes[i] as TestAttribute[])));
    const [type] = typesOf([struct("s", 8, ...members)], version);
    expect(places(type)).toEqual([
      ["a", 0, 3],
      ["b", 3, 7],
      ["c", 32, undefined],
    ]);
  });

  it("count from the top of a wide unit, also below its start", () => {
    const wide = base("u64", 8, dw.DW_ATE_unsigned);
    const member12 = member("x", wide, [dw.DW_AT_byte_size, 8], [dw.DW_AT_bit_size, 12], [dw.DW_AT_bit_offset, -4]);
    expect(places(typesOf([struct("s", 16, member12), wide], 3)[0])).toEqual([["x", 56, 12]]);
  });

  it("places that are computed are no places", () => {
    const [type] = typesOf([struct("s", 8, member("a", int, [dw.DW_AT_data_member_location, [dw.DW_OP_deref]]))], 4);
    expect(() => (type as StructType).members).toThrow(FormatError);
  });
});

describe("structures", () => {
  it.each(VERSIONS)("have named and anonymous members, version %i", (version) => {
    const inner = die(dw.DW_TAG_union_type, [[dw.DW_AT_byte_size, 4]], member("u", unsigned), member("i", int));
    const anonymous = die(dw.DW_TAG_member, [of(inner), [dw.DW_AT_data_member_location, 4]]);
    const outer = struct("s", 8, member("first", int, [dw.DW_AT_data_member_location, 0]), anonymous);
    const [type] = typesOf([outer, inner], version) as [StructType, CType];
    expect(type).toMatchObject({ kind: "struct", name: "s", size: 8 });
    expect(type.members.map(({ name, bitOffset }) => [name, bitOffset])).toEqual([
      ["first", 0],
      [undefined, 32],
    ]);
    const union = type.members[1]?.type as StructType;
    expect([union.kind, union.name, union.size]).toEqual(["union", undefined, 4]);
    expect(union.members.map(({ name, bitOffset, type }) => [name, bitOffset, declare(type)])).toEqual([
      ["u", 0, "unsigned int"],
      ["i", 0, "int"],
    ]);
  });

  it("are one object for each entry, also through a ring", () => {
    const pointer: { tag: number; attributes: TestAttribute[]; children: TestDie[] } = {
      tag: dw.DW_TAG_pointer_type,
      attributes: [[dw.DW_AT_byte_size, 8]],
      children: [],
    };
    const node = struct("node", 8, member("next", pointer, [dw.DW_AT_data_member_location, 0]));
    pointer.attributes.push(of(node));
    const type = typeOf(node, pointer) as StructType;
    const next = type.members[0]?.type;
    expect(next).toMatchObject({ kind: "pointer", size: 8 });
    expect(next?.kind === "pointer" ? next.target : undefined).toBe(type);
  });

  it("of Rust keep their plain members: variant parts have no place of their own", () => {
    const part = die(dw.DW_TAG_variant_part, [], die(dw.DW_TAG_variant, [[dw.DW_AT_discr_value, 0]], member("__0", int)));
    const type = typeOf(struct("Option<i32>", 8, part, die(dw.DW_TAG_template_type_parameter, [...named("T"), of(int)]), member("x", int)));
    expect(places(type)).toEqual([["x", 0, undefined]]);
  });

  it("do not show static members", () => {
    const fixed = member("count", int, [dw.DW_AT_external, true], [dw.DW_AT_declaration, true]);
    expect(places(typeOf(struct("s", 4, fixed, member("x", int))))).toEqual([["x", 0, undefined]]);
  });
});

describe("arrays", () => {
  const range = (...attributes: TestAttribute[]) => die(dw.DW_TAG_subrange_type, attributes);
  const array = (...ranges: TestDie[]) => die(dw.DW_TAG_array_type, [of(int)], ...ranges);
  test.each([
    ["upper bound", [range([dw.DW_AT_upper_bound, 3])], "int [4]"],
    ["count", [range([dw.DW_AT_count, 4])], "int [4]"],
    ["lower bound", [range([dw.DW_AT_lower_bound, 1], [dw.DW_AT_upper_bound, 4])], "int [4]"],
    ["two dimensions", [range([dw.DW_AT_upper_bound, 1]), range([dw.DW_AT_upper_bound, 2])], "int [2][3]"],
    ["flexible", [range()], "int []"],
    ["count 0", [range([dw.DW_AT_count, 0])], "int []"],
    ["upper bound -1 of four bytes", [range([dw.DW_AT_upper_bound, 0xffff_ffff, dw.DW_FORM_data4])], "int []"],
    ["upper bound -1 of eight bytes", [range([dw.DW_AT_upper_bound, (1n << 64n) - 1n, dw.DW_FORM_data8])], "int []"],
    ["upper bound -1", [range([dw.DW_AT_upper_bound, -1])], "int []"],
    ["variable length", [range([dw.DW_AT_upper_bound, [dw.DW_OP_fbreg, 0x70, dw.DW_OP_deref]])], "int []"],
    ["no dimension", [], "int []"],
  ] as const)("%s", (_what, ranges, expected) => {
    expect(declare(typeOf(array(...ranges)))).toBe(expected);
  });

  it("have the size of all their elements", () => {
    expect(sizeOf(typeOf(array(range([dw.DW_AT_upper_bound, 1]), range([dw.DW_AT_count, 3]))))).toBe(24);
  });

  it("have no more dimensions than any compiler allows", () => {
    expect(declare(typeOf(array(...Array.from({ length: 1000 }, () => range([dw.DW_AT_count, 1])))))).toMatch(/^int (\[1\]){64}$/);
  });
});

describe("enums", () => {
  const constant = (name: string, value: number | bigint, form?: number) =>
    die(dw.DW_TAG_enumerator, [...named(name), form === undefined ? [dw.DW_AT_const_value, value] : [dw.DW_AT_const_value, value, form]]);
  const enumeration = (attributes: TestAttribute[], ...constants: TestDie[]) =>
    die(dw.DW_TAG_enumeration_type, [...named("e"), [dw.DW_AT_byte_size, 4], ...attributes], ...constants);

  it("are signed as their underlying type, and so are their values", () => {
    const values = [constant("A", 0xffff_ffff, dw.DW_FORM_data4), constant("B", 200, dw.DW_FORM_data1)];
    expect(typeOf(enumeration([of(int)], ...values))).toMatchObject({
      signed: true,
      enumerators: [
        { name: "A", value: -1n },
        { name: "B", value: 200n },
      ],
    });
    expect(typeOf(enumeration([of(unsigned)], ...values))).toMatchObject({ signed: false, enumerators: [{ value: 0xffff_ffffn }, {}] });
  });

  it("without underlying type are signed when a value is", () => {
    expect(typeOf(enumeration([], constant("A", -1), constant("B", 1)))).toMatchObject({ kind: "enum", name: "e", size: 4, signed: true });
    expect(typeOf(enumeration([], constant("A", 1)))).toMatchObject({ signed: false, enumerators: [{ name: "A", value: 1n }] });
  });

  it("take sign from DW_AT_encoding, size from the underlying type", () => {
    expect(typeOf(enumeration([[dw.DW_AT_encoding, dw.DW_ATE_signed]], constant("A", 1)))).toMatchObject({ signed: true });
    expect(typeOf(die(dw.DW_TAG_enumeration_type, [...named("e"), of(int)], constant("A", 1)))).toMatchObject({ size: 4, signed: true });
  });

  it("have values of 64 bits", () => {
    const wide = die(
      dw.DW_TAG_enumeration_type,
      [...named("w"), [dw.DW_AT_byte_size, 8], of(unsigned)],
      constant("TOP", 1n << 63n, dw.DW_FORM_data8),
    );
    expect(typeOf(wide)).toMatchObject({ size: 8, enumerators: [{ name: "TOP", value: 1n << 63n }] });
  });
});

describe("qualifiers, typedefs, pointers", () => {
  const wrap = (tag: number, type?: TestDie) => die(tag, type === undefined ? [] : [of(type)]);
  it("are what C says", () => {
    const constant = wrap(dw.DW_TAG_const_type, int);
    const pointer = wrap(dw.DW_TAG_pointer_type, constant);
    const restricted = wrap(dw.DW_TAG_restrict_type, pointer);
    const alias = die(dw.DW_TAG_typedef, [...named("alias"), of(restricted)]);
    const shared = wrap(dw.DW_TAG_volatile_type, alias);
    const type = typeOf(shared, alias, restricted, pointer, constant);
    expect(type).toMatchObject({ kind: "volatile", target: { kind: "typedef", name: "alias", target: { kind: "restrict" } } });
    expect(declare(strip(type))).toBe("const int *");
  });

  it("of nothing are of void", () => {
    expect(typeOf(wrap(dw.DW_TAG_pointer_type))).toMatchObject({ kind: "pointer", size: 8, target: { kind: "void" } });
    expect(typeOf(wrap(dw.DW_TAG_const_type))).toMatchObject({ kind: "const", target: { kind: "void" } });
  });

  it("_Atomic is looked through, also in a row and in a ring", () => {
    const atomic = wrap(dw.DW_TAG_atomic_type, int);
    expect(typeOf(wrap(dw.DW_TAG_atomic_type, atomic), atomic)).toMatchObject({ kind: "int", name: "int" });
    const ring: { tag: number; attributes: TestAttribute[]; children: TestDie[] } = {
      tag: dw.DW_TAG_atomic_type,
      attributes: [],
      children: [],
    };
    ring.attributes.push(of(ring));
    expect(typeOf(ring)).toEqual({ kind: "void" });
  });

  it("what is no type is void", () => {
    expect(typeOf(die(dw.DW_TAG_label))).toEqual({ kind: "void" });
    expect(typeOf(die(dw.DW_TAG_unspecified_type, named("decltype(nullptr)")))).toEqual({ kind: "void" });
  });
});

describe("functions", () => {
  const parameter = (type: TestDie, name?: string) =>
    die(dw.DW_TAG_formal_parameter, [...(name === undefined ? [] : named(name)), of(type)]);
  it("have parameters, and may have more", () => {
    const type = typeOf(
      die(
        dw.DW_TAG_subroutine_type,
        [of(int), [dw.DW_AT_prototyped, true]],
        parameter(unsigned, "count"),
        parameter(int),
        die(dw.DW_TAG_unspecified_parameters),
      ),
    ) as FunctionType;
    expect(declare(type, "f")).toBe("int f(unsigned int, int, ...)");
    expect(type.parameters.map(({ name }) => name)).toEqual(["count", undefined]);
    expect(type.prototyped).toBeUndefined();
  });

  it("without prototype say so", () => {
    expect(typeOf(die(dw.DW_TAG_subroutine_type))).toMatchObject({ prototyped: false, variadic: false });
    expect(declare(typeOf(die(dw.DW_TAG_subroutine_type, [[dw.DW_AT_prototyped, true]])), "f")).toBe("void f(void)");
  });

  it("that are instances have the prototype of what they are instances of", () => {
    const abstract = die(dw.DW_TAG_subprogram, [...named("f"), of(int), [dw.DW_AT_inline, 1]], parameter(int, "a"), parameter(int, "b"));
    const clone = die(dw.DW_TAG_subprogram, [[dw.DW_AT_abstract_origin, abstract]], die(dw.DW_TAG_formal_parameter));
    expect(declare(typeOf(clone, abstract), "f")).toBe("int f(int, int)");
  });
});

describe("declarations", () => {
  const declaration = (tag = dw.DW_TAG_structure_type) => die(tag, [...named("s"), [dw.DW_AT_declaration, true]]);

  it("stay forward when nobody knows more", () => {
    expect(typeOf(declaration())).toEqual({ kind: "forward", of: "struct", name: "s" });
    expect(typeOf(declaration(dw.DW_TAG_union_type))).toEqual({ kind: "forward", of: "union", name: "s" });
    expect(typeOf(declaration(dw.DW_TAG_enumeration_type))).toEqual({ kind: "forward", of: "enum", name: "s" });
  });

  it("are completed by their own unit before anyone is asked", () => {
    const asked: string[] = [];
    const [forward, full] = typesOf([declaration(), struct("s", 4, member("x", int))], 5, (key, name) => {
      asked.push(`${key} ${name}`);
      return undefined;
    });
    expect(forward).toBe(full);
    expect(asked).toEqual([]);
  });

  it("are completed by the first who knows", () => {
    const full: CType = { kind: "struct", name: "s", size: 99, members: [] };
    const asked: string[] = [];
    const complete = (answer: CType | undefined): TypeCompletion => {
      return (key, name) => {
        asked.push(`${key} ${name}`);
        return answer;
      };
    };
    const forward: CType = { kind: "forward", of: "struct", name: "s" };
    expect(typesOf([declaration()], 5, complete(undefined), complete(forward), complete(full), complete(undefined))[0]).toBe(full);
    expect(asked).toEqual(["struct s", "struct s", "struct s"]);
  });

  it("are completed by their type unit", () => {
    const whole = struct("s", 4, member("x", int));
    const signature = 0x1122_3344_5566_7788n;
    const type = { root: die(dw.DW_TAG_type_unit, [], int, whole), type: dw.DW_UT_type, signature, typeDie: whole };
    const mention = die(dw.DW_TAG_structure_type, [
      [dw.DW_AT_declaration, true],
      [dw.DW_AT_signature, signature, dw.DW_FORM_ref_sig8],
    ]);
    const file = buildDwarf([type, { root: die(dw.DW_TAG_compile_unit, named("a.c"), mention) }]);
    expect(new DwarfTypes().of(openUnits(file).die(file.offsetOf(mention)))).toMatchObject({ kind: "struct", name: "s", size: 4 });
  });
});
