/**
 * What the SLAB allocator keeps of one cache (mm/slab.c, until 6.7): its slabs by node, and which objects are free.
 *
 *   slab    s_mem ─► object 0 │ object 1 │ …                    freelist: indices; those from [active] on are free   3.13 and later
 *                                                               kmem_bufctl_t chain from slab.free, ended by ~0      before
 *   CPU     array_cache: avail, entry[]                         objects given back, for this CPU to take next
 *   node    slabs_partial, slabs_full, slabs_free;  shared: array_cache for all its CPUs;  alien[n]: those of other nodes
 *
 * Slabs count objects in array caches as in use.
 */
import { add, distance, hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import { CorruptionError, FaultError, InquestError } from "../bytes/errors.ts";
import { containerOf } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { cpuMasks } from "./cpu.ts";
import { addNote } from "./gather.ts";
import { listNodes } from "./list.ts";
import { type SlabPage, Slabs } from "./slab.ts";
import type { SlabAllocatorLayout } from "./slab-allocator-layout.ts";
import type { SlabCache } from "./slab-cache.ts";
import { cacheNodes, nodeCount, slabLayout } from "./slab-layout.ts";
import type { SlabFreeMap } from "./slub.ts";

/** Objects given back that wait in an array. */
export interface ArrayCache {
  readonly address: VirtualAddress;
  /** "cpu 0 cache", "shared cache of node 0", "alien cache of node 0 for node 1". */
  readonly where: string;
  readonly cpu: number | undefined;
  readonly objects: readonly VirtualAddress[];
}

export interface SlabAllocatorNode {
  readonly node: number;
  readonly address: VirtualAddress;
  /** struct slab (or page) of each slab, by list. */
  readonly lists: Readonly<Record<"partial" | "full" | "free", readonly VirtualAddress[]>>;
  /** As the kernel counted them. */
  readonly freeObjects: number | undefined;
}

const MAX_SLABS = 1 << 24;
/** An array cache holds at most some hundred objects; a tuned one (slabinfo) can hold more. */
const MAX_ARRAY = 1 << 16;
const SLAB_FREELIST = 1;

/** One cache of SLAB. */
export class SlabAllocatorCache {
  readonly cache: SlabCache;
  /** What is broken, one line each; grows as parts are read. */
  readonly problems: string[] = [];
  readonly #kernel: Kernel;
  readonly #layout: SlabAllocatorLayout;
  readonly #placeNames: string[] = ["", "slab freelist"];
  #arrays: readonly ArrayCache[] | undefined;
  #nodes: readonly SlabAllocatorNode[] | undefined;
  #waiting: ReadonlyMap<VirtualAddress, readonly (readonly [number, number])[]> | undefined;

  constructor(kernel: Kernel, layout: SlabAllocatorLayout, cache: SlabCache) {
    this.#kernel = kernel;
    this.#layout = layout;
    this.cache = cache;
  }

  /** Its parts; undefined when the allocator is not SLAB. Kept per dump. */
  static of(kernel: Kernel, cache: SlabCache): SlabAllocatorCache | undefined {
    const layout = slabLayout(kernel);
    if (typeof layout === "string" || layout.allocator !== "SLAB") return undefined;
    const all = kernel.memo(SlabAllocatorCache, () => new Map<VirtualAddress, SlabAllocatorCache>());
    const found = all.get(cache.address) ?? new SlabAllocatorCache(kernel, layout, cache);
    all.set(cache.address, found);
    return found;
  }

  /** Its array caches: per CPU, shared, alien. */
  get arrays(): readonly ArrayCache[] {
    this.#arrays ??= [...this.#readArrays()];
    return this.#arrays;
  }

  get nodes(): readonly SlabAllocatorNode[] {
    this.#nodes ??= [...this.#readNodes()];
    return this.#nodes;
  }

  /** Name of a place of a SlabFreeMap. */
  placeName(place: number): string {
    return this.#placeNames[place] ?? "";
  }

  /** Which objects of one of its slabs are free. */
  freeMap(slab: SlabPage): SlabFreeMap {
    const places = new Uint16Array(slab.objects);
    const problems: string[] = [];
    let free = 0;
    const take = (index: number, place: number): boolean => {
      if (places[index] !== 0) return false;
      places[index] = place;
      free++;
      return true;
    };
    try {
      const problem = this.#layout.chained === undefined ? this.#indices(slab, take) : this.#chain(slab, take);
      if (problem !== undefined) problems.push(`freelist of slab ${hex16(slab.page)}: ${problem}`);
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      problems.push(`freelist of slab ${hex16(slab.page)}: ${error.message}`);
    }
    for (const [index, place] of this.#waitingObjects().get(slab.page) ?? [])
      if (!take(index, place)) problems.push(`${this.#placeNames[place]}: object ${index} of slab ${hex16(slab.page)} is free already`);
    return { places, free, problems };
  }

  /** Indices of free objects from [active] on. */
  #indices(slab: SlabPage, take: (index: number, place: number) => boolean): string | undefined {
    const { slab: fields, indexSize = 1 } = this.#layout;
    const active = fields.active.number(slab.page);
    if (active > slab.objects) return `${active} objects in use of ${slab.objects}`;
    if (active === slab.objects) return undefined;
    const list = fields.freelist.pointer(slab.page);
    if (list === 0n) return `it is gone while ${slab.objects - active} objects should be free`;
    const bytes = this.#kernel.memory.bytes(add(list, active * indexSize), (slab.objects - active) * indexSize);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < slab.objects - active; i++) {
      const index = indexSize === 1 ? view.getUint8(i) : indexSize === 2 ? view.getUint16(i * 2, true) : view.getUint32(i * 4, true);
      if (index >= slab.objects) return `entry ${active + i} is ${index}, of ${slab.objects} objects`;
      if (!take(index, SLAB_FREELIST)) return `object ${index} is in it twice`;
    }
    return undefined;
  }

  /** Before 3.13: the chain of kmem_bufctl_t behind struct slab. */
  #chain(slab: SlabPage, take: (index: number, place: number) => boolean): string | undefined {
    const { chained, slab: fields } = this.#layout;
    if (chained === undefined) return undefined;
    const own = fields.freelist.pointer(slab.page);
    const table = add(own, chained.size);
    let index = chained.free.number(own);
    for (let step = 0; step <= slab.objects; step++) {
      // BUFCTL_END
      if (index === 0xffffffff) return undefined;
      if (index >= slab.objects) return `it leads to object ${index} of ${slab.objects}`;
      if (!take(index, SLAB_FREELIST)) return `object ${index} is in it twice`;
      index = this.#kernel.memory.u32(add(table, index * 4));
    }
    return "it does not end";
  }

  /** Objects in arrays by slab. */
  #waitingObjects(): ReadonlyMap<VirtualAddress, readonly (readonly [number, number])[]> {
    if (this.#waiting !== undefined) return this.#waiting;
    const found = new Map<VirtualAddress, (readonly [number, number])[]>();
    const slabs = Slabs.of(this.#kernel);
    for (const { where, address, objects } of this.arrays) {
      const place = this.#placeNames.push(where) - 1;
      for (const object of objects) {
        const slab = slabs?.slabOf(object);
        const index = slab === undefined ? -1 : distance(object, slab.start) / this.cache.stride;
        if (slab?.cache.address !== this.cache.address || !Number.isInteger(index) || index < 0 || index >= slab.objects) {
          addNote(this.problems, `${where} (${hex16(address)}): ${hex16(object)} is no object of this cache`);
          continue;
        }
        const list = found.get(slab.page);
        if (list === undefined) found.set(slab.page, [[index, place]]);
        else list.push([index, place]);
      }
    }
    this.#waiting = found;
    return found;
  }

  #attempt<T>(what: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      addNote(this.problems, `${what}: ${error.message}`);
      return undefined;
    }
  }

  *#readArrays(): Generator<ArrayCache> {
    const kernel = this.#kernel;
    const { cpu: fields, node } = this.#layout;
    const one = (where: string, address: VirtualAddress, cpu?: number): ArrayCache[] => {
      if (address === 0n) return [];
      const objects = this.#attempt(where, () => this.#entries(address));
      return objects === undefined ? [] : [{ address, where, cpu, objects }];
    };
    const percpu = fields.perCpu ? this.#attempt("cpu_cache", () => fields.pointer.pointer(this.cache.address)) : undefined;
    const table = fields.pointer.address(this.cache.address);
    for (const cpu of cpuMasks(kernel).possible) {
      const read = () => (percpu === undefined ? virtual(kernel.memory.u64(add(table, cpu * 8))) : kernel.perCpuAddress(percpu, cpu));
      yield* one(`cpu ${cpu} cache`, this.#attempt(`cpu ${cpu} cache`, read) ?? virtual(0n), cpu);
    }
    for (const each of this.#attempt("nodes", () => cacheNodes(kernel, this.#layout, this.cache.address)) ?? []) {
      const shared = this.#attempt(`node ${each.node}`, () => node.shared?.pointer(each.address));
      yield* one(`shared cache of node ${each.node}`, shared ?? virtual(0n));
      const aliens = this.#attempt(`node ${each.node}`, () => node.alien?.pointer(each.address)) ?? virtual(0n);
      if (aliens === 0n) continue;
      for (let other = 0; other < nodeCount(kernel); other++) {
        const alien = this.#attempt(`node ${each.node}`, () => virtual(kernel.memory.u64(add(aliens, other * 8)))) ?? virtual(0n);
        if (alien !== 0n) yield* one(`alien cache of node ${each.node} for node ${other}`, add(alien, node.alienOffset));
      }
    }
  }

  #entries(address: VirtualAddress): VirtualAddress[] {
    const { avail, entries } = this.#layout.cpu;
    const count = avail.number(address);
    if (count > MAX_ARRAY) throw new CorruptionError("array_cache", `says to hold ${count} objects`, address);
    const first = entries.address(address);
    return Array.from({ length: count }, (_, i) => this.#kernel.arch.stripPointer(this.#kernel.memory.u64(add(first, i * 8))));
  }

  *#readNodes(): Generator<SlabAllocatorNode> {
    const { node: fields } = this.#layout;
    for (const { node, address } of this.#attempt("nodes", () => cacheNodes(this.#kernel, this.#layout, this.cache.address)) ?? []) {
      const lists = { partial: [] as VirtualAddress[], full: [] as VirtualAddress[], free: [] as VirtualAddress[] };
      for (const [name, field] of fields.lists) this.#collect(`node ${node} ${name}`, field.address(address), lists[name]);
      yield { node, address, lists, freeObjects: this.#attempt(`node ${node}`, () => fields.freeObjects?.number(address)) };
    }
  }

  #collect(what: string, head: VirtualAddress, found: VirtualAddress[]): void {
    this.#attempt(what, () => {
      for (const node of listNodes(this.#kernel.memory, head, { limit: MAX_SLABS })) {
        const own = containerOf(node, this.#layout.slab.list);
        // Before 3.13 the list links struct slab, which lies apart from the page: the page is that of its objects.
        const page = this.#layout.chained === undefined ? own : Slabs.of(this.#kernel)?.slabOf(this.#layout.slab.first.pointer(own))?.page;
        if (page === undefined || Slabs.of(this.#kernel)?.slabAt(page)?.cache.address !== this.cache.address)
          throw new CorruptionError("slab", "is no slab of this cache", own);
        found.push(page);
      }
    });
  }
}
