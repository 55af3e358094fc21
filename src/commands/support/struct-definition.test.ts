/** Layouts as crash 8.0.2 prints them. */
import { expect, test } from "vitest";
import { INT, LONG, smallKernel, struct, typedef, UINT, union } from "../../kernel/testing/small-kernel.ts";
import { structDefinition } from "./struct-definition.ts";
import { resolveStruct } from "./struct-name.ts";

const pair = struct("pair", [
  ["a", INT],
  ["b", LONG],
]);
const mixed = struct("mixed", [
  ["flags", UINT, 3],
  ["more", UINT, 4],
  [
    undefined,
    union(undefined, [
      ["x", INT],
      ["in", pair],
    ]),
  ],
]);
const kernel = smallKernel({ types: [pair, mixed, typedef("count_t", struct(undefined, [["counter", INT]]))] });
const text = (name: string, offsets = false, radix: 10 | 16 = 10, address?: bigint) =>
  structDefinition(resolveStruct(kernel, name), { offsets, radix, ...(address === undefined ? {} : { address }) }).text;

test("whole", () => {
  expect(text("pair")).toEqual(["struct pair {", "    int a;", "    long b;", "}", "SIZE: 16"]);
  expect(text("pair", true)).toEqual(["struct pair {", "   [0] int a;", "   [8] long b;", "}", "SIZE: 16"]);
  expect(text("pair", true, 16)).toEqual(["struct pair {", "   [0x0] int a;", "   [0x8] long b;", "}", "SIZE: 0x10"]);
  expect(text("pair", true, 10, 0xffffffff98727160n)).toEqual([
    "struct pair {",
    "  [ffffffff98727160] int a;",
    "  [ffffffff98727168] long b;",
    "}",
    "SIZE: 16",
  ]);
});

test("a typedef", () => {
  expect(text("count_t")).toEqual(["typedef struct {", "    int counter;", "} count_t;", "SIZE: 4"]);
  expect(text("count_t", true)).toEqual(["typedef struct {", "  [0] int counter;", "} count_t;", "SIZE: 4"]);
});

test("members, with their offsets in any case", () => {
  expect(text("mixed.more,in.b")).toEqual(["struct mixed {", "   [0] unsigned int more : 4;", "  [16] long in.b;", "}"]);
  expect(text("pair.b", true, 10, 0x1000n)).toEqual(["struct pair {", "  [0000000000001008] long b;", "}"]);
});

test("as data, anonymous members nested", () => {
  const { members, size, kind } = structDefinition(resolveStruct(kernel, "mixed"), { offsets: false, radix: 10 });
  expect({ size, kind }).toEqual({ size: 24, kind: "struct" });
  expect(members).toEqual([
    { name: "flags", type: "unsigned int", offset: 0, bitOffset: 0, bitSize: 3, size: 4 },
    { name: "more", type: "unsigned int", offset: 0, bitOffset: 3, bitSize: 4, size: 4 },
    {
      type: "union {...}",
      offset: 8,
      size: 16,
      members: [
        { name: "x", type: "int", offset: 8, size: 4 },
        { name: "in", type: "struct pair", offset: 8, size: 16 },
      ],
    },
  ]);
});
