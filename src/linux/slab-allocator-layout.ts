/**
 * How this kernel lays out SLAB (mm/slab.c, removed in 6.8).
 *
 *   kmem_cache ─ cpu_cache (per CPU) ─► array_cache: avail, entry[]
 *              ─ node[n] ─► kmem_cache_node (kmem_list3 before 3.10): slabs_partial, slabs_full, slabs_free, shared, alien
 */
import { sizeOf } from "../debug-info/c-type.ts";
import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Struct } from "../kernel/types.ts";
import { type CacheFields, cacheFields, complete, type SlabFields, slabFields } from "./slab-fields.ts";

/** Members of SLAB, resolved once per dump. */
export interface SlabAllocatorLayout {
  readonly allocator: "SLAB";
  readonly cache: CacheFields & { readonly perSlab: Field; readonly order: Field | undefined };
  readonly slab: SlabFields & {
    /** Objects in use: active since 3.13 (8456a648cf44), before inuse. */
    readonly active: Field;
    readonly first: Field;
  };
  /** Bytes of a freelist_idx_t (1 or 2; 4 until 3.16); undefined before 3.13, when kmem_bufctl_t chained the free objects. */
  readonly indexSize: number | undefined;
  /** Before 3.13: struct slab apart from the page, index of its first free object, and its size: the chain lies behind it. */
  readonly chained: { readonly free: Field; readonly size: number } | undefined;
  readonly cpu: {
    /** __percpu pointer cpu_cache since 3.18 (bf0dea23a9c0), before an array of pointers. */
    readonly pointer: Field;
    readonly perCpu: boolean;
    readonly avail: Field;
    readonly entries: Field;
  };
  readonly node: {
    readonly lists: readonly (readonly ["partial" | "full" | "free", Field])[];
    readonly freeObjects: Field | undefined;
    readonly shared: Field | undefined;
    readonly alien: Field | undefined;
    /** Bytes from an alien entry to its array_cache: 0 before 3.17 (c8522a3a5832). */
    readonly alienOffset: number;
  };
}

/**
 * The layout; undefined when a member it cannot do without is missing.
 * @param slab the struct whose members name the cache of a page: struct slab, or struct page
 * @param own struct slab where the kernel has one
 */
export function slabAllocatorLayout(
  kernel: Kernel,
  struct: Struct,
  slab: Struct,
  own: Struct | undefined,
): SlabAllocatorLayout | undefined {
  const { types } = kernel;
  const common = cacheFields(struct);
  const shared = slabFields(slab, slab.has("s_mem") ? undefined : own);
  // kmem_cache_node was kmem_list3 before 3.10 (ce8eb6c424c7).
  const nodeStruct = types.tryStruct("kmem_cache_node") ?? types.tryStruct("kmem_list3");
  const array = types.tryStruct("array_cache");
  const old = slab.has("s_mem") ? undefined : own;
  const parts = slab.has("s_mem") ? slab : own;
  if (common === undefined || shared === undefined || nodeStruct === undefined || array === undefined) return undefined;
  const cache = complete<SlabAllocatorLayout["cache"]>({ ...common, perSlab: struct.tryField("num"), order: struct.tryField("gfporder") }, [
    "order",
  ]);
  const slabParts = complete<SlabAllocatorLayout["slab"]>({
    ...shared,
    active: parts?.firstField("active", "inuse"),
    first: parts?.tryField("s_mem"),
  });
  const perCpu = struct.has("cpu_cache");
  const cpu = complete<SlabAllocatorLayout["cpu"]>({
    pointer: struct.firstField("cpu_cache", "array"),
    perCpu,
    avail: array.tryField("avail"),
    entries: array.tryField("entry"),
  });
  const free = old?.tryField("free");
  const alien = types.tryStruct("alien_cache");
  if (cache === undefined || slabParts === undefined || cpu === undefined) return undefined;
  const index = types.find("typedef", "freelist_idx_t", { modules: false });
  return {
    allocator: "SLAB",
    cache,
    slab: slabParts,
    // 3.13–3.14 used unsigned int before the type had a name (a41adfaa23df).
    indexSize: old !== undefined ? undefined : index === undefined ? 4 : sizeOf(index),
    chained: old === undefined || free === undefined ? undefined : { free, size: old.size },
    cpu,
    node: {
      lists: (["partial", "full", "free"] as const).flatMap((name) => {
        const field = nodeStruct.tryField(`slabs_${name}`);
        return field === undefined ? [] : ([[name, field]] as const);
      }),
      freeObjects: nodeStruct.tryField("free_objects"),
      shared: nodeStruct.tryField("shared"),
      alien: nodeStruct.tryField("alien"),
      alienOffset: alien?.tryField("ac")?.offset ?? 0,
    },
  };
}
