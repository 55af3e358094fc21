import { describe, expect, it } from "vitest";
import { FormatError } from "../../bytes/errors.ts";
import { DwarfReader, decodeText } from "./dwarf-reader.ts";

const reader = (...bytes: number[]) => new DwarfReader(Uint8Array.from(bytes), "test: .debug_info", 0x100);

function encode(value: bigint, signed: boolean, padding = 0): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const byte = Number(rest & 0x7fn);
    rest >>= 7n;
    const done = signed ? rest === ((byte & 0x40) === 0 ? 0n : -1n) : rest === 0n;
    if (!done) bytes.push(byte | 0x80);
    else if (padding === 0) return [...bytes, byte];
    else {
      const fill = rest === 0n ? 0 : 0x7f;
      return [...bytes, byte | 0x80, ...Array.from({ length: padding - 1 }, () => fill | 0x80), fill];
    }
  }
}

describe("DwarfReader", () => {
  it("reads LEB128 of every length, padded too, as numbers and as 64 bits", () => {
    for (let bit = 0n; bit < 64n; bit++) {
      for (const near of [-1n, 0n, 1n]) {
        const value = BigInt.asUintN(64, (1n << bit) + near);
        for (const padding of [0, 1, 9]) {
          const bytes = encode(value, false, padding);
          const long = reader(...bytes, 0x55);
          expect(long.uleb64()).toBe(value);
          expect(long.position).toBe(bytes.length);
          const short = reader(...bytes, 0x55);
          expect(short.uleb()).toBe(Number(value));
          expect(short.position).toBe(bytes.length);
          const skipped = reader(...bytes, 0x55);
          skipped.skipLeb();
          expect(skipped.position).toBe(bytes.length);
          for (const number of [BigInt.asIntN(64, value), BigInt.asIntN(64, -value)]) {
            const signed = encode(number, true, padding);
            expect(reader(...signed).sleb64()).toBe(number);
            expect(reader(...signed).sleb()).toBe(Number(number));
          }
        }
      }
    }
  });

  it("reads fixed fields", () => {
    const bytes = [0xfe, 0xff, 0xff, 0xff, 0x01, 0, 0, 0x80, 9];
    expect(reader(...bytes).u8()).toBe(0xfe);
    expect(reader(...bytes).i8()).toBe(-2);
    expect(reader(...bytes).u16()).toBe(0xfffe);
    expect(reader(...bytes).i16()).toBe(-2);
    expect(reader(...bytes).u24()).toBe(0xfffffe);
    expect(reader(...bytes).u32()).toBe(0xfffffffe);
    expect(reader(...bytes).i32()).toBe(-2);
    expect(reader(...bytes).u64()).toBe(0x80000001fffffffen);
    expect(reader(...bytes).i64()).toBe(BigInt.asIntN(64, 0x80000001fffffffen));
    expect(reader(1, 0, 0, 0, 2, 0, 0, 0).u64AsNumber()).toBe(0x2_0000_0001);
    expect([1, 2, 4, 8].map((size) => reader(...bytes).address(size))).toEqual([0xfen, 0xfffen, 0xfffffffen, 0x80000001fffffffen]);
    expect(() => reader(...bytes).address(3)).toThrow(FormatError);
  });

  it("tells 32-bit from 64-bit DWARF by the length, and refuses reserved lengths", () => {
    expect(reader(5, 0, 0, 0).initialLength()).toEqual({ length: 5, offsetSize: 4 });
    expect(reader(255, 255, 255, 255, 7, 0, 0, 0, 0, 0, 0, 0).initialLength()).toEqual({ length: 7, offsetSize: 8 });
    expect(() => reader(0xf1, 255, 255, 255).initialLength()).toThrow("0xfffffff1");
  });

  it("never passes the end", () => {
    const reads: ((r: DwarfReader) => unknown)[] = [
      (r) => r.u8(),
      (r) => r.u16(),
      (r) => r.u24(),
      (r) => r.u32(),
      (r) => r.u64(),
      (r) => r.uleb(),
      (r) => r.sleb(),
      (r) => r.uleb64(),
      (r) => r.skipLeb(),
      (r) => r.string(),
      (r) => r.take(2),
      (r) => r.take(-1),
      (r) => r.seek(3),
      (r) => r.skip(Number.NaN),
    ];
    for (const read of reads) {
      const bytes = reader(1, 0x80).seek(1);
      if (read !== reads[0]) expect(() => read(bytes)).toThrow(FormatError);
      expect(() => read(reader(1).seek(1))).toThrow(FormatError);
    }
    expect(() => reader(...new Array(30).fill(0x80), 1).uleb()).toThrow("more than 24 bytes");
    expect(() => reader(1).seek(1).u8()).toThrow("at byte 257 (0x101)");
  });

  it("reads strings", () => {
    const bytes = reader(0x6b, 0xc3, 0xa4, 0, 0x6d, 0, 0x78);
    expect(bytes.string()).toBe("kä");
    expect(bytes.string()).toBe("m");
    expect(() => bytes.string()).toThrow(FormatError);
    const long = new TextEncoder().encode("x".repeat(200));
    expect(decodeText(long, 10, 110)).toBe("x".repeat(100));
  });
});
