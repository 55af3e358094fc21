import { beforeAll, describe, expect, it } from "vitest";
import { decodePage, PAGE_LZO, PAGE_SNAPPY, PAGE_ZLIB, PAGE_ZSTD } from "./page-codec.ts";
import { deflate } from "./testing/deflate-node.ts";
import { lzo1xEncode } from "./testing/lzo1x-encode.ts";
import { Random } from "./testing/random.ts";
import { snappyEncode } from "./testing/snappy-encode.ts";
import { zstdEncode } from "./testing/zstd-encode.ts";
import { prepareZstd, zstdInto } from "./zstd.ts";

const random = new Random(3);
const page = Uint8Array.from({ length: 4096 }, (_, i) => (i < 1000 ? random.below(256) : i & 0x1f));
const codecs = [
  ["zlib", PAGE_ZLIB, deflate],
  ["lzo", PAGE_LZO, lzo1xEncode],
  ["snappy", PAGE_SNAPPY, snappyEncode],
  ["zstd", PAGE_ZSTD, zstdEncode],
] as const;

describe("decodePage", () => {
  it("says so when a zstd page comes unannounced", () => {
    expect(decodePage(PAGE_ZSTD, zstdEncode(page), new Uint8Array(4096))).toMatch(/does not announce zstd/);
  });

  describe("with zstd at hand", () => {
    beforeAll(prepareZstd);

    it.each(codecs)("%s gives back the page, and refuses it for a page of another size", (_, flag, encode) => {
      const stored = encode(page);
      const target = new Uint8Array(4096);
      expect(decodePage(flag, stored, target)).toBeUndefined();
      expect(target).toEqual(page);
      expect(decodePage(flag, stored, new Uint8Array(4095))).toBeDefined();
      expect(decodePage(flag, stored, new Uint8Array(4097))).toBeDefined();
      expect(decodePage(flag, stored, new Uint8Array(65536))).toBeDefined();
    });

    it.each(codecs)("%s survives damage and truncation", (_, flag, encode) => {
      const stored = encode(page);
      const target = new Uint8Array(4096);
      for (let i = 0; i < 400; i++) {
        const damaged = Uint8Array.from(stored);
        for (let n = random.below(4); n >= 0; n--) damaged[random.below(damaged.length)] = random.below(256);
        decodePage(flag, damaged, target);
        expect(decodePage(flag, stored.subarray(0, random.below(stored.length)), target)).toBeDefined();
      }
      expect(decodePage(flag, new Uint8Array(0), target)).toBeDefined();
      // The decoder is as good as new afterwards.
      expect(decodePage(flag, stored, target)).toBeUndefined();
      expect(target).toEqual(page);
    });

    it("does not let a small zlib stream grow beyond the page", () => {
      expect(decodePage(PAGE_ZLIB, deflate(new Uint8Array(50_000_000)), new Uint8Array(4096))).toBe("zlib: more than 4096 bytes");
    });

    it("decodes a frame that the zstd program made", () => {
      // printf 'crash %.0s' $(seq 700) | head -c 4096 | zstd -1
      const frame = Uint8Array.from(Buffer.from(ZSTD_FRAME, "hex"));
      const target = new Uint8Array(4096);
      expect(zstdInto(frame, target)).toBeUndefined();
      expect(new TextDecoder().decode(target)).toBe("crash ".repeat(700).slice(0, 4096));
    });

    it("names a flag it does not know", () => {
      expect(decodePage(0x40, page, new Uint8Array(4096))).toBe("unknown compression 0x40");
      expect(decodePage(PAGE_ZLIB | PAGE_LZO, page, new Uint8Array(4096))).toBe("unknown compression 0x3");
    });
  });
});

const ZSTD_FRAME = "28b52ffd04486d0000306372617368200100f78f5f8ab3c8230b";
