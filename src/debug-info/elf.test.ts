import { describe, expect, it } from "vitest";
import { virtual } from "../bytes/address.ts";
import { FormatError, InquestError, UnsupportedError } from "../bytes/errors.ts";
import { MemorySource } from "../bytes/memory-source.ts";
import { Random } from "../bytes/testing/random.ts";
import { Elf, EM_X86_64 } from "./elf.ts";
import { ElfSymbols } from "./elf-symbols.ts";
import { buildElf64, ELF_DATA, ELF_TEXT } from "./testing/build-elf64.ts";

const BANNER = "Linux version 6.12.0 (me@here)";
const file = buildElf64(
  BANNER,
  "data",
  [0xab, 0xcd, 0, 1],
  [
    { name: "linux_banner", value: ELF_TEXT, size: 31, info: 0x11, section: 1 },
    { name: "helper", value: ELF_TEXT + 32n, size: 8, info: 0x02, section: 1 },
    { name: "weak_one", value: ELF_TEXT + 32n, size: 8, info: 0x22, section: 1 },
    { name: "counter", value: ELF_DATA + 64n, size: 4, info: 0x01, section: 4 },
    { name: "constant", value: 42n, size: 0, info: 0x10, section: 0xfff1 },
    { name: "file.c", value: 0n, size: 0, info: 0x04, section: 0xfff1 },
    { name: "missing", value: 0n, size: 0, info: 0x10, section: 0 },
  ],
);

describe("ELF", () => {
  const elf = Elf.open(new MemorySource("vmlinux", file));

  it("reads headers, sections and the build id", () => {
    expect(elf.type).toBe("executable");
    expect(elf.machine).toBe(EM_X86_64);
    expect(elf.sections.map(({ name }) => name)).toEqual(["", ".text", ".data", ".notes", ".bss", ".symtab", ".strtab", ".shstrtab"]);
    expect(elf.buildId()).toBe("abcd0001");
    const data = elf.section(".data");
    expect(data && String.fromCharCode(...elf.read(data, 0, 4))).toBe("data");
  });

  it("reads by address, and says what the file does not hold", () => {
    expect(String.fromCharCode(...(elf.bytesAt(ELF_TEXT, BANNER.length) ?? []))).toBe(BANNER);
    expect(elf.bytesAt(ELF_DATA + 60n, 8)).toBeUndefined();
    expect(elf.bytesAt(0n, 8)).toBeUndefined();
    const bss = elf.section(".bss");
    expect(() => bss && elf.read(bss)).toThrow(/no content/);
    const text = elf.section(".text");
    expect(() => text && elf.read(text, 60, 8)).toThrow(FormatError);
  });

  it("gives symbols as nm does", () => {
    const symbols = ElfSymbols.open(elf);
    const all = Array.from({ length: symbols?.count ?? 0 }, (_, i) => symbols?.at(i));
    expect(all.map((one) => `${one?.type} ${one?.name}`)).toEqual(["T linux_banner", "t helper", "W weak_one", "b counter"]);
    expect(symbols?.byName("linux_banner")?.address).toBe(ELF_TEXT);
    expect(symbols?.byAddress(virtual(ELF_TEXT + 36n))).toMatchObject({ offset: 4, symbol: { name: "helper" } });
    expect(symbols?.prefix("c", 5)).toEqual(["counter"]);
  });

  it("refuses other files", () => {
    expect(() => Elf.open(new MemorySource("x", new Uint8Array(3)))).toThrow(/not an ELF file/);
    const small = file.slice();
    small[4] = 1;
    expect(() => Elf.open(new MemorySource("x", small))).toThrow(UnsupportedError);
    expect(() => Elf.open(new MemorySource("x", file.subarray(0, 200)))).toThrow(FormatError);
  });

  it("survives damage with right answers or one of our errors", () => {
    for (let seed = 0; seed < 400; seed++) {
      const random = new Random(seed);
      const bytes = file.slice(0, seed % 4 === 0 ? random.below(file.length) : file.length);
      for (let i = 0; i < 4 && bytes.length > 0; i++) {
        const at = random.below(3) === 0 ? 16 + random.below(48) : random.below(bytes.length);
        if (at < bytes.length) bytes[at] = random.below(256);
      }
      try {
        const damaged = Elf.open(new MemorySource("x", bytes));
        damaged.buildId();
        damaged.bytesAt(ELF_TEXT, 8);
        const symbols = ElfSymbols.open(damaged);
        for (let i = 0; i < (symbols?.count ?? 0); i++) symbols?.at(i);
      } catch (error) {
        if (!(error instanceof InquestError)) throw new Error(`seed ${seed}`, { cause: error });
      }
    }
  });
});
