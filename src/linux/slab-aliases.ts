/**
 * Names of caches that were merged into another: the allocator forgets them, sysfs keeps them as links (mm/slub.c, sysfs_slab_alias).
 *
 *   slab_kset.kobj.sd ─► kernfs_node "slab" ─ dir.children ─► "lab_widget" (KERNFS_LINK) ─ symlink.target_kn ─► ":0000096"
 *                                                                                    priv ─► kmem_cache.kobj
 */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import { containerOf } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { rbtreeNodes } from "./rbtree.ts";
import type { SlabCache } from "./slab-cache.ts";
import { findSlabCaches, slabCaches } from "./slab-caches.ts";

const KERNFS_LINK = 4;
const KERNFS_TYPES = 15;
const MAX_LINKS = 1 << 16;

/** Caches by the names that were merged into them; empty without CONFIG_SYSFS or its symbol. Damage ends it early. Read once per dump. */
export function slabAliases(kernel: Kernel): ReadonlyMap<string, SlabCache> {
  return kernel.memo(slabAliases, () => {
    const found = new Map<string, SlabCache>();
    try {
      for (const [name, cache] of links(kernel)) if (cache.name !== name) found.set(name, cache);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
    return found;
  });
}

/** Names that were merged into a cache. */
export function aliasesOf(kernel: Kernel, cache: VirtualAddress): readonly string[] {
  return [...slabAliases(kernel)].flatMap(([name, { address }]) => (address === cache ? [name] : []));
}

/** Caches by name or address as findSlabCaches(), or the one that a name was merged into. */
export function namedSlabCaches(kernel: Kernel, which: string): readonly SlabCache[] {
  const found = findSlabCaches(kernel, which);
  const merged = found.length > 0 ? undefined : slabAliases(kernel).get(which);
  return merged === undefined ? found : [merged];
}

function* links(kernel: Kernel): Generator<readonly [name: string, cache: SlabCache]> {
  const { types, memory } = kernel;
  const symbol = kernel.tryAddress("slab_kset");
  const directory = types.tryStruct("kset")?.tryField("kobj.sd");
  const node = types.tryStruct("kernfs_node");
  const kobject = types.tryStruct("kmem_cache")?.tryField("kobj");
  const [rb, name, flags] = [node?.tryField("rb"), node?.tryField("name"), node?.tryField("flags")];
  const [children, target, priv] = [node?.tryField("dir.children"), node?.tryField("symlink.target_kn"), node?.tryField("priv")];
  if (symbol === undefined || directory === undefined || kobject === undefined || rb === undefined) return;
  if (name === undefined || flags === undefined || children === undefined || target === undefined || priv === undefined) return;
  const set = memory.u64(symbol);
  if (set === 0n) return;
  const caches = new Map(slabCaches(kernel).caches.map((cache) => [cache.address, cache]));
  for (const link of rbtreeNodes(memory, children.address(directory.pointer(virtual(set))), MAX_LINKS)) {
    const own = containerOf(link, rb);
    if ((flags.number(own) & KERNFS_TYPES) !== KERNFS_LINK) continue;
    const cache = caches.get(containerOf(priv.pointer(target.pointer(own)), kobject));
    if (cache !== undefined) yield [memory.cString(name.pointer(own), 256), cache];
  }
}
