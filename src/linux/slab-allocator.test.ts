import { describe, expect, it } from "vitest";
import type { CType, TypeSource } from "../debug-info/c-type.ts";
import { Slabs } from "./slab.ts";
import { SlabAllocatorCache } from "./slab-allocator.ts";
import { readSlabCache } from "./slab-cache.ts";
import { slabObjectState } from "./slab-state.ts";
import { slabNumbers } from "./slab-statistics.ts";
import { PagedKernel } from "./testing/paged-kernel.ts";

const STRIDE = 96;
const CACHE = {
  flags: [8, "u32"],
  size: [16, "u32"],
  object_size: [20, "u32"],
  num: [24, "u32"],
  gfporder: [28, "u32"],
  name: [32, "u64"],
  list: [40, "bytes16"],
} as const;
const NODE = {
  slabs_partial: [0, "bytes16"],
  slabs_full: [16, "bytes16"],
  slabs_free: [32, "bytes16"],
  free_objects: [48, "u64"],
  shared: [56, "u64"],
  alien: [64, "u64"],
} as const;
const ARRAY = { avail: [0, "u32"], entry: [16, "bytes0"] } as const;
const PAGE = { flags: [0, "u64"], compound_head: [8, "u64"], $size: [64, ""] } as const;
const FLAG = { pageflags: { PG_slab: 9n } };

/** struct slab of 5.17–6.7: indices of a byte in frame 12, objects in frame 8 from byte 32 on. */
const NEW = {
  kmem_cache: { cpu_cache: [0, "u64"], ...CACHE, node: [56, "bytes8"] },
  kmem_cache_node: NODE,
  array_cache: ARRAY,
  alien_cache: { lock: [0, "u64"], ac: [8, "bytes16"] },
  page: PAGE,
  slab: { slab_cache: [16, "u64"], freelist: [24, "u64"], s_mem: [32, "u64"], active: [40, "u32"], slab_list: [48, "bytes16"] },
} as const;
/** 3.10: struct slab apart from the page, a chain of kmem_bufctl_t behind it, array caches by pointers in kmem_cache. */
const OLD = {
  kmem_cache: { ...CACHE, array: [64, "bytes16"], node: [56, "bytes8"] },
  kmem_list3: NODE,
  array_cache: ARRAY,
  page: { ...PAGE, slab_cache: [16, "u64"], slab_page: [32, "u64"], lru: [48, "bytes16"] },
  slab: { list: [0, "bytes16"], s_mem: [16, "u64"], inuse: [24, "u32"], free: [28, "u32"], $size: [32, ""] },
} as const;

function ring(kernel: PagedKernel, head: bigint, nodes: readonly bigint[]): void {
  const all = [head, ...nodes];
  for (const [i, node] of all.entries()) {
    const next = all[(i + 1) % all.length] as bigint;
    kernel.memory.put64(node, next);
    kernel.memory.put64(next + 8n, node);
  }
}

function common(kernel: PagedKernel, link: bigint): void {
  const cache = kernel.at(1);
  kernel.memory.write(cache, new Uint8Array(256));
  kernel.memory.put32(cache + 16n, STRIDE);
  kernel.memory.put32(cache + 20n, 90);
  kernel.memory.put32(cache + 24n, 10);
  kernel.memory.put64(cache + 32n, kernel.at(2));
  kernel.memory.putText(kernel.at(2), "filp\0");
  kernel.memory.put64(cache + 56n, kernel.at(3));
  kernel.memory.write(kernel.at(3), new Uint8Array(256));
  kernel.memory.write(kernel.at(8), new Uint8Array(4096));
  ring(kernel, kernel.at(3), [link]);
  ring(kernel, kernel.at(3, 16), []);
  ring(kernel, kernel.at(3, 32), []);
  kernel.memory.put64(kernel.at(3, 48), 3n);
  kernel.memory.put64(kernel.page(8), 1n << 9n);
  kernel.memory.put64(kernel.page(8) + 16n, cache);
}

function object(kernel: PagedKernel, index: number): bigint {
  return kernel.at(8, 32 + index * STRIDE);
}

/** Objects 9, 1 and 4 free in the slab, 2 in CPU 0's cache, 3 in the shared one. */
function modern(): PagedKernel {
  const kernel = new PagedKernel(NEW, FLAG);
  const base = kernel.types.sources[0] as TypeSource;
  const byte: CType = { kind: "int", name: "unsigned char", size: 1, signed: false, encoding: "int" };
  const index: CType = { kind: "typedef", name: "freelist_idx_t", target: byte };
  const find: TypeSource["find"] = (key, name) => (key === "typedef" && name === index.name ? index : base.find(key, name));
  kernel.types.sources[0] = { ...base, find };
  common(kernel, kernel.page(8) + 48n);
  const page = kernel.page(8);
  kernel.memory.put64(page + 24n, kernel.at(12));
  kernel.memory.put64(page + 32n, kernel.at(8, 32));
  kernel.memory.put32(page + 40n, 7);
  kernel.memory.write(kernel.at(12), Uint8Array.of(0, 2, 3, 5, 6, 7, 8, 9, 1, 4));
  kernel.memory.put64(kernel.at(1), kernel.at(13));
  array(kernel, kernel.at(13), [2]);
  kernel.memory.put64(kernel.at(3, 56), kernel.at(14));
  array(kernel, kernel.at(14), [3]);
  return kernel;
}

function array(kernel: PagedKernel, at: bigint, objects: readonly number[]): void {
  kernel.memory.put32(at, objects.length);
  for (const [i, index] of objects.entries()) kernel.memory.put64(at + 16n + BigInt(i * 8), object(kernel, index));
}

/** The same, as 3.10 keeps it; object 2 in CPU 0's cache, no shared one. */
function old(): PagedKernel {
  const kernel = new PagedKernel(OLD, FLAG);
  const own = kernel.at(12);
  common(kernel, own);
  kernel.memory.put64(kernel.page(8) + 32n, own);
  kernel.memory.put64(own + 16n, kernel.at(8, 32));
  kernel.memory.put32(own + 24n, 7);
  kernel.memory.put32(own + 28n, 9);
  const next = new Map([
    [9, 1],
    [1, 4],
    [4, 0xffffffff],
  ]);
  for (let i = 0; i < 10; i++) kernel.memory.put32(own + 32n + BigInt(i * 4), next.get(i) ?? 0xfffffffe);
  kernel.memory.put64(kernel.at(1, 64), kernel.at(13));
  array(kernel, kernel.at(13), [2]);
  return kernel;
}

function parts(kernel: PagedKernel): SlabAllocatorCache {
  const found = SlabAllocatorCache.of(kernel.kernel, readSlabCache(kernel.kernel, kernel.at(1)));
  if (found === undefined) throw new Error("not taken for SLAB");
  return found;
}

function map(kernel: PagedKernel) {
  const slab = Slabs.of(kernel.kernel)?.slabAt(kernel.page(8) as never);
  if (slab === undefined) throw new Error("no slab there");
  return parts(kernel).freeMap(slab);
}

function freeIndices(kernel: PagedKernel): number[] {
  return [...map(kernel).places].flatMap((place, index) => (place === 0 ? [] : [index]));
}

describe("SLAB", () => {
  it("reads indices and array caches (6.1)", () => {
    const kernel = modern();
    expect(freeIndices(kernel)).toEqual([1, 2, 3, 4, 9]);
    expect(map(kernel).problems).toEqual([]);
    expect(parts(kernel).nodes[0]?.lists).toEqual({ partial: [kernel.page(8)], full: [], free: [] });
    expect(slabNumbers(kernel.kernel, parts(kernel).cache)).toMatchObject({ total: 10, slabs: 1, active: 7, allocated: 5 });
    expect(slabObjectState(kernel.kernel, object(kernel, 2))).toEqual({ state: "free", where: "cpu 0 cache" });
    expect(slabObjectState(kernel.kernel, object(kernel, 3))).toEqual({ state: "free", where: "shared cache of node 0" });
    expect(slabObjectState(kernel.kernel, object(kernel, 0))).toEqual({ state: "allocated" });
  });

  it("reads the chain of kmem_bufctl_t and pointers to array caches (3.10)", () => {
    const kernel = old();
    expect(freeIndices(kernel)).toEqual([1, 2, 4, 9]);
    expect(map(kernel).problems).toEqual([]);
    expect(parts(kernel).nodes[0]?.lists.partial).toEqual([kernel.page(8)]);
  });

  it("finds objects of other nodes in alien caches", () => {
    const kernel = modern();
    kernel.memory.put64(kernel.at(3, 64), kernel.at(15));
    kernel.memory.put64(kernel.at(15), kernel.at(16));
    array(kernel, kernel.at(16, 8), [6]);
    expect(freeIndices(kernel)).toContain(6);
  });
});

describe("damage in SLAB", () => {
  it("an index behind the last object, and one that comes twice", () => {
    const wild = modern();
    wild.memory.put8(wild.at(12, 8), 200);
    expect(map(wild)).toMatchObject({ problems: [expect.stringContaining("entry 8 is 200")] });
    const twice = modern();
    twice.memory.put8(twice.at(12, 8), 9);
    expect(map(twice).problems).toEqual([expect.stringContaining("object 9 is in it twice")]);
    expect(slabObjectState(twice.kernel, object(twice, 4))?.state).toBe("unknown");
  });

  it("a chain that runs in a circle", () => {
    const kernel = old();
    kernel.memory.put32(kernel.at(12, 32 + 4 * 4), 9);
    expect(map(kernel).problems).toEqual([expect.stringContaining("object 9 is in it twice")]);
  });

  it("more objects in use than there are, and a list that is gone", () => {
    const kernel = modern();
    kernel.memory.put32(kernel.page(8) + 40n, 11);
    expect(map(kernel).problems).toEqual([expect.stringContaining("11 objects in use of 10")]);
    const gone = modern();
    gone.memory.put64(gone.page(8) + 24n, 0n);
    expect(map(gone).problems).toEqual([expect.stringContaining("it is gone")]);
  });

  it("an array cache of nonsense is told, the others are read", () => {
    const kernel = modern();
    kernel.memory.put32(kernel.at(13), 0x7fffffff);
    expect(freeIndices(kernel)).toEqual([1, 3, 4, 9]);
    expect(parts(kernel).problems).toEqual([expect.stringContaining("says to hold")]);
    const strange = modern();
    strange.memory.put64(strange.at(13, 16), 0x1234n);
    expect(freeIndices(strange)).toEqual([1, 3, 4, 9]);
    expect(parts(strange).problems).toEqual([expect.stringContaining("0000000000001234 is no object of this cache")]);
  });
});
