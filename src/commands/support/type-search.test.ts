import { describe, expect, test } from "vitest";
import { array, functionType, INT, LONG, pointerTo, smallKernel, struct, typedef } from "../../kernel/testing/small-kernel.ts";
import { parseSizeRange, searchStructures } from "./type-search.ts";

const mm = struct("mm_struct", [["users", INT]]);
const task = struct("task", [
  ["mm", pointerTo(mm)],
  ["pid", LONG],
]);
const holder = struct("holder", [["tasks", array(task, 2)]]);
const ops = struct("ops", [["get", pointerTo(functionType(INT, pointerTo(mm)))]]);
const kernel = smallKernel({
  types: [holder, ops, task, mm, typedef("anon_t", struct(undefined, [["x", LONG]])), typedef("task_t", task)],
});
const names = (range?: string, member?: string) =>
  searchStructures(kernel, range === undefined ? undefined : parseSizeRange(range), member).map(({ size, name }) => `${size} ${name}`);

test("by size, smallest first, typedefs of anonymous structures included", () => {
  expect(names("8")).toEqual(["8 anon_t", "8 ops"]);
  expect(names("0x8-16")).toEqual(["8 anon_t", "8 ops", "16 task"]);
});

test("by member, also of embedded structures, not by parameters of functions", () => {
  expect(names(undefined, "mm_struct")).toEqual(["16 task", "32 holder"]);
  expect(names("32", "mm_struct")).toEqual(["32 holder"]);
  expect(names(undefined, "struct  mm_struct *")).toEqual(["16 task", "32 holder"]);
});

describe("sizes", () => {
  test.each(["x", "16-8", "-4", "1-2-3", ""])("%j is refused", (text) => {
    expect(() => parseSizeRange(text)).toThrow("no size");
  });
});
