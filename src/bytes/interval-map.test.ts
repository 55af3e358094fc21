import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type IntervalMap, IntervalMapBuilder } from "./interval-map.ts";

type Range = readonly [start: number, length: number, place: number];

function build(ranges: readonly Range[]): IntervalMap {
  const builder = new IntervalMapBuilder();
  for (const [start, length, place] of ranges) builder.add(start, start + length, place);
  return builder.build();
}

/** Place of one value, or undefined. */
function lookUp(map: IntervalMap, value: number): number | undefined {
  const index = map.seek(value);
  if (index >= map.count || value < (map.starts[index] as number)) return undefined;
  const place = map.places[index] as number;
  return place < 0 ? place : place + (value - (map.starts[index] as number));
}

describe("IntervalMap", () => {
  it("answers as a plain array would in which later ranges are written over earlier ones", () => {
    const range = fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 25 }), fc.integer({ min: -1, max: 1000 }));
    fc.assert(
      fc.property(fc.array(range, { maxLength: 30 }), (ranges) => {
        const plain: (number | undefined)[] = new Array(100).fill(undefined);
        for (const [start, length, place] of ranges) for (let i = 0; i < length; i++) plain[start + i] = place < 0 ? place : place + i;
        const map = build(ranges);
        expect(plain.map((_, value) => lookUp(map, value))).toEqual(plain);
        // Backwards too: the search starts from where the last one ended.
        for (let value = 99; value >= 0; value--) expect(lookUp(map, value)).toEqual(plain[value]);
        for (let i = 1; i < map.count; i++) expect(map.starts[i]).toBeGreaterThanOrEqual(map.ends[i - 1] as number);
      }),
      { numRuns: 500 },
    );
  });

  it("is empty without ranges", () => {
    expect(build([]).seek(5)).toBe(0);
    expect(build([[5, 0, 1]]).count).toBe(0);
  });

  it("sorts a million ranges that lie in two interleaved rows in a few seconds", () => {
    const builder = new IntervalMapBuilder();
    for (let i = 0; i < 500_000; i++) {
      builder.add(1e9 + i * 16, 1e9 + i * 16 + 16, i);
      builder.add(i * 8, i * 8 + 8, i);
    }
    const start = performance.now();
    const map = builder.build();
    expect(performance.now() - start).toBeLessThan(8000);
    expect(map.count).toBe(1_000_000);
    expect(lookUp(map, 1e9 + 16 * 4321 + 3)).toBe(4324);
    expect(lookUp(map, 8 * 4321 + 3)).toBe(4324);
  });
});
