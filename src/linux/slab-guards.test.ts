import { describe, expect, it } from "vitest";
import { type SlabPage, Slabs } from "./slab.ts";
import { checkGuards, hasGuards } from "./slab-guards.ts";
import { OBJECTS, SLABS, SlubKernel, STRIDE } from "./testing/slub-kernel.ts";

const RED_ZONE = 0x400;
const FILLED = 0x8000_0000;
const KMALLOC = 0x1000;
const STORE_USER = 0x10000;
const SIZE = 20;
const INUSE = 24;

/** Objects of 20 bytes with 4 bytes of red zone, free pointer at 32 behind them; numbers 3 and 9 are free. */
function build(flags: number, pad = 0, free: readonly number[] = pad === 0 ? [3, 9] : []): SlubKernel {
  const kernel = new SlubKernel("cpu slabs", { track: { addr: [0, "u64"], $size: [8, ""] } }, { red_left_pad: [28, "u32"] });
  const cache = kernel.cacheAddress;
  kernel.memory.put32(cache + 8n, flags);
  kernel.memory.put32(cache + 20n, SIZE);
  kernel.memory.put32(cache + 28n, pad);
  kernel.memory.put32(cache + 40n, 32);
  kernel.memory.put32(cache + 44n, INUSE);
  kernel.slab("A", free);
  for (let i = 0; i < OBJECTS; i++) {
    const object = kernel.object("A", i) + BigInt(pad);
    const isFree = free.includes(i);
    fill(kernel, object - BigInt(pad), pad, isFree ? 0xbb : 0xcc);
    if (isFree) fill(kernel, object, SIZE - 1, 0x6b);
    if (isFree) fill(kernel, object + BigInt(SIZE - 1), 1, 0xa5);
    fill(kernel, object + BigInt(SIZE), INUSE - SIZE, isFree ? 0xbb : 0xcc);
  }
  return kernel;
}

function fill(kernel: SlubKernel, address: bigint, count: number, byte: number): void {
  kernel.memory.write(address, new Uint8Array(count).fill(byte));
}

function slabOf(kernel: SlubKernel): SlabPage {
  return Slabs.of(kernel.kernel)?.slabAt(kernel.page(SLABS.A) as never) as SlabPage;
}

describe("guard bytes of slub_debug", () => {
  it("are whole, in use and free", () => {
    const kernel = build(RED_ZONE | FILLED);
    expect(checkGuards(kernel.kernel, slabOf(kernel))).toEqual({ objects: OBJECTS, damage: [] });
    expect(hasGuards(kernel.kernel, slabOf(kernel).cache)).toBe(true);
  });

  it("are not there without the flags", () => {
    const kernel = build(0);
    fill(kernel, kernel.object("A", 4), STRIDE, 0x41);
    expect(checkGuards(kernel.kernel, slabOf(kernel))).toEqual({ objects: 0, damage: [] });
  });

  it("behind an object that were written, to the byte", () => {
    const kernel = build(RED_ZONE);
    fill(kernel, kernel.object("A", 5) + BigInt(SIZE) + 1n, 2, 0);
    const { damage } = checkGuards(kernel.kernel, slabOf(kernel));
    expect(damage).toMatchObject([{ zone: "right red zone", index: 5, from: kernel.object("A", 5) + 21n, expected: 0xcc }]);
    expect([...(damage[0]?.bytes ?? [])]).toEqual([0, 0]);
  });

  it("before an object", () => {
    const kernel = build(RED_ZONE, 8);
    fill(kernel, kernel.object("A", 2) + 4n, 4, 0x41);
    expect(checkGuards(kernel.kernel, slabOf(kernel)).damage).toMatchObject([
      { zone: "left red zone", index: 2, object: kernel.object("A", 2) + 8n, from: kernel.object("A", 2) + 4n, expected: 0xcc },
    ]);
  });

  it("of a free object: poison that was written, unless it is being taken", () => {
    const kernel = build(RED_ZONE | FILLED);
    kernel.memory.put32(kernel.object("A", 9) + 8n, 1);
    expect(checkGuards(kernel.kernel, slabOf(kernel)).damage).toMatchObject([
      { zone: "poison", index: 9, from: kernel.object("A", 9) + 8n, expected: 0x6b },
    ]);
    fill(kernel, kernel.object("A", 9) + BigInt(SIZE), INUSE - SIZE, 0xcc);
    expect(checkGuards(kernel.kernel, slabOf(kernel)).damage).toEqual([]);
  });

  it("are not poison where the cache is not filled", () => {
    const kernel = build(RED_ZONE);
    kernel.memory.put32(kernel.object("A", 9) + 8n, 1);
    expect(checkGuards(kernel.kernel, slabOf(kernel)).damage).toEqual([]);
  });

  it("behind what kmalloc() was asked for", () => {
    const kernel = build(RED_ZONE | KMALLOC | STORE_USER, 0, []);
    // Behind the free pointer at 24 to 32 and two tracks of 8 bytes.
    for (let i = 0; i < OBJECTS; i++) kernel.memory.put32(kernel.object("A", i) + 48n, SIZE);
    kernel.memory.put32(kernel.object("A", 7) + 48n, 12);
    fill(kernel, kernel.object("A", 7) + 12n, 8, 0xcc);
    expect(checkGuards(kernel.kernel, slabOf(kernel)).damage).toEqual([]);
    fill(kernel, kernel.object("A", 7) + 12n, 1, 0);
    expect(checkGuards(kernel.kernel, slabOf(kernel)).damage).toMatchObject([
      { zone: "red zone of kmalloc", index: 7, from: kernel.object("A", 7) + 12n },
    ]);
  });
});
