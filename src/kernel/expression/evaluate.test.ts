import { describe, expect, test } from "vitest";
import { LookupError } from "../../bytes/errors.ts";
import { declare } from "../../debug-info/c-format-type.ts";
import type { DebugInfo } from "../../debug-info/debug-info.ts";
import { KernelDebugInfo } from "../debug-info.ts";
import {
  array,
  BOOL,
  CHAR,
  enumeration,
  functionType,
  INT,
  LONG,
  pointerTo,
  SparseMemory,
  smallKernel,
  struct,
  typedef,
  U8,
  UINT,
  ULONG,
  union,
  VOID,
} from "../testing/small-kernel.ts";
import { Value } from "../value.ts";
import { evaluateExpression } from "./evaluate.ts";
import { type FrameNames, kernelScope } from "./scope.ts";
import { toNumber } from "./values.ts";

const BASE = 0xffff800000001000n;
const color = enumeration("color", { RED: 0, GREEN: 1, BLUE: 7 });
const inner = struct("inner", [
  ["low", UINT, 3],
  ["high", INT, 5],
  ["list", array(INT, 4)],
]);
const node: ReturnType<typeof struct> = struct("node", [
  ["next", pointerTo(() => node)],
  ["name", array(CHAR, 8)],
  [
    undefined,
    union(undefined, [
      ["as_long", LONG],
      ["as_int", INT],
    ]),
  ],
  ["inner", inner],
  ["color", color],
  ["flag", BOOL],
]);
const memory = new SparseMemory()
  .put(BASE, BASE + 0x100n)
  .text(BASE + 8n, "abc")
  .put(BASE + 16n, -5)
  .put(BASE + 24n, 0b10110_101, 4)
  .put(BASE + 28n, 10, 4)
  .put(BASE + 32n, 20, 4)
  .put(BASE + 36n, -30, 4)
  .put(BASE + 44n, 7, 4)
  .put(BASE + 48n, 1, 1)
  .put(BASE + 0x100n, 0)
  .put(BASE + 0x800n, 0x12345678, 4);
const kernel = smallKernel({
  memory,
  types: [node, inner, color, typedef("u8", U8), typedef("node_t", node)],
  symbols: {
    _stext: [0xffff800000000000n, "T"],
    do_it: [0xffff800000000100n, "t"],
    _etext: [0xffff800000000800n, "T"],
    first: [BASE, "D"],
    mystery: [BASE + 0x800n, "d"],
    "done.16": [BASE + 0x900n, "b"],
  },
  variables: { first: node, "done.16": INT },
  functions: { do_it: functionType(INT, pointerTo(node)) },
});
const history: Value[] = [];
const convenience = new Map<string, Value>();
const frame: FrameNames = {
  chosen: false,
  local: (name) => {
    if (name === "lost") throw new LookupError("lost was optimized out");
    return name === "own" || name === "first" ? new Value(memory, INT, { immediate: 41n }) : undefined;
  },
  register: (name) => {
    if (name === "rbx") throw new LookupError("rbx is not known in this frame");
    return name === "rip" ? new Value(memory, LONG, { immediate: 99n }) : undefined;
  },
};
const run = (text: string, names = frame) => evaluateExpression(text, kernelScope(kernel, { history, convenience, frame: names }));
const value = (text: string) => run(text).bigint();
const type = (text: string) => declare(run(text).type);

describe("arithmetic follows C", () => {
  test.each([
    ["1 + 2 * 3", 7n, "int"],
    ["-7 / 2", -3n, "int"],
    ["-7 % 3", -1n, "int"],
    ["1 << 31", -0x80000000n, "int"],
    ["1UL << 40", 1n << 40n, "unsigned long"],
    ["0x80000000", 0x80000000n, "unsigned int"],
    ["2147483648", 2147483648n, "long"],
    ["0xffffffffffffffff", 0xffffffffffffffffn, "unsigned long"],
    ["0xffffffffffffffff + 1", 0n, "unsigned long"],
    ["-1 < 0u", 0n, "int"],
    ["-1 < 0", 1n, "int"],
    ["~0", -1n, "int"],
    ["!3", 0n, "int"],
    ["(unsigned char)300", 44n, "unsigned char"],
    ["(char)200", -56n, "char"],
    ["(u8)-1", 255n, "u8"],
    ["(unsigned char)200 + (unsigned char)100", 300n, "int"],
    ["(long)-1 >> 4", -1n, "long"],
    ["1 ? 2 : 1 / 0", 2n, "int"],
    ["0 && 1 / 0", 0n, "int"],
    ["1 || 1 / 0", 1n, "int"],
    ["1, 2", 2n, "int"],
    ["'a' + 1", 98n, "int"],
    ["BLUE", 7n, "enum color"],
    ["BLUE + 1", 8n, "unsigned int"],
    ["(enum color)1 == GREEN", 1n, "int"],
    ["sizeof(struct node)", 56n, "unsigned long"],
    ["sizeof(first.inner.list)", 16n, "unsigned long"],
    ["sizeof(long)", 8n, "unsigned long"],
    ['sizeof("abc")', 4n, "unsigned long"],
    ["(int)2.75", 2n, "int"],
    ["1.5 < 2", 1n, "int"],
    ["!0.0", 1n, "int"],
    ["offsetof(struct node, inner.list[2])", 36n, "unsigned long"],
    ["container_of(&first.inner, struct node, inner)->color", 7n, "enum color"],
    ["(typeof(first.inner.list[0]))-1", -1n, "int"],
    ["((typeof(first) *)&first)->flag", 1n, "_Bool"],
  ])("%s", (text, expected, expectedType) => {
    expect([value(text), type(text)]).toEqual([expected, expectedType]);
  });
});

describe("memory", () => {
  test.each([
    ["first.next", BASE + 0x100n, "struct node *"],
    ["first.as_long", -5n, "long"],
    ["first.as_int", -5n, "int"],
    ["first.inner.low", 5n, "unsigned int"],
    ["first.inner.high", -10n, "int"],
    ["first.inner.list[1]", 20n, "int"],
    ["1[first.inner.list]", 20n, "int"],
    ["*first.inner.list", 10n, "int"],
    ["first.inner.list[2] + first.inner.list[0]", -20n, "int"],
    ["first.name[1]", 98n, "char"],
    ["first.color", 7n, "enum color"],
    ["first.flag", 1n, "_Bool"],
    ["&first", BASE, "struct node *"],
    ["&first.inner.list[3]", BASE + 40n, "int *"],
    ["&first + 1", BASE + 56n, "struct node *"],
    ["&first.inner.list[3] - &first.inner.list[0]", 3n, "long"],
    ["first.next->next", 0n, "struct node *"],
    ["first.next == &first", 0n, "int"],
    [`((struct node *)${BASE.toString(16)})->color`, 7n, "enum color"],
    [`((node_t *)0x${BASE.toString(16)})->color`, 7n, "enum color"],
    [`{int} 0x${(BASE + 32n).toString(16)}`, 20n, "int"],
    [`*0x${BASE.toString(16)}`, BigInt.asIntN(64, BASE + 0x100n), "long"],
    ["*(int *)&mystery", 0x12345678n, "int"],
    ["*(void **)&first == first.next", 1n, "int"],
    ["&do_it", 0xffff800000000100n, "int (*)(struct node *)"],
    ["(long)do_it", BigInt.asIntN(64, 0xffff800000000100n), "long"],
    ["done.16", 0n, "int"],
    // A bitfield is an int in arithmetic; sizeof and typeof read nothing.
    ["first.inner.low - 6", -1n, "int"],
    ["first.inner.low - 6 < 0", 1n, "int"],
    ["sizeof(((struct node *)0)->next->next->inner)", 20n, "unsigned long"],
    ["sizeof(((struct node *)0)->next->inner.list[((struct node *)0)->as_int])", 4n, "unsigned long"],
    ["(typeof(((struct node *)0)->next->color))1", 1n, "enum color"],
  ])("%s", (text, expected, expectedType) => {
    expect([value(text), type(text)]).toEqual([expected, expectedType]);
  });

  test("@ makes an array", () => {
    const found = run("first.inner.list[1]@2");
    expect([found.type, found.address]).toEqual([array(INT, 2), BASE + 32n]);
  });

  test("nothing is read for an address", () => {
    expect(value("&((struct node *)0x10)->inner")).toBe(0x10n + 24n);
    expect(() => value("((struct node *)0x10)->color")).toThrow("not mapped");
  });
});

test("a slice is an array with both its ends", () => {
  const found = run("first.inner.list[1..2]");
  expect([found.type, found.address]).toEqual([array(INT, 2), BASE + 32n]);
});

test.each([
  ["5.0 / 2", 2.5, "double"],
  ["-1.5f * 2", -3, "float"],
  ["(double)first.inner.list[0] + 0.25", 10.25, "double"],
])("floating point: %s", (text, expected, expectedType) => {
  const found = run(text);
  expect([toNumber({ type: found.type, value: found.bigint() }), declare(found.type)]).toEqual([expected, expectedType]);
});

test("a string has bytes of its own", () => {
  expect([run('"ab"').string(), value('"ab"[1]'), declare(run('"ab"').type)]).toEqual(["ab", 98n, "char [3]"]);
  expect(() => value('"ab"[3]')).toThrow("it has 3 elements, 0 to 2");
  expect(() => value('&"ab"')).toThrow("a value without an address");
});

describe("the frame's names and convenience variables", () => {
  test("locals come after the kernel's names, but before them once the frame was chosen", () => {
    expect([value("own + 1"), type("first")]).toEqual([42n, "struct node"]);
    expect(run("first", { ...frame, chosen: true }).bigint()).toBe(41n);
  });

  test("registers come before variables, what is not set is void", () => {
    expect([value("$rip"), value("$i = 7"), value("$i * 2"), type("$other")]).toEqual([99n, 7n, 14n, "void"]);
  });
});

test("one CPU's copy of a per-CPU variable", () => {
  const perCpu = smallKernel({
    memory: new SparseMemory().put(0x5010n, 5, 4).put(0x9010n, 9, 4),
    symbols: { __per_cpu_start: [0n, "D"], count: [16n, "D"], __per_cpu_end: [64n, "D"], plain: [0x100n, "D"] },
    variables: { count: INT, plain: INT },
    perCpuOffsets: [0x5000n, 0x9000n],
  });
  const of = (text: string) => evaluateExpression(text, kernelScope(perCpu)).bigint();
  expect([of("per_cpu(count, 1)"), of("*per_cpu_ptr(&count, 0)"), of("&count"), of("sizeof(count)")]).toEqual([9n, 5n, 16n, 4n]);
  expect(() => of("count")).toThrow("is per-CPU");
  expect(() => of("per_cpu(plain, 1)")).toThrow("plain is no per-CPU variable");
  expect(() => of("per_cpu(count, 2)")).toThrow("CPU 2 has no per-CPU area");
});

describe("static variables of files and functions", () => {
  const place = (file: string) => ({ file, line: 1, column: 0 });
  const statics = [
    { name: "count", type: INT, address: 0x10n, external: false, declared: place("/build/fs/a.c"), scope: undefined },
    { name: "count", type: LONG, address: 0x20n, external: false, declared: place("/build/fs/b.c"), scope: "run" },
    { name: "gone", type: LONG, address: undefined, external: false, declared: place("/build/fs/b.c"), scope: undefined },
  ];
  const info = { variables: (name: string) => statics.filter((each) => each.name === name) } as unknown as DebugInfo;
  const debugInfo = new KernelDebugInfo({ module: undefined, path: "vmlinux", info, bias: BASE }, () => []);
  const named = smallKernel({ debugInfo, symbols: { count: [BASE + 0x20n, "b"] }, variables: { count: INT } });
  const of = (text: string) => evaluateExpression(text, kernelScope(named));

  test.each([
    ["'fs/a.c'::count", BASE + 0x10n, "int"],
    ["'b.c'::count", BASE + 0x20n, "long"],
    ["run::count", BASE + 0x20n, "long"],
    // Of several, the one that the symbol names.
    ["count", BASE + 0x20n, "long"],
  ])("%s", (text, address, expected) => {
    expect([of(text).address, declare(of(text).type)]).toEqual([address, expected]);
  });

  test("what is not there is told with where the name is", () => {
    expect(() => of("'fs/c.c'::count")).toThrow("there is no variable 'fs/c.c'::count (nearest: '/build/fs/a.c'::count, run::count)");
    expect(() => of("'b.c'::gone")).toThrow("'b.c'::gone was optimized out");
  });
});

describe("history", () => {
  test("$, $N and $$N", () => {
    history.splice(0, history.length, run("first"), run("5"), run("6"));
    expect(value("$")).toBe(6n);
    expect(value("$2 * $")).toBe(30n);
    expect(value("$$")).toBe(5n);
    expect(value("$$2.color")).toBe(7n);
    expect(() => run("$9")).toThrow("there is no value $9 yet");
  });
});

describe("errors say where and what", () => {
  test.each([
    ["first.colour", 'struct node has no member "colour" (nearest: color)'],
    ["frist", 'no symbol named "frist" in this dump'],
    ["first + 1", "column 1: struct node is no number or pointer"],
    ["&5", "column 2: a value without an address"],
    ["&first.inner.low", "column 14: a value without an address"],
    ["first.color.x", "column 7: enum color is no structure"],
    ["mystery + 1", "column 1: its type is not known without a vmlinux"],
    ["mystery.x", "its type is not known without a vmlinux"],
    ["1 / 0", "column 3: division by zero"],
    ["1 << 64", "column 3: shift by 64"],
    ["1 << 32", "column 3: shift by 32: a 32-bit value is shifted by 0 to 31; give it a UL or a cast to long"],
    ["1ul << 64", "column 5: shift by 64: a 64-bit value is shifted by 0 to 63"],
    ["(unsigned char)1 >> -1", "column 18: shift by -1"],
    ["(struct nowhere *)0 + 1", "struct nowhere has no definition"],
    ["((struct nowhere *)0)[1]", "struct nowhere has no definition"],
    ["(struct nowhere *)8 - (struct nowhere *)0", "struct nowhere has no definition"],
    ["1uu", '"1uu" is no number'],
    ["''", "a character is missing"],
    ["&first + &first", "column 8: two pointers cannot be added"],
    ["5[6]", "column 2: only arrays and pointers can be indexed"],
    ["-&first", 'column 1: "-" does not take a pointer'],
    ["*(void *)0", "column 1: a void pointer cannot be dereferenced"],
    ["(struct node)1", "a value without an address"],
    ["first.inner.list[3..1]", "column 21: 1 is below 3"],
    ["offsetof(struct node, inner.low)", "column 29: low is a bitfield"],
    ["offsetof(struct node, color.x)", "column 29: enum color has no members"],
    ["offsetof(struct node, colour)", "(nearest: color)"],
    ["offsetof(struct node, color[1])", "column 28: enum color is no array"],
    ["(typeof(first)[2])1", 'only "*" may follow typeof'],
    ["1.5 % 2", 'column 5: "%" takes integers'],
    ["~1.5", 'column 1: "~" takes an integer'],
    ["&first + 1.5", "a pointer moves by an integer"],
    ["$nothing + 1", "column 1: $nothing is not set"],
    ["$rbx", "rbx is not known in this frame"],
    ["lost", "lost was optimized out"],
    ["'a.c'::x", "not known without a vmlinux"],
    ["sizeof(void)", "the size of void is not known"],
    ["*(struct nothing *)1", "struct nothing has no definition in this dump"],
    ["((struct nothing *)1)->x", "struct nothing has no definition in this dump"],
    ["5@2", "column 1: a value without an address"],
    ["first@0", "0 is no number of elements"],
  ])("%s", (text, message) => {
    expect(() => value(text)).toThrow(message);
  });
});

test("an unknown function has a prototype of its own", () => {
  const bare = smallKernel({ symbols: { _stext: [BASE, "T"], f: [BASE + 16n, "T"], _etext: [BASE + 32n, "T"] } });
  expect(declare(evaluateExpression("f", kernelScope(bare)).type)).toBe(declare(functionType(VOID)));
});

test("a flexible array variable ends where the next symbol starts, a string at its NUL", () => {
  const at = smallKernel({
    memory: new SparseMemory().text(BASE, "hello\0\0\0"),
    symbols: { banner: [BASE, "D"], words: [BASE + 8n, "D"], next: [BASE + 40n, "D"] },
    variables: { banner: array(CHAR, 0), words: array(ULONG, 0) },
  });
  expect(declare(evaluateExpression("banner", kernelScope(at)).type)).toBe(declare(array(CHAR, 6)));
  expect(declare(evaluateExpression("words", kernelScope(at)).type)).toBe(declare(array(ULONG, 4)));
});
