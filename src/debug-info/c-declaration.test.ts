import { describe, expect, it } from "vitest";
import { LookupError, UsageError } from "../bytes/errors.ts";
import { Random } from "../bytes/testing/random.ts";
import { Btf } from "./btf.ts";
import { parseDeclaration, parseDeclarations, parseTypeName } from "./c-declaration.ts";
import { declare, printDefinition } from "./c-format-type.ts";
import { type CType, sizeOf } from "./c-type.ts";
import { BtfBuilder } from "./testing/build-btf.ts";

function makeTypes(): Btf {
  const b = new BtfBuilder();
  const int = b.int("int", 4, { signed: true });
  const long = b.int("long unsigned int", 8);
  const char = b.int("char", 1, { signed: true });
  b.typedef("u32", b.int("unsigned int", 4));
  b.typedef("pgd_t", b.struct("", 8, [{ name: "pgd", type: long, offset: 0 }]));
  b.struct("list_head", 16, []);
  b.struct("task_struct", 9000, [{ name: "comm", type: b.array(char, 16), offset: 8 }]);
  b.struct("foo", 8, [{ name: "i", type: int, offset: 0 }], { union: true });
  b.enum("pid_type", { PIDTYPE_PID: 0, PIDTYPE_MAX: 5 });
  return Btf.open(b.finish(), "vmlinux");
}

const sources = [makeTypes()];
const again = (text: string) => {
  const { name, type } = parseDeclaration(text, sources);
  return declare(type, name);
};

describe("C declarations", () => {
  it.each([
    ["struct list_head modules;", "struct list_head modules"],
    ["struct task_struct init_task", "struct task_struct init_task"],
    ["extern unsigned long __per_cpu_offset[];", "unsigned long __per_cpu_offset[]"],
    ["unsigned long int x[3][4]", "unsigned long x[3][4]"],
    ["int (*fn)(struct page *, int);", "int (*fn)(struct page *, int)"],
    ["struct list_head (*tables[4])(void);", "struct list_head (*tables[4])(void)"],
    ["void (*(*hook)(int))(char *, ...)", "void (*(*hook)(int))(char *, ...)"],
    ["const char *const names[PIDTYPE_MAX]", "const char * const names[5]"],
    ["char const * p", "const char *p"],
    ["volatile unsigned long jiffies;", "volatile unsigned long jiffies"],
    ["u32 __percpu *counter", "u32 *counter"],
    ["pgd_t swapper_pg_dir[512]", "pgd_t swapper_pg_dir[512]"],
    ["long long unsigned v", "unsigned long long v"],
    ["struct task_struct *(*find)(u32 nr, struct task_struct *from)", "struct task_struct *(*find)(u32, struct task_struct *)"],
    ["char (*rows)[0x10]", "char (*rows)[16]"],
    ["u8 b", "u8 b"],
    ["_Bool b", "_Bool b"],
    ["enum pid_type t", "enum pid_type t"],
    ["int f(int (*)(void), u32)", "int f(int (*)(void), u32)"],
  ])("reads %s", (text, printed) => {
    expect(again(text)).toBe(printed);
    expect(again(printed)).toBe(printed);
  });

  it("reads several at once", () => {
    const found = parseDeclarations("struct list_head modules, *heads[2]; int panic_timeout;\n unsigned int nr;", sources);
    expect(found.map(({ name, type }) => declare(type, name))).toEqual([
      "struct list_head modules",
      "struct list_head *heads[2]",
      "int panic_timeout",
      "unsigned int nr",
    ]);
  });

  it.each([
    ["struct task_struct *", "struct task_struct *"],
    ["task_struct *", "struct task_struct *"],
    ["unsigned long [4]", "unsigned long [4]"],
    ["const char *const *", "const char * const *"],
    ["int (*)(u32)", "int (*)(u32)"],
    ["char *[4]", "char *[4]"],
    ["unsigned", "unsigned int"],
    ["void *", "void *"],
    ["struct not_here *", "struct not_here *"],
    ["int (u32)", "int (u32)"],
    ["size_t", "size_t"],
  ])("reads the type name %s", (text, printed) => {
    expect(declare(parseTypeName(text, sources))).toBe(printed);
  });

  it("resolves to the types of the sources", () => {
    expect(parseTypeName("struct task_struct", sources)).toBe(sources[0]?.find("struct", "task_struct"));
    expect(sizeOf(parseTypeName("unsigned long [4]", sources))).toBe(32);
    expect(sizeOf(parseTypeName("u64", []))).toBe(8);
  });

  it("names what does not exist, with its neighbours", () => {
    expect(() => parseTypeName("struct task_strict", sources)).toThrow(LookupError);
    expect(() => parseTypeName("struct task_strict", sources)).toThrow(/nearest: task_struct/);
    expect(() => parseTypeName("nonsense_t", sources)).toThrow(LookupError);
    expect(() => parseTypeName("struct not_here [3]", sources)).toThrow(LookupError);
  });

  it.each([
    "",
    "int long char x",
    "int x[",
    "int (*f",
    "struct",
    "int 3",
    "int x y",
    "short double d",
    "int x[-1]",
    "*p",
    "int f(int",
    "int a; b;;",
    "(".repeat(500),
    `int ${"(".repeat(500)}`,
  ])("refuses %s", (text) => {
    expect(() => parseDeclaration(text, sources)).toThrow(/./);
    try {
      parseDeclaration(text, sources);
    } catch (error) {
      expect(error instanceof UsageError || error instanceof LookupError).toBe(true);
    }
  });

  it("survives any row of tokens", () => {
    const words = ["int", "long", "struct", "foo", "*", "(", ")", "[", "]", "4", ",", ";", "const", "x", "...", "u32", "task_struct", "@"];
    for (let seed = 0; seed < 3000; seed++) {
      const random = new Random(seed);
      const text = Array.from({ length: 1 + random.below(12) }, () => words[random.below(words.length)]).join(" ");
      try {
        for (const { name, type } of parseDeclarations(text, sources)) declare(type, name);
      } catch (error) {
        if (!(error instanceof UsageError || error instanceof LookupError)) throw new Error(text, { cause: error });
      }
    }
  });
});

describe("definitions", () => {
  const int: CType = { kind: "int", name: "int", size: 4, signed: true, encoding: "int" };
  const member = (name: string | undefined, type: CType, bitOffset: number, bitSize?: number) => ({ name, type, bitOffset, bitSize });
  const inner: CType = { kind: "struct", name: undefined, size: 8, members: [member("a", int, 0), member("b", int, 35, 4)] };
  const outer: CType = {
    kind: "struct",
    name: "outer",
    size: 1040,
    members: [
      member("first", { kind: "pointer", size: 8, target: { kind: "forward", of: "struct", name: "page" } }, 0),
      member(undefined, { kind: "union", name: undefined, size: 8, members: [member(undefined, inner, 0), member("whole", int, 0)] }, 64),
      member("slots", { kind: "array", element: inner, length: 2 }, 128),
      member("gap", { kind: "array", element: int, length: 0 }, 256),
      member(
        "mode",
        {
          kind: "enum",
          name: undefined,
          size: 4,
          signed: false,
          enumerators: [
            { name: "OFF", value: 0n },
            { name: "ON", value: 4n },
          ],
        },
        256,
      ),
      member("last", int, 8192),
    ],
  };

  it("print as ptype does", () => {
    expect(printDefinition(outer)).toEqual([
      "struct outer {",
      "    struct page *first;",
      "    union {",
      "        struct {",
      "            int a;",
      "            int b : 4;",
      "        };",
      "        int whole;",
      "    };",
      "    struct {",
      "        int a;",
      "        int b : 4;",
      "    } slots[2];",
      "    int gap[0];",
      "    enum {OFF, ON = 4} mode;",
      "    int last;",
      "}",
    ]);
  });

  it("print with offsets as crash's struct -o does", () => {
    expect(printDefinition(outer, { offsets: true })).toEqual([
      "struct outer {",
      "     [0] struct page *first;",
      "         union {",
      "             struct {",
      "     [8]         int a;",
      "    [12]         int b : 4;",
      "             };",
      "     [8]     int whole;",
      "         };",
      "         struct {",
      "    [16]     int a;",
      "    [20]     int b : 4;",
      "    [16] } slots[2];",
      "    [32] int gap[0];",
      "    [32] enum {OFF, ON = 4} mode;",
      "  [1024] int last;",
      "}",
    ]);
    expect(printDefinition(outer, { offsets: true, radix: 16 })[1]).toBe("    [0x0] struct page *first;");
  });

  it("print the members' addresses of one object", () => {
    const lines = printDefinition(outer, { offsets: true, address: 0xffff888000000100n });
    expect(lines[1]).toBe("  [ffff888000000100] struct page *first;");
    expect(lines.at(-2)).toBe("  [ffff888000000500] int last;");
  });

  it("print enums, empty structures and other types", () => {
    const values = [
      { name: "A", value: -1n },
      { name: "B", value: 0n },
      { name: "C", value: 7n },
    ];
    expect(printDefinition({ kind: "enum", name: "e", size: 4, signed: true, enumerators: values })).toEqual(["enum e {A = -1, B, C = 7}"]);
    expect(printDefinition({ kind: "struct", name: "empty", size: 0, members: [] })).toEqual([
      "struct empty {",
      "    <no data fields>",
      "}",
    ]);
    expect(printDefinition(int)).toEqual(["int"]);
  });
});
