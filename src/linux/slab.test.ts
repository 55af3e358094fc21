import { describe, expect, it } from "vitest";
import { Slabs, slabCacheName } from "./slab.ts";
import { LINEAR, PagedKernel } from "./testing/paged-kernel.ts";

const CACHE = {
  kmem_cache: {
    flags: [8, "u32"],
    size: [16, "u32"],
    object_size: [20, "u32"],
    oo: [24, "u32"],
    red_left_pad: [28, "u32"],
    name: [32, "u64"],
  },
} as const;
const COMMON = { flags: [0, "u64"], compound_head: [8, "u64"], page_type: [48, "u32"], $size: [64, ""] } as const;
const SPLIT = { ...CACHE, page: COMMON, slab: { slab_cache: [16, "u64"], objects: [24, "u16"] } } as const;
const UNITED = { ...CACHE, page: { ...COMMON, slab_cache: [16, "u64"], objects: [24, "u16"] } } as const;

/** Frames 8 and 9 are a slab of a cache with stride 192 whose kmem_cache lies in frame 1. */
function build(kernel: PagedKernel, markSlab: (page: bigint) => void): PagedKernel {
  const cache = kernel.at(1);
  kernel.memory.put32(cache + 16n, 192);
  kernel.memory.put32(cache + 20n, 184);
  kernel.memory.put32(cache + 28n, 16);
  kernel.memory.put64(cache + 32n, kernel.at(2));
  kernel.memory.putText(kernel.at(2), "task_struct\0");
  const head = kernel.page(8);
  kernel.memory.put64(head + 16n, cache);
  kernel.memory.put16(head + 24n, 40);
  kernel.memory.put64(kernel.page(9) + 8n, head | 1n);
  markSlab(head);
  return kernel;
}

const FLAG = { pageflags: { PG_locked: 0n, PG_slab: 9n } };
const PAGE_TYPE = { pagetype: { PGTY_buddy: 0xf0n, PGTY_slab: 0xf5n } };
const TYPE_BIT = { pagetype: { PG_slab: 0x1000n, PAGE_TYPE_BASE: 0xf0000000n } };

const kernels: readonly (readonly [string, () => PagedKernel])[] = [
  ["flag, fields in struct page (5.10)", () => pagesOf(new PagedKernel(UNITED, FLAG))],
  ["flag, struct slab (6.1)", () => pagesOf(new PagedKernel(SPLIT, FLAG))],
  ["page type bit that is cleared (6.10)", () => typed(new PagedKernel(SPLIT, TYPE_BIT), 0xffffefff)],
  ["page type in the top byte (6.12)", () => typed(new PagedKernel(SPLIT, PAGE_TYPE), 0xf5000000)],
];
const pagesOf = (kernel: PagedKernel) => build(kernel, (head) => kernel.memory.put64(head, 1n << 9n));
const typed = (kernel: PagedKernel, type: number) => {
  for (let frame = 0; frame < 16; frame++) kernel.memory.put32(kernel.page(frame) + 48n, 0xffffffff);
  return build(kernel, (head) => kernel.memory.put32(head + 48n, type));
};

describe.each(kernels)("slab objects: %s", (_name, make) => {
  it("names the cache and the object, also in the second page", () => {
    const kernel = make();
    expect(slabCacheName(kernel.kernel, kernel.at(8, 192 * 2 + 5))).toMatchObject({
      cache: "task_struct",
      cacheAddress: kernel.at(1),
      object: kernel.at(8, 384),
      index: 2,
      offset: 5,
      objectSize: 184,
    });
    expect(slabCacheName(kernel.kernel, kernel.at(9, 0))).toMatchObject({ index: 21, object: kernel.at(8, 192 * 21), offset: 64 });
  });

  it("leaves other pages and the waste behind the last object alone", () => {
    const kernel = make();
    expect(slabCacheName(kernel.kernel, kernel.at(7))).toBeUndefined();
    expect(slabCacheName(kernel.kernel, kernel.at(8, 192 * 40))).toBeUndefined();
    expect(slabCacheName(kernel.kernel, kernel.at(8, 192 * 40 - 1))).toMatchObject({ index: 39 });
    expect(slabCacheName(kernel.kernel, 0n)).toBeUndefined();
    expect(slabCacheName(kernel.kernel, 0x7fff_0000_0000n)).toBeUndefined();
  });
});

describe("slab objects of the SLAB allocator", () => {
  const SLAB_CACHE = {
    kmem_cache: { flags: [8, "u32"], size: [16, "u32"], object_size: [20, "u32"], num: [24, "u32"], name: [32, "u64"] },
  } as const;
  /** Objects begin 128 bytes into the slab: behind the free list and the colour. */
  const slabOf = (kernel: PagedKernel, place: (head: bigint, first: bigint) => void) => {
    const made = build(kernel, (head) => kernel.memory.put64(head, 1n << 9n));
    kernel.memory.put32(kernel.at(1) + 24n, 30);
    kernel.memory.put64(kernel.at(1) + 32n, kernel.at(2));
    place(kernel.page(8), kernel.at(8, 128));
    return made;
  };
  const forms: readonly (readonly [string, () => PagedKernel])[] = [
    [
      "struct slab (5.17)",
      () => {
        const kernel = new PagedKernel({ ...SLAB_CACHE, page: COMMON, slab: { slab_cache: [16, "u64"], s_mem: [32, "u64"] } }, FLAG);
        return slabOf(kernel, (head, first) => kernel.memory.put64(head + 32n, first));
      },
    ],
    [
      "struct page (3.13)",
      () => {
        const kernel = new PagedKernel({ ...SLAB_CACHE, page: { ...COMMON, slab_cache: [16, "u64"], s_mem: [32, "u64"] } }, FLAG);
        return slabOf(kernel, (head, first) => kernel.memory.put64(head + 32n, first));
      },
    ],
    [
      "struct slab behind struct page (3.10)",
      () => {
        const page = { ...COMMON, slab_cache: [16, "u64"], slab_page: [32, "u64"] } as const;
        const kernel = new PagedKernel({ ...SLAB_CACHE, page, slab: { list: [0, "bytes16"], s_mem: [24, "u64"] } }, FLAG);
        return slabOf(kernel, (head, first) => {
          kernel.memory.put64(head + 32n, kernel.at(3));
          kernel.memory.put64(kernel.at(3) + 24n, first);
        });
      },
    ],
  ];

  it.each(forms)("begin at s_mem: %s", (_name, make) => {
    const kernel = make();
    expect(slabCacheName(kernel.kernel, kernel.at(8, 128 + 192 * 2 + 5))).toMatchObject({ cache: "task_struct", index: 2, offset: 5 });
    expect(slabCacheName(kernel.kernel, kernel.at(8, 127))).toBeUndefined();
    expect(slabCacheName(kernel.kernel, kernel.at(8, 128 + 192 * 30 - 1))).toMatchObject({ index: 29 });
    expect(slabCacheName(kernel.kernel, kernel.at(8, 128 + 192 * 30))).toBeUndefined();
  });
});

describe("slab objects", () => {
  it("counts objects behind their left red zone", () => {
    const kernel = pagesOf(new PagedKernel(SPLIT, { ...FLAG, slab_flag_bits: { _SLAB_RED_ZONE: 1n } }));
    kernel.memory.put32(kernel.at(1) + 8n, 2);
    expect(slabCacheName(kernel.kernel, kernel.at(8, 192 + 20))).toMatchObject({ index: 1, object: kernel.at(8, 192 + 16), offset: 4 });
  });

  it("does not believe a cache that cannot be one", () => {
    const kernel = pagesOf(new PagedKernel(SPLIT, FLAG));
    kernel.memory.put32(kernel.at(1) + 16n, 0);
    expect(slabCacheName(kernel.kernel, kernel.at(8))).toBeUndefined();
    const pointer = pagesOf(new PagedKernel(SPLIT, FLAG));
    pointer.memory.put64(pointer.page(8) + 16n, LINEAR + (1n << 40n));
    expect(slabCacheName(pointer.kernel, pointer.at(8))).toBeUndefined();
  });

  it("does not believe a head behind its tail", () => {
    const kernel = pagesOf(new PagedKernel(SPLIT, FLAG));
    kernel.memory.put64(kernel.page(3) + 8n, kernel.page(8) | 1n);
    expect(slabCacheName(kernel.kernel, kernel.at(3))).toBeUndefined();
  });

  it("answers nothing where page structures are missing, or for another allocator", () => {
    const kernel = pagesOf(new PagedKernel(SPLIT, FLAG));
    kernel.memory.drop(kernel.page(8));
    expect(slabCacheName(kernel.kernel, kernel.at(8))).toBeUndefined();
    const slab = new PagedKernel({ ...SPLIT, kmem_cache: { size: [0, "u32"], num: [4, "u32"] } }, FLAG);
    expect(Slabs.of(slab.kernel)).toBeUndefined();
  });
});
