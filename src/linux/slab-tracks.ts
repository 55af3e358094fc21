/**
 * Tracks that slub_debug keeps behind each object of a cache with SLAB_STORE_USER (mm/slub.c, struct track, get_track).
 *
 *   │ object │ red zone │ free pointer, where it lies outside the object │ track of its allocation │ track of its free │ orig_size │ padding
 *                       └ inuse
 *
 *   track { addr, handle into the stack depot (5.19, 5cf909c553e9) or addrs[16], cpu, pid, when in jiffies }
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type AllocationTrack, jiffiesTime, trackStack } from "./allocation-track.ts";
import { hasSlabFlag, type SlabCache } from "./slab-cache.ts";
import type { StackAddresses } from "./stack-depot.ts";

const POINTER = 8;
/** TRACK_ADDRS_COUNT. */
const MAX_ADDRESSES = 64;

interface TrackLayout {
  readonly size: number;
  readonly addr: Field;
  readonly handle: Field | undefined;
  readonly addrs: Field | undefined;
  readonly cpu: Field;
  readonly pid: Field;
  readonly when: Field;
  readonly inuse: Field;
}

function trackLayout(kernel: Kernel): TrackLayout | undefined {
  return kernel.memo(trackLayout, () => {
    const track = kernel.types.tryStruct("track");
    const [addr, cpu, pid, when] = (["addr", "cpu", "pid", "when"] as const).map((name) => track?.tryField(name));
    const inuse = kernel.types.tryStruct("kmem_cache")?.tryField("inuse");
    if (track === undefined || addr === undefined || cpu === undefined || pid === undefined || when === undefined || inuse === undefined)
      return undefined;
    return { size: track.size, addr, cpu, pid, when, inuse, handle: track.tryField("handle"), addrs: track.tryField("addrs") };
  });
}

/** Whether the cache's objects have tracks of slub_debug. */
export function hasSlabTracks(kernel: Kernel, cache: SlabCache): boolean {
  return trackLayout(kernel) !== undefined && hasSlabFlag(kernel, cache, "STORE_USER");
}

/** The track of an object's last allocation or free; undefined when there is none. Throws FaultError. */
export function slabTrack(
  kernel: Kernel,
  cache: SlabCache,
  object: VirtualAddress,
  which: "allocation" | "free",
): AllocationTrack | undefined {
  const layout = trackLayout(kernel);
  if (layout === undefined || !hasSlabFlag(kernel, cache, "STORE_USER")) return undefined;
  const inuse = layout.inuse.number(cache.address);
  // freeptr_outside_object(): also right before 5.7, when the free pointer lay at the start or behind the object.
  const end = cache.freePointer >= inuse ? inuse + POINTER : inuse;
  const track = add(object, end + (which === "free" ? layout.size : 0));
  const caller = layout.addr.pointer(track);
  if (caller === 0n) return undefined;
  const time = jiffiesTime(kernel, layout.when.bigint(track));
  return {
    source: "slub_debug",
    ...(layout.handle === undefined ? { stack: addresses(kernel, layout, track) } : trackStack(kernel, layout.handle.number(track))),
    caller,
    pid: layout.pid.number(track),
    cpu: layout.cpu.number(track),
    ...(time === undefined ? {} : { time }),
  };
}

/** The array in the track itself; without CONFIG_STACKTRACE there is only the caller. */
function addresses(kernel: Kernel, { addrs, addr }: TrackLayout, track: VirtualAddress): StackAddresses {
  if (addrs === undefined) return [addr.pointer(track)];
  const found: VirtualAddress[] = [];
  const first = addrs.address(track);
  for (let i = 0; i < Math.min(MAX_ADDRESSES, addrs.size / 8); i++) {
    const word = kernel.memory.u64(add(first, i * 8));
    // The end is marked by 0; older kernels put ULONG_MAX there.
    if (word === 0n || word === 0xffff_ffff_ffff_ffffn) break;
    found.push(virtual(word));
  }
  return found;
}
