import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MemoryBuilder } from "../arch/testing/build-memory.ts";
import { type PhysicalAddress, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";
import { AddressSpace, type Translator } from "./address-space.ts";

const BASE = 0xffff_8880_0000_0000n;

/** Pages 0x100, 0x101 … of memory appear in reverse order at BASE, so that neighbours in virtual memory are none in physical. */
function space(pages: number): { builder: MemoryBuilder; memory: AddressSpace; expected: Uint8Array } {
  const builder = new MemoryBuilder();
  builder.allocate(pages);
  const expected = new Uint8Array(pages * 4096);
  for (let page = 0; page < pages; page++) {
    const bytes = builder.pages.get(0x100 + pages - 1 - page) as Uint8Array;
    for (let i = 0; i < 4096; i++) bytes[i] = (page * 31 + i * 7 + 1) & 0xff;
    expected.set(bytes, page * 4096);
  }
  const translator: Translator = {
    translate(address) {
      const page = Number((address - BASE) >> 12n);
      if (page < 0 || page >= pages) throw new FaultError(address, "virtual", "unmapped");
      return (BigInt(0x100 + pages - 1 - page) * 4096n + (address & 0xfffn)) as PhysicalAddress;
    },
  };
  return { builder, memory: new AddressSpace(builder.memory(), translator), expected };
}

const at = (offset: number): VirtualAddress => virtual(BASE + BigInt(offset));

describe("AddressSpace", () => {
  test("scalars at any offset equal the bytes, also across pages", () => {
    const { memory, expected } = space(3);
    const view = new DataView(expected.buffer);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3 * 4096 - 8 }), (offset) => {
        expect(memory.u8(at(offset))).toBe(view.getUint8(offset));
        expect(memory.u16(at(offset))).toBe(view.getUint16(offset, true));
        expect(memory.u32(at(offset))).toBe(view.getUint32(offset, true));
        expect(memory.u64(at(offset))).toBe(view.getBigUint64(offset, true));
        expect(memory.s8(at(offset))).toBe(view.getInt8(offset));
        expect(memory.s16(at(offset))).toBe(view.getInt16(offset, true));
        expect(memory.s32(at(offset))).toBe(view.getInt32(offset, true));
        expect(memory.s64(at(offset))).toBe(view.getBigInt64(offset, true));
      }),
    );
    for (const offset of [4089, 4093, 4095, 8191]) expect(memory.u64(at(offset))).toBe(view.getBigUint64(offset, true));
  });

  test("byte reads are copies and fault at the first page that is missing", () => {
    const { memory, expected, builder } = space(3);
    const copy = memory.bytes(at(10), 9000);
    expect(copy).toEqual(expected.slice(10, 9010));
    memory.u8(at(0));
    expect(copy).toEqual(expected.slice(10, 9010));
    expect(memory.tryBytes(at(0), -1)).toBeUndefined();
    expect(() => memory.bytes(at(0), 2 ** 60)).toThrow(/a read of \d+ bytes/);
    builder.excluded.add(0x100);
    const fresh = new AddressSpace(builder.memory(), memory.translator);
    expect(() => fresh.bytes(at(8000), 400)).toThrow(FaultError);
    expect(fresh.tryBytes(at(8000), 400)).toBeUndefined();
    expect(fresh.tryU64(at(8192))).toBeUndefined();
    let reason: unknown;
    try {
      fresh.u32(at(8190));
    } catch (error) {
      reason = error;
    }
    expect(reason).toMatchObject({ kind: "fault", space: "virtual", reason: "excluded" });
    expect(() => fresh.u8(at(3 * 4096))).toThrow(/not mapped/);
  });

  test("strings end at NUL, at the limit, or at the last readable page", () => {
    const { builder, memory } = space(2);
    const page = builder.pages.get(0x101) as Uint8Array;
    page.fill(0x61);
    page.set([0xc3, 0xa9, 0x62, 0], 100);
    expect(memory.cString(at(98))).toBe("aaéb");
    expect(memory.cString(at(98), 2)).toBe("aa");
    const second = builder.pages.get(0x100) as Uint8Array;
    second.fill(0x7a);
    second[3] = 0;
    expect(memory.cString(at(4094))).toBe("aazzz");
    second.fill(0x7a);
    const fresh = new AddressSpace(builder.memory(), memory.translator);
    expect(fresh.cString(at(8190))).toBe("zz");
  });

  test("more pages than the cache and the TLB hold", () => {
    const { memory, expected } = space(700);
    const view = new DataView(expected.buffer);
    for (let round = 0; round < 2; round++) {
      for (let page = 0; page < 700; page++) expect(memory.u64(at(page * 4096 + 8))).toBe(view.getBigUint64(page * 4096 + 8, true));
    }
  });

  test("kernel pages of 4 KiB in dump pages of 64 KiB: neighbours in virtual memory lie anywhere", () => {
    const builder = new MemoryBuilder(65536);
    const start = builder.allocate(2);
    for (let granule = 0; granule < 32; granule++) builder.writeU64(start + BigInt(granule * 4096 + 4088), BigInt(granule));
    // Virtual page i is physical granule 31 - i.
    const memory = new AddressSpace(builder.memory(), {
      translate: (address) => (start + (31n - ((address - BASE) >> 12n)) * 4096n + (address & 0xfffn)) as PhysicalAddress,
    });
    for (let page = 0; page < 32; page++) expect(memory.u64(at(page * 4096 + 4088))).toBe(BigInt(31 - page));
    expect(memory.bytes(at(4088), 8192 + 8).filter((byte) => byte !== 0)).toEqual(Uint8Array.of(31, 30, 29));
  });
});
