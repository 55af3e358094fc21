import { expect, test } from "vitest";
import { enumeration, INT, LONG, smallKernel, struct, typedef, union } from "../../kernel/testing/small-kernel.ts";
import { parseOffset, resolveStruct } from "./struct-name.ts";

const pair = struct("pair", [
  ["a", INT],
  ["b", LONG],
]);
const either = union("either", [
  ["a", INT],
  ["b", LONG],
]);
const kernel = smallKernel({
  types: [
    pair,
    either,
    enumeration("mode", { ON: 1 }),
    typedef("pair_t", pair),
    typedef("count_t", INT),
    typedef("anon_t", struct(undefined, [["n", INT]])),
  ],
});

test("a tag, a typedef, members", () => {
  expect(resolveStruct(kernel, "pair")).toMatchObject({ type: pair, name: "pair", isTypedef: false, members: [] });
  expect(resolveStruct(kernel, "anon_t")).toMatchObject({ name: "anon_t", isTypedef: true });
  expect(resolveStruct(kernel, "either.b", "union").members).toMatchObject([{ path: "b", offset: 0 }]);
  expect(resolveStruct(kernel, "pair.b,a").members).toMatchObject([
    { path: "b", offset: 8 },
    { path: "a", offset: 0 },
  ]);
});

test.each([
  ["either", "struct", "either is a union: union either"],
  ["pair", "union", "pair is a struct: struct pair"],
  ["mode", "struct", "mode is an enum, no struct: whatis mode"],
  ["count_t", "struct", "count_t is a typedef of something else than a structure"],
  ["pairs", "struct", 'no struct named "pairs" in this dump'],
  ["pairs", undefined, "nearest: pair"],
  ["pair.", undefined, "a member is missing"],
  ["pair.a,,b", undefined, "a member is missing"],
  ["pair.c", undefined, 'struct pair has no member "c"'],
] as const)("%s as %s", (text, keyword, message) => {
  expect(() => resolveStruct(kernel, text, keyword)).toThrow(message);
});

test("offsets: bytes or structure.member", () => {
  expect(["8", "0x10", "pair.b"].map((text) => parseOffset(kernel, text))).toEqual([8, 16, 8]);
  expect(() => parseOffset(kernel, "eight")).toThrow('"eight" is no offset');
});

test("a dump without types says so", () => {
  const bare = smallKernel();
  bare.types.sources.length = 0;
  expect(() => resolveStruct(bare, "pair")).toThrow("carries no type information");
});
