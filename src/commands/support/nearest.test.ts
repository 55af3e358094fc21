import { describe, expect, it } from "vitest";
import { editDistance, nearestNames } from "./nearest.ts";

describe("nearest names", () => {
  it("counts edits", () => {
    expect(editDistance("struct", "struct", 2)).toBe(0);
    expect(editDistance("strcut", "struct", 2)).toBe(1);
    expect(editDistance("struc", "struct", 2)).toBe(1);
    expect(editDistance("kitten", "sitting", 5)).toBe(3);
    expect(editDistance("a", "abcdef", 2)).toBe(3);
  });

  it("gives the closest first", () => {
    expect(nearestNames("strcut", ["struct", "list", "strict"])).toEqual(["struct", "strict"]);
    expect(nearestNames("for", ["foreach", "far", "net"])).toEqual(["foreach", "far"]);
    expect(nearestNames("zzzzzz", ["struct"])).toEqual([]);
  });
});
