import { describe, expect, it } from "vitest";
import type { CType } from "../debug-info/c-type.ts";
import { array, CHAR, INT, LONG, pointerTo, struct, typedef, UINT, ULONG, union, VOID } from "../kernel/testing/small-kernel.ts";
import { membersAt, pathsOf, typeRead } from "./member-path.ts";
import { sameType } from "./shape.ts";

const LIST: CType = struct("list_head", [
  ["next", pointerTo(() => LIST)],
  ["prev", pointerTo(() => LIST)],
]);
const LOCK = struct("spinlock", [[undefined, union(undefined, [["raw", struct("raw_spinlock", [["value", UINT]])]])]]);
/** list at 0, lock at 0x10, bits at 0x14, ids at 0x18, slots at 0x28, tail at 0x48. */
const OBJECT = struct("object", [
  ["list", typedef("list_t", LIST)],
  ["lock", LOCK],
  ["low", UINT, 4],
  ["high", UINT, 12],
  ["ids", array(INT, 4)],
  [
    "slots",
    array(
      struct("slot", [
        ["owner", pointerTo(VOID)],
        ["count", LONG],
      ]),
      2,
    ),
  ],
  ["tail", array(CHAR, 0)],
]);

const paths = (target: CType, offset: number, size: number, stride = 0) =>
  membersAt({ kind: "pointer", target, offset, stride }, size).map(({ path, leftover }) => (leftover === 0 ? path : `${path}+${leftover}`));

describe("the member at an offset", () => {
  it("through structures, anonymous unions and arrays", () => {
    expect(paths(OBJECT, 8, 8)).toEqual(["list.prev"]);
    expect(paths(OBJECT, 0x10, 4)).toEqual(["lock.raw.value"]);
    expect(paths(OBJECT, 0x20, 4)).toEqual(["ids[2]"]);
    expect(paths(OBJECT, 0x40, 8)).toEqual(["slots[1].count"]);
    expect(paths(OBJECT, 0x4a, 1)).toEqual(["tail[2]"]);
    expect(paths(OBJECT, 0x1a, 2)).toEqual(["ids[0]+2"]);
  });

  it("for an address alone is the outermost that starts there", () => {
    expect(paths(OBJECT, 0, 0)).toEqual(["list"]);
    expect(paths(OBJECT, 0x10, 0)).toEqual(["lock"]);
    expect(paths(OBJECT, 0x18, 0)).toEqual(["ids"]);
    expect(paths(OBJECT, 8, 0)).toEqual(["list.prev"]);
  });

  it("for a copy is the structure of that size", () => {
    expect(paths(OBJECT, 0, 16)).toEqual(["list"]);
    expect(paths(OBJECT, 0x28, 16)).toEqual(["slots[0]", "slots[0].owner"].slice(1));
  });

  it("names all bit-fields that an access touches", () => {
    expect(paths(OBJECT, 0x14, 4)).toEqual(["low", "high"]);
    expect(paths(OBJECT, 0x15, 1)).toEqual(["high+1"]);
    expect(typeRead(membersAt({ kind: "pointer", target: OBJECT, offset: 0x14, stride: 0 }, 4), 4, sameType)).toBeUndefined();
  });

  it("with an unknown index is an element of an array whose size the index has", () => {
    expect(paths(OBJECT, 0x18, 4, 4)).toEqual(["ids[]"]);
    expect(paths(OBJECT, 0x28, 8, 16)).toEqual(["slots[].owner"]);
    expect(paths(OBJECT, 0x30, 8, 16)).toEqual(["slots[].count"]);
    expect(paths(OBJECT, 0x18, 4, 3)).toEqual([]);
    expect(paths(OBJECT, 8, 8, 8)).toEqual([]);
    expect(paths(LIST, 8, 8, 16)).toEqual(["[].prev"]);
    expect(paths(CHAR, 3, 1)).toEqual(["[3]"]);
  });

  it("is nothing outside, before, or in what has no members", () => {
    expect(paths(LIST, 16, 8)).toEqual([]);
    expect(paths(LIST, -8, 8)).toEqual([]);
    expect(paths(VOID, 0, 8)).toEqual([]);
    expect(paths({ kind: "forward", of: "struct", name: "hidden" }, 0, 8)).toEqual([]);
  });

  it("of a union is the one of the access's size; a group and its copy are one", () => {
    const two = union("two", [
      ["word", ULONG],
      ["half", UINT],
      ["pointer", pointerTo(VOID)],
    ]);
    expect(paths(two, 0, 4)).toEqual(["half"]);
    expect(paths(two, 0, 8)).toEqual(["word", "pointer"]);
    expect(typeRead(membersAt({ kind: "pointer", target: two, offset: 0, stride: 0 }, 8), 8, sameType)).toBeUndefined();
    const grouped = struct("grouped", [
      [
        undefined,
        union(undefined, [
          [undefined, struct(undefined, [["length", UINT]])],
          ["headers", struct(undefined, [["length", UINT]])],
        ]),
      ],
    ]);
    expect(paths(grouped, 0, 4)).toEqual(["length"]);
    expect(pathsOf(membersAt({ kind: "pointer", target: two, offset: 0, stride: 0 }, 8), 1)).toBe("word|...");
  });

  it("ends in a damaged table whose structure contains itself", () => {
    const ring = struct("ring", [["first", LONG]]);
    (ring.members as unknown[])[0] = { name: "self", type: ring, bitOffset: 0, bitSize: undefined };
    expect(paths(ring, 0, 8).length).toBeLessThanOrEqual(8);
  });
});
