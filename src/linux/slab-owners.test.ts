import { describe, expect, it } from "vitest";
import { readSlabCache } from "./slab-cache.ts";
import { objectTracks, slabOwners, slabsOfCache } from "./slab-owners.ts";
import { SLABS, SlubKernel, STRIDE } from "./testing/slub-kernel.ts";

/** Tracks without stack traces, 16 bytes each, behind objects of 24 bytes whose free pointer follows. */
const TRACK = { addr: [0, "u64"], cpu: [8, "bits4:0"], pid: [8, "bits12:4"], when: [8, "u64"], $size: [16, ""] } as const;

function build(): SlubKernel {
  const kernel = new SlubKernel("cpu slabs", { track: TRACK });
  kernel.slab("A", [3, 9]);
  kernel.partial([kernel.page(SLABS.A)], 1);
  const cache = kernel.cacheAddress;
  kernel.memory.put32(cache + 8n, 0x10000);
  kernel.memory.put32(cache + 20n, 24);
  // Objects end at 24, the free pointer lies outside at 24: tracks from 32 on.
  kernel.memory.put32(cache + 40n, 24);
  kernel.memory.put32(cache + 44n, 24);
  kernel.slab("A", []);
  return kernel;
}

describe("owners of slab objects", () => {
  it("groups objects in use by stack, and free ones by who freed them", () => {
    const kernel = tracked();
    const cache = readSlabCache(kernel.kernel, kernel.cacheAddress);
    const allocated = slabOwners(kernel.kernel, [cache], "allocation");
    expect(allocated.groups.map(({ count, bytes, stack }) => ({ count, bytes, stack }))).toEqual([
      { count: 10, bytes: 10 * STRIDE, stack: [0xffff_ffff_8100_1000n] },
      { count: 4, bytes: 4 * STRIDE, stack: [0xffff_ffff_8100_2000n] },
    ]);
    expect(allocated.groups[0]).toMatchObject({ parts: [{ name: "filp", count: 10 }], pids: [{ pid: 7, count: 10 }] });
    expect(slabOwners(kernel.kernel, [cache], "free")).toMatchObject({
      groups: [{ count: 1, stack: [0xffff_ffff_8100_3000n] }],
      untracked: 1,
    });
  });

  it("tells who allocated and who freed one object", () => {
    const kernel = tracked();
    expect(objectTracks(kernel.kernel, kernel.object("A", 3) + 4n)).toMatchObject({
      state: { state: "free", where: "slab freelist" },
      allocated: { source: "slub_debug", caller: 0xffff_ffff_8100_1000n, pid: 7, cpu: 2 },
      freed: { caller: 0xffff_ffff_8100_3000n, pid: 9 },
    });
    expect(objectTracks(kernel.kernel, kernel.object("A", 9))?.freed).toBeUndefined();
    expect(objectTracks(kernel.kernel, kernel.at(30))).toBeUndefined();
  });

  it("says when nobody noted anything", () => {
    const kernel = build();
    kernel.memory.put32(kernel.cacheAddress + 8n, 0);
    expect(objectTracks(kernel.kernel, kernel.object("A", 0))?.notes).toEqual([expect.stringContaining("neither slub_debug=U nor KASAN")]);
  });

  it("takes the slabs from the lists only where these name all", () => {
    const kernel = tracked();
    const cache = readSlabCache(kernel.kernel, kernel.cacheAddress);
    expect([...slabsOfCache(kernel.kernel, cache)].map(({ page }) => page)).toEqual([kernel.page(SLABS.A)]);
    const short = tracked();
    short.slab("B", []);
    short.partial([short.page(SLABS.A)], 2);
    expect([...slabsOfCache(short.kernel, cache)].map(({ page }) => page)).toEqual([short.page(SLABS.A), short.page(SLABS.B)]);
  });
});

/** Objects 0–3 were allocated at …2000 but for 3; the others and 3 at …1000; 3 and 9 are free, of 9 nobody knows who freed it. */
function tracked(): SlubKernel {
  const kernel = build();
  const page = kernel.page(SLABS.A);
  kernel.memory.put16(page + 26n, 14);
  const objects = [kernel.object("A", 3), kernel.object("A", 9)];
  kernel.memory.put64(page + 32n, objects[0] as bigint);
  kernel.memory.put64((objects[0] as bigint) + 24n, objects[1] as bigint);
  kernel.memory.put64((objects[1] as bigint) + 24n, 0n);
  const put = (at: bigint, caller: bigint, pid: number) => {
    kernel.memory.put64(at, caller);
    kernel.memory.put32(at + 8n, 2 | (pid << 4));
  };
  for (let i = 0; i < 16; i++) put(kernel.object("A", i) + 32n, i < 4 && i !== 3 ? 0xffff_ffff_8100_2000n : 0xffff_ffff_8100_1000n, 7);
  put(kernel.object("A", 5) + 32n, 0xffff_ffff_8100_2000n, 7);
  put(kernel.object("A", 3) + 48n, 0xffff_ffff_8100_3000n, 9);
  return kernel;
}
