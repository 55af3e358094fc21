import { describe, expect, it } from "vitest";
import { FormatError, UnsupportedError } from "../bytes/errors.ts";
import { MemorySource } from "../bytes/memory-source.ts";
import { DebugFile } from "./debug-file.ts";
import { type BuiltSection, type BuiltSymbol, buildElfFile, compressed, relaSection, symbolSections } from "./testing/build-elf-file.ts";

const TEXT = 0xffff_ffff_c0a0_1000n;
const ADDRESSES = new Map([
  [".text", TEXT],
  [".eh_frame", 0xffff_ffff_c0b0_0000n],
]);
const NAMES = [".text", ".debug_info", ".debug_str", ".eh_frame"];
const SYMBOLS: readonly BuiltSymbol[] = [
  { name: "", value: 0n, section: ".text", info: 3 },
  { name: "function", value: 0x40n, section: ".text" },
  { name: "", value: 0n, section: ".debug_str", info: 3 },
  { name: "elsewhere", value: 0n, section: 0 },
  { name: "absolute", value: 0x1234n, section: 0xfff1 },
];
type Rela = readonly [number, number, number, bigint];

function module(machine: number, entries: readonly Rela[], size = 64, change = (section: BuiltSection) => section): DebugFile {
  const info = change({ name: ".debug_info", content: new Uint8Array(size).fill(0xee) });
  const sections: BuiltSection[] = [
    { name: ".text", flags: 6, content: new Uint8Array(128) },
    info,
    { name: ".debug_str", content: new Uint8Array(256) },
    { name: ".eh_frame", flags: 2, content: new Uint8Array(64) },
    ...symbolSections(SYMBOLS, NAMES),
    relaSection(info.name, entries),
    relaSection(".eh_frame", [[16, machine === 62 ? 2 : 261, 2, -4n]]),
  ];
  return DebugFile.open(new MemorySource("m.ko", buildElfFile({ type: 1, machine, sections })), { addresses: ADDRESSES });
}

function view(file: DebugFile, name = ".debug_info"): DataView {
  const section = file.section(name);
  const bytes = section?.read(0, section.size) ?? new Uint8Array(0);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

describe("relocations of a module", () => {
  it("x86-64", () => {
    const bytes = view(
      module(62, [
        [0, 1, 2, 8n],
        [8, 10, 3, 0x77n],
        [12, 11, 5, -1n],
        [16, 1, 1, -0x1001n],
        [24, 24, 2, 0n],
        [32, 1, 4, 5n],
        [40, 0, 1, 9n],
      ]),
    );
    expect(bytes.getBigUint64(0, true)).toBe(TEXT + 0x48n);
    expect(bytes.getUint32(8, true)).toBe(0x77);
    expect(bytes.getUint32(12, true)).toBe(0x1233);
    // A borrow out of the low half.
    expect(bytes.getBigUint64(16, true)).toBe(TEXT - 0x1001n);
    expect(bytes.getBigUint64(24, true)).toBe(TEXT + 0x40n - 24n);
    expect(bytes.getBigUint64(32, true)).toBe(5n);
    expect(bytes.getUint32(40, true)).toBe(0xeeeeeeee);
  });

  it("relative to where a loaded section lay", () => {
    for (const machine of [62, 183]) {
      const file = module(machine, []);
      expect(file.section(".eh_frame")?.address).toBe(0xffff_ffff_c0b0_0000n);
      expect(view(file, ".eh_frame").getInt32(16, true)).toBe(Number(TEXT + 0x40n - 4n - 0xffff_ffff_c0b0_0010n));
    }
  });

  it("arm64", () => {
    const bytes = view(
      module(183, [
        [0, 257, 2, 8n],
        [8, 258, 3, 0x77n],
        [12, 259, 5, 0n],
        [16, 260, 2, 0n],
        [24, 261, 2, 0n],
        [28, 262, 5, 0n],
        [32, 256, 1, 1n],
      ]),
    );
    expect(bytes.getBigUint64(0, true)).toBe(TEXT + 0x48n);
    expect(bytes.getUint32(8, true)).toBe(0x77);
    expect(bytes.getUint32(12, true)).toBe(0xeeee1234);
    expect(bytes.getBigUint64(16, true)).toBe(TEXT + 0x40n - 16n);
    expect(bytes.getUint32(24, true)).toBe(Number((TEXT + 0x40n - 24n) & 0xffffffffn));
    expect(bytes.getUint16(28, true)).toBe(0x1234 - 28);
    expect(bytes.getUint32(32, true)).toBe(0xeeeeeeee);
  });

  it("the same by pieces of any size, in any order of entries, and in a compressed section", () => {
    const entries: Rela[] = Array.from({ length: 20_000 }, (_, i) => [i * 9 + 1, 1, 2, BigInt(i)]);
    const size = 20_000 * 9 + 64;
    const whole = view(module(62, entries, size));
    expect(whole.getBigUint64(9 * 12_345 + 1, true)).toBe(TEXT + 0x40n + 12_345n);
    const all = new Uint8Array(whole.buffer, whole.byteOffset, whole.byteLength);
    for (const file of [
      module(62, entries, size),
      module(62, entries.toReversed(), size),
      module(62, entries, size, (section) => compressed(section, "zlib")),
      module(62, entries, size, (section) => compressed(section, "gnu")),
    ]) {
      const section = file.section(".debug_info");
      for (const step of [1, 7, 4096, 65_536, 100_001]) {
        for (let at = 0; at < size; at += step * (step < 10 ? 997 : 1)) {
          const length = Math.min(step, size - at);
          expect(Buffer.compare(section?.read(at, length) ?? all, all.subarray(at, at + length))).toBe(0);
        }
      }
      const target = new Uint8Array(1000);
      section?.readInto?.(target, 65_530);
      expect(Buffer.compare(target, all.subarray(65_530, 66_530))).toBe(0);
    }
  });

  it("an unknown one is told when its bytes are wanted, by type and place", () => {
    const file = module(62, [
      [0, 1, 2, 0n],
      [32, 37, 2, 0n],
    ]);
    expect(() => view(file)).toThrow(FormatError);
    expect(() => view(file)).toThrow("m.ko: relocation of type 37 at .debug_info+0x20 is not known");
    expect(() => view(module(62, [[60, 1, 2, 0n]]))).toThrow("relocation of type 1 at .debug_info+0x3c reaches beyond the section");
    expect(() => view(module(62, [[0, 1, 99, 0n]]))).toThrow("names symbol 99, which does not exist");
    expect(() => view(module(40, [[0, 1, 2, 0n]]))).toThrow(UnsupportedError);
  });

  it("are not applied to what a linker has applied them to (--emit-relocs)", () => {
    const sections = [
      { name: ".text", flags: 6, address: 0xffffffff81000000n, content: new Uint8Array(128) },
      { name: ".debug_info", content: new Uint8Array(16).fill(1) },
      ...symbolSections(SYMBOLS, NAMES),
      relaSection(".debug_info", [[0, 1, 2, 8n]]),
    ];
    const file = DebugFile.open(new MemorySource("vmlinux", buildElfFile({ type: 2, sections })));
    expect(view(file).getUint32(0, true)).toBe(0x01010101);
  });
});
