/**
 * How slab caches, slabs and objects are shown by `kmem -s`, `-S`, `-r` and the look-up of addresses.
 *
 *   CACHE             OBJSIZE  ALLOCATED     TOTAL  SLABS  SSIZE  NAME                 a cache
 *     SLAB              MEMORY            NODE  TOTAL  ALLOCATED  FREE                 a slab of it
 *     [ffff888003a4c000]     ffff888003a4c100  (cpu 0 cache)                           an object in use, a free one
 */
import { hex16, low32, type VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { kasanFreed } from "../../linux/kasan-shadow.ts";
import type { SlabPage } from "../../linux/slab.ts";
import { aliasesOf } from "../../linux/slab-aliases.ts";
import type { SlabCache } from "../../linux/slab-cache.ts";
import { nodeOfPfn } from "../../linux/slab-node.ts";
import { slabCacheParts } from "../../linux/slab-state.ts";
import { slabNumbers } from "../../linux/slab-statistics.ts";
import type { SlabFreeMap } from "../../linux/slub.ts";

/** A cache and its numbers. */
export interface SlabCacheRow {
  /** Its kmem_cache. */
  readonly address: VirtualAddress;
  readonly name: string;
  /** Bytes that users get, and from one object to the next. */
  readonly objectSize: number;
  readonly stride: number;
  /** Objects in use; active_objs of /proc/slabinfo, which counts what CPUs keep for themselves too; all objects. */
  readonly allocated: number;
  readonly active: number;
  readonly total: number;
  readonly slabs: number;
  /** Bytes of a slab. */
  readonly slabSize: number;
  readonly objectsPerSlab: number;
  /** Names of caches that were merged into it, where sysfs tells them. */
  readonly aliases?: readonly string[];
  /** What is broken in it, one line each. */
  readonly problems: readonly string[];
}

/** A cache that the user wants left out. */
export interface IgnoredCache {
  readonly address: VirtualAddress;
  readonly name: string;
  readonly ignored: true;
}

/** Counts a cache. */
export function cacheRow(kernel: Kernel, cache: SlabCache): SlabCacheRow {
  const numbers = slabNumbers(kernel, cache);
  const aliases = aliasesOf(kernel, cache.address);
  return {
    address: cache.address,
    name: cache.name,
    objectSize: cache.objectSize,
    stride: cache.stride,
    allocated: numbers?.allocated ?? 0,
    active: numbers?.active ?? 0,
    total: numbers?.total ?? 0,
    slabs: numbers?.slabs ?? 0,
    slabSize: cache.pagesPerSlab * kernel.arch.pageSize,
    objectsPerSlab: cache.objectsPerSlab,
    ...(aliases.length === 0 ? {} : { aliases }),
    problems: numbers?.problems ?? [],
  };
}

export const CACHE_HEADER = "CACHE             OBJSIZE  ALLOCATED     TOTAL  SLABS  SSIZE  NAME";

/** The cache's line, and one for each thing that is broken in it. */
export function* cacheLines(row: SlabCacheRow | IgnoredCache): Generator<string> {
  if ("ignored" in row) {
    yield `${hex16(row.address)} [IGNORED]`.padEnd(62) + row.name;
    return;
  }
  const size = `${row.slabSize / 1024}k`;
  const cells = [
    [row.objectSize, 9],
    [row.allocated, 11],
    [row.total, 10],
    [row.slabs, 7],
    [size, 7],
  ] as const;
  yield `${hex16(row.address)}${cells.map(([value, width]) => String(value).padStart(width)).join("")}  ${row.name}`;
  for (const problem of row.problems) yield `  not whole: ${problem}`;
}

/** A slab, and on demand its objects: `json()` of one is an array. */
export class SlabListing {
  /** struct slab (struct page before 5.17). */
  readonly page: VirtualAddress;
  readonly memory: VirtualAddress;
  readonly node: number;
  readonly total: number;
  readonly allocated: number;
  readonly free: number;
  readonly problems: readonly string[];
  readonly #kernel: Kernel;
  readonly #slab: SlabPage;
  readonly #map: SlabFreeMap;
  readonly #withObjects: boolean;

  /** @param withObjects whether its objects are shown, all of them or the one with this number */
  constructor(kernel: Kernel, slab: SlabPage, withObjects: boolean | number) {
    const parts = slabCacheParts(kernel, slab.cache);
    this.#kernel = kernel;
    this.#slab = slab;
    this.#map = parts?.freeMap(slab) ?? { places: new Uint16Array(slab.objects), free: 0, problems: [] };
    this.#withObjects = withObjects !== false;
    this.only = typeof withObjects === "number" ? withObjects : undefined;
    this.page = slab.page;
    this.memory = slab.memory;
    this.node = nodeOfPfn(kernel, slab.pfn);
    this.total = slab.objects;
    this.free = this.#map.free;
    this.allocated = slab.objects - this.#map.free;
    this.problems = this.#map.problems;
  }

  /** Number of the one object that was asked for. */
  readonly only: number | undefined;

  /** Its objects: address, and where a free one waits. */
  *objects(): Generator<{ readonly address: VirtualAddress; readonly state: "allocated" | "free"; readonly where?: string }> {
    const { start, cache, objects } = this.#slab;
    const parts = slabCacheParts(this.#kernel, cache);
    const first = start + BigInt(cache.redLeftPad);
    for (let index = this.only ?? 0; index < (this.only === undefined ? objects : this.only + 1); index++) {
      const address = BigInt.asUintN(64, first + BigInt(index * cache.stride)) as VirtualAddress;
      const place = this.#map.places[index] ?? 0;
      if (place !== 0) yield { address, state: "free", where: parts?.placeName(place) ?? "" };
      else if (kasanFreed(this.#kernel, address) === true) yield { address, state: "free", where: "KASAN quarantine" };
      else yield { address, state: "allocated" };
    }
  }

  /** The lines of its objects; text of the upper half is made once, as 1 M objects are no rarity. */
  *objectLines(): Generator<string> {
    if (!this.#withObjects) return;
    let upper = -1n;
    let prefix = "";
    for (const { address, state, where } of this.objects()) {
      const high = address >> 32n;
      if (high !== upper) {
        upper = high;
        prefix = high.toString(16).padStart(8, "0");
      }
      const text = prefix + low32(address).toString(16).padStart(8, "0");
      yield state === "allocated" ? `  [${text}]` : `   ${text}  ${placeText(where ?? "")}`;
    }
  }

  toJSON(): unknown {
    const { page, memory, node, total, allocated, free, problems } = this;
    const objects = this.#withObjects ? { objects: [...this.objects()] } : {};
    return { slab: page, memory, node, total, allocated, free, ...objects, ...(problems.length === 0 ? {} : { problems }) };
  }
}

/** crash's word for a place: "(cpu 0 cache)"; nothing for the slab's own list, which most free objects are in. */
function placeText(where: string): string {
  if (where === "slab freelist") return "";
  return `(${where.replace(/^cpu (\d+) freelist$/, "cpu $1 cache")})`;
}

export const SLAB_HEADER = "  SLAB              MEMORY            NODE  TOTAL  ALLOCATED  FREE";
export const OBJECTS_HEADER = "  FREE / [ALLOCATED]";

/** The slab's row. */
export function slabLine({ page, memory, node, total, allocated, free }: SlabListing): string {
  const numbers = `${String(node).padStart(6)}${String(total).padStart(7)}${String(allocated).padStart(11)}${String(free).padStart(6)}`;
  return `  ${hex16(page)}  ${hex16(memory)}${numbers}`;
}

/** A slab with header, row, what is broken in it and its objects. */
export function* slabLines(slab: SlabListing): Generator<string> {
  yield SLAB_HEADER;
  yield slabLine(slab);
  for (const problem of slab.problems) yield `  not whole: ${problem}`;
  yield OBJECTS_HEADER;
  yield* slab.objectLines();
}
