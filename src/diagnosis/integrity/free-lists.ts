/**
 * Free lists of SLUB: each chain of free objects stays in its slab, meets none twice, ends, and is as long as the slab says.
 *
 *   slab.freelist ─► object ─► object ─► NULL          kmem_cache_cpu.freelist ─► …          sheaves: arrays of free objects (6.18+)
 *
 * The kernel changes list and counter in one step (cmpxchg of both words, mm/slub.c) or under the slab's lock, so a dump finds them whole.
 * Row 8 of the catalogue. Objects whose page was left out of the dump say nothing.
 */
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type SlabPage, Slabs } from "../../linux/slab.ts";
import type { SlabCache } from "../../linux/slab-cache.ts";
import { slabCaches } from "../../linux/slab-caches.ts";
import { SlubCache } from "../../linux/slub.ts";
import type { Damage } from "./damage.ts";
import { textOver } from "./look.ts";

/** Slabs that are looked at in one dump, and problems that are told of one. */
const MAX_SLABS = 1 << 15;

export interface FreeLists {
  readonly damage: readonly Damage[];
  readonly slabs: number;
}

/** @param which caches; all when absent */
export function checkFreeLists(kernel: Kernel, which: (cache: SlabCache) => boolean = () => true, most: number = MAX_SLABS): FreeLists {
  const damage: Damage[] = [];
  let count = 0;
  const slabs = Slabs.of(kernel);
  if (slabs === undefined) return { damage, slabs: count };
  for (const cache of slabCaches(kernel).caches) {
    const slub = which(cache) ? SlubCache.of(kernel, cache) : undefined;
    if (slub === undefined) continue;
    for (const page of pagesOf(slub)) {
      const slab = count >= most ? undefined : slabs.slabAt(page);
      if (slab === undefined) continue;
      count++;
      const { problems } = slub.freeMap(slab);
      const [problem] = problems.filter((text) => !/cannot be read \((?:excluded|truncated|absent)/.test(text));
      // One that cannot be read makes the numbers disagree as well.
      if (problem !== undefined && problems.every((text) => !/cannot be read \((?:excluded|truncated|absent)/.test(text)))
        damage.push(damageOf(kernel, cache, slab, problem));
    }
  }
  return { damage, slabs: count };
}

/** A sheaf's objects (6.18+) may lie in full slabs, which no list leads to: their slabs are met when an object is asked for. */
function pagesOf({ cpus, nodes }: SlubCache): ReadonlySet<VirtualAddress> {
  const found = new Set<VirtualAddress>();
  for (const { slab, partial } of cpus) {
    if (slab !== 0n) found.add(slab);
    for (const page of partial) found.add(page);
  }
  for (const { partial } of nodes) for (const page of partial) found.add(page);
  return found;
}

function damageOf(kernel: Kernel, cache: SlabCache, slab: SlabPage, problem: string): Damage {
  // "… object ff11… leads to ff11…, which is free already"
  const from = /object ([0-9a-f]{16}) leads to ([0-9a-f]{16})/.exec(problem);
  const object = from === null ? undefined : virtual(BigInt(`0x${from[1]}`));
  const address = object === undefined ? slab.page : add(object, cache.freePointer);
  const text = object === undefined ? undefined : textOver(kernel, address);
  return {
    structure: `free objects of ${cache.name}`,
    cache: cache.name,
    ...(object === undefined ? {} : { object }),
    address,
    size: 8,
    found: kernel.memory.tryU64(address) ?? 0n,
    witness: { what: "every object of a free list lies in its slab, once, and the list ends" },
    class: "freelist-corruption",
    why: `${problem}${text === undefined ? "" : `; text runs over its free pointer: ${JSON.stringify(text.text.slice(0, 40))}`}`,
  };
}
