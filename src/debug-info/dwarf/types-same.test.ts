import { expect, it, test } from "vitest";
import type { CType, IntType, StructType } from "../c-type.ts";
import { contentOf, distinct } from "./types-same.ts";

const int: IntType = { kind: "int", name: "int", size: 4, signed: true, encoding: "int" };
const struct = (name: string | undefined, ...members: (readonly [string | undefined, CType, number, number?])[]): StructType => ({
  kind: "struct",
  name,
  size: 8,
  members: members.map(([member, type, bitOffset, bitSize]) => ({ name: member, type, bitOffset, bitSize })),
});

it("keeps one of equal definitions, the first", () => {
  const first = struct("s", ["a", int, 0]);
  const other = struct("s", ["a", int, 32]);
  expect(distinct([first, struct("s", ["a", int, 0]), other])).toEqual([first, other]);
  expect(distinct([first, struct("s", ["a", int, 0])])[0]).toBe(first);
});

test.each<readonly [string, CType, CType]>([
  ["a member's name", struct("s", ["a", int, 0]), struct("s", ["b", int, 0])],
  ["a bitfield's width", struct("s", ["a", int, 0, 3]), struct("s", ["a", int, 0, 4])],
  ["a member's type", struct("s", ["a", int, 0]), struct("s", ["a", { kind: "pointer", size: 8, target: int }, 0])],
  [
    "a structure that is referred to by name",
    struct("s", ["a", { kind: "pointer", size: 8, target: struct("x") }, 0]),
    struct("s", ["a", { kind: "pointer", size: 8, target: struct("y") }, 0]),
  ],
  [
    "the content of an anonymous member",
    struct("s", [undefined, struct(undefined, ["a", int, 0]), 0]),
    struct("s", [undefined, struct(undefined, ["a", int, 1]), 0]),
  ],
  ["an array's length", { kind: "array", element: int, length: 1 }, { kind: "array", element: int, length: 2 }],
  ["an int's sign", int, { ...int, signed: false }],
  [
    "an enumerator's value",
    { kind: "enum", name: "e", size: 4, signed: false, enumerators: [{ name: "A", value: 0n }] },
    { kind: "enum", name: "e", size: 4, signed: false, enumerators: [{ name: "A", value: 1n }] },
  ],
  [
    "more parameters",
    { kind: "function", returns: int, parameters: [], variadic: true },
    { kind: "function", returns: int, parameters: [], variadic: false },
  ],
  ["a qualifier", { kind: "const", target: int }, { kind: "volatile", target: int }],
  ["what a typedef stands for", { kind: "typedef", name: "t", target: int }, { kind: "typedef", name: "t", target: { kind: "void" } }],
])("%s makes a difference", (_what, a, b) => {
  expect(distinct([a, b])).toHaveLength(2);
});

it("does not tell a full structure from a forward declaration where it is referred to", () => {
  const to = (target: CType) => struct("s", ["p", { kind: "pointer", size: 8, target }, 0]);
  expect(distinct([to(struct("x")), to({ kind: "forward", of: "struct", name: "x" })])).toHaveLength(1);
});

it("ends in a ring of types", () => {
  const ring: { kind: "pointer"; size: number; target: CType } = { kind: "pointer", size: 8, target: int };
  ring.target = ring;
  expect(contentOf(ring).length).toBeLessThan(100);
  const anonymous = struct(undefined) as { members: StructType["members"] } & StructType;
  Object.assign(anonymous, { members: [{ name: "x", type: anonymous, bitOffset: 0, bitSize: undefined }] });
  expect(contentOf(anonymous).length).toBeLessThan(2000);
});
