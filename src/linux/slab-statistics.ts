/**
 * How many objects and slabs a cache has: what /proc/slabinfo says (mm/slub.c and slab.c, get_slabinfo), and how many objects are
 * really in use.
 *
 *   total       Σ nodes total_objects                             SLAB: Σ nodes total_slabs × num
 *   active      total − Σ free objects of the nodes' partial slabs                  as slabinfo counts: a CPU's free objects are active
 *   allocated   active − what CPUs keep: freelists, partial slabs, sheaves, barns, array caches
 */
import type { Kernel } from "../kernel/kernel.ts";
import { Slabs } from "./slab.ts";
import { SlabAllocatorCache } from "./slab-allocator.ts";
import type { SlabCache } from "./slab-cache.ts";
import { SlubCache } from "./slub.ts";

export interface SlabNumbers {
  /** Objects in use by their users. */
  readonly allocated: number;
  /** active_objs of slabinfo. */
  readonly active: number;
  /** num_objs of slabinfo. */
  readonly total: number;
  readonly slabs: number;
  /** What is broken, one line each: the numbers are then as far as could be counted. */
  readonly problems: readonly string[];
}

/** Counts one cache. undefined when the allocator is not known. */
export function slabNumbers(kernel: Kernel, cache: SlabCache): SlabNumbers | undefined {
  const slub = SlubCache.of(kernel, cache);
  if (slub !== undefined) return slubNumbers(kernel, slub);
  const slab = SlabAllocatorCache.of(kernel, cache);
  return slab === undefined ? undefined : slabAllocatorNumbers(slab);
}

function slubNumbers(kernel: Kernel, slub: SlubCache): SlabNumbers {
  const { nodes, cpus, sheaves } = slub;
  let [total, slabs, partialFree, cpuFree] = [0, 0, 0, 0];
  for (const node of nodes) {
    slabs += node.slabs ?? 0;
    total += node.objects ?? 0;
    for (const slab of node.partial) partialFree += slub.claimedFree(slab);
    for (const sheaf of node.barn?.full ?? []) cpuFree += sheaf.objects.length;
  }
  for (const cpu of cpus) {
    if (cpu.slab !== 0n) cpuFree += slub.claimedFree(cpu.slab);
    cpuFree += slub.cpuFreelistLength(cpu);
    for (const slab of cpu.partial) cpuFree += slub.claimedFree(slab);
  }
  for (const { main, spare, rcuFree } of sheaves) for (const sheaf of [main, spare, rcuFree]) cpuFree += sheaf?.objects.length ?? 0;
  if (nodes.some((node) => node.slabs === undefined || node.objects === undefined)) {
    // Without CONFIG_SLUB_DEBUG the kernel does not count: the slabs are found by their pages.
    const counted = countedPages(kernel).get(slub.cache.address);
    [slabs, total] = [counted?.slabs ?? 0, counted?.objects ?? 0];
  }
  const active = total - partialFree;
  return { total, slabs, active, allocated: active - cpuFree, problems: slub.problems };
}

function slabAllocatorNumbers(slab: SlabAllocatorCache): SlabNumbers {
  const perSlab = slab.cache.perSlab ?? 0;
  let [slabs, free] = [0, 0];
  for (const { lists, freeObjects } of slab.nodes) {
    slabs += lists.partial.length + lists.full.length + lists.free.length;
    free += freeObjects ?? 0;
  }
  const waiting = slab.arrays.reduce((sum, { objects }) => sum + objects.length, 0);
  const total = slabs * perSlab;
  return { total, slabs, active: total - free, allocated: total - free - waiting, problems: slab.problems };
}

interface CountedPages {
  slabs: number;
  objects: number;
}

/** Slabs and objects of every cache, by all page structures of the machine. */
function countedPages(kernel: Kernel): ReadonlyMap<bigint, CountedPages> {
  return kernel.memo(countedPages, () => {
    const found = new Map<bigint, CountedPages>();
    for (const { cache, objects } of Slabs.of(kernel)?.all() ?? []) {
      const counted = found.get(cache.address);
      if (counted === undefined) found.set(cache.address, { slabs: 1, objects });
      else {
        counted.slabs++;
        counted.objects += objects;
      }
    }
    return found;
  });
}
