import { expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { DETACHED, DetachedMemory } from "./detached-memory.ts";
import { array, CHAR, INT, pointerTo, SparseMemory, struct, U8, ULONG } from "./testing/small-kernel.ts";
import { Value } from "./value.ts";

const AT = virtual(0xffff888000001000n);
const pair = struct("pair", [
  ["id", INT],
  ["low", U8, 3],
  ["high", U8, 5],
  ["next", pointerTo(INT)],
  ["name", array(CHAR, 4)],
]);

const memory = new SparseMemory().put(AT, -7, 4);
// id = -2, low = 5, high = 3, next = AT, name = "ab"
const BYTES = Uint8Array.from([
  0xfe, 0xff, 0xff, 0xff, 0b00011_101, 0, 0, 0, 0, 0x10, 0, 0, 0x80, 0x88, 0xff, 0xff, 97, 98, 0, 0, 0, 0, 0, 0,
]);

test("a value of bytes has members and elements like one in memory; its pointers lead into the kernel", () => {
  const value = new Value(memory, pair, { bytes: BYTES });
  expect(value.address).toBeUndefined();
  expect(value.member("id").bigint()).toBe(-2n);
  expect(value.member("id").address).toBeUndefined();
  expect(value.member("low").number()).toBe(5);
  expect(value.member("high").bits).toEqual({ shift: 3, size: 5 });
  expect(value.member("high").bigint()).toBe(3n);
  expect(value.member("name").string()).toBe("ab");
  expect(value.member("name").index(1).number()).toBe(98);
  const next = value.member("next");
  expect(next.pointer()).toBe(AT);
  expect(next.dereference().address).toBe(AT);
  expect(next.dereference().number()).toBe(-7);
  expect(next.dereference().memory).toBe(memory);
  expect(() => value.member("none")).toThrow('no member "none"');
});

test("parts that are nowhere are told, the others are read", () => {
  const holes = [
    { start: 0, end: 4 },
    { start: 18, end: 20, detail: "needs rdx" },
  ];
  const value = new Value(memory, pair, { bytes: BYTES, holes });
  expect(() => value.member("id").bigint()).toThrow(/optimized out$/);
  expect(value.member("low").number()).toBe(5);
  expect(value.member("name").string()).toBe("ab");
  expect(() => value.member("name").index(3).number()).toThrow("optimized out (needs rdx)");
});

test("a pointer to what has no address gives its target and no number", () => {
  const pointer = new Value(memory, pointerTo(pair), { pointee: new Value(memory, pair, { bytes: BYTES }) });
  expect(pointer.member("low").number()).toBe(5);
  expect(pointer.index(0).member("id").number()).toBe(-2);
  expect(pointer.place).toBeUndefined();
  expect(() => pointer.pointer()).toThrow("optimized out of memory");
  expect(() => pointer.index(1)).toThrow("optimized out of memory");
});

test("values at an address and immediates stay what they were", () => {
  expect(new Value(memory, INT, AT).number()).toBe(-7);
  expect(new Value(memory, ULONG, { immediate: 5n }).bigint()).toBe(5n);
  expect(new Value(memory, ULONG, { immediate: 5n }).place).toBeUndefined();
  expect(new Value(memory, array(INT, 2), AT).index(1).address).toBe(AT + 4n);
  expect(() => new Value(memory, pair, { immediate: 5n }).member("id")).toThrow("not a structure");
});

test("detached memory ends where its bytes end, and has no physical place", () => {
  const detached = new DetachedMemory(memory, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 0xff));
  expect(detached.u64(DETACHED)).toBe(0xff07060504030201n);
  expect(detached.s8(virtual(DETACHED + 7n))).toBe(-1);
  expect(detached.s16(virtual(DETACHED + 6n))).toBe(-249);
  expect(detached.s64(DETACHED)).toBe(BigInt.asIntN(64, 0xff07060504030201n));
  expect(() => detached.u32(virtual(DETACHED + 5n))).toThrow("not mapped");
  expect(() => detached.u8(virtual(DETACHED + 8n))).toThrow("not mapped");
  expect(() => detached.bytes(DETACHED, -1)).toThrow("not mapped");
  expect(() => detached.translate(DETACHED)).toThrow("not mapped");
  expect(detached.tryU32(virtual(DETACHED + 5n))).toBeUndefined();
  expect(detached.tryU32(DETACHED)).toBe(0x04030201);
  expect(detached.tryBytes(AT, 1)).toEqual(Uint8Array.of(0xf9));
  expect(detached.s32(AT)).toBe(-7);
});
