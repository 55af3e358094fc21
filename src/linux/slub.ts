/**
 * What SLUB keeps of one cache: the slabs and free objects of each CPU and of each node, and which objects of a slab are free
 * (mm/slub.c).
 *
 *   CPU     kmem_cache_cpu.freelist ─► free objects of kmem_cache_cpu.slab          (the slab itself counts them as in use)
 *           kmem_cache_cpu.partial  ─► slab ─► slab                                 linked by slab.next
 *           sheaves main, spare, rcu_free: arrays of free objects of any slab       6.18; since 7.0 they stand instead of the lines above
 *   node    partial ⇄ slab ⇄ slab …    full ⇄ slab … (debugged caches only)         slab.freelist ─► its free objects
 *           barn: full sheaves
 *
 * An object is free when it is in slab.freelist, in its CPU's freelist, or in a sheaf. Everything is read when first asked for.
 */
import { add, hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import { CorruptionError, FaultError, InquestError } from "../bytes/errors.ts";
import type { Field } from "../kernel/field.ts";
import { containerOf } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { cpuMasks } from "./cpu.ts";
import { addNote } from "./gather.ts";
import { listNodes } from "./list.ts";
import { type SlabPage, Slabs } from "./slab.ts";
import { hasSlabFlag, type SlabCache } from "./slab-cache.ts";
import { slabCaches } from "./slab-caches.ts";
import { cacheNodes, type SheafFields, type SlubLayout, slabLayout } from "./slab-layout.ts";
import { type FreelistSample, freelistsAreSwabbed, walkFreelist } from "./slub-freelist.ts";

/** What a CPU keeps of a cache. */
export interface SlubCpu {
  readonly cpu: number;
  /** Its kmem_cache_cpu. */
  readonly address: VirtualAddress;
  /** First free object that only this CPU takes; 0 for none. */
  readonly freelist: VirtualAddress;
  /** struct slab that it allocates from; 0 for none. */
  readonly slab: VirtualAddress;
  /** Slabs put aside for it. */
  readonly partial: readonly VirtualAddress[];
}

/** An array of free objects. */
export interface Sheaf {
  readonly address: VirtualAddress;
  /** "cpu 0 main sheaf", "cpu 1 rcu_free sheaf", "barn of node 0". */
  readonly where: string;
  readonly objects: readonly VirtualAddress[];
}

/** What a CPU keeps in sheaves. */
export interface SlubSheaves {
  readonly cpu: number;
  /** Its slub_percpu_sheaves. */
  readonly address: VirtualAddress;
  readonly main: Sheaf | undefined;
  readonly spare: Sheaf | undefined;
  readonly rcuFree: Sheaf | undefined;
}

/** What a node keeps of a cache. */
export interface SlubNode {
  readonly node: number;
  /** Its kmem_cache_node. */
  readonly address: VirtualAddress;
  /** As the kernel counted them; undefined without CONFIG_SLUB_DEBUG. */
  readonly slabs: number | undefined;
  readonly objects: number | undefined;
  /** nr_partial. */
  readonly partialCount: number;
  /** struct slab of each partial slab, as far as the list can be walked. */
  readonly partial: readonly VirtualAddress[];
  /** Full slabs; undefined where the kernel does not track them. */
  readonly full: readonly VirtualAddress[] | undefined;
  readonly barn: SlubBarn | undefined;
}

export interface SlubBarn {
  readonly address: VirtualAddress;
  readonly full: readonly Sheaf[];
  /** Empty sheaves. */
  readonly empty: number;
}

/** Which objects of a slab are free. */
export interface SlabFreeMap {
  /** For each object 0 when it is in use, else the number of the place where it waits. */
  readonly places: Uint16Array;
  readonly free: number;
  /** Where a chain breaks; objects that look used may then be free. */
  readonly problems: readonly string[];
}

/** A list of slabs longer than this is damaged; 2^24 slabs are 64 GiB of them. */
const MAX_SLABS = 1 << 24;
/** More than any sheaf holds (kmem_cache.sheaf_capacity is some tens, prefilled ones a little more). */
const MAX_SHEAF = 1 << 16;
const MAX_SHEAVES = 1 << 16;
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
    this.#cpus ??= [...this.#readCpus()];
    return this.#cpus;
  }

  /** Its CPUs with sheaves (6.18+). */
  get sheaves(): readonly SlubSheaves[] {
    this.#sheaves ??= [...this.#readSheaves()];
    return this.#sheaves;
  }

  get nodes(): readonly SlubNode[] {
    this.#nodes ??= [...this.#readNodes()];
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
    const free = this.#attempt(`slab ${hex16(page)}`, () => objects.number(page) - inuse.number(page)) ?? 0;
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

  /** Runs a read; a fault or a broken list becomes a problem. */
  #attempt<T>(what: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      addNote(this.problems, `${what}: ${error.message}`);
      return undefined;
    }
  }

  *#readCpus(): Generator<SlubCpu> {
    const fields = this.#layout.cpu;
    if (fields === undefined) return;
    const kernel = this.#kernel;
    const area = this.#attempt("cpu_slab", () => fields.pointer.pointer(this.cache.address));
    if (area === undefined || area === 0n) return;
    for (const cpu of cpuMasks(kernel).possible) {
      const found = this.#attempt(`cpu ${cpu}`, () => {
        const address = kernel.perCpuAddress(area, cpu);
        const partial: VirtualAddress[] = [];
        if (fields.partial !== undefined && fields.next !== undefined)
          this.#chain(`cpu ${cpu} partial`, fields.partial.pointer(address), fields.next, partial);
        return { cpu, address, freelist: fields.freelist.pointer(address), slab: fields.slab.pointer(address), partial };
      });
      if (found !== undefined) yield found;
    }
  }

  /** Slabs linked by slab.next. */
  #chain(what: string, first: VirtualAddress, next: Field, found: VirtualAddress[]): void {
    const seen = new Set<VirtualAddress>();
    this.#attempt(what, () => {
      for (let slab = first; slab !== 0n; slab = next.pointer(slab)) {
        if (seen.has(slab)) throw new CorruptionError("slab", "the list runs in a circle", slab);
        if (seen.size >= MAX_SLABS) throw new CorruptionError("slab", `more than ${MAX_SLABS} slabs`, slab);
        if (!this.#isOwn(slab)) throw new CorruptionError("slab", "is no slab of this cache", slab);
        seen.add(slab);
        found.push(slab);
      }
    });
  }

  #isOwn(page: VirtualAddress): boolean {
    return Slabs.of(this.#kernel)?.slabAt(page)?.cache.address === this.cache.address;
  }

  /** Slabs of a node's list. */
  #list(what: string, head: VirtualAddress): readonly VirtualAddress[] {
    const found: VirtualAddress[] = [];
    this.#attempt(what, () => {
      for (const node of listNodes(this.#kernel.memory, head, { limit: MAX_SLABS })) {
        const slab = containerOf(node, this.#layout.slab.list);
        if (!this.#isOwn(slab)) throw new CorruptionError("slab", "is no slab of this cache", slab);
        found.push(slab);
      }
    });
    return found;
  }

  *#readNodes(): Generator<SlubNode> {
    const { node: fields, sheaves } = this.#layout;
    const kernel = this.#kernel;
    for (const { node, address, barn } of this.#attempt("nodes", () => cacheNodes(this.#kernel, this.#layout, this.cache.address)) ?? []) {
      const read = this.#attempt(`node ${node}`, () => ({
        node,
        address,
        slabs: fields.slabs?.number(address),
        objects: fields.objects?.number(address),
        partialCount: fields.partialCount.number(address),
        partial: this.#list(`node ${node} partial`, fields.partial.address(address)),
        // The list is kept for caches with SLAB_STORE_USER only; it is empty for all others.
        full:
          fields.full === undefined || !hasSlabFlag(kernel, this.cache, "STORE_USER")
            ? undefined
            : this.#list(`node ${node} full`, fields.full.address(address)),
        barn: barn === undefined || sheaves === undefined ? undefined : this.#readBarn(sheaves, node, barn),
      }));
      if (read === undefined) continue;
      if (read.partial.length !== read.partialCount)
        addNote(this.problems, `node ${node}: nr_partial is ${read.partialCount}, the list holds ${read.partial.length} slabs`);
      yield read;
    }
  }

  #readBarn(fields: SheafFields, node: number, address: VirtualAddress): SlubBarn {
    const { barn, sheaf } = fields;
    const full: Sheaf[] = [];
    this.#attempt(`barn of node ${node}`, () => {
      for (const link of listNodes(this.#kernel.memory, barn.full.address(address), { limit: MAX_SHEAVES })) {
        const read = this.#readSheaf(fields, containerOf(link, sheaf.barnList), `barn of node ${node}`);
        if (read !== undefined) full.push(read);
      }
    });
    return { address, full, empty: this.#attempt(`barn of node ${node}`, () => barn.emptyCount.number(address)) ?? 0 };
  }

  *#readSheaves(): Generator<SlubSheaves> {
    const fields = this.#layout.sheaves;
    if (fields === undefined) return;
    const area = this.#attempt("cpu_sheaves", () => fields.pointer.pointer(this.cache.address));
    if (area === undefined || area === 0n) return;
    for (const cpu of cpuMasks(this.#kernel).possible) {
      const found = this.#attempt(`cpu ${cpu}`, () => {
        const address = this.#kernel.perCpuAddress(area, cpu);
        const sheaf = (field: Field, name: string) => this.#readSheaf(fields, field.pointer(address), `cpu ${cpu} ${name} sheaf`);
        return {
          cpu,
          address,
          main: sheaf(fields.main, "main"),
          spare: sheaf(fields.spare, "spare"),
          rcuFree: sheaf(fields.rcuFree, "rcu_free"),
        };
      });
      if (found !== undefined) yield found;
    }
  }

  #readSheaf(fields: SheafFields, address: VirtualAddress, where: string): Sheaf | undefined {
    if (address === 0n) return undefined;
    return this.#attempt(where, () => {
      const size = fields.sheaf.size.number(address);
      if (size > MAX_SHEAF) throw new CorruptionError("slab_sheaf", `says to hold ${size} objects`, address);
      const at = fields.sheaf.objects.address(address);
      const objects = Array.from({ length: size }, (_, i) => virtual(this.#kernel.memory.u64(add(at, i * 8))));
      return { address, where, objects: objects.map((object) => this.#kernel.arch.stripPointer(object)) };
    });
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
