import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lzo1xInto } from "./lzo1x.ts";
import { lzo1xEncode } from "./testing/lzo1x-encode.ts";
import { Random } from "./testing/random.ts";

function decode(input: Uint8Array, size: number): { broken: string | undefined; output: Uint8Array } {
  const output = new Uint8Array(size);
  return { broken: lzo1xInto(input, output), output };
}

/** Data in which matches of all distances and lengths occur. */
const repetitive = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 1, max: 700 }), fc.integer({ min: 0, max: 3 })), { maxLength: 60 })
  .map((parts) => {
    const out: number[] = [];
    for (const [value, length, kind] of parts) {
      for (let i = 0; i < length; i++) {
        if (kind === 0) out.push(value);
        else if (kind === 1) out.push((value + i * 7) & 0xff);
        else out.push(out[Math.max(0, out.length - 1 - value * (kind === 2 ? 1 : 97))] ?? value);
      }
    }
    return Uint8Array.from(out);
  });

describe("lzo1xInto", () => {
  it("gives back what was compressed, whatever instructions the encoder chose", () => {
    fc.assert(
      fc.property(repetitive, fc.integer(), (data, seed) => {
        const random = new Random(seed);
        const { broken, output } = decode(
          lzo1xEncode(data, (choices) => random.below(choices)),
          data.length,
        );
        expect(broken).toBeUndefined();
        expect(output).toEqual(data);
      }),
      { numRuns: 300 },
    );
  });

  it("decodes each instruction form by hand", () => {
    const end = [17, 0, 0];
    const text = (bytes: number[], size: number) => String.fromCharCode(...decode(Uint8Array.from([...bytes, ...end]), size).output);
    const abcd = [21, 97, 98, 99, 100];
    expect(text(abcd, 4)).toBe("abcd");
    // 1LLDDDSS: 5 + 1 bytes from distance 4, then two literals
    expect(text([...abcd, 0b10101110, 0, 120, 121], 12)).toBe("abcdabcdabxy");
    // 01LDDDSS: 3 bytes from distance 1
    expect(text([...abcd, 0b01000000, 0], 7)).toBe("abcdddd");
    // 001LLLLL with an extended length: 2 + 31 + 2 bytes from distance 2
    expect(text([...abcd, 0b00100000, 2, 0b100, 0], 39)).toBe(`abcd${"cd".repeat(17)}c`);
    // 0000DDSS after one literal: 2 bytes from distance 3
    expect(text([...abcd, 0b01000001, 0, 122, 0b00001000, 0], 10)).toBe("abcddddzdd");
    // 0000LLLL after a match without literals: 3 + 1 literals
    expect(text([...abcd, 0b01000000, 0, 1, 49, 50, 51, 52], 11)).toBe("abcdddd1234");
  });

  it("decodes 3-byte copies from beyond 2,048 after a long run and copies from beyond 16,384", () => {
    const random = new Random(7);
    const noise = Uint8Array.from({ length: 40000 }, () => random.below(256));
    const data = Uint8Array.from([
      ...noise,
      ...noise.subarray(37000, 37400),
      ...noise.subarray(0, 3),
      1,
      2,
      3,
      4,
      ...noise.subarray(38500, 38503),
    ]);
    for (let seed = 0; seed < 6; seed++) {
      const choice = new Random(seed);
      const { broken, output } = decode(
        lzo1xEncode(data, (choices) => choice.below(choices)),
        data.length,
      );
      expect(broken).toBeUndefined();
      expect(output).toEqual(data);
    }
  });

  it("refuses streams that are cut off, too long, too short, or point before the start", () => {
    const stream = lzo1xEncode(new TextEncoder().encode("abcdabcdabcdabcd-abcdabcd"));
    for (let length = 0; length < stream.length; length++) expect(decode(stream.subarray(0, length), 25).broken).toMatch(/too early/);
    expect(decode(stream, 24).broken).toMatch(/more output/);
    expect(decode(stream, 26).broken).toBe("lzo: 25 bytes instead of 26");
    expect(decode(Uint8Array.from([...stream, 0]), 25).broken).toMatch(/bytes after the end/);
    expect(decode(Uint8Array.of(21, 1, 2, 3, 4, 0b01011100, 0), 100).broken).toMatch(/before the start/);
  });

  it("survives any damage: right, or a reason, and never more than the target", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 0, max: 400 }), (input, size) => {
        const guarded = new Uint8Array(size + 2).fill(0xa5);
        lzo1xInto(input, guarded.subarray(1, size + 1));
        expect([guarded[0], guarded[size + 1]]).toEqual([0xa5, 0xa5]);
      }),
      { numRuns: 2000 },
    );
  });
});
