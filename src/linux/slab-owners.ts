/**
 * Who owns slab objects: the tracks of one object, and those of many grouped by stack trace. What slub_debug and KASAN remember is one
 * shape here (allocation-track.ts); where both do, slub_debug is asked first: it knows the time.
 */
import { add, type Pfn, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError, InquestError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { ObjectState } from "./address-identity.ts";
import type { AllocationTrack } from "./allocation-track.ts";
import { addNote } from "./gather.ts";
import { hasKasanTracks, kasanTrack } from "./kasan-tracks.ts";
import { ownedPages } from "./page-owner.ts";
import { type SlabObject, type SlabPage, Slabs } from "./slab.ts";
import { SlabAllocatorCache } from "./slab-allocator.ts";
import type { SlabCache } from "./slab-cache.ts";
import { slabCacheParts, slabObjectState, slabStates } from "./slab-state.ts";
import { hasSlabTracks, slabTrack } from "./slab-tracks.ts";
import type { SlubCache } from "./slub.ts";
import type { StackAddresses } from "./stack-depot.ts";

/** What is remembered of one object. */
export interface ObjectTracks {
  readonly object: SlabObject;
  readonly state: ObjectState;
  /** Who asked for it last. */
  readonly allocated: AllocationTrack | undefined;
  /** Who gave it back last; of an object in use, the free before its allocation. */
  readonly freed: AllocationTrack | undefined;
  /** Why tracks are missing, one line each. */
  readonly notes: readonly string[];
}

/** Owners with one stack trace. */
export interface OwnerGroup {
  readonly stack: StackAddresses;
  /** Why there is no stack trace: those share one group. */
  readonly lack: string | undefined;
  readonly count: number;
  readonly bytes: number;
  /** Caches, or orders of pages, with their counts, the most first. */
  readonly parts: readonly { readonly name: string; readonly count: number }[];
  /** Processes that did it, the most first; not more than eight. */
  readonly pids: readonly { readonly pid: number; readonly count: number; readonly comm?: string }[];
  /** Seconds after boot of the first and the last. */
  readonly first: number | undefined;
  readonly last: number | undefined;
  /** Some of them. */
  readonly examples: readonly VirtualAddress[];
}

export interface Owners {
  /** The most bytes first. */
  readonly groups: readonly OwnerGroup[];
  /** Objects (blocks of pages) looked at that have no track. */
  readonly untracked: number;
  /** What could not be read, one line each. */
  readonly notes: readonly string[];
}

/** Told how far long work is; may throw to stop it. */
export type Tick = (done: number, total: number) => void;

/** Whether slub_debug or KASAN keeps tracks of the cache's objects. */
export function hasOwners(kernel: Kernel, cache: SlabCache): boolean {
  try {
    return hasSlabTracks(kernel, cache) || hasKasanTracks(kernel, cache);
  } catch (error) {
    if (!(error instanceof FaultError)) throw error;
    return false;
  }
}

/** The tracks of the object that an address lies in; undefined when it is in no slab object. */
export function objectTracks(kernel: Kernel, address: bigint): ObjectTracks | undefined {
  const object = Slabs.of(kernel)?.objectOf(virtual(address));
  const slab = object === undefined ? undefined : Slabs.of(kernel)?.slabOf(object.object);
  if (object === undefined || slab === undefined) return undefined;
  const notes: string[] = [];
  if (!hasOwners(kernel, slab.cache))
    notes.push(`nobody noted who uses cache ${slab.cache.name}: neither slub_debug=U nor KASAN was on for it`);
  const state = slabObjectState(kernel, object) ?? { state: "unknown" };
  const track = (which: "allocation" | "free") => readTrack(kernel, slab.cache, object.object, which, notes);
  return { object, state, allocated: track("allocation"), freed: track("free"), notes };
}

function readTrack(
  kernel: Kernel,
  cache: SlabCache,
  object: VirtualAddress,
  which: "allocation" | "free",
  notes: string[],
): AllocationTrack | undefined {
  try {
    return slabTrack(kernel, cache, object, which) ?? kasanTrack(kernel, cache, object, which);
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    addNote(notes, `${which} of object ${object.toString(16)}: ${error.message}`);
    return undefined;
  }
}

/** Every slab of a cache: by its lists where they name all, else by the pages of the machine. */
export function* slabsOfCache(kernel: Kernel, cache: SlabCache, tick?: Tick): Generator<SlabPage> {
  const slabs = Slabs.of(kernel);
  const parts = slabCacheParts(kernel, cache);
  if (slabs === undefined || parts === undefined) return;
  const listed = parts instanceof SlabAllocatorCache ? listedSlabs(parts) : trackedSlabs(parts);
  if (listed === undefined) {
    for (const slab of slabs.all(tick)) if (slab.cache.address === cache.address) yield slab;
    return;
  }
  for (const [i, page] of listed.entries()) {
    tick?.(i, listed.length);
    const slab = slabs.slabAt(page);
    if (slab !== undefined) yield slab;
  }
}

function listedSlabs(cache: SlabAllocatorCache): readonly VirtualAddress[] {
  return cache.nodes.flatMap(({ lists }) => [...lists.partial, ...lists.full, ...lists.free]);
}

/** undefined where full slabs are on no list, or the lists disagree with the count. */
function trackedSlabs(cache: SlubCache): readonly VirtualAddress[] | undefined {
  const found = new Set<VirtualAddress>();
  let counted = 0;
  for (const { partial, full, slabs } of cache.nodes) {
    if (full === undefined || slabs === undefined) return undefined;
    counted += slabs;
    for (const page of partial) found.add(page);
    for (const page of full) found.add(page);
  }
  for (const { slab, partial } of cache.cpus) for (const page of slab === 0n ? partial : [slab, ...partial]) found.add(page);
  return found.size === counted ? [...found] : undefined;
}

/**
 * The objects of caches grouped by who allocated them (those in use), or by who freed them (those that are free).
 */
export function slabOwners(kernel: Kernel, caches: readonly SlabCache[], which: "allocation" | "free", tick?: Tick): Owners {
  const collector = new OwnerCollector();
  const wanted = new Map(caches.filter((cache) => hasOwners(kernel, cache)).map((cache) => [cache.address, cache]));
  const slabs = Slabs.of(kernel);
  const one = wanted.size === 1 ? [...wanted.values()][0] : undefined;
  const all = one === undefined ? (slabs?.all(tick) ?? []) : slabsOfCache(kernel, one, tick);
  for (const slab of all) {
    if (!wanted.has(slab.cache.address)) continue;
    const states = slabStates(kernel, slab);
    if (states === undefined) continue;
    for (const problem of states.map.problems) addNote(collector.notes, `${slab.cache.name}: ${problem}`);
    const { cache, start, objects } = slab;
    for (let index = 0; index < objects; index++) {
      const { state } = states.state(index);
      if (which === "allocation" ? state === "free" : state !== "free") continue;
      const object = add(start, index * cache.stride + cache.redLeftPad);
      collector.add(readTrack(kernel, cache, object, which, collector.notes), object, cache.name, cache.stride);
    }
  }
  return collector.owners();
}

/** Blocks of pages grouped by who allocated them, by page_owner. */
export function pageOwners(kernel: Kernel, tick?: (pfn: Pfn, total: number) => void): Owners {
  const collector = new OwnerCollector();
  const slabs = Slabs.of(kernel);
  for (const { pfn, order, allocated, allocation } of ownedPages(kernel, tick)) {
    if (!allocated) continue;
    const page = slabs?.pageOf(pfn);
    collector.add(allocation, page ?? virtual(BigInt(pfn)), `order ${order}`, 2 ** order * kernel.arch.pageSize);
  }
  return collector.owners();
}

/** Kept of each group. */
const EXAMPLES = 4;
const PIDS = 8;

interface Group {
  readonly track: AllocationTrack;
  count: number;
  bytes: number;
  readonly parts: Map<string, number>;
  readonly pids: Map<number, { count: number; comm: string | undefined }>;
  first: number | undefined;
  last: number | undefined;
  readonly examples: VirtualAddress[];
}

class OwnerCollector {
  readonly notes: string[] = [];
  /** By the stack itself: the depot hands out one array for each trace. */
  readonly #byStack = new Map<StackAddresses, Group>();
  readonly #byText = new Map<string, Group>();
  #untracked = 0;

  add(track: AllocationTrack | undefined, example: VirtualAddress, part: string, bytes: number): void {
    if (track === undefined) {
      this.#untracked++;
      return;
    }
    const group = this.#group(track);
    group.count++;
    group.bytes += bytes;
    group.parts.set(part, (group.parts.get(part) ?? 0) + 1);
    if (track.pid !== undefined) {
      const known = group.pids.get(track.pid);
      if (known === undefined) group.pids.set(track.pid, { count: 1, comm: track.comm });
      else known.count++;
    }
    if (track.time !== undefined) {
      group.first = Math.min(group.first ?? track.time, track.time);
      group.last = Math.max(group.last ?? track.time, track.time);
    }
    if (group.examples.length < EXAMPLES) group.examples.push(example);
  }

  #group(track: AllocationTrack): Group {
    const { stack, lack } = track;
    let group = this.#byStack.get(stack);
    if (group !== undefined) return group;
    const text = lack === undefined ? stack.join() : "";
    group = this.#byText.get(text);
    if (group === undefined) {
      group = { track, count: 0, bytes: 0, parts: new Map(), pids: new Map(), first: undefined, last: undefined, examples: [] };
      this.#byText.set(text, group);
    }
    if (lack === undefined) this.#byStack.set(stack, group);
    return group;
  }

  owners(): Owners {
    const groups = [...this.#byText.values()].map(({ track, count, bytes, parts, pids, first, last, examples }) => ({
      stack: track.stack,
      lack: track.lack,
      count,
      bytes,
      parts: [...parts].map(([name, each]) => ({ name, count: each })).sort((a, b) => b.count - a.count),
      pids: [...pids]
        .map(([pid, each]) => ({ pid, count: each.count, ...(each.comm === undefined ? {} : { comm: each.comm }) }))
        .sort((a, b) => b.count - a.count)
        .slice(0, PIDS),
      first,
      last,
      examples,
    }));
    groups.sort((a, b) => b.bytes - a.bytes || b.count - a.count);
    return { groups, untracked: this.#untracked, notes: this.notes };
  }
}
