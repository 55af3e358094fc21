import { describe, expect, it } from "vitest";
import { SharedBlocks } from "./shared-blocks.ts";
import { Random } from "./testing/random.ts";

const SIZE = 200_000;
const bytes = Uint8Array.from({ length: SIZE }, (_, i) => (i * 7 + (i >> 8)) & 255);

describe("shared blocks", () => {
  it("gives the bytes of any range, across blocks and at the end", () => {
    const blocks = new SharedBlocks(SIZE, (target, offset) => target.set(bytes.subarray(offset, offset + target.length)), 12, 4);
    const random = new Random(1);
    for (let i = 0; i < 2000; i++) {
      const offset = random.below(SIZE);
      const length = Math.min(SIZE - offset, random.below(i % 10 === 0 ? 60_000 : 3000));
      expect(Buffer.compare(blocks.read(offset, length), bytes.subarray(offset, offset + length))).toBe(0);
    }
  });

  it("reads a block once, and never touches what it gave out", () => {
    let reads = 0;
    const blocks = new SharedBlocks(
      SIZE,
      (target, offset) => {
        reads++;
        target.set(bytes.subarray(offset, offset + target.length));
      },
      12,
      2,
    );
    const early = blocks.read(10, 20);
    for (let offset = 0; offset < 4000; offset += 10) blocks.read(offset, 8);
    expect(reads).toBe(1);
    for (let offset = 0; offset < SIZE; offset += 4096) blocks.read(offset, 8);
    expect([...early]).toEqual([...bytes.subarray(10, 30)]);
  });
});
