import { describe, expect, it } from "vitest";
import { BlockCache } from "./block-cache.ts";
import { MemorySource } from "./memory-source.ts";
import { Random } from "./testing/random.ts";

describe("BlockCache", () => {
  const data = Uint8Array.from({ length: 1000 }, (_, i) => (i * 31) & 0xff);

  it("gives the same bytes as its source at every place and length, with blocks of 7 bytes", () => {
    const source = new MemorySource("test", data);
    const cache = new BlockCache(source, 7, 5);
    const random = new Random(5);
    for (let i = 0; i < 3000; i++) {
      const offset = random.below(1010);
      const direct = new Uint8Array(random.below(40));
      const cached = new Uint8Array(direct.length);
      expect(cache.readInto(cached, offset)).toBe(source.readInto(direct, offset));
      expect(cached).toEqual(direct);
    }
  });

  it("reads a block once for many small reads", () => {
    let reads = 0;
    const source = new MemorySource("test", data);
    const counted = {
      name: "counted",
      size: source.size,
      close() {},
      readInto(target: Uint8Array, offset: number) {
        reads++;
        return source.readInto(target, offset);
      },
    };
    const cache = new BlockCache(counted, 256, 2);
    for (let i = 0; i < 256; i++) cache.readInto(new Uint8Array(1), i);
    expect(reads).toBe(1);
  });

  it("keeps neither a block whose read failed nor the one it was to replace", () => {
    let fail = false;
    const flaky = {
      name: "flaky",
      size: 100,
      close() {},
      readInto(target: Uint8Array) {
        target.fill(fail ? 9 : 7);
        if (fail) throw new Error("input/output error");
        return target.length;
      },
    };
    const cache = new BlockCache(flaky, 8, 1);
    const read = (offset: number) => {
      const target = new Uint8Array(4);
      cache.readInto(target, offset);
      return target[0];
    };
    expect(read(0)).toBe(7);
    fail = true;
    expect(() => read(8)).toThrow("input/output error");
    fail = false;
    expect([read(0), read(8)]).toEqual([7, 7]);
  });
});
