/**
 * Free lists of SLUB that name an object twice, with their pointers encoded as the kernel would have done it:
 *
 *   A ─► B ─► C ─► NULL      becomes      A ─► B ─► C ─► A        what a double free leaves
 *   A ─► B ─► C ─► NULL      becomes      A ─► B ─► "some tex"    what a write into a freed object leaves
 */
import { add, hex16, type VirtualAddress, virtual } from "../../../src/bytes/address.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import { Slabs } from "../../../src/linux/slab.ts";
import type { SlabCache } from "../../../src/linux/slab-cache.ts";
import { slabCaches } from "../../../src/linux/slab-caches.ts";
import { tryWord } from "./damage.ts";
import type { Mutation } from "./mutation.ts";
import { editsAt, word } from "./overlay.ts";
import type { Chance } from "./random.ts";

/** A chain of free objects, in order. */
export interface Chain {
  readonly cache: SlabCache;
  readonly objects: readonly VirtualAddress[];
  readonly where: "partial" | "cpu";
}

function swab(value: bigint): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, value, true);
  return view.getBigUint64(0, false);
}

/** The word that stands for `next` at `at`. */
function encode({ random }: SlabCache, at: bigint, next: bigint): bigint {
  return random === 0n ? next : next ^ random ^ swab(at);
}

/** Chains that end as they should; nothing else is fit to be damaged. */
function chain(kernel: Kernel, cache: SlabCache, first: bigint, where: Chain["where"]): Chain | undefined {
  const slabs = Slabs.of(kernel);
  const objects: VirtualAddress[] = [];
  for (let object = first; object !== 0n; ) {
    const found = slabs?.objectOf(virtual(object));
    if (found === undefined || found.cacheAddress !== cache.address || found.offset !== 0 || objects.includes(virtual(object)))
      return undefined;
    if (objects.length > 512) return undefined;
    objects.push(virtual(object));
    const at = add(virtual(object), cache.freePointer);
    const stored = tryWord(kernel, at);
    if (stored === undefined) return undefined;
    object = encode(cache, at, stored);
  }
  return objects.length < 2 ? undefined : { cache, objects, where };
}

/** Chains of slabs on nodes' partial lists and of CPUs, of caches with a few free objects. */
export function freeChains(kernel: Kernel): readonly Chain[] {
  return kernel.memo(freeChains, () => {
    const found: Chain[] = [];
    const { types } = kernel;
    const type = types.tryStruct("slab")?.has("freelist") === true ? types.struct("slab") : types.struct("page");
    const cacheType = types.struct("kmem_cache");
    const nodes = cacheType.firstField("node", "per_node");
    const partial = types.struct("kmem_cache_node").field("partial");
    const cpuSlab = cacheType.tryField("cpu_slab");
    const cpu = types.tryStruct("kmem_cache_cpu");
    for (const cache of slabCaches(kernel).caches) {
      const node = nodes === undefined ? 0n : (tryWord(kernel, add(cache.address, nodes.offset)) ?? 0n);
      if (node !== 0n) {
        const head = partial.address(virtual(node));
        let link = tryWord(kernel, head);
        for (let i = 0; link !== undefined && link !== head && i < 8; i++, link = tryWord(kernel, link)) {
          const slab = virtual(add(virtual(link), -type.field("slab_list").offset));
          const one = chain(kernel, cache, type.field("freelist").pointer(slab), "partial");
          if (one !== undefined) found.push(one);
        }
      }
      if (cpuSlab === undefined || cpu === undefined) continue;
      for (let n = 0; n < kernel.perCpuOffsets.length; n++) {
        if (kernel.perCpuOffsets[n] === undefined) continue;
        const at = kernel.perCpuAddress(cpuSlab.pointer(cache.address), n);
        const one = chain(kernel, cache, tryWord(kernel, cpu.field("freelist").address(at)) ?? 0n, "cpu");
        if (one !== undefined) found.push(one);
      }
    }
    return found;
  });
}

export function damagedFreelist(kernel: Kernel, chance: Chance): Mutation | undefined {
  const chains = freeChains(kernel);
  const where = chance.below(2) === 0 ? "partial" : "cpu";
  const one = chance.oneOf(chains.filter((each) => each.where === where)) ?? chance.oneOf(chains);
  if (one === undefined) return undefined;
  const { cache, objects } = one;
  // The last object of the chain would end it: NULL becomes one that came before.
  const from = 1 + chance.below(objects.length - 1);
  const object = objects[from] as VirtualAddress;
  const at = add(object, cache.freePointer);
  const label = { cache: cache.name, addresses: objects };
  if (chance.below(3) > 0) {
    const again = objects[chance.below(from + 1)] as VirtualAddress;
    return {
      kind: "freelist",
      what: `free ${cache.name} object ${hex16(object)} (${one.where}) leads back to ${hex16(again)}`,
      edits: editsAt(kernel, at, word(encode(cache, at, again))),
      label: { class: ["freelist-corruption", "double-free"], ...label },
      at,
    };
  }
  return {
    kind: "freelist",
    what: `text over the free pointer of the ${cache.name} object ${hex16(object)} (${one.where})`,
    edits: editsAt(kernel, at, new TextEncoder().encode("overrun!")),
    label: { class: ["freelist-corruption", "use-after-free", "overwritten-pointer"], ...label },
    at,
  };
}
