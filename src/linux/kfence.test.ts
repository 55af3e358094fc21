import { expect, it } from "vitest";
import { slabCacheName } from "./slab.ts";
import { PagedKernel } from "./testing/paged-kernel.ts";

const TYPES = {
  kmem_cache: { flags: [8, "u32"], size: [16, "u32"], object_size: [20, "u32"], oo: [24, "u32"], name: [32, "u64"] },
  page: { flags: [0, "u64"], $size: [64, ""] },
  slab: { slab_cache: [16, "u64"], objects: [24, "u16"] },
  kfence_metadata: { list: [0, "u64"], addr: [8, "u64"], size: [16, "u64"], $size: [32, ""] },
} as const;
const POINTER = 0xffff_ffff_8200_0000n;
const ARRAY = 0xffff_ffff_8200_1000n;

/** A pool at frame 16: object 0 in frame 18 at the page's end, object 1 in frame 20 at its start. */
function build(records: bigint, size: number): PagedKernel {
  const kernel = new PagedKernel(TYPES, { pageflags: { PG_slab: 9n } });
  const cache = kernel.at(1);
  kernel.memory.put32(cache + 16n, 64);
  kernel.memory.put32(cache + 20n, 60);
  kernel.memory.put64(cache + 32n, kernel.at(2));
  kernel.memory.putText(kernel.at(2), "filp\0");
  for (const frame of [18, 20, 22]) {
    kernel.memory.put64(kernel.page(frame), 1n << 9n);
    kernel.memory.put64(kernel.page(frame) + 16n, cache);
    kernel.memory.put16(kernel.page(frame) + 24n, 1);
  }
  kernel.symbol("__kfence_pool", POINTER);
  kernel.memory.put64(POINTER, kernel.at(16));
  kernel.symbol("kfence_metadata", size > 8 ? ARRAY : POINTER + 8n);
  kernel.memory.put64(POINTER + 8n, records);
  Object.defineProperty(kernel, "symbols", { value: { byName: (name: string) => (name === "kfence_metadata" ? { size } : undefined) } });
  for (const [index, start] of [
    [0, kernel.at(18, 4096 - 60)],
    [1, kernel.at(20)],
  ] as const) {
    kernel.memory.put64(records + BigInt(index) * 32n + 8n, start);
    kernel.memory.put64(records + BigInt(index) * 32n + 16n, 60n);
  }
  return kernel;
}

it.each([
  ["a pointer to records (6.6)", ARRAY, 8],
  ["an array of records", ARRAY, 32 * 255],
])("finds objects at either end of their page: %s", (_name, records, size) => {
  const kernel = build(records, size);
  expect(slabCacheName(kernel.kernel, kernel.at(18, 4090))).toMatchObject({
    cache: "filp",
    object: kernel.at(18, 4036),
    offset: 54,
    objectSize: 60,
  });
  expect(slabCacheName(kernel.kernel, kernel.at(20, 4))).toMatchObject({ object: kernel.at(20), offset: 4 });
});

it("does not make up an object whose record is of another page", () => {
  const kernel = build(ARRAY, 8);
  expect(slabCacheName(kernel.kernel, kernel.at(22, 4))).toBeUndefined();
});
