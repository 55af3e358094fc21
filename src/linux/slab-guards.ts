/**
 * Bytes around and in slab objects that nobody may write, as slub_debug fills them: whether they are whole. The kernel itself looks only when an
 * object is taken or given back, and with slub_debug=Z alone never.
 * Source: mm/slub.c (init_object, check_object), include/linux/poison.h.
 *
 *   stride │ red_left_pad │ object_size                         │ to inuse     │ free pointer, tracks, padding │
 *   in use │ cc cc cc …   │ the user's                          │ cc cc cc …   │
 *   free   │ bb bb bb …   │ 6b 6b 6b … 6b a5, when it is filled │ bb bb bb …   │
 *
 *   kmalloc() for fewer bytes than its cache has: the rest of the object is cc too (6.2, 946fa0dbf2d8), where the size that was asked for is
 *   kept behind the tracks (6.1, 6edf2576a6cc)
 */
import { add, type VirtualAddress } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { inKfencePool } from "./kfence.ts";
import type { SlabPage } from "./slab.ts";
import { hasSlabFlag, type SlabCache } from "./slab-cache.ts";
import { slabStates } from "./slab-state.ts";

export const RED_INACTIVE = 0xbb;
export const RED_ACTIVE = 0xcc;
const POISON_FREE = 0x6b;
const POISON_END = 0xa5;

export type GuardZone = "left red zone" | "right red zone" | "red zone of kmalloc" | "poison";

/** Guard bytes of one object that were overwritten. */
export interface GuardDamage {
  readonly zone: GuardZone;
  readonly slab: SlabPage;
  readonly index: number;
  readonly object: VirtualAddress;
  /** The first wrong byte. */
  readonly from: VirtualAddress;
  /** From the first wrong byte to the last. */
  readonly bytes: Uint8Array;
  /** What belongs there. */
  readonly expected: number;
}

/** What was looked at, and what was wrong. */
export interface GuardCheck {
  /** Objects whose bytes could be read. */
  readonly objects: number;
  readonly damage: readonly GuardDamage[];
}

interface Guards {
  readonly cache: SlabCache;
  readonly inuse: number;
  readonly red: boolean;
  readonly filled: boolean;
  /** Bytes from the object to the size that kmalloc() was asked for. */
  readonly askedAt: number | undefined;
}

/** Whether the cache's objects have bytes that can be looked at. */
export function hasGuards(kernel: Kernel, cache: SlabCache): boolean {
  return guardsOf(kernel, cache) !== undefined;
}

function guardsOf(kernel: Kernel, cache: SlabCache): Guards | undefined {
  const struct = kernel.types.tryStruct("kmem_cache");
  const inuse = struct?.tryField("inuse")?.number(cache.address);
  const red = hasSlabFlag(kernel, cache, "RED_ZONE");
  // KASAN keeps a record of its own in free objects.
  const filled = hasSlabFlag(kernel, cache, "OBJECT_POISON") && struct?.has("kasan_info") !== true;
  if (inuse === undefined || inuse < cache.objectSize || inuse > cache.stride || !(red || filled)) return undefined;
  const track = kernel.types.tryStruct("track");
  const keepsSize = red && hasSlabFlag(kernel, cache, "KMALLOC") && hasSlabFlag(kernel, cache, "STORE_USER");
  const info = cache.freePointer >= inuse ? inuse + 8 : inuse;
  const askedAt = keepsSize && track !== undefined ? info + 2 * track.size : undefined;
  const fits = askedAt !== undefined && cache.redLeftPad + askedAt + 4 <= cache.stride;
  return { cache, inuse, red, filled, askedAt: fits ? askedAt : undefined };
}

/** Looks at all objects of a slab; nothing where the cache has no such bytes, the slab is KFENCE's, or its memory was left out. */
export function checkGuards(kernel: Kernel, slab: SlabPage): GuardCheck {
  const guards = guardsOf(kernel, slab.cache);
  if (guards === undefined || inKfencePool(kernel, slab.start)) return { objects: 0, damage: [] };
  const { cache } = slab;
  const damage: GuardDamage[] = [];
  let objects = 0;
  for (let index = 0; index < slab.objects; index++) {
    const start = add(slab.start, index * cache.stride);
    const bytes = kernel.memory.tryBytes(start, cache.stride);
    if (bytes === undefined) continue;
    objects++;
    const object = add(start, cache.redLeftPad);
    for (const found of zonesOf(guards, bytes)) {
      const expected = found.expected ?? (isFree(kernel, slab, index) ? RED_INACTIVE : RED_ACTIVE);
      if (found.zone === "poison" && !isFree(kernel, slab, index)) continue;
      damage.push({
        zone: found.zone,
        slab,
        index,
        object,
        from: add(start, found.from),
        bytes: bytes.slice(found.from, found.to),
        expected,
      });
    }
  }
  return { objects, damage };
}

function isFree(kernel: Kernel, slab: SlabPage, index: number): boolean {
  return slabStates(kernel, slab)?.state(index).state === "free";
}

interface WrongBytes {
  readonly zone: GuardZone;
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
  readonly expected: number | undefined;
}

function zonesOf({ cache, inuse, red, filled, askedAt }: Guards, bytes: Uint8Array): WrongBytes[] {
  const { redLeftPad: pad, objectSize: size } = cache;
  const found: (WrongBytes | undefined)[] = [];
  if (red) {
    found.push(wrongRed("left red zone", bytes, 0, pad), wrongRed("right red zone", bytes, pad + size, pad + inuse));
    const asked = askedAt === undefined ? size : wordAt(bytes, pad + askedAt);
    if (asked > 0 && asked < size) {
      const rest = wrongRed("red zone of kmalloc", bytes, pad + asked, pad + size);
      // The rest of a free object is poison, or what it was used for last.
      if (rest !== undefined && bytes[pad + size] === RED_ACTIVE) found.push(rest);
    }
  }
  // An object is being taken or given back while its zones say otherwise: then its bytes are nobody's yet.
  if (filled && (!red || ((pad === 0 || bytes[pad - 1] === RED_INACTIVE) && bytes[pad + size] === RED_INACTIVE)))
    found.push(wrongPoison(bytes, pad, pad + size));
  return found.flatMap((each) => each ?? []);
}

function wordAt(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(at, true);
}

/** Either byte is right: which one the kernel was about to change when it stopped. */
function wrongRed(zone: GuardZone, bytes: Uint8Array, from: number, to: number): WrongBytes | undefined {
  const right = (byte: number | undefined) => byte === RED_ACTIVE || byte === RED_INACTIVE;
  let [first, last] = [from, to];
  while (first < last && right(bytes[first])) first++;
  while (last > first && right(bytes[last - 1])) last--;
  if (first === last) return undefined;
  const left = [...bytes.subarray(from, first), ...bytes.subarray(last, to)];
  return { zone, from: first, to: last, expected: left[0] };
}

function wrongPoison(bytes: Uint8Array, from: number, to: number): WrongBytes | undefined {
  let [first, last] = [from, to];
  const right = (at: number) => bytes[at] === (at === to - 1 ? POISON_END : POISON_FREE);
  while (first < last && right(first)) first++;
  while (last > first && right(last - 1)) last--;
  return first === last ? undefined : { zone: "poison", from: first, to: last, expected: POISON_FREE };
}
