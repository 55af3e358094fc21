import { describe, expect, it } from "vitest";
import { FakeKernel } from "../../linux/testing/fake-kernel.ts";
import { centre, sizeText } from "./columns.ts";
import { memberColumns, memberText, memberValue } from "./page-members.ts";

describe("columns of kmem", () => {
  it.each([
    [0, "0"],
    [4096, "4 KB"],
    [1023 * 1024, "1023 KB"],
    [2 ** 20, "1 MB"],
    [8612 * 4096, "33.6 MB"],
    [2 ** 31, "2 GB"],
  ])("%d bytes are %s", (bytes, text) => expect(sizeText(bytes)).toBe(text));

  it("centres, with the odd blank where it is wanted", () => {
    expect(centre("0", 4)).toBe(" 0  ");
    expect(centre("0", 4, "left")).toBe("  0 ");
    expect(centre("12345", 4)).toBe("12345");
  });
});

describe("members of struct page", () => {
  const { kernel } = new FakeKernel({
    list_head: { next: [0, "u64"], prev: [8, "u64"] },
    page: {
      flags: [0, "u64"],
      lru: [8, "list_head"],
      private: [24, "u64"],
      _mapcount: [32, "s32"],
      bits: [36, "bits3:1"],
      $size: [64, ""],
    },
  });
  const view = new DataView(new ArrayBuffer(64));
  view.setBigUint64(0, 0x1000n, true);
  view.setBigUint64(8, 255n, true);
  view.setBigUint64(24, 255n, true);
  view.setInt32(32, -1, true);
  const columns = memberColumns(kernel, ["flags", "lru", "private", "_mapcount", "lru.next"]);

  it("shows flags in full, numbers by the radix, counters always decimal", () => {
    const shown = (radix: 10 | 16) => columns.map((column) => memberText(column, view, 0, radix));
    expect(shown(10)).toEqual(["0000000000001000", "255,0", "255", "-1", "255"]);
    expect(shown(16)).toEqual(["0000000000001000", "ff,0", "ff", "-1", "ff"]);
  });

  it("has counters as numbers in JSON, words as words", () => {
    expect(columns.map((column) => memberValue(column, view, 0))).toEqual([0x1000n, [255n, 0n], 255n, -1, 255n]);
  });

  it("refuses what it cannot show", () => {
    expect(() => memberColumns(kernel, [])).toThrow("wants members");
    expect(() => memberColumns(kernel, ["bogus"])).toThrow('no member "bogus"');
    expect(() => memberColumns(kernel, ["bits"])).toThrow("bit field");
  });
});
