/**
 * Root slab caches and their children, one for each memory cgroup (include/linux/slab.h, struct memcg_cache_params; 4.11 to 5.8).
 *
 *   slab_root_caches ⇄ kmem_cache.memcg_params.__root_caches_node        memcg_params.children ⇄ child's memcg_params.children_node
 */
import type { VirtualAddress } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import { containerOf, type Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { addNote, gather } from "./gather.ts";
import { listNodes } from "./list.ts";
import { readSlabCache, type SlabCache } from "./slab-cache.ts";

export interface RootSlabCache {
  readonly root: SlabCache;
  readonly children: readonly SlabCache[];
}

/** Roots in the kernel's order; undefined when this kernel has none. */
export function rootSlabCaches(
  kernel: Kernel,
): { readonly roots: readonly RootSlabCache[]; readonly problems: readonly string[] } | undefined {
  const head = kernel.tryAddress("slab_root_caches");
  const cache = kernel.types.tryStruct("kmem_cache");
  const root = cache?.tryField("memcg_params.__root_caches_node");
  const children = cache?.tryField("memcg_params.children");
  const child = cache?.tryField("memcg_params.children_node");
  if (head === undefined || root === undefined || children === undefined || child === undefined) return undefined;
  const problems: string[] = [];
  const caches = (list: VirtualAddress, link: Field, what: string): SlabCache[] =>
    gather(listNodes(kernel.memory, list), problems, what).flatMap((node) => {
      try {
        return [readSlabCache(kernel, containerOf(node, link))];
      } catch (error) {
        if (!(error instanceof InquestError)) throw error;
        addNote(problems, `${what}: ${error.message}`);
        return [];
      }
    });
  const roots = caches(head, root, "slab_root_caches").map((each) => ({
    root: each,
    children: caches(children.address(each.address), child, `children of ${each.name}`),
  }));
  return { roots, problems };
}
