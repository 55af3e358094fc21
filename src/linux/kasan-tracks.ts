/**
 * What generic KASAN remembers of each slab object (mm/kasan/generic.c, kasan.h).
 *
 *   object + kasan_info.alloc_meta_offset ─► kasan_alloc_meta { alloc_track, aux_stack[2] }
 *   object + kasan_info.free_meta_offset  ─► kasan_free_meta { quarantine_link, free_track }    while the shadow says so (0xfa)
 *   kasan_track { pid, stack: handle into the stack depot, cpu and time since 6.8 with CONFIG_KASAN_EXTRA_INFO }
 *
 * Until 5.7 free_track lay in kasan_alloc_meta.
 */
import { add, type VirtualAddress } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Struct } from "../kernel/types.ts";
import { type AllocationTrack, trackStack } from "./allocation-track.ts";
import { kasanShadow } from "./kasan-shadow.ts";
import type { SlabCache } from "./slab-cache.ts";

/** KASAN_SLAB_FREETRACK (KASAN_SLAB_FREE_META since 6.8): the freed object holds its free meta. */
const FREE_META = 0xfa;
/** KASAN_NO_FREE_META is INT_MAX. */
const MAX_OFFSET = 1 << 22;

/** Offset of a meta within an object's room; undefined where the cache has none. */
function metaOffset(kernel: Kernel, cache: SlabCache, which: "alloc" | "free"): number | undefined {
  const field = kernel.types.tryStruct("kmem_cache")?.tryField(`kasan_info.${which}_meta_offset`);
  const offset = field?.number(cache.address);
  if (offset === undefined || offset < 0 || offset > MAX_OFFSET || (which === "alloc" && offset === 0)) return undefined;
  return offset;
}

/** Whether KASAN keeps tracks of the cache's objects. Throws FaultError. */
export function hasKasanTracks(kernel: Kernel, cache: SlabCache): boolean {
  return metaOffset(kernel, cache, "alloc") !== undefined;
}

/** The track of an object's last allocation or free; undefined when there is none. Throws FaultError. */
export function kasanTrack(
  kernel: Kernel,
  cache: SlabCache,
  object: VirtualAddress,
  which: "allocation" | "free",
): AllocationTrack | undefined {
  const alloc = kernel.types.tryStruct("kasan_alloc_meta");
  const free = kernel.types.tryStruct("kasan_free_meta");
  const allocOffset = metaOffset(kernel, cache, "alloc");
  if (which === "allocation")
    return allocOffset === undefined ? undefined : readTrack(kernel, alloc, "alloc_track", add(object, allocOffset));
  if (free?.has("free_track") === true) {
    const offset = metaOffset(kernel, cache, "free");
    if (offset === undefined || kasanShadow(kernel, object) !== FREE_META) return undefined;
    return readTrack(kernel, free, "free_track", add(object, offset));
  }
  return allocOffset === undefined ? undefined : readTrack(kernel, alloc, "free_track", add(object, allocOffset));
}

function readTrack(kernel: Kernel, meta: Struct | undefined, name: string, at: VirtualAddress): AllocationTrack | undefined {
  const [pid, stack] = [meta?.tryField(`${name}.pid`), meta?.tryField(`${name}.stack`)];
  if (meta === undefined || pid === undefined || stack === undefined) return undefined;
  const handle = stack.number(at);
  if (handle === 0) return undefined;
  const [cpu, stamp] = [meta.tryField(`${name}.cpu`), meta.tryField(`${name}.timestamp`)];
  return {
    source: "KASAN",
    ...trackStack(kernel, handle),
    pid: pid.number(at),
    ...(cpu === undefined ? {} : { cpu: cpu.number(at) }),
    // local_clock() >> 9, to fit 44 bits.
    ...(stamp === undefined ? {} : { time: (stamp.number(at) * 512) / 1e9 }),
  };
}
