import { beforeAll, describe, expect, it } from "vitest";
import { FormatError, UnsupportedError } from "../bytes/errors.ts";
import { MemorySource } from "../bytes/memory-source.ts";
import { zstdEncode } from "../bytes/testing/zstd-encode.ts";
import { prepareZstd } from "../bytes/zstd.ts";
import { Elf } from "./elf.ts";
import { type BuiltSection, buildElfFile, chdr, compressed } from "./testing/build-elf-file.ts";

const content = Uint8Array.from({ length: 4000 }, (_, i) => (i >> 3) & 255);
const info: BuiltSection = { name: ".debug_info", content };
beforeAll(prepareZstd);

function open(section: BuiltSection): { elf: Elf; read: (from?: number, length?: number) => Uint8Array } {
  const elf = Elf.open(new MemorySource("x", buildElfFile({ sections: [section] })));
  const found = elf.sections[1];
  if (found === undefined) throw new Error("no section");
  return { elf, read: (from, length) => elf.read(found, from, length) };
}

describe("compressed sections", () => {
  it("zlib, zstd, and GNU's older form, whole and in parts", () => {
    const zstd = { ...info, flags: 0x800, content: chdr(2, content.length, zstdEncode(content)) };
    for (const section of [compressed(info, "zlib"), compressed(info, "gnu"), zstd, info]) {
      const { elf, read } = open(section);
      const found = elf.sections[1];
      expect(found && elf.contentSize(found)).toBe(content.length);
      expect(read()).toEqual(content);
      expect(read(100, 50)).toEqual(content.subarray(100, 150));
      expect(read(3990)).toEqual(content.subarray(3990));
      expect(() => read(3990, 11)).toThrow(/bytes 3990 to 4001 of section .*, which has 4000/);
      expect(elf.usesZstd()).toBe(section === zstd);
    }
  });

  it("a size that cannot be true is refused before anything is allocated", () => {
    expect(() => open(compressed(info, "zlib", 2 ** 40)).read()).toThrow(/claims 1099511627776 bytes from \d+ compressed/);
    expect(() => open(compressed(info, "gnu", 2 ** 40)).read()).toThrow(/claims 1099511627776 bytes/);
    // 200 bytes never hold 300,000.
    expect(() => open({ ...info, flags: 0x800, content: chdr(1, 300_000, content.subarray(0, 200)) }).read()).toThrow(/claims 300000/);
    expect(() => open({ ...info, flags: 0x800, content: chdr(2, 2n ** 63n, content) }).read()).toThrow(/claims/);
  });

  it("a stream of another size, a damaged one, an unknown method", () => {
    expect(() => open(compressed(info, "zlib", 3999)).read()).toThrow("section .debug_info: zlib: more than 3999 bytes");
    expect(() => open(compressed(info, "zlib", 4001)).read()).toThrow("zlib: 4000 bytes instead of 4001");
    const damaged = compressed(info, "zlib");
    damaged.content.fill(0x55, 40, 60);
    expect(() => open(damaged).read()).toThrow(FormatError);
    expect(() => open({ ...info, flags: 0x800, content: chdr(9, 10, content) }).read()).toThrow(UnsupportedError);
    expect(() => open({ ...info, flags: 0x800, content: content.subarray(0, 10) }).read()).toThrow("too short for its compression header");
    expect(() => open({ ...info, name: ".zdebug_info" }).read()).toThrow("does not start with ZLIB");
  });
});
