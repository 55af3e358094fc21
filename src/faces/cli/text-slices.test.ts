import { describe, expect, it } from "vitest";
import { TextSlices } from "./text-slices.ts";

describe("a command's lines in slices", () => {
  it("ends a slice at its size, and goes on where it ended", () => {
    const slices = new TextSlices(() => Array.from({ length: 3 }, (_, i) => String(i).repeat(40_000)));
    slices.pull();
    expect([slices.done, slices.take().length]).toEqual([false, 80_002]);
    slices.pull();
    expect([slices.done, slices.take().length, slices.waiting]).toEqual([true, 40_001, false]);
  });

  it("keeps what came before an error", () => {
    const slices = new TextSlices(function* () {
      yield "first";
      throw new Error("broken");
    });
    expect(() => slices.pull()).toThrow("broken");
    expect(slices.take()).toBe("first\n");
  });

  it("makes no line before the first is pulled", () => {
    let made = false;
    const slices = new TextSlices(() => {
      made = true;
      return [];
    });
    expect(made).toBe(false);
    slices.pull();
    expect([made, slices.done, slices.waiting]).toEqual([true, true, false]);
  });
});
