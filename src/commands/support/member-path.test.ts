import { describe, expect, test } from "vitest";
import { virtual } from "../../bytes/address.ts";
import { array, INT, LONG, pointerTo, SparseMemory, struct, U8, UINT, union } from "../../kernel/testing/small-kernel.ts";
import { memberAddress, resolveMember } from "./member-path.ts";

const load = struct("load", [
  ["weight", LONG],
  ["sums", array(INT, 3)],
]);
const task: ReturnType<typeof struct> = struct("task", [
  ["state", INT],
  [
    undefined,
    union(undefined, [
      ["users", INT],
      [
        undefined,
        struct(undefined, [
          ["low", U8],
          ["bits", UINT, 5],
        ]),
      ],
    ]),
  ],
  [
    "se",
    struct("entity", [
      ["on_rq", INT],
      ["loads", array(load, 2)],
    ]),
  ],
  ["mm", pointerTo(load)],
  ["grid", array(array(INT, 4), 2)],
  ["next", pointerTo(() => task)],
  ["count", pointerTo(INT)],
]);

test.each([
  ["state", 0],
  ["users", 4],
  ["low", 4],
  ["se", 8],
  ["se.on_rq", 8],
  ["se.loads[1]", 40],
  ["se.loads[1].sums[2]", 56],
  ["grid[1][3]", 100],
])("%s", (path, offset) => {
  expect(resolveMember(task, path)).toMatchObject({ path, offset });
});

test.each([
  ["mm->weight", [64], 0, LONG],
  ["mm.sums[1]", [64], 12, INT],
  ["next->next->se.on_rq", [104, 104], 8, INT],
  ["next.mm.weight", [104, 64], 0, LONG],
  ["count[3]", [112], 12, INT],
  ["grid[1][1..2]", [], 92, array(INT, 2)],
  ["mm->sums[0..2]", [64], 8, array(INT, 3)],
])("%s", (path, through, offset, type) => {
  expect(resolveMember(task, path)).toMatchObject({ path, through, offset, type });
});

test("the address behind pointers is read; NULL is told", () => {
  const memory = new SparseMemory()
    .put(0x1000n + 104n, 0x2000)
    .put(0x2000n + 64n, 0x3000)
    .put(0x2000n + 104n, 0);
  expect(memberAddress(memory, virtual(0x1000n), resolveMember(task, "next->mm->sums[1]"))).toBe(0x300cn);
  expect(() => memberAddress(memory, virtual(0x1000n), resolveMember(task, "next->next->state"))).toThrow(
    "a pointer of next->next->state is NULL",
  );
  expect(() => memberAddress(memory, virtual(0x9000n), resolveMember(task, "mm->weight"))).toThrow("not mapped");
});

test("a bitfield keeps its bits", () => {
  expect(resolveMember(task, "bits")).toMatchObject({ offset: 5, bits: { shift: 0, size: 5 }, name: "bits" });
});

describe("errors", () => {
  test.each([
    ["nope", 'struct task has no member "nope"'],
    ["se.on_rw", 'struct entity has no member "on_rw" (nearest: on_rq)'],
    ["mm->weigth", 'struct load has no member "weigth" (nearest: weight)'],
    ["count->x", '"count->x": count is no pointer to a structure'],
    ["se.loads[1..2]", '"se.loads[1..2]": loads has 2 elements, 0 to 1'],
    ["se.loads[1..0]", "0 is below 1"],
    ["state.x", '"state.x": state is no structure'],
    ["state[0]", '"state[0]": state is no array'],
    ["se.loads[2]", '"se.loads[2]": loads has 2 elements, 0 to 1'],
    ["se.loads[x]", '"x" is no index'],
    ["se..on_rq", '"" is no member'],
    ["a-b", '"a-b" is no member'],
  ])("%s", (path, message) => {
    expect(() => resolveMember(task, path)).toThrow(message);
  });
});
