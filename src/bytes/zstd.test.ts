import { beforeAll, describe, expect, it } from "vitest";
import { interruptions } from "./interruption.ts";
import { zstdEncode } from "./testing/zstd-encode.ts";
import { prepareZstd, unzstd, zstdInto } from "./zstd.ts";

beforeAll(prepareZstd);

describe("zstd after an interruption", () => {
  const page = Uint8Array.from({ length: 4096 }, (_, i) => i * 7);

  it("goes on with a new memory, which may grow", () => {
    const packed = zstdEncode(page);
    for (let round = 0; round < 3; round++) {
      const target = new Uint8Array(page.length);
      expect(zstdInto(packed, target)).toBeUndefined();
      expect(target).toEqual(page);
      // Runs of 100,000: a block ends at 128 KiB.
      const large = new Uint8Array(12_000_000);
      for (let at = 0; at < large.length; at += 100_000) large.fill(at / 100_000 + round, at, at + 100_000);
      expect(Buffer.compare(unzstd(zstdEncode(large), large.length) as Uint8Array, large)).toBe(0);
      interruptions.count++;
    }
  });
});
