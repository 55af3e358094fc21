/**
 * Members of kmem_cache and of struct slab that SLUB (mm/slub.c) and SLAB (mm/slab.c) have in common, and how a layout is made of members:
 * whole, or not at all.
 */
import type { Field } from "../kernel/field.ts";
import type { Struct } from "../kernel/types.ts";

/** Fields of kmem_cache that both allocators have. */
export interface CacheFields {
  readonly struct: Struct;
  readonly name: Field;
  readonly size: Field;
  readonly objectSize: Field;
  readonly flags: Field;
  readonly list: Field;
}

/** struct slab, or the part of struct page that was it before 5.17. */
export interface SlabFields {
  readonly freelist: Field;
  /** slab_list since 5.2, before lru. */
  readonly list: Field;
  readonly cache: Field;
}

/** All or nothing: an object of defined fields, or undefined. */
export function complete<T extends object>(
  fields: { [K in keyof T]: T[K] | undefined },
  optional: readonly (keyof T)[] = [],
): T | undefined {
  for (const key of Object.keys(fields) as (keyof T)[]) if (fields[key] === undefined && !optional.includes(key)) return undefined;
  return fields as T;
}

/** undefined when kmem_cache lacks one of them. */
export function cacheFields(struct: Struct): CacheFields | undefined {
  return complete<CacheFields>({
    struct,
    name: struct.tryField("name"),
    size: struct.tryField("size"),
    objectSize: struct.tryField("object_size"),
    flags: struct.tryField("flags"),
    list: struct.tryField("list"),
  });
}

/**
 * undefined when a member is missing.
 * @param own struct slab of SLAB before 3.13, which was apart from the page
 */
export function slabFields(slab: Struct, own: Struct | undefined): SlabFields | undefined {
  return complete<SlabFields>(
    {
      freelist: slab.firstField("freelist", "slab_page"),
      // SLAB before 3.13 linked struct slab, which was apart from the page.
      list: own?.tryField("list") ?? slab.firstField("slab_list", "lru"),
      cache: slab.tryField("slab_cache"),
    },
    [],
  );
}
