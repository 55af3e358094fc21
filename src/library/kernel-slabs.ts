/**
 * The slab allocator's objects for scripts: caches with their numbers, objects with their state, who allocated and freed them. Kernel
 * inherits these calls.
 */
import type { ListedObject, ObjectList } from "../commands/slab/objects.ts";
import type { ObjectState } from "../linux/address-identity.ts";
import { type SlabObject, slabCacheName } from "../linux/slab.ts";
import { slabCaches } from "../linux/slab-caches.ts";
import { type ObjectTracks, objectTracks } from "../linux/slab-owners.ts";
import { slabObjectState } from "../linux/slab-state.ts";
import { slabNumbers } from "../linux/slab-statistics.ts";
import { KernelViews } from "./kernel-views.ts";

/** A slab cache and its numbers of objects. */
export interface SlabCacheCount {
  /** Its kmem_cache. */
  readonly address: bigint;
  readonly name: string;
  readonly objectSize: number;
  /** Bytes from one object to the next. */
  readonly stride: number;
  /** Objects in use; active_objs of /proc/slabinfo; all objects. */
  readonly allocated: number;
  readonly active: number;
  readonly total: number;
  readonly slabs: number;
}

/** Calls about slabs that Kernel inherits. */
export abstract class KernelSlabs extends KernelViews {
  /** Every slab cache with its numbers, as `kmem -s` counts them. */
  slabCaches(): readonly SlabCacheCount[] {
    return slabCaches(this.engine).caches.map((cache) => {
      const { address, name, objectSize, stride } = cache;
      const { allocated, active, total, slabs } = slabNumbers(this.engine, cache) ?? { allocated: 0, active: 0, total: 0, slabs: 0 };
      return { address, name, objectSize, stride, allocated, active, total, slabs };
    });
  }

  /** Every object of a slab cache with its state, found as they are pulled. @param only the state that is wanted */
  slabObjects(cache: string, only?: "allocated" | "free"): Iterable<ListedObject> {
    return (this.run(`slab objects ${only === undefined ? "" : only === "free" ? "-f " : "-a "}${cache}`) as ObjectList).objects;
  }

  /** Whether the slab object that an address lies in is in use, and where a free one waits; undefined outside slabs. */
  slabObjectState(address: bigint): ObjectState | undefined {
    return slabObjectState(this.engine, address);
  }

  /** Who allocated and who freed the slab object that an address lies in; undefined outside slabs. */
  objectTracks(address: bigint): ObjectTracks | undefined {
    return objectTracks(this.engine, address);
  }

  /** The slab object that an address lies in: its cache, its first byte; undefined outside slabs. Throws FaultError. */
  slabObject(address: bigint): SlabObject | undefined {
    return slabCacheName(this.engine, address);
  }
}
