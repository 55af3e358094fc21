import { expect, it } from "vitest";
import { kasanFreed } from "./kasan-shadow.ts";
import { hasKasanTracks, kasanTrack } from "./kasan-tracks.ts";
import { readSlabCache } from "./slab-cache.ts";
import { slabObjectState } from "./slab-state.ts";
import { SlubKernel } from "./testing/slub-kernel.ts";

const INIT_TASK = 0xffff_ffff_8200_4000n;
const TYPES = {
  kasan_alloc_meta: { alloc_track: [0, "kasan_track"] },
  kasan_free_meta: { quarantine_link: [0, "u64"], free_track: [8, "kasan_track"] },
  kasan_cache: { alloc_meta_offset: [0, "s32"], free_meta_offset: [4, "s32"] },
  kasan_track: { pid: [0, "u32"], stack: [4, "u32"] },
} as const;

/** Objects of 16 bytes with the meta of their allocation at byte 40, that of their free in the object itself; object 5 was freed. */
function build(): SlubKernel {
  const kernel = new SlubKernel("cpu slabs", TYPES, { kasan_info: [0x100, "kasan_cache"] });
  kernel.slab("A", [3]);
  kernel.symbol("init_task", INIT_TASK);
  kernel.memory.put8(shadow(INIT_TASK), 0);
  for (let i = 0; i < 16; i++) kernel.memory.put8(shadow(kernel.object("A", i)), 0);
  kernel.memory.put32(kernel.cacheAddress + 0x100n, 40);
  kernel.memory.put32(kernel.cacheAddress + 0x104n, 0);
  kernel.memory.put32(kernel.object("A", 5) + 40n, 11);
  kernel.memory.put32(kernel.object("A", 5) + 44n, 0x123);
  kernel.memory.put32(kernel.object("A", 5) + 8n, 12);
  kernel.memory.put32(kernel.object("A", 5) + 12n, 0x456);
  return kernel;
}

function shadow(address: bigint): bigint {
  return BigInt.asUintN(64, 0xdffffc0000000000n + (address >> 3n));
}

it("reads who allocated, and who freed only while the shadow says so", () => {
  const kernel = build();
  const cache = readSlabCache(kernel.kernel, kernel.cacheAddress);
  const object = kernel.object("A", 5);
  expect(hasKasanTracks(kernel.kernel, cache)).toBe(true);
  expect(kasanTrack(kernel.kernel, cache, object, "allocation")).toMatchObject({ source: "KASAN", pid: 11 });
  expect(kasanTrack(kernel.kernel, cache, object, "free")).toBeUndefined();
  kernel.memory.put8(shadow(object), 0xfa);
  expect(kasanTrack(kernel.kernel, cache, object, "free")).toMatchObject({ pid: 12 });
  expect(kasanTrack(kernel.kernel, cache, kernel.object("A", 6), "allocation")).toBeUndefined();
});

it("an object in the quarantine is free, though the allocator has not got it back", () => {
  const kernel = build();
  kernel.memory.put8(shadow(kernel.object("A", 5)), 0xfb);
  expect(kasanFreed(kernel.kernel, kernel.object("A", 5))).toBe(true);
  expect(slabObjectState(kernel.kernel, kernel.object("A", 5))).toEqual({ state: "free", where: "KASAN quarantine" });
  expect(slabObjectState(kernel.kernel, kernel.object("A", 6))).toEqual({ state: "allocated" });
});
