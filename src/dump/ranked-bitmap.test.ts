import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemorySource } from "../bytes/memory-source.ts";
import { Random } from "../bytes/testing/random.ts";
import { RankedBitmap } from "./ranked-bitmap.ts";

function open(bits: Uint8Array, before = 3): RankedBitmap {
  const file = new Uint8Array(before + bits.length + 5).fill(0xff);
  file.set(bits, before);
  return new RankedBitmap(new MemorySource("test", file), before, bits.length);
}

function runs(bitmap: RankedBitmap, limit: number): [number, number][] {
  const found: [number, number][] = [];
  bitmap.forEachRun(limit, (start, end) => found.push([start, end]) < 1e6);
  return found;
}

describe("RankedBitmap", () => {
  it("counts, tests and lists as a plain walk does", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 0, max: 2500 }), (bits, limit) => {
        const bitmap = open(bits);
        const expected: [number, number][] = [];
        let rank = 0;
        for (let pfn = 0; pfn < bits.length * 8; pfn++) {
          const set = (((bits[pfn >> 3] as number) >> (pfn & 7)) & 1) === 1;
          expect(bitmap.rank(pfn)).toBe(rank);
          expect(bitmap.has(pfn)).toBe(set);
          if (!set) continue;
          rank++;
          if (pfn >= limit) continue;
          const last = expected.at(-1);
          if (last?.[1] === pfn) last[1]++;
          else expected.push([pfn, pfn + 1]);
        }
        expect(bitmap.rank(bits.length * 8 + 1000)).toBe(rank);
        expect(bitmap.has(bits.length * 8)).toBe(false);
        expect(runs(bitmap, limit)).toEqual(expected);
      }),
      { numRuns: 200 },
    );
  });

  it("works with more chunks than it keeps", () => {
    const random = new Random(11);
    const bits = new Uint8Array(70 * 65536 + 100);
    for (let i = 0; i < 5000; i++) bits[random.below(bits.length)] = random.below(256);
    const bitmap = open(bits);
    let rank = 0;
    const ranks = new Map<number, number>();
    for (let byte = 0; byte < bits.length; byte++) {
      if (byte % 1999 === 0) ranks.set(byte * 8, rank);
      for (let value = bits[byte] as number; value !== 0; value &= value - 1) rank++;
    }
    for (const [pfn, expected] of [...ranks].sort((a, b) => (a[0] % 977) - (b[0] % 977))) expect(bitmap.rank(pfn)).toBe(expected);
    expect(bitmap.rank(bits.length * 8)).toBe(rank);
  });

  it("knows how many bits the file really holds", () => {
    const bitmap = new RankedBitmap(new MemorySource("test", new Uint8Array(10).fill(1)), 4, 100);
    expect(bitmap.bits).toBe(48);
    expect(bitmap.has(40)).toBe(true);
    expect(bitmap.has(48)).toBe(false);
    expect(bitmap.rank(1000)).toBe(6);
    const none = new RankedBitmap(new MemorySource("test", new Uint8Array(10)), 40, 2 ** 50);
    expect([none.bits, none.has(0), none.rank(5)]).toEqual([0, false, 0]);
  });
});
