/**
 * What SLUB keeps of one cache: the slabs and free objects of each CPU and of each node, and which objects of a slab are free
 * (mm/slub.c).
 *
 *   CPU     kmem_cache_cpu.freelist ─► free objects of kmem_cache_cpu.slab          (the slab itself counts them as in use)
 *           kmem_cache_cpu.partial  ─► slab ─► slab                                 linked by slab.next
 *           sheaves main, spare, rcu_free (slub-sheaves.ts)                         6.18; since 7.0 they stand instead of the lines above
 *   node    partial ⇄ slab ⇄ slab …    full ⇄ slab … (debugged caches only)         slab.freelist ─► its free objects
 *           barn: full sheaves
 *
 * An object is free when it is in slab.freelist, in its CPU's freelist, or in a sheaf. Everything is read when first asked for.
 */
import { hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { addNote, attempt } from "./gather.ts";
import { type SlabPage, Slabs } from "./slab.ts";
import type { SlabCache } from "./slab-cache.ts";
import { slabCaches } from "./slab-caches.ts";
import { type SlubLayout, slabLayout } from "./slab-layout.ts";
import { type FreelistSample, freelistsAreSwabbed, walkFreelist } from "./slub-freelist.ts";
import { readCpus, readNodes, type SlubCpu, type SlubNode } from "./slub-parts.ts";
import { readCpuSheaves, type SlubSheaves } from "./slub-sheaves.ts";

/** Which objects of a slab are free. */
export interface SlabFreeMap {
  /** For each object 0 when it is in use, else the number of the place where it waits. */
  readonly places: Uint16Array;
  readonly free: number;
  /** Where a chain breaks; objects that look used may then be free. */
  readonly problems: readonly string[];
}

const SLAB_FREELIST = 1;

/** One cache of SLUB. */
export class SlubCache {
  readonly cache: SlabCache;
  /** What is broken, one line each; grows as parts are read. */
  readonly problems: string[] = [];
  readonly #kernel: Kernel;
  readonly #layout: SlubLayout;
  readonly #placeNames: string[] = ["", "slab freelist"];
  readonly #places = new Map<string, number>();
  #cpus: readonly SlubCpu[] | undefined;
  #sheaves: readonly SlubSheaves[] | undefined;
  #nodes: readonly SlubNode[] | undefined;
  #cpuOfSlab: ReadonlyMap<VirtualAddress, SlubCpu> | undefined;
  #loose: ReadonlyMap<VirtualAddress, readonly (readonly [VirtualAddress, number])[]> | undefined;

  constructor(kernel: Kernel, layout: SlubLayout, cache: SlabCache) {
    this.#kernel = kernel;
    this.#layout = layout;
    this.cache = cache;
  }

  /** Its parts; undefined when the allocator is not SLUB. Kept per dump. */
  static of(kernel: Kernel, cache: SlabCache): SlubCache | undefined {
    const layout = slabLayout(kernel);
    if (typeof layout === "string" || layout.allocator !== "SLUB") return undefined;
    const all = kernel.memo(SlubCache, () => new Map<VirtualAddress, SlubCache>());
    const found = all.get(cache.address) ?? new SlubCache(kernel, layout, cache);
    all.set(cache.address, found);
    return found;
  }

  /** Its CPUs with kmem_cache_cpu; empty since 7.0. */
  get cpus(): readonly SlubCpu[] {
    this.#cpus ??= [...readCpus(this.#kernel, this.#layout, this.cache, this.problems)];
    return this.#cpus;
  }

  /** Its CPUs with sheaves (6.18+). */
  get sheaves(): readonly SlubSheaves[] {
    if (this.#sheaves === undefined) {
      const fields = this.#layout.sheaves;
      this.#sheaves = fields === undefined ? [] : [...readCpuSheaves(this.#kernel, fields, this.cache.address, this.problems)];
    }
    return this.#sheaves;
  }

  get nodes(): readonly SlubNode[] {
    this.#nodes ??= [...readNodes(this.#kernel, this.#layout, this.cache, this.problems)];
    return this.#nodes;
  }

  /** Name of a place of a SlabFreeMap: "slab freelist", "cpu 1 freelist", "cpu 0 main sheaf". */
  placeName(place: number): string {
    return this.#placeNames[place] ?? "";
  }

  /** Which objects of one of its slabs are free. */
  freeMap(slab: SlabPage): SlabFreeMap {
    const layout = this.#layout;
    const places = new Uint16Array(slab.objects);
    const problems: string[] = [];
    let free = 0;
    const take = (place: number) => (index: number) => {
      if (places[index] !== 0) return false;
      places[index] = place;
      free++;
      return true;
    };
    const chain = (first: VirtualAddress, place: number) => {
      const problem = walkFreelist(this.#kernel, this.cache, swabbed(this.#kernel), slab, first, take(place));
      if (problem !== undefined) problems.push(`${this.#placeNames[place]} of slab ${hex16(slab.page)}: ${problem}`);
    };
    try {
      chain(layout.slab.freelist.pointer(slab.page), SLAB_FREELIST);
      const inSlab = free;
      const claimed = slab.objects - layout.slab.inuse.number(slab.page);
      if (problems.length === 0 && claimed !== inSlab)
        problems.push(`slab ${hex16(slab.page)}: ${claimed} of ${slab.objects} objects should be free, its freelist holds ${inSlab}`);
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      problems.push(`slab ${hex16(slab.page)}: ${error.message}`);
    }
    const cpu = this.#slabsOfCpus().get(slab.page);
    if (cpu !== undefined && cpu.freelist !== 0n) chain(cpu.freelist, this.#place(`cpu ${cpu.cpu} freelist`));
    for (const [object, place] of this.#looseObjects().get(slab.page) ?? []) {
      const index = Number((object - slab.start - BigInt(this.cache.redLeftPad)) / BigInt(this.cache.stride));
      if (!take(place)(index)) problems.push(`${this.#placeNames[place]}: object ${hex16(object)} is free already`);
    }
    return { places, free, problems };
  }

  /** Free objects of a slab by its own counter, without those in its CPU's freelist; 0 where it cannot be read. */
  claimedFree(page: VirtualAddress): number {
    const { objects, inuse } = this.#layout.slab;
    const free = attempt(() => objects.number(page) - inuse.number(page), this.problems, `slab ${hex16(page)}`) ?? 0;
    if (free >= 0) return free;
    addNote(this.problems, `slab ${hex16(page)}: ${-free} more objects in use than it holds`);
    return 0;
  }

  /** Objects that wait in a CPU's freelist. */
  cpuFreelistLength(cpu: SlubCpu): number {
    if (cpu.freelist === 0n) return 0;
    const slab = Slabs.of(this.#kernel)?.slabAt(cpu.slab);
    if (slab === undefined) {
      addNote(
        this.problems,
        `cpu ${cpu.cpu}: its freelist begins with ${hex16(cpu.freelist)}, and its slab ${hex16(cpu.slab)} cannot be read`,
      );
      return 0;
    }
    const seen = new Uint8Array(slab.objects);
    let count = 0;
    const problem = walkFreelist(this.#kernel, this.cache, swabbed(this.#kernel), slab, cpu.freelist, (index) => {
      if (seen[index] === 1) return false;
      seen[index] = 1;
      count++;
      return true;
    });
    if (problem !== undefined) addNote(this.problems, `cpu ${cpu.cpu} freelist of slab ${hex16(slab.page)}: ${problem}`);
    return count;
  }

  #place(name: string): number {
    let place = this.#places.get(name);
    if (place === undefined) {
      place = this.#placeNames.push(name) - 1;
      this.#places.set(name, place);
    }
    return place;
  }

  #slabsOfCpus(): ReadonlyMap<VirtualAddress, SlubCpu> {
    if (this.#cpuOfSlab === undefined) {
      const found = new Map<VirtualAddress, SlubCpu>();
      for (const cpu of this.cpus) {
        if (cpu.slab === 0n) continue;
        const other = found.get(cpu.slab);
        if (other !== undefined) addNote(this.problems, `CPUs ${other.cpu} and ${cpu.cpu} both allocate from slab ${hex16(cpu.slab)}`);
        found.set(cpu.slab, cpu);
      }
      this.#cpuOfSlab = found;
    }
    return this.#cpuOfSlab;
  }

  /** Objects in sheaves by the slab they belong to, with the place they wait in. */
  #looseObjects(): ReadonlyMap<VirtualAddress, readonly (readonly [VirtualAddress, number])[]> {
    if (this.#loose !== undefined) return this.#loose;
    const found = new Map<VirtualAddress, (readonly [VirtualAddress, number])[]>();
    const slabs = Slabs.of(this.#kernel);
    const all = [
      ...this.sheaves.flatMap(({ main, spare, rcuFree }) => [main, spare, rcuFree]),
      ...this.nodes.flatMap(({ barn }) => barn?.full ?? []),
    ];
    for (const sheaf of all) {
      if (sheaf === undefined) continue;
      const place = this.#place(sheaf.where);
      for (const object of sheaf.objects) {
        const owner = slabs?.objectOf(object);
        if (owner === undefined || owner.cacheAddress !== this.cache.address || owner.offset !== 0) {
          addNote(this.problems, `${sheaf.where} (${hex16(sheaf.address)}): ${hex16(object)} is no object of this cache`);
          continue;
        }
        const list = found.get(owner.page);
        if (list === undefined) found.set(owner.page, [[owner.object, place]]);
        else list.push([owner.object, place]);
      }
    }
    this.#loose = found;
    return found;
  }
}

/** Whether this kernel swaps free pointers; settled once per dump. */
function swabbed(kernel: Kernel): boolean {
  return kernel.memo(swabbed, () => freelistsAreSwabbed(kernel, freelistSamples(kernel)));
}

function* freelistSamples(kernel: Kernel): Generator<FreelistSample> {
  const layout = slabLayout(kernel);
  if (typeof layout === "string" || layout.allocator !== "SLUB") return;
  for (const cache of slabCaches(kernel).caches) {
    const slub = SlubCache.of(kernel, cache);
    if (slub === undefined || cache.random === 0n) continue;
    for (const { freelist } of slub.cpus) if (freelist !== 0n) yield { cache, object: freelist };
    for (const { partial } of slub.nodes) {
      for (const slab of partial.slice(0, 4)) {
        const object = kernel.memory.tryU64(layout.slab.freelist.address(slab));
        if (object !== undefined && object !== 0n) yield { cache, object: virtual(object) };
      }
    }
  }
}
