/**
 * Which slab cache an address belongs to, and which object of it (SLUB, and SLAB until 6.7).
 * Source: mm/slab.h, mm/slub.c, mm/slab.c, include/linux/page-flags.h.
 *
 *   address ─linear map─► pfn ─► struct page ─► compound head ─ slab? ─► slab_cache
 *   head page: │ pad │ object 0 │ pad │ object 1 │ … │ waste │     each kmem_cache.size bytes, `objects` of them
 *
 * Where the kernel notes that a page is a slab, newest first:
 *   6.12  page_type >> 24 == PGTY_slab          (4ffca5a96678)
 *   6.10  page_type has its slab bit *clear* under a base of ones: enum pagetype PG_slab (46df8e73a4a3)
 *   older flags & (1 << PG_slab)                enum pageflags
 * The slab's own fields are in struct slab since 5.17 (d122019bf061), before in struct page.
 *
 * SLAB puts its free list first, or elsewhere, and shifts the objects by a colour: they begin at s_mem and are kmem_cache.num. s_mem lies
 * in struct slab, in struct page (3.13–5.16, 8456a648cf44), or before in a struct slab behind page.slab_page.
 */
import { add, distance, type Pfn, type VirtualAddress, virtual } from "../bytes/address.ts";
import { CorruptionError, FaultError } from "../bytes/errors.ts";
import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Struct } from "../kernel/types.ts";
import { inKfencePool, kfenceObject } from "./kfence.ts";
import { memorySections, sectionSizeBits } from "./mem-section.ts";
import { PageMap } from "./page.ts";
import { readSlabCache, type SlabCache } from "./slab-cache.ts";
import { unlessBroken } from "./until-broken.ts";

/** The object that an address lies in. */
export interface SlabObject {
  /** Name of the cache. */
  readonly cache: string;
  /** Address of its kmem_cache. */
  readonly cacheAddress: VirtualAddress;
  /** First byte of the object. */
  readonly object: VirtualAddress;
  /** Number of the object in its slab. */
  readonly index: number;
  /** Bytes from the object's start to the address; negative in the red zone before it. */
  readonly offset: number;
  readonly objectSize: number;
  /** struct page (and struct slab) of the slab. */
  readonly page: VirtualAddress;
}

/** A slab: its memory and what is in it. */
export interface SlabPage {
  readonly page: VirtualAddress;
  readonly pfn: Pfn;
  /** Its first byte. */
  readonly memory: VirtualAddress;
  /** Where its first object's bytes begin. */
  readonly start: VirtualAddress;
  readonly objects: number;
  readonly cache: SlabCache;
}

/** Frames remembered; a direct-mapped table, so the cost is the same for any dump. */
const MEMO = 1 << 13;
const MAX_CACHES = 1 << 16;
/** Frames between two words on how far a walk over all is. */
const TICK = 1 << 14;

export class Slabs {
  readonly #kernel: Kernel;
  readonly #map: PageMap;
  readonly #isSlab: (page: VirtualAddress) => boolean;
  readonly #cacheOf: Field;
  readonly #objects: ObjectPlace;
  readonly #caches = new Map<VirtualAddress, SlabCache | undefined>();
  readonly #tags = new Float64Array(MEMO).fill(-1);
  readonly #slabs: (SlabPage | undefined)[] = new Array(MEMO).fill(undefined);

  private constructor(kernel: Kernel, map: PageMap, isSlab: (page: VirtualAddress) => boolean, cacheOf: Field, objects: ObjectPlace) {
    this.#kernel = kernel;
    this.#map = map;
    this.#isSlab = isSlab;
    this.#cacheOf = cacheOf;
    this.#objects = objects;
  }

  /** Of this kernel; undefined when it has no type information, no page map, or an allocator without caches (SLOB). */
  static of(kernel: Kernel): Slabs | undefined {
    return kernel.memo(Slabs, () => {
      const map = PageMap.of(kernel);
      const holder = kernel.types.tryStruct("slab");
      const slab = holder?.has("slab_cache") === true ? holder : kernel.types.tryStruct("page");
      const cacheOf = slab?.tryField("slab_cache");
      const objects = objectPlace(kernel, slab);
      const isSlab = map === undefined ? undefined : slabTest(kernel, map);
      if (map === undefined || isSlab === undefined || cacheOf === undefined || objects === undefined) return undefined;
      return new Slabs(kernel, map, isSlab, cacheOf, objects);
    });
  }

  /** The slab that holds the address; undefined when there is none or its page structures cannot be read. */
  slabOf(address: VirtualAddress): SlabPage | undefined {
    const pfn = this.#map.linearPfn(this.#kernel.arch.stripPointer(address));
    return pfn === undefined ? undefined : this.#slabOfPfn(pfn);
  }

  /** The object that the address lies in; undefined outside slabs, and in the waste behind the last object. KFENCE places its own. */
  objectOf(address: VirtualAddress): SlabObject | undefined {
    const plain = this.#kernel.arch.stripPointer(address);
    const slab = this.slabOf(plain);
    if (slab === undefined) return undefined;
    const { cache } = slab;
    const identity = { cache: cache.name, cacheAddress: cache.address, page: slab.page };
    if (inKfencePool(this.#kernel, plain)) {
      const guarded = kfenceObject(this.#kernel, plain);
      if (guarded === undefined) return undefined;
      return { ...identity, object: guarded.start, index: 0, offset: distance(plain, guarded.start), objectSize: guarded.size };
    }
    const index = Math.floor(distance(plain, slab.start) / cache.stride);
    if (index < 0 || index >= slab.objects) return undefined;
    const object = add(slab.start, index * cache.stride + cache.redLeftPad);
    return { ...identity, object, index, offset: distance(plain, object), objectSize: cache.objectSize };
  }

  /** struct page of a frame; undefined where its section has none. */
  pageOf(pfn: Pfn): VirtualAddress | undefined {
    return this.#map.pageOf(pfn);
  }

  /** Every slab of the machine, by its head pages in ascending order. @param tick told the frame that was reached, now and then */
  *all(tick?: (pfn: Pfn, total: number) => void): Generator<SlabPage> {
    const { maxPfn } = this.#map;
    for (const [first, end] of framesWithPages(this.#kernel, maxPfn)) {
      for (let pfn = first; pfn < end; pfn++) {
        if (pfn % TICK === 0) tick?.(pfn, maxPfn);
        const slab = this.#slabOfPfn(pfn);
        if (slab !== undefined && slab.pfn === pfn) yield slab;
      }
    }
  }

  /** The slab whose struct slab (page) lies at the address; undefined when it is none. */
  slabAt(page: VirtualAddress): SlabPage | undefined {
    const pfn = this.#map.pfnOf(page);
    return pfn === undefined ? undefined : this.#slabOfPfn(pfn);
  }

  #slabOfPfn(pfn: Pfn): SlabPage | undefined {
    const slot = pfn % MEMO;
    if (this.#tags[slot] === pfn) return this.#slabs[slot];
    let slab: SlabPage | undefined;
    try {
      slab = this.#read(pfn);
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
    }
    this.#tags[slot] = pfn;
    this.#slabs[slot] = slab;
    return slab;
  }

  #read(pfn: Pfn): SlabPage | undefined {
    const own = this.#map.pageOf(pfn);
    if (own === undefined) return undefined;
    const page = this.#map.compoundHead(own);
    const headPfn = page === own ? pfn : this.#map.pfnOf(page);
    // A head lies at or before its tails, and no buddy block is larger than 2^20 pages.
    if (headPfn === undefined || headPfn > pfn || pfn - headPfn >= 1 << 20 || !this.#isSlab(page)) return undefined;
    const { count, first } = this.#objects;
    const memory = this.#map.linearAddress(headPfn);
    const start = first === undefined ? memory : first(page);
    const cache = this.#cache(this.#cacheOf.pointer(page));
    const objects = count?.number(page) ?? cache?.perSlab ?? 0;
    return memory === undefined || start === undefined || cache === undefined || objects < 1
      ? undefined
      : { page, pfn: headPfn, memory, start, objects, cache };
  }

  /** A cache by the address of its kmem_cache; undefined when nothing there looks like one. */
  #cache(address: VirtualAddress): SlabCache | undefined {
    if (this.#caches.has(address)) return this.#caches.get(address);
    let cache: SlabCache | undefined;
    try {
      cache = readSlabCache(this.#kernel, address);
    } catch (error) {
      if (!(error instanceof FaultError || error instanceof CorruptionError)) throw error;
    }
    if (this.#caches.size < MAX_CACHES) this.#caches.set(address, cache);
    return cache;
  }
}

/** Ranges of frames that have page structures: those of the memory sections, else all. */
function framesWithPages(kernel: Kernel, maxPfn: Pfn): readonly (readonly [first: Pfn, end: Pfn])[] {
  const perSection = 2 ** (sectionSizeBits(kernel) - kernel.arch.pageShift);
  const found: (readonly [Pfn, Pfn])[] = [];
  unlessBroken(
    () => {
      for (const { startPfn } of memorySections(kernel, () => undefined)) found.push([startPfn, Math.min(startPfn + perSection, maxPfn)]);
    },
    () => undefined,
  );
  return found.length > 0 ? found : [[0, maxPfn]];
}

/** How the objects of a slab are found. */
interface ObjectPlace {
  /** Number of objects, in the slab (SLUB); else the cache has it. */
  readonly count: Field | undefined;
  /** First object of a slab by its page (SLAB); else the slab's first byte. */
  readonly first: ((page: VirtualAddress) => VirtualAddress) | undefined;
}

function objectPlace(kernel: Kernel, slab: Struct | undefined): ObjectPlace | undefined {
  const cache = kernel.types.tryStruct("kmem_cache");
  // kmem_cache.oo is SLUB's own.
  if (cache?.has("oo") === true) {
    const count = slab?.tryField("objects");
    return count === undefined ? undefined : { count, first: undefined };
  }
  if (cache?.has("num") !== true) return undefined;
  const own = slab?.tryField("s_mem");
  if (own !== undefined) return { count: undefined, first: (page) => own.pointer(page) };
  const behind = slab?.tryField("slab_page");
  const oldest = kernel.types.tryStruct("slab")?.tryField("s_mem");
  if (behind === undefined || oldest === undefined) return undefined;
  return { count: undefined, first: (page) => oldest.pointer(behind.pointer(page)) };
}

/** PageSlab() of a head page; see the table at the top. */
function slabTest(kernel: Kernel, map: PageMap): ((page: VirtualAddress) => boolean) | undefined {
  const type = map.page.tryField("page_type");
  const newest = kernel.types.constant("PGTY_slab");
  if (newest !== undefined && type !== undefined) return (page) => BigInt.asUintN(32, type.bigint(page)) >> 24n === newest;
  const flag = kernel.types.enumerator("PG_slab");
  if (flag === undefined) return undefined;
  if (flag.type.name === "pagetype" && type !== undefined) {
    // The base is all type bits set, of which each type clears its own.
    const base = kernel.types.constant("PAGE_TYPE_BASE") ?? 0xf000_0000n;
    return (page) => (BigInt.asUintN(32, type.bigint(page)) & (base | flag.value)) === base;
  }
  return (page) => ((map.flags(page) >> flag.value) & 1n) === 1n;
}

/**
 * The slab object that an address lies in: its cache's name and address, its start and number. undefined when the address is in no slab
 * (or its page structures are not in the dump). Fast enough for every word of a stack: answers are remembered by page frame.
 */
export function slabCacheName(kernel: Kernel, address: bigint): SlabObject | undefined {
  return Slabs.of(kernel)?.objectOf(virtual(address));
}
