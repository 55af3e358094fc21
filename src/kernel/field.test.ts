import { describe, expect, test } from "vitest";
import { MemoryBuilder } from "../arch/testing/build-memory.ts";
import { type PhysicalAddress, virtual } from "../bytes/address.ts";
import type { CType, StructType } from "../debug-info/c-type.ts";
import { AddressSpace } from "./address-space.ts";
import { containerOf, Field } from "./field.ts";
import { Struct } from "./types.ts";
import { Value } from "./value.ts";

const U32: CType = { kind: "int", name: "unsigned int", size: 4, signed: false, encoding: "int" };
const S16: CType = { kind: "int", name: "short", size: 2, signed: true, encoding: "int" };
const U64: CType = { kind: "int", name: "unsigned long", size: 8, signed: false, encoding: "int" };
const CHAR: CType = { kind: "int", name: "char", size: 1, signed: true, encoding: "char" };
const S32: CType = { kind: "int", name: "int", size: 4, signed: true, encoding: "int" };

const inner: StructType = {
  kind: "struct",
  name: undefined,
  size: 8,
  members: [{ name: "depth", type: S32, bitOffset: 32, bitSize: undefined }],
};
const outer: StructType = {
  kind: "struct",
  name: "outer",
  size: 64,
  members: [
    { name: "first", type: U32, bitOffset: 0, bitSize: undefined },
    { name: "short", type: S16, bitOffset: 32, bitSize: undefined },
    { name: undefined, type: inner, bitOffset: 64, bitSize: undefined },
    { name: "named", type: { kind: "typedef", name: "inner_t", target: inner }, bitOffset: 128, bitSize: undefined },
    { name: "low", type: U32, bitOffset: 192, bitSize: 3 },
    { name: "middle", type: S32, bitOffset: 195, bitSize: 5 },
    { name: "wide", type: U64, bitOffset: 203, bitSize: 50 },
    { name: "comm", type: { kind: "array", element: CHAR, length: 16 }, bitOffset: 256, bitSize: undefined },
    {
      name: "self",
      type: {
        kind: "pointer",
        size: 8,
        get target() {
          return outer;
        },
      },
      bitOffset: 384,
      bitSize: undefined,
    },
  ],
};

function memoryWith(write: (view: DataView) => void): { memory: AddressSpace; base: ReturnType<typeof virtual> } {
  const builder = new MemoryBuilder();
  const at = builder.allocate();
  write(new DataView((builder.pages.get(Number(at >> 12n)) as Uint8Array).buffer));
  return {
    memory: new AddressSpace(builder.memory(), { translate: (address) => address as bigint as PhysicalAddress }),
    base: virtual(at),
  };
}

describe("Field", () => {
  test("integers keep their sign, members of anonymous structures are found", () => {
    const { memory, base } = memoryWith((view) => {
      view.setUint32(0, 0xfedc_ba98, true);
      view.setInt16(4, -2, true);
      view.setInt32(12, -7, true);
      view.setInt32(20, 9, true);
    });
    const struct = new Struct(memory, outer);
    expect(struct.field("first").number(base)).toBe(0xfedc_ba98);
    expect(struct.field("short").number(base)).toBe(-2);
    expect(struct.field("short").bigint(base)).toBe(-2n);
    expect(struct.field("depth").number(base)).toBe(-7);
    expect(struct.field("named.depth").number(base)).toBe(9);
    expect(struct.firstField("nothing", "named.depth")?.offset).toBe(20);
    expect(struct.has("named.nothing")).toBe(false);
    expect(() => struct.field("nothing")).toThrow('struct outer has no member "nothing"');
  });

  test("bitfields, also over byte borders and signed", () => {
    const { memory, base } = memoryWith((view) => {
      view.setBigUint64(24, 0b101n | (0b10010n << 3n) | (0x3_1234_5678_9abcn << 11n), true);
    });
    const struct = new Struct(memory, outer);
    expect(struct.field("low").number(base)).toBe(5);
    expect(struct.field("middle").number(base)).toBe(-14);
    expect(struct.field("wide").bigint(base)).toBe(0x3_1234_5678_9abcn);
  });

  test("strings, pointers, container_of", () => {
    const { memory, base } = memoryWith((view) => {
      for (const [i, letter] of [..."swapper/0"].entries()) view.setUint8(32 + i, letter.charCodeAt(0));
      view.setBigUint64(48, 0x100000n, true);
    });
    const struct = new Struct(memory, outer);
    expect(struct.field("comm").string(base)).toBe("swapper/0");
    expect(struct.field("self").pointer(base)).toBe(base);
    expect(containerOf(struct.field("comm").address(base), struct.field("comm"))).toBe(base);
    const value = new Value(memory, outer, base);
    expect(value.member("self").member("self").member("comm").string()).toBe("swapper/0");
    expect(value.member("comm").index(1).number()).toBe("w".charCodeAt(0));
    expect(() => value.member("comm").member("x")).toThrow(/not a structure/);
  });

  test("a field that is no scalar says so", () => {
    const { memory, base } = memoryWith(() => {});
    expect(() => new Field(memory, "comm", 256, undefined, { kind: "array", element: CHAR, length: 16 }).bigint(base)).toThrow(/16 bytes/);
  });
});
