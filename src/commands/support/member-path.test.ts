import { describe, expect, test } from "vitest";
import { array, INT, LONG, pointerTo, struct, U8, UINT, union } from "../../kernel/testing/small-kernel.ts";
import { resolveMember } from "./member-path.ts";

const load = struct("load", [
  ["weight", LONG],
  ["sums", array(INT, 3)],
]);
const task = struct("task", [
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

test("a bitfield keeps its bits", () => {
  expect(resolveMember(task, "bits")).toMatchObject({ offset: 5, bits: { shift: 0, size: 5 }, name: "bits" });
});

describe("errors", () => {
  test.each([
    ["nope", 'struct task has no member "nope"'],
    ["se.on_rw", 'struct entity has no member "on_rw" (nearest: on_rq)'],
    ["mm.weight", '"mm.weight": mm is a pointer; follow it with p'],
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
