/**
 * Whether an object is in use or free, and where a free one waits: the answer of SLUB (slub.ts), SLAB (slab-allocator.ts), KFENCE for its
 * own pages, and KASAN's shadow for objects that the allocator has not got back yet.
 */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { ObjectState } from "./address-identity.ts";
import { kasanFreed } from "./kasan-shadow.ts";
import { inKfencePool, kfenceObject } from "./kfence.ts";
import { type SlabObject, type SlabPage, Slabs } from "./slab.ts";
import { SlabAllocatorCache } from "./slab-allocator.ts";
import type { SlabCache } from "./slab-cache.ts";
import { type SlabFreeMap, SlubCache } from "./slub.ts";

/** A slab and the state of its objects. */
export interface SlabStates {
  readonly slab: SlabPage;
  readonly map: SlabFreeMap;
  /** State of the object with this number. */
  state(index: number): ObjectState;
}

/** Free maps that are remembered: enough for the words of a stack, or a command's working set. */
const REMEMBERED = 4096;

/**
 * State of the object that an address lies in.
 *
 * @param object any address in the object, or what Slabs.objectOf() said of it
 * @returns undefined when the address is in no slab object
 */
export function slabObjectState(kernel: Kernel, object: bigint | SlabObject): ObjectState | undefined {
  const slabs = Slabs.of(kernel);
  const found = typeof object === "bigint" ? slabs?.objectOf(virtual(object)) : object;
  const slab = found === undefined ? undefined : slabs?.slabOf(found.object);
  if (found === undefined || slab === undefined) return undefined;
  if (inKfencePool(kernel, found.object)) return kfenceState(kernel, found.object);
  return slabStates(kernel, slab)?.state(found.index);
}

/** States of all objects of a slab; undefined when the allocator is not known. KFENCE's slabs are not asked here. */
export function slabStates(kernel: Kernel, slab: SlabPage): SlabStates | undefined {
  const memo = kernel.memo(slabStates, () => new Map<VirtualAddress, SlabStates>());
  const known = memo.get(slab.page);
  if (known !== undefined) return known;
  const parts = slabCacheParts(kernel, slab.cache);
  if (parts === undefined) return undefined;
  const made = statesOf(kernel, parts, slab);
  if (memo.size >= REMEMBERED) memo.clear();
  memo.set(slab.page, made);
  return made;
}

/** What the allocator keeps of a cache, whichever it is. */
export function slabCacheParts(kernel: Kernel, cache: SlabCache): SlubCache | SlabAllocatorCache | undefined {
  return SlubCache.of(kernel, cache) ?? SlabAllocatorCache.of(kernel, cache);
}

const ALLOCATED: ObjectState = { state: "allocated" };

function statesOf(kernel: Kernel, parts: SlubCache | SlabAllocatorCache, slab: SlabPage): SlabStates {
  const map = parts.freeMap(slab);
  const [problem] = map.problems;
  return {
    slab,
    map,
    state(index) {
      const place = map.places[index] ?? 0;
      if (place !== 0) return { state: "free", where: parts.placeName(place) };
      const object = virtual(slab.start + BigInt(index * slab.cache.stride + slab.cache.redLeftPad));
      if (kasanFreed(kernel, object) === true) return { state: "free", where: "KASAN quarantine" };
      return problem === undefined ? ALLOCATED : { state: "unknown", reason: problem };
    },
  };
}

function kfenceState(kernel: Kernel, object: VirtualAddress): ObjectState {
  const allocated = kfenceObject(kernel, object)?.allocated;
  if (allocated === undefined) return { state: "unknown", reason: "KFENCE's record of it cannot be read" };
  return allocated ? ALLOCATED : { state: "free", where: "KFENCE" };
}
