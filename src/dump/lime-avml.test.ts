import { describe, expect, it } from "vitest";
import { FormatError } from "../bytes/errors.ts";
import { MemorySource } from "../bytes/memory-source.ts";
import { Random } from "../bytes/testing/random.ts";
import { openAvml, probeAvml } from "./avml.ts";
import type { Dump } from "./dump.ts";
import { openLime, probeLime } from "./lime.ts";
import { buildAvml, buildLime, type TestRange } from "./testing/build-ranges.ts";
import { testPage, verdict, verdicts } from "./testing/test-pages.ts";

function range(first: number, count: number): TestRange {
  const data = new Uint8Array(count * 4096);
  for (let i = 0; i < count; i++) data.set(testPage(first + i), i * 4096);
  return { start: first * 4096, data };
}

const ranges = [range(1, 3), range(6, 40), range(100, 1)];
const READ = Array.from({ length: 103 }, (_, pfn) => ((pfn >= 1 && pfn < 4) || (pfn >= 6 && pfn < 46) || pfn === 100 ? "right" : "absent"));

describe.each([
  ["LiME", buildLime, openLime, probeLime],
  ["AVML", (list: readonly TestRange[]) => buildAvml(list), openAvml, probeAvml],
  [
    "AVML in small chunks",
    (list: readonly TestRange[]) => buildAvml(list, { chunk: 5000, plainEvery: 3, padding: true }),
    openAvml,
    probeAvml,
  ],
] as const)("%s", (_, build, open, probe) => {
  const bytes = build(ranges);
  const openBytes = (file: Uint8Array): Dump => open(new MemorySource("image", file));

  it("reads ranges in order and at random", () => {
    expect(probe(bytes)).toBe(true);
    const dump = openBytes(bytes);
    expect(verdicts(dump, 103)).toEqual(READ);
    const random = new Random(2);
    for (let i = 0; i < 300; i++) {
      const pfn = random.below(103);
      expect(verdict(dump, pfn)).toBe(READ[pfn]);
    }
    expect(dump).toMatchObject({ machine: "unknown", pageSize: 4096, maxPfn: 101, incomplete: false, warnings: [] });
    expect(dump.ranges.map(({ start, end }) => [Number(start) / 4096, Number(end) / 4096])).toEqual([
      [1, 4],
      [6, 46],
      [100, 101],
    ]);
  });

  it("opens files that were cut off anywhere: right pages or missing ones, and a warning", () => {
    for (let length = 32; length < bytes.length; length += 1013) {
      const dump = openBytes(bytes.slice(0, length));
      expect(dump.incomplete).toBe(true);
      expect(dump.warnings.length).toBeGreaterThan(0);
      for (const [pfn, found] of verdicts(dump, 103).entries())
        if (found !== "absent" && found !== "truncated") expect([pfn, found]).toEqual([pfn, READ[pfn]]);
    }
    const cut = openBytes(bytes.slice(0, bytes.length - 200));
    expect([1, 4, 100, 101].map((pfn) => verdict(cut, pfn))).toEqual(["right", "absent", "truncated", "truncated"]);
    expect(() => openBytes(bytes.slice(0, 31))).toThrow(FormatError);
  });

  it("fills holes within a page with zero", () => {
    const parts = [
      { start: 0x5800, data: testPage(5).subarray(0x800, 0xa00) },
      { start: 0x5b00, data: testPage(5).subarray(0xb00, 0xc00) },
    ];
    const target = new Uint8Array(4096).fill(0xcc);
    expect(openBytes(build(parts)).readPage(5, target)).toBeUndefined();
    expect(target).toEqual(testPage(5).fill(0, 0, 0x800).fill(0, 0xa00, 0xb00).fill(0, 0xc00));
  });

  it("refuses a range that makes no sense", () => {
    for (const [at, value] of [
      [8, 2 ** 53],
      [16, 0],
    ] as const) {
      const broken = Uint8Array.from(bytes);
      new DataView(broken.buffer).setBigUint64(at, BigInt(value), true);
      new DataView(broken.buffer).setUint32(4, at === 8 ? 9 : 1, true);
      expect(() => openBytes(broken)).toThrow();
    }
  });
});

describe("openAvml", () => {
  it("reports a damaged chunk as corrupt, and reads the others", () => {
    const bytes = buildAvml([range(0, 40)], { chunk: 16384 });
    bytes[60] = (bytes[60] as number) ^ 0x10;
    const dump = openAvml(new MemorySource("image", bytes));
    expect(verdicts(dump, 6)).toEqual(["corrupt", "corrupt", "corrupt", "corrupt", "right", "right"]);
  });

  it("leaves aside a range that overlaps another", () => {
    const dump = openAvml(new MemorySource("image", buildAvml([range(0, 4), range(2, 4), range(8, 1)])));
    expect(verdicts(dump, 9)).toEqual(["right", "right", "right", "right", "absent", "absent", "absent", "absent", "right"]);
    expect(dump.warnings.join()).toMatch(/overlaps another/);
  });
});
