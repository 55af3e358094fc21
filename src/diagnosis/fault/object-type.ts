/**
 * The structure that a slab object holds, by the name of its cache: a cache of one structure is mostly named after it (KMEM_CACHE() makes it
 * so, include/linux/slab.h). Believed only when the structure fits the object: not larger, and not smaller by more than the alignment of
 * caches. Caches of kmalloc() say nothing.
 */
import { virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { CType } from "../../debug-info/c-type.ts";
import { sizeOf } from "../../debug-info/c-type.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type SlabObject, Slabs } from "../../linux/slab.ts";

export interface ObjectType {
  /** Start of the object. */
  readonly address: bigint;
  /** "struct lab_widget". */
  readonly name: string;
  readonly type: CType;
  readonly object: SlabObject;
}

/** Room that alignment to a cache line, and debugging fields behind the object, may add. */
const SLACK = 192;

/** undefined when the address is in no slab object, or nothing tells what that holds. Never throws for damaged memory. */
export function objectType(kernel: Kernel, address: bigint): ObjectType | undefined {
  try {
    const object = kernel.arch.isKernelAddress(address) ? Slabs.of(kernel)?.objectOf(virtual(address)) : undefined;
    if (object === undefined) return undefined;
    for (const name of namesFor(object.cache)) {
      const type = kernel.types.find("struct", name, { modules: true });
      const size = type === undefined ? 0 : sizeOf(type);
      if (type !== undefined && size > 0 && size <= object.objectSize && object.objectSize - size < SLACK) {
        return { address: object.object, name: `struct ${name}`, type, object };
      }
    }
    return undefined;
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

/** Names that a cache's structure may have: its own, without the endings that the kernel's caches have. */
function namesFor(cache: string): readonly string[] {
  if (/^(?:kmalloc|dma-kmalloc|bio-|biovec|pool_)/.test(cache) || cache.startsWith(":")) return [];
  const plain = cache.replace(/_(?:cache|cachep|slab|jar|pool)$/, "");
  return [...new Set([cache, plain, cache.replaceAll("-", "_"), cache.replace(/_cache$/, "_node")])];
}
