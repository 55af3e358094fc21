/** One slab cache (struct kmem_cache): what its objects look like. Source: include/linux/slub_def.h, slab_def.h, mm/slab.h (6.8+). */
import type { VirtualAddress } from "../bytes/address.ts";
import { CorruptionError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";

/**
 * A slab cache.
 *
 *   SLUB    │ red zone (redLeftPad) │ object (objectSize) │ red zone │ free pointer │ 2 × track │ …     stride bytes in all
 */
export interface SlabCache {
  readonly name: string;
  /** Its kmem_cache. */
  readonly address: VirtualAddress;
  /** Bytes from one object to the next. */
  readonly stride: number;
  /** Bytes that the user of the cache asked for. */
  readonly objectSize: number;
  /** Bytes of red zone before each object. */
  readonly redLeftPad: number;
  /** Objects in each slab where that is the same for all (SLAB). */
  readonly perSlab: number | undefined;
  /** SLAB_… flags. */
  readonly flags: bigint;
  /** Bytes from an object to its free pointer (SLUB). */
  readonly freePointer: number;
  /** Key of its free pointers; 0 where they are plain. */
  readonly random: bigint;
  /** Objects of an ordinary slab. */
  readonly objectsPerSlab: number;
  /** Pages of an ordinary slab. */
  readonly pagesPerSlab: number;
}

/** No cache has larger objects (KMALLOC_MAX_CACHE_SIZE is two pages; debug caches add their tracks). */
const MAX_STRIDE = 1 << 22;
/** Largest order of a slab (MAX_PAGE_ORDER is 10, 15 at the most). */
const MAX_ORDER = 15;
/** Flags of debugging where no enum gives their bits: before 6.9 (cc61eb851461) they were macros. */
const OLD_FLAGS = { RED_ZONE: 0x400n, POISON: 0x800n, KMALLOC: 0x1000n, STORE_USER: 0x10000n, OBJECT_POISON: 0x8000_0000n } as const;
/** kmem_cache_order_objects: order above, number of objects below (OO_SHIFT). */
const ORDER_SHIFT = 16;

/** Reads the cache at an address. Throws CorruptionError when nothing there looks like one, and FaultError. */
export function readSlabCache(kernel: Kernel, address: VirtualAddress): SlabCache {
  const { types, memory, arch } = kernel;
  const struct = types.struct("kmem_cache");
  if (!arch.isKernelAddress(address)) throw new CorruptionError("kmem_cache", "is no kernel address", address);
  const stride = struct.field("size").number(address);
  const objectSize = struct.field("object_size").number(address);
  if (stride < 1 || stride > MAX_STRIDE) throw new CorruptionError("kmem_cache", `its objects have ${stride} bytes each`, address);
  if (objectSize > stride) throw new CorruptionError("kmem_cache", `objects of ${objectSize} bytes every ${stride} bytes`, address);
  const name = memory.cString(struct.field("name").pointer(address), 256);
  if (name === "") throw new CorruptionError("kmem_cache", "has no name", address);
  const flags = struct.field("flags").bigint(address);
  const padded = hasSlabFlag(kernel, { flags }, "RED_ZONE");
  // SLAB's obj_offset (CONFIG_DEBUG_SLAB) is 0 in caches without debugging.
  const pad = struct.tryField("obj_offset") ?? (padded ? struct.tryField("red_left_pad") : undefined);
  const perSlab = struct.tryField("num")?.number(address);
  const shape = struct.firstField("oo.x", "oo")?.number(address);
  const order = shape === undefined ? (struct.tryField("gfporder")?.number(address) ?? 0) : shape >>> ORDER_SHIFT;
  return {
    name,
    address,
    stride,
    objectSize,
    redLeftPad: pad?.number(address) ?? 0,
    perSlab,
    flags,
    freePointer: struct.tryField("offset")?.number(address) ?? 0,
    random: struct.tryField("random")?.bigint(address) ?? 0n,
    objectsPerSlab: perSlab ?? (shape ?? 0) & ((1 << ORDER_SHIFT) - 1),
    pagesPerSlab: 2 ** Math.min(order, MAX_ORDER),
  };
}

/** Whether a cache was made with SLAB_RED_ZONE, SLAB_POISON or SLAB_STORE_USER …; OBJECT_POISON: its free objects are really filled. */
export function hasSlabFlag(kernel: Kernel, { flags }: Pick<SlabCache, "flags">, flag: keyof typeof OLD_FLAGS): boolean {
  return (flags & kernel.memo(hasSlabFlag, () => flagMasks(kernel))[flag]) !== 0n;
}

function flagMasks(kernel: Kernel): Readonly<Record<keyof typeof OLD_FLAGS, bigint>> {
  const mask = (flag: keyof typeof OLD_FLAGS): bigint => {
    const bit = kernel.types.constant(`_SLAB_${flag}`);
    return bit === undefined ? OLD_FLAGS[flag] : 1n << bit;
  };
  return {
    RED_ZONE: mask("RED_ZONE"),
    POISON: mask("POISON"),
    KMALLOC: mask("KMALLOC"),
    STORE_USER: mask("STORE_USER"),
    OBJECT_POISON: mask("OBJECT_POISON"),
  };
}
