import { describe, expect, it } from "vitest";
import { FormatError, InquestError, UnsupportedError } from "../bytes/errors.ts";
import { Random } from "../bytes/testing/random.ts";
import { Btf } from "./btf.ts";
import { declare, printDefinition } from "./c-format-type.ts";
import { type CType, findMember, type StructType, sizeOf, strip } from "./c-type.ts";
import { BtfBuilder } from "./testing/build-btf.ts";

function structOf(type: CType | undefined): StructType {
  if (type === undefined || (type.kind !== "struct" && type.kind !== "union")) throw new Error(`not a structure: ${type?.kind}`);
  return type;
}

/** A little of everything that kernels have. */
function sample(): { builder: BtfBuilder; ids: Record<string, number> } {
  const b = new BtfBuilder();
  const int = b.int("int", 4, { signed: true });
  const u32 = b.typedef("u32", b.int("unsigned int", 4));
  const char = b.int("char", 1, { signed: true });
  const bool = b.int("_Bool", 1, { bool: true });
  const toList = b.extent.types + 1;
  const list = b.struct("list_head", 16, [
    { name: "next", type: toList, offset: 0 },
    { name: "prev", type: toList, offset: 64 },
  ]);
  const listPointer = b.pointer(list);
  const anonymous = b.struct("", 8, [
    { name: "low", type: u32, offset: 0 },
    { name: "high", type: u32, offset: 32 },
  ]);
  const union = b.struct(
    "",
    8,
    [
      { name: "", type: anonymous, offset: 0 },
      { name: "whole", type: b.int("long unsigned int", 8), offset: 0 },
    ],
    { union: true },
  );
  const foo = b.struct("foo", 48, [
    { name: "link", type: list, offset: 0 },
    { name: "", type: union, offset: 128 },
    { name: "three", type: u32, offset: 192, bits: 3 },
    { name: "five", type: u32, offset: 195, bits: 5 },
    { name: "name", type: b.array(char, 16), offset: 224 },
    { name: "ready", type: bool, offset: 352 },
    { name: "data", type: b.array(char, 0), offset: 384 },
  ]);
  const fooPointer = b.pointer(foo);
  const proto = b.prototype(int, [
    ["foo", fooPointer],
    ["flags", int],
    ["", 0],
  ]);
  const fn = b.function("do_foo", proto);
  const variable = b.variable("the_foo", foo);
  b.enum("colour", { RED: 0, GREEN: 1, BLUE: 5, DARK: -1 }, { flag: true });
  b.enum64("wide", { HUGE: 0x8000000000000001n });
  b.forward("hidden");
  b.forward("hidden_union", true);
  b.typedef("const_name_t", b.qualified("CONST", b.pointer(b.qualified("CONST", char))));
  b.typedef("user_t", b.pointer(b.typeTag("user", foo)));
  b.declTag("kfunc", fn);
  b.section(".data..percpu", 48, [[variable, 0, 48]]);
  b.float("double", 8);
  return { builder: b, ids: { list, listPointer, foo, fooPointer, proto } };
}

describe("BTF", () => {
  const { builder, ids } = sample();
  const btf = Btf.open(builder.finish(), "vmlinux");

  it("reads structures, anonymous members, bitfields and arrays", () => {
    const foo = structOf(btf.find("struct", "foo"));
    expect(foo.size).toBe(48);
    expect(foo.members.map((one) => [one.name, one.bitOffset, one.bitSize])).toEqual([
      ["link", 0, undefined],
      [undefined, 128, undefined],
      ["three", 192, 3],
      ["five", 195, 5],
      ["name", 224, undefined],
      ["ready", 352, undefined],
      ["data", 384, undefined],
    ]);
    expect(findMember(foo, "high")?.bitOffset).toBe(160);
    expect(findMember(foo, "nothing")).toBeUndefined();
    expect(sizeOf(foo.members[4]?.type as CType)).toBe(16);
    expect(sizeOf(foo.members[6]?.type as CType)).toBe(0);
    expect(strip(foo.members[5]?.type as CType)).toMatchObject({ kind: "int", encoding: "bool", signed: false });
  });

  it("gives the same object for the same type, also round a cycle", () => {
    const list = structOf(btf.typeById(ids.list as number));
    const next = strip(list.members[0]?.type as CType);
    expect(next.kind === "pointer" && next.target).toBe(list);
    expect(btf.find("struct", "list_head")).toBe(list);
  });

  it("prints what it read", () => {
    expect(printDefinition(btf.find("struct", "foo") as CType)).toEqual([
      "struct foo {",
      "    struct list_head link;",
      "    union {",
      "        struct {",
      "            u32 low;",
      "            u32 high;",
      "        };",
      "        unsigned long whole;",
      "    };",
      "    u32 three : 3;",
      "    u32 five : 5;",
      "    char name[16];",
      "    _Bool ready;",
      "    char data[];",
      "}",
    ]);
    expect(declare(btf.find("function", "do_foo") as CType, "do_foo")).toBe("int do_foo(struct foo *, int, ...)");
    expect(declare(btf.find("variable", "the_foo") as CType, "the_foo")).toBe("struct foo the_foo");
    expect(declare(strip(btf.find("typedef", "const_name_t") as CType), "p")).toBe("const char *p");
    expect(declare(btf.find("typedef", "const_name_t") as CType)).toBe("const_name_t");
  });

  it("knows enum constants of 32 and 64 bits", () => {
    expect(btf.constant("BLUE")?.value).toBe(5n);
    expect(btf.constant("DARK")?.value).toBe(-1n);
    expect(btf.constant("HUGE")?.value).toBe(0x8000000000000001n);
    expect(btf.constant("HUGE")?.type.name).toBe("wide");
    expect(btf.constant("MAUVE")).toBeUndefined();
  });

  it("keeps name spaces apart and finds nothing that is not there", () => {
    expect(btf.find("struct", "u32")).toBeUndefined();
    expect(btf.find("typedef", "foo")).toBeUndefined();
    expect(btf.find("struct", "hidden")).toBeUndefined();
    expect(btf.find("base", "double")).toMatchObject({ kind: "float", size: 8 });
    expect(btf.names("struct", "", 10)).toEqual(["foo", "list_head"]);
    expect(btf.names("function", "do_", 10)).toEqual(["do_foo"]);
    expect([...btf.structs()].map((one) => one.name)).toEqual(["list_head", "foo"]);
  });

  it("reads split BTF on top of it", () => {
    const b = new BtfBuilder(builder.extent);
    const mine = b.struct("mine", 56, [
      { name: "foo", type: ids.foo as number, offset: 0 },
      { name: "self", type: b.extent.types + 1, offset: 384 },
    ]);
    expect(b.pointer(mine)).toBe(mine + 1);
    b.struct("foo", 4, []);
    const module = Btf.open(b.finish(), "mine", btf);
    const type = structOf(module.find("struct", "mine"));
    expect(type.members[0]?.type).toBe(btf.find("struct", "foo"));
    const self = type.members[1]?.type;
    expect(self?.kind === "pointer" && self.target).toBe(type);
    expect(module.find("struct", "list_head")).toBeUndefined();
    expect(module.findAll("struct", "foo").map(sizeOf)).toEqual([4]);
    expect(module.count).toBe(3);
  });

  it("takes bitfields from ints of fewer bits where structs have no flag (before Linux 5.1)", () => {
    const b = new BtfBuilder();
    const three = b.int("unsigned int", 4, { bits: 3 });
    const shifted = b.int("unsigned int", 4, { bits: 5, offset: 3 });
    const alias = b.typedef("flags_t", three);
    b.struct(
      "old",
      4,
      [
        { name: "a", type: alias, offset: 0 },
        { name: "b", type: shifted, offset: 0 },
        { name: "c", type: b.int("unsigned char", 1), offset: 24 },
      ],
      { flag: false },
    );
    const old = structOf(Btf.open(b.finish(), "vmlinux").find("struct", "old"));
    expect(old.members.map((one) => [one.bitOffset, one.bitSize])).toEqual([
      [0, 3],
      [3, 5],
      [24, undefined],
    ]);
  });

  it("takes enums as signed where no enum says what it is (before Linux 6.0)", () => {
    const b = new BtfBuilder();
    b.enum("old", { MINUS: -1 });
    expect(Btf.open(b.finish(), "vmlinux").constant("MINUS")?.value).toBe(-1n);
    b.enum("new", { PLUS: 1 }, { flag: true });
    expect(Btf.open(b.finish(), "vmlinux").constant("MINUS")?.value).toBe(0xffffffffn);
  });

  it("ends at a kind it does not know, and goes on when a layout table gives its size", () => {
    const b = new BtfBuilder();
    b.struct("before", 8, []);
    b.raw("what", 25, 2, false, 0, [1, 2, 3]);
    b.struct("after", 8, []);
    const blind = Btf.open(b.finish(), "vmlinux");
    expect(blind.note).toContain("unknown kind 25");
    expect(blind.names("struct", "", 9)).toEqual(["before"]);
    const layout = Array.from({ length: 26 }, (_, kind): [number, number] => (kind === 25 ? [4, 4] : [0, 0]));
    const seeing = Btf.open(b.finish(layout), "vmlinux");
    expect(seeing.note).toBeUndefined();
    expect(seeing.names("struct", "", 9)).toEqual(["after", "before"]);
  });

  it("ends at an excluded (zero) page", () => {
    const bytes = builder.finish();
    const whole = Btf.open(bytes, "vmlinux");
    bytes.fill(0, 24 + 200, 24 + 400);
    const cut = Btf.open(bytes, "vmlinux");
    expect(cut.note).toMatch(/empty record|within record/);
    expect(cut.count).toBeLessThan(whole.count);
  });

  it("refuses what is not BTF", () => {
    expect(() => Btf.open(new Uint8Array(10), "x")).toThrow(FormatError);
    expect(() => Btf.open(new Uint8Array(100), "x")).toThrow(/magic/);
    const big = builder.finish();
    big[0] = 0xeb;
    big[1] = 0x9f;
    expect(() => Btf.open(big, "x")).toThrow(UnsupportedError);
    const cut = builder.finish();
    expect(() => Btf.open(cut.subarray(0, cut.length - 1), "x")).toThrow(/strings end/);
  });

  it("bounds rings of types", () => {
    const b = new BtfBuilder();
    b.typedef("ring", 1);
    const array = b.array(2, 3);
    const selfish = b.struct("selfish", 8, [
      { name: "", type: 3, offset: 0 },
      { name: "", type: 3, offset: 0 },
    ]);
    b.function("odd", 4);
    const ring = Btf.open(b.finish(), "vmlinux");
    expect(strip(ring.typeById(1)).kind).toBe("void");
    expect(declare(ring.typeById(array), "x").length).toBeLessThan(1000);
    expect(sizeOf(ring.typeById(array))).toBe(0);
    expect(findMember(structOf(ring.typeById(selfish)), "x")).toBeUndefined();
    expect(printDefinition(ring.typeById(selfish)).length).toBeLessThan(25_000);
    expect(() => ring.find("function", "odd")).toThrow(FormatError);
  });
});

describe("damaged BTF", () => {
  it("gives right answers or one of our errors", () => {
    const good = sample().builder.finish();
    for (let seed = 0; seed < 400; seed++) {
      const random = new Random(seed);
      const bytes = good.slice(0, seed % 5 === 0 ? random.below(good.length) : good.length);
      for (let i = 0; i < 1 + (seed % 8) && bytes.length > 0; i++) bytes[random.below(bytes.length)] = random.below(256);
      try {
        exercise(Btf.open(bytes, "vmlinux"));
      } catch (error) {
        if (!(error instanceof InquestError)) throw new Error(`seed ${seed}`, { cause: error });
      }
    }
  });

  it("gives the variables of a section with their offsets", () => {
    const builder = new BtfBuilder();
    const int = builder.int("int", 4);
    const first = builder.variable("cpu_number", int);
    const second = builder.variable("irq_stack_ptr", int);
    builder.section(".data..other", 8, [[first, 0, 4]]);
    builder.section(".data..percpu", 64, [
      [first, 0, 4],
      [second, 24, 8],
    ]);
    expect([...Btf.open(builder.finish(), "vmlinux").sectionVariables(".data..percpu")]).toEqual([
      { name: "cpu_number", offset: 0 },
      { name: "irq_stack_ptr", offset: 24 },
    ]);
  });

  function exercise(btf: Btf): void {
    for (let id = 1; id <= btf.count; id++) {
      try {
        const type = btf.typeById(id);
        printDefinition(type, { offsets: true });
        declare(type, "x");
        sizeOf(type);
        if (type.kind === "struct" || type.kind === "union") findMember(type, "no such member");
      } catch (error) {
        if (!(error instanceof InquestError)) throw error;
      }
    }
    for (const key of ["struct", "union", "enum", "typedef", "base", "function", "variable"] as const) btf.names(key, "", 10);
    btf.constant("GREEN");
    btf.find("struct", "foo");
  }
});
