import { describe, expect, it } from "vitest";
import { Cursor } from "./cursor.ts";
import { FormatError } from "./errors.ts";
import { ByteWriter } from "./testing/byte-writer.ts";

describe.each([true, false])("Cursor, little-endian %s", (littleEndian) => {
  const bytes = new ByteWriter(littleEndian)
    .u16(3, 0x1234)
    .u32(5, 0xfffffffe)
    .u64(9, 0xffff_8880_1234_5678n)
    .u64(17, 0x1f_ffff_ffff_ffffn)
    .text(25, "abc\0def")
    .finish();
  const cursor = () => new Cursor(bytes, "file", littleEndian, 1000);

  it("reads every kind of field where it is, and moves on exactly", () => {
    const at = cursor().seek(3);
    expect([at.u16(), at.i32(), at.u64(), at.u64AsNumber(), at.text(7), at.remaining]).toEqual([
      0x1234,
      -2,
      0xffff_8880_1234_5678n,
      2 ** 53 - 1,
      "abc",
      0,
    ]);
    expect(cursor().seek(5).u32()).toBe(0xfffffffe);
    expect(cursor().skip(25).bytes(2)).toEqual(Uint8Array.of(97, 98));
    expect(cursor().seek(25).u8()).toBe(97);
  });

  it("throws at the end, naming the file's own offset", () => {
    for (const read of [
      (c: Cursor) => c.u64(),
      (c: Cursor) => c.u32(),
      (c: Cursor) => c.bytes(5),
      (c: Cursor) => c.text(5),
      (c: Cursor) => c.u64AsNumber(),
    ]) {
      expect(() => read(cursor().seek(29))).toThrow(FormatError);
    }
    expect(() => cursor().seek(29).u32()).toThrow("file: at byte 1029 (0x405): expected 4 bytes, found the end of the data (32 bytes)");
    expect(() => cursor().seek(33)).toThrow(FormatError);
    expect(() => cursor().seek(-1)).toThrow(FormatError);
    expect(() => cursor().skip(Number.NaN)).toThrow(FormatError);
    expect(() => cursor().bytes(-1)).toThrow(FormatError);
  });
});
