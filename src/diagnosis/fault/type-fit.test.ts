import { describe, expect, it } from "vitest";
import { array, CHAR, functionType, INT, LONG, pointerTo, struct, UINT, ULONG, VOID } from "../../kernel/testing/small-kernel.ts";
import { type FitInput, fittingStructure } from "./type-fit.ts";

const LIST = struct("list_head", [
  ["next", pointerTo(VOID)],
  ["prev", pointerTo(VOID)],
]);
/** number at 0, count at 8, next at 0x10; 24 bytes. */
const SEGMENT = struct("segment", [
  ["number", ULONG],
  ["count", UINT],
  ["next", pointerTo(() => SEGMENT)],
]);
/** name at 0, list at 0x10, done at 0x20, state at 0x28; 0x30 bytes. */
const REQUEST = struct("request", [
  ["name", array(CHAR, 16)],
  ["list", LIST],
  ["done", pointerTo(functionType(VOID, INT))],
  ["state", LONG],
]);
/** segment at 0x10 as a member; 0x28 bytes. */
const HOLDER = struct("holder", [
  ["owner", pointerTo(VOID)],
  ["id", pointerTo(VOID)],
  ["segment", SEGMENT],
]);
const ALL = [SEGMENT, REQUEST, HOLDER];

const found = (input: FitInput) => {
  const fit = fittingStructure(ALL, input);
  return fit === undefined ? undefined : [fit.type.name, fit.offset];
};
const place = (offset: number, size: number) => ({ offset, size });

describe("the structure that fits uses of a pointer", () => {
  it("is the only one with members of those sizes there", () => {
    expect(found({ places: [place(8, 4), place(0x10, 8)] })).toEqual(["segment", 0]);
    expect(found({ places: [place(0x20, 8), place(0x28, 8)] })).toEqual(["request", 0]);
  });

  it("is none when several do, or one access is all that is known", () => {
    expect(found({ places: [place(0, 8)] })).toBeUndefined();
    expect(found({ places: [place(0, 8), place(0x10, 8)] })).toBeUndefined();
    expect(found({ places: [place(3, 8), place(0x10, 8)] })).toBeUndefined();
  });

  it("has the size that was allocated", () => {
    expect(found({ places: [place(0, 8)], allocated: 24 })).toEqual(["segment", 0]);
    expect(found({ places: [place(0, 8)], allocated: 25 })).toBeUndefined();
  });

  it("has no room in a smaller object, and is not in a larger one than it needs", () => {
    expect(found({ places: [place(0x10, 8)], objectSize: 32, smallerSize: 16 })).toEqual(["segment", 0]);
    expect(found({ places: [place(0x10, 8)], objectSize: 32, smallerSize: 24 })).toBeUndefined();
    // An element of an array begins at a multiple of its size.
    expect(found({ places: [place(8, 4)], objectSize: 192, into: 48 })).toEqual(["segment", 0]);
    expect(found({ places: [place(8, 4)], objectSize: 192, into: 50 })).toBeUndefined();
  });

  it("is the one around the list that the code goes back from", () => {
    expect(found({ places: [place(-0x10, 1), place(0x18, 8)], back: 0x10 })).toEqual(["request", 0x10]);
    // At 8 stands no structure.
    expect(found({ places: [place(-8, 8), place(8, 8)], back: 8 })).toBeUndefined();
  });

  it("holds the structure that is passed on", () => {
    expect(found({ places: [{ offset: 0x10, size: 0, type: LIST }] })).toEqual(["request", 0]);
    expect(found({ places: [{ offset: 8, size: 0, type: LIST }] })).toBeUndefined();
  });

  it("has a pointer where one is followed, and no function where data is read", () => {
    const through = (offset: number, size: number) => [place(offset, size)];
    expect(found({ places: [{ ...place(0x10, 8), pointee: through(8, 4) }, place(0, 8)] })).toEqual(["segment", 0]);
    expect(found({ places: [{ ...place(0x20, 8), pointee: through(8, 4) }, place(0x28, 8)] })).toBeUndefined();
    expect(found({ places: [{ ...place(0x10, 8), pointee: through(0x200, 4) }, place(8, 4)] })).toBeUndefined();
  });

  it("of several is the one whose pointers are pointers", () => {
    const twin = struct("twin", [
      ["a", ULONG],
      ["b", UINT],
      ["c", ULONG],
    ]);
    const input = { places: [place(8, 4), place(0x10, 8)], word: () => 5n, mayBePointer: (word: bigint) => word === 0n };
    expect(fittingStructure([SEGMENT, twin], input)?.type).toBe(twin);
    expect(fittingStructure([SEGMENT, twin], { ...input, word: () => 0n })).toBeUndefined();
    // Alone it is believed: the memory may be what is wrong.
    expect(fittingStructure([SEGMENT], input)?.type).toBe(SEGMENT);
  });
});
