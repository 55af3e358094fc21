import { describe, expect, it } from "vitest";
import { UsageError } from "../bytes/errors.ts";
import { MemorySource } from "../bytes/memory-source.ts";
import { openRaw, parseRawParts } from "./raw.ts";
import { testPage, verdicts } from "./testing/test-pages.ts";

describe("parseRawParts", () => {
  it.each([
    ["ram.bin@0", [{ file: "ram.bin", address: 0 }]],
    [
      "a@0x80000000,b@100000000",
      [
        { file: "a", address: 0x80000000 },
        { file: "b", address: 0x100000000 },
      ],
    ],
    ["odd,name@2.bin@fF", [{ file: "odd,name@2.bin", address: 0xff }]],
  ])("reads %s", (text, parts) => {
    expect(parseRawParts(text)).toEqual(parts);
  });

  it("answers undefined for other names, and refuses addresses that no machine has", () => {
    expect([parseRawParts("vmcore"), parseRawParts("a@"), parseRawParts("@5"), parseRawParts("a@5,b"), parseRawParts("a@0xzz")]).toEqual(
      new Array(5).fill(undefined),
    );
    expect(() => parseRawParts("a@ffffffff80000000")).toThrow(UsageError);
  });
});

describe("openRaw", () => {
  const image = (first: number, count: number, cut = 0) => {
    const bytes = new Uint8Array(count * 4096);
    for (let i = 0; i < count; i++) bytes.set(testPage(first + i), i * 4096);
    return new MemorySource(`ram${first}`, bytes.subarray(0, bytes.length - cut));
  };

  it("reads several images at their addresses, the later over the earlier", () => {
    const dump = openRaw([
      { source: image(90, 3), address: 0x2000 },
      { source: image(3, 1), address: 0x3000 },
      { source: image(8, 2), address: 0x8000 },
    ]);
    expect(verdicts(dump, 11)).toEqual([
      "absent",
      "absent",
      "other",
      "right",
      "other",
      "absent",
      "absent",
      "absent",
      "right",
      "right",
      "absent",
    ]);
    expect(dump).toMatchObject({ machine: "unknown", maxPfn: 10, incomplete: false, files: ["ram90", "ram3", "ram8"] });
    expect(dump.ranges).toEqual([
      { start: 0x2000n, end: 0x5000n },
      { start: 0x8000n, end: 0xa000n },
    ]);
    dump.close();
  });

  it("reads images that do not begin or end at a page", () => {
    const dump = openRaw([{ source: new MemorySource("a", testPage(0).subarray(0x10, 0x20)), address: 0x5010 }]);
    const target = new Uint8Array(4096).fill(0xcc);
    expect(dump.readPage(5, target)).toBeUndefined();
    expect(target.subarray(0x10, 0x20)).toEqual(testPage(0).subarray(0x10, 0x20));
    expect(target.filter((byte) => byte === 0xcc)).toHaveLength(0);
    expect(dump.warnings.join()).toMatch(/not a multiple of the page size/);
  });
});
