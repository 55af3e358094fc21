import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { snappyInto } from "./snappy.ts";
import { Random } from "./testing/random.ts";
import { snappyEncode } from "./testing/snappy-encode.ts";

function decode(input: Uint8Array, size: number): { broken: string | undefined; output: Uint8Array } {
  const output = new Uint8Array(size);
  return { broken: snappyInto(input, output), output };
}

const repetitive = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 1, max: 900 }), fc.boolean()), { maxLength: 120 })
  .map((parts) =>
    Uint8Array.from(parts.flatMap(([value, length, same]) => Array.from({ length }, (_, i) => (same ? value : (value * i) & 0xff)))),
  );

describe("snappyInto", () => {
  it("gives back what was compressed, whatever elements the encoder chose", () => {
    fc.assert(
      fc.property(repetitive, fc.integer(), (data, seed) => {
        const random = new Random(seed);
        const { broken, output } = decode(
          snappyEncode(data, (choices) => random.below(choices)),
          data.length,
        );
        expect(broken).toBeUndefined();
        expect(output).toEqual(data);
      }),
      { numRuns: 200 },
    );
  });

  it("decodes each element form by hand", () => {
    const text = (bytes: number[], size: number) => String.fromCharCode(...decode(Uint8Array.from([size, ...bytes]), size).output);
    const abcd = [3 << 2, 97, 98, 99, 100];
    expect(text(abcd, 4)).toBe("abcd");
    expect(text([60 << 2, 3, 97, 98, 99, 100], 4)).toBe("abcd");
    expect(text([...abcd, (2 << 2) | 1, 4], 10)).toBe("abcdabcdab");
    expect(text([...abcd, (5 << 2) | 2, 1, 0], 10)).toBe("abcddddddd");
    expect(text([...abcd, (1 << 2) | 3, 3, 0, 0, 0], 6)).toBe("abcdbc");
  });

  it("refuses what is cut off, of another length, or points before the start", () => {
    const stream = snappyEncode(new TextEncoder().encode("abcdabcdabcdabcd-abcdabcd"));
    for (let length = 0; length < stream.length; length++) expect(decode(stream.subarray(0, length), 25).broken).toBeDefined();
    expect(decode(stream, 24).broken).toBe("snappy: announces 25 bytes instead of 24");
    expect(decode(Uint8Array.of(8, 3 << 2, 1, 2, 3, 4, 1, 5), 8).broken).toMatch(/before the start/);
    expect(decode(Uint8Array.of(8, 3 << 2, 1, 2, 3, 4, 1, 0), 8).broken).toMatch(/before the start/);
    expect(decode(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x01), 8).broken).toMatch(/too early/);
  });

  it("survives any damage without writing beyond the target", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 0, max: 127 }), (input, size) => {
        const guarded = new Uint8Array(size + 2).fill(0xa5);
        snappyInto(Uint8Array.of(size, ...input), guarded.subarray(1, size + 1));
        expect([guarded[0], guarded[size + 1]]).toEqual([0xa5, 0xa5]);
      }),
      { numRuns: 2000 },
    );
  });
});
