/**
 * Objects in use, drawn evenly from the slabs of caches: of those that hold much memory, and of others to compare them with.
 */
import { add, type VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { inKfencePool } from "../../linux/kfence.ts";
import { type SlabPage, Slabs } from "../../linux/slab.ts";
import { slabStates } from "../../linux/slab-state.ts";

export interface Sample {
  readonly cache: VirtualAddress;
  readonly name: string;
  readonly start: VirtualAddress;
  readonly size: number;
}

/** Frames that are looked at for slabs: 16 GiB of 4 KiB pages. */
const MAX_FRAMES = 1 << 22;
/** Slabs that are remembered of one cache. */
const MAX_SLABS = 1 << 17;
const PER_SUSPECT = 48;
/** Of the others, to compare with: so many of each of so many caches. */
const PER_OTHER = 8;
const OTHERS = 12;

export interface Samples {
  readonly suspects: readonly Sample[];
  readonly others: readonly Sample[];
}

export function samplesOf(kernel: Kernel, suspects: ReadonlySet<VirtualAddress>): Samples {
  const slabs = new Map<VirtualAddress, SlabPage[]>();
  for (const slab of Slabs.of(kernel)?.all() ?? []) {
    if (slab.pfn > MAX_FRAMES) break;
    const known = slabs.get(slab.cache.address);
    if (known === undefined) slabs.set(slab.cache.address, [slab]);
    else if (known.length < MAX_SLABS) known.push(slab);
  }
  const chosen = [...slabs].filter(([cache]) => suspects.has(cache)).flatMap(([, pages]) => drawn(kernel, pages, PER_SUSPECT));
  const others = [...slabs]
    .filter(([cache]) => !suspects.has(cache))
    .sort(([, a], [, b]) => b.length - a.length)
    .slice(0, OTHERS)
    .flatMap(([, pages]) => drawn(kernel, pages, PER_OTHER));
  return { suspects: chosen, others };
}

/** One object in use of each of some slabs, no two neighbours of one slab unless there are few slabs. */
function drawn(kernel: Kernel, slabs: readonly SlabPage[], most: number): Sample[] {
  const found: Sample[] = [];
  const rounds = Math.ceil(most / Math.max(1, slabs.length));
  const step = Math.max(1, slabs.length / most);
  for (let i = 0; i < slabs.length && found.length < most; i += step) {
    const slab = slabs[Math.floor(i)];
    if (slab === undefined || inKfencePool(kernel, slab.start)) continue;
    const states = slabStates(kernel, slab);
    // Not always the first of a slab: it is the oldest one.
    const first = (found.length * 7) % slab.objects;
    for (let k = 0, taken = 0; k < slab.objects && taken < rounds && found.length < most; k++) {
      const index = (first + k) % slab.objects;
      if (states?.state(index).state !== "allocated") continue;
      taken++;
      const { cache } = slab;
      const start = add(slab.start, index * cache.stride + cache.redLeftPad);
      found.push({ cache: cache.address, name: cache.name, start, size: cache.objectSize });
    }
  }
  return found;
}
