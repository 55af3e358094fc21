/**
 * `kmem -S`: what each CPU and node keeps of a slab cache, slab by slab.
 *
 *   CPU 0 KMEM_CACHE_CPU, SLAB, PARTIAL            SLUB until 6.19; the objects of these slabs are listed
 *   CPU 0 SLUB_PERCPU_SHEAVES, … SHEAF             6.18 and later
 *   KMEM_CACHE_NODE … NODE 0 PARTIAL, FULL, BARN   slabs without their objects
 *   CPU 0 ARRAY_CACHE …                            SLAB
 */
import { hex16, type VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { cpuMasks } from "../../linux/cpu.ts";
import { Slabs } from "../../linux/slab.ts";
import { type ArrayCache, SlabAllocatorCache } from "../../linux/slab-allocator.ts";
import type { SlabCache } from "../../linux/slab-cache.ts";
import { SlubCache } from "../../linux/slub.ts";
import type { SlubCpu, SlubNode } from "../../linux/slub-parts.ts";
import type { Sheaf, SlubSheaves } from "../../linux/slub-sheaves.ts";
import type { Session } from "../command.ts";
import { parseCpuList } from "../support/cpu-list.ts";
import {
  CACHE_HEADER,
  cacheLines,
  cacheRow,
  type IgnoredCache,
  SLAB_HEADER,
  type SlabCacheRow,
  SlabListing,
  slabLine,
  slabLines,
} from "./slab-format.ts";
import { IGNORE, selectSlabs } from "./slab-selection.ts";
import { defineView } from "./view.ts";

export interface SlabObjectsResult {
  /** What is broken in the list of caches. */
  readonly problems: readonly string[];
  readonly names?: readonly { readonly address: VirtualAddress; readonly name: string }[];
  readonly caches?: Iterable<SlabCacheParts | IgnoredCache>;
  /** The cache and the slab that an address lies in. */
  readonly found?: { readonly cache: SlabCacheRow; readonly slab: SlabListing };
}

/** One cache; its parts are read as they are pulled. */
export interface SlabCacheParts {
  readonly cache: SlabCacheRow;
  readonly cpus: Iterable<CpuPart>;
  readonly nodes: Iterable<NodePart>;
  /** What was found to be broken on the way; to be read last. */
  readonly problems: readonly string[];
}

export type CpuPart =
  | {
      readonly kind: "slabs";
      readonly cpu: number;
      readonly address: VirtualAddress;
      readonly slab: SlabListing | undefined;
      readonly partial: Iterable<SlabListing>;
    }
  | ({ readonly kind: "sheaves" } & SlubSheaves)
  | ({ readonly kind: "array" } & ArrayCache);

export interface NodePart {
  readonly node: number;
  readonly address: VirtualAddress;
  /** Of all CPUs; the node's lists are in `lists`. */
  readonly slabs: number;
  /** Slabs that CPUs allocate from. */
  readonly perCpu: number;
  /** Slabs by list, without their objects; undefined: not tracked. */
  readonly lists: readonly { readonly name: string; readonly count: number; readonly slabs: Iterable<SlabListing> | undefined }[];
  readonly barn?: { readonly address: VirtualAddress; readonly full: readonly Sheaf[]; readonly empty: number };
}

export const slabObjects = defineView<SlabObjectsResult>({
  options: [
    { flag: "-S", attached: "cpus", help: "slab caches with the slabs and objects of each CPU (of these CPUs) and the slabs of each node" },
  ],
  modifiers: [IGNORE],
  synopsis: ["-S[=cpus] [slab | list | [-P] address] [-I slab[,slab…]]"],
  description: [
    "-S shows what each CPU and each node keeps of a cache. Objects in use stand in brackets; a free object that a CPU keeps says so. Slabs that are full and that nobody lists (ordinary caches of SLUB) are counted only: `slab objects` finds them. With an address: all objects of its slab.",
    "Kernels with sheaves (6.18 and later) show the free objects in each CPU's main, spare and rcu_free sheaf and in the barn of each node; SLAB kernels (until 6.7) the array caches.",
  ],
  examples: [
    ["kmem -S kmalloc-1k", "the slabs of a cache"],
    ["kmem -S=0 TCP", "what CPU 0 keeps of it"],
  ],
  differences: ["-S=cpus: PER-CPU counts the slabs of all CPUs, also of those that are not shown.", "-S works on SLAB kernels too."],
  run(session, args) {
    const { kernel } = session;
    const { list, caches, ignored, at, problems } = selectSlabs(kernel, args, "-S");
    if (list) return { problems, names: caches.map(({ address, name }) => ({ address, name })) };
    if (at !== undefined)
      return { problems, found: { cache: cacheRow(kernel, at.slab.cache), slab: new SlabListing(kernel, at.slab, true) } };
    const cpus = new Set(parseCpuList(args.value("-S") ?? "", cpuMasks(kernel).possible));
    return { problems, caches: parts(session, caches, ignored, cpus) };
  },
  *text({ problems, names, caches, found }) {
    for (const { address, name } of names ?? []) yield `${hex16(address)} ${name}`;
    if (found !== undefined) {
      yield CACHE_HEADER;
      yield* cacheLines(found.cache);
      yield* slabLines(found.slab);
    }
    // As crash has it: caches that are left out stand below one header.
    let headed = false;
    for (const cache of caches ?? []) {
      if (!headed) yield CACHE_HEADER;
      headed = "ignored" in cache;
      yield* partLines(cache);
    }
    for (const problem of problems) yield `kmem: ${problem}`;
  },
});

function* parts(
  session: Session,
  caches: readonly SlabCache[],
  ignored: ReadonlySet<string>,
  cpus: ReadonlySet<number>,
): Generator<SlabCacheParts | IgnoredCache> {
  const { kernel } = session;
  for (const [i, cache] of caches.entries()) {
    session.progress?.("reading slabs", i, caches.length);
    const { address, name } = cache;
    if (ignored.has(name)) yield { address, name, ignored: true };
    else {
      const slub = SlubCache.of(kernel, cache);
      const slab = SlabAllocatorCache.of(kernel, cache);
      const row = cacheRow(kernel, cache);
      if (slub !== undefined)
        yield { cache: row, cpus: slubCpus(kernel, slub, cpus), nodes: slubNodes(kernel, slub), problems: slub.problems };
      else if (slab !== undefined) yield { cache: row, cpus: arrays(slab, cpus), nodes: slabNodes(kernel, slab), problems: slab.problems };
    }
  }
}

/** Slabs by the addresses of their struct slab. */
function* listings(kernel: Kernel, pages: readonly VirtualAddress[], withObjects: boolean): Generator<SlabListing> {
  for (const page of pages) {
    const slab = Slabs.of(kernel)?.slabAt(page);
    if (slab !== undefined) yield new SlabListing(kernel, slab, withObjects);
  }
}

function* slubCpus(kernel: Kernel, slub: SlubCache, cpus: ReadonlySet<number>): Generator<CpuPart> {
  for (const { cpu, address, slab, partial } of slub.cpus) {
    if (!cpus.has(cpu)) continue;
    const current = slab === 0n ? undefined : Slabs.of(kernel)?.slabAt(slab);
    yield {
      kind: "slabs",
      cpu,
      address,
      slab: current === undefined ? undefined : new SlabListing(kernel, current, true),
      partial: listings(kernel, partial, true),
    };
  }
  for (const sheaves of slub.sheaves) if (cpus.has(sheaves.cpu)) yield { kind: "sheaves", ...sheaves };
}

function* slubNodes(kernel: Kernel, slub: SlubCache): Generator<NodePart> {
  const current = slub.cpus.flatMap(({ slab }: SlubCpu) => [...listings(kernel, slab === 0n ? [] : [slab], false)]);
  for (const each of slub.nodes) {
    const { node, address, slabs, partial, full, barn }: SlubNode = each;
    yield {
      node,
      address,
      slabs: slabs ?? partial.length + (full?.length ?? 0),
      perCpu: current.filter((slab) => slab.node === node).length,
      lists: [
        { name: "PARTIAL", count: partial.length, slabs: listings(kernel, partial, false) },
        { name: "FULL", count: full?.length ?? 0, slabs: full === undefined ? undefined : listings(kernel, full, false) },
      ],
      ...(barn === undefined ? {} : { barn }),
    };
  }
}

function* arrays(slab: SlabAllocatorCache, cpus: ReadonlySet<number>): Generator<CpuPart> {
  for (const array of slab.arrays) if (array.cpu === undefined || cpus.has(array.cpu)) yield { kind: "array", ...array };
}

function* slabNodes(kernel: Kernel, slab: SlabAllocatorCache): Generator<NodePart> {
  for (const { node, address, lists } of slab.nodes) {
    const names = ["partial", "full", "free"] as const;
    yield {
      node,
      address,
      slabs: names.reduce((sum, name) => sum + lists[name].length, 0),
      perCpu: 0,
      lists: names.map((name) => ({ name: name.toUpperCase(), count: lists[name].length, slabs: listings(kernel, lists[name], false) })),
    };
  }
}

function* partLines(part: SlabCacheParts | IgnoredCache): Generator<string> {
  if ("ignored" in part) {
    yield* cacheLines(part);
    return;
  }
  yield* cacheLines(part.cache);
  for (const cpu of part.cpus) yield* cpuLines(cpu);
  for (const node of part.nodes) yield* nodeLines(node);
  for (const problem of part.problems) if (!part.cache.problems.includes(problem)) yield `  not whole: ${problem}`;
  yield "";
}

function* cpuLines(part: CpuPart): Generator<string> {
  switch (part.kind) {
    case "slabs": {
      const { cpu, address, slab, partial } = part;
      yield `CPU ${cpu} KMEM_CACHE_CPU:`;
      yield `  ${hex16(address)}`;
      yield `CPU ${cpu} SLAB:`;
      if (slab === undefined) yield "  (empty)";
      else yield* slabLines(slab);
      yield `CPU ${cpu} PARTIAL:`;
      let empty = true;
      for (const each of partial) {
        empty = false;
        yield* slabLines(each);
      }
      if (empty) yield "  (empty)";
      return;
    }
    case "sheaves": {
      const { cpu, address } = part;
      yield `CPU ${cpu} SLUB_PERCPU_SHEAVES:`;
      yield `  ${hex16(address)}`;
      yield* sheafLines(`CPU ${cpu} MAIN SHEAF:`, part.main);
      yield* sheafLines(`CPU ${cpu} SPARE SHEAF:`, part.spare);
      yield* sheafLines(`CPU ${cpu} RCU_FREE SHEAF:`, part.rcuFree);
      return;
    }
    case "array":
      yield `${part.where.toUpperCase().replace(/^(CPU \d+) CACHE$/, "$1 ARRAY_CACHE")}:`;
      yield* objectArray(part.address, part.objects);
  }
}

function* sheafLines(title: string, sheaf: Sheaf | undefined): Generator<string> {
  yield title;
  if (sheaf === undefined) yield "  (none)";
  else yield* objectArray(sheaf.address, sheaf.objects);
}

/** Free objects that lie in an array. */
function* objectArray(address: VirtualAddress, objects: readonly VirtualAddress[]): Generator<string> {
  yield `  ${hex16(address)}`;
  if (objects.length === 0) yield "  (empty)";
  for (const object of objects) yield `   ${hex16(object)}`;
}

function* nodeLines({ node, address, slabs, perCpu, lists, barn }: NodePart): Generator<string> {
  yield "KMEM_CACHE_NODE   NODE  SLABS  PARTIAL  PER-CPU";
  const partial = lists.find(({ name }) => name === "PARTIAL")?.count ?? 0;
  yield `${hex16(address)}${[String(node).padStart(6), String(slabs).padStart(7), String(partial).padStart(9), String(perCpu).padStart(9)].join("")}`;
  for (const { name, slabs: listed } of lists) {
    yield `NODE ${node} ${name}:`;
    let empty = true;
    for (const slab of listed ?? []) {
      if (empty) yield SLAB_HEADER;
      empty = false;
      yield slabLine(slab);
      for (const problem of slab.problems) yield `  not whole: ${problem}`;
    }
    if (empty) yield listed === undefined ? "  (not tracked)" : "  (empty)";
  }
  if (barn === undefined) return;
  yield `NODE ${node} BARN:`;
  yield `  ${hex16(barn.address)}  ${barn.full.length} full and ${barn.empty} empty sheaves`;
  for (const sheaf of barn.full) yield* objectArray(sheaf.address, sheaf.objects);
}
