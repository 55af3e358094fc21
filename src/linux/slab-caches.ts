/**
 * All slab caches, newest first, as the list slab_caches holds them (mm/slab_common.c).
 *
 *   slab_caches ⇄ kmem_cache.list ⇄ kmem_cache.list ⇄ …
 *
 * Where the symbol is not known (kernels that list functions only), the ring is entered through kmalloc_caches[], which modules use, and
 * its head is the one node that lies in no object of the cache "kmem_cache".
 */
import { add, hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import { CorruptionError, FaultError, InquestError } from "../bytes/errors.ts";
import { containerOf } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { listNodes } from "./list.ts";
import { Slabs } from "./slab.ts";
import { readSlabCache, type SlabCache } from "./slab-cache.ts";
import { type SlabLayout, slabLayout } from "./slab-layout.ts";

export interface SlabCaches {
  /** In the kernel's order. */
  readonly caches: readonly SlabCache[];
  /** What is broken, one line each. */
  readonly problems: readonly string[];
}

/** A machine with many memory cgroups has some 10^5 caches before 5.9. */
const MAX_CACHES = 1 << 20;
/** Pointers of kmalloc_caches[][] that are looked at. */
const KMALLOC_CACHES = 256;

/** Every cache that can be read. Computed once per dump. */
export function slabCaches(kernel: Kernel): SlabCaches {
  return kernel.memo(slabCaches, () => {
    const layout = slabLayout(kernel);
    if (typeof layout === "string") return { caches: [], problems: [layout] };
    const head = kernel.tryAddress("slab_caches") ?? headThroughKmalloc(kernel, layout);
    if (head === undefined) return { caches: [], problems: ["the list of slab caches was not found: no symbol slab_caches"] };
    const problems: string[] = [];
    const caches: SlabCache[] = [];
    for (const node of ringNodes(kernel, head, problems)) {
      try {
        caches.push(readSlabCache(kernel, containerOf(node, layout.cache.list)));
      } catch (error) {
        if (!(error instanceof InquestError)) throw error;
        problems.push(`slab_caches: ${error.message}`);
      }
    }
    return { caches, problems };
  });
}

/** Nodes of a circular list: forward to where it breaks, then what can be reached backwards from its head. */
function* ringNodes(kernel: Kernel, head: VirtualAddress, problems: string[]): Generator<VirtualAddress> {
  const seen = new Set<VirtualAddress>();
  const behind: VirtualAddress[] = [];
  try {
    for (const node of listNodes(kernel.memory, head, { limit: MAX_CACHES })) {
      seen.add(node);
      yield node;
    }
    return;
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    problems.push(`slab_caches: ${error.message}`);
  }
  try {
    for (const node of listNodes(kernel.memory, head, { limit: MAX_CACHES, reverse: true })) {
      if (seen.has(node)) break;
      behind.push(node);
    }
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    problems.push(`slab_caches, backwards: ${error.message}`);
  }
  yield* behind.reverse();
}

function headThroughKmalloc(kernel: Kernel, layout: SlabLayout): VirtualAddress | undefined {
  const table = kernel.tryAddress("kmalloc_caches");
  const slabs = Slabs.of(kernel);
  if (table === undefined || slabs === undefined) return undefined;
  const isCache = (address: VirtualAddress) => slabs.slabOf(address)?.cache.name === "kmem_cache";
  for (let i = 0; i < KMALLOC_CACHES; i++) {
    const cache = virtual(kernel.memory.tryU64(add(table, i * 8)) ?? 0n);
    if (cache === 0n || !isCache(cache)) continue;
    try {
      const node = layout.cache.list.address(cache);
      for (const other of listNodes(kernel.memory, node, { limit: MAX_CACHES, checkBackLinks: false }))
        if (!isCache(containerOf(other, layout.cache.list))) return other;
    } catch (error) {
      if (!(error instanceof CorruptionError || error instanceof FaultError)) throw error;
    }
  }
  return undefined;
}

/** A cache by its name (of several with one name, all), or by the address of its kmem_cache. */
export function findSlabCaches(kernel: Kernel, which: string): readonly SlabCache[] {
  const { caches } = slabCaches(kernel);
  const named = caches.filter(({ name }) => name === which);
  if (named.length > 0 || !/^(0x)?[0-9a-f]{16}$/.test(which)) return named;
  const digits = which.replace(/^0x/, "");
  return caches.filter(({ address }) => hex16(address) === digits);
}
