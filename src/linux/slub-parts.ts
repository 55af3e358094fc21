/**
 * The slabs that CPUs and nodes keep of one cache of SLUB (mm/slub.c): per-CPU and per-node lists, walked as far as they make sense. A slab
 * that belongs to another cache ends its list: what follows it is not the cache's.
 */
import type { VirtualAddress } from "../bytes/address.ts";
import { CorruptionError } from "../bytes/errors.ts";
import { containerOf, type Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { cpuMasks } from "./cpu.ts";
import { addNote, attempt } from "./gather.ts";
import { listNodes } from "./list.ts";
import { Slabs } from "./slab.ts";
import { hasSlabFlag, type SlabCache } from "./slab-cache.ts";
import { cacheNodes, type SlubLayout } from "./slab-layout.ts";
import { readBarn, type SlubBarn } from "./slub-sheaves.ts";

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

/** A list of slabs longer than this is damaged; 2^24 slabs are 64 GiB of them. */
const MAX_SLABS = 1 << 24;

/** What each CPU has in its kmem_cache_cpu; none since 7.0. */
export function* readCpus(kernel: Kernel, layout: SlubLayout, cache: SlabCache, problems: string[]): Generator<SlubCpu> {
  const fields = layout.cpu;
  if (fields === undefined) return;
  const area = attempt(() => fields.pointer.pointer(cache.address), problems, "cpu_slab");
  if (area === undefined || area === 0n) return;
  for (const cpu of cpuMasks(kernel).possible) {
    const found = attempt(
      () => {
        const address = kernel.perCpuAddress(area, cpu);
        const partial: VirtualAddress[] = [];
        const { next } = fields;
        if (fields.partial !== undefined && next !== undefined) {
          const first = fields.partial.pointer(address);
          attempt(() => collectChain(kernel, cache, first, next, partial), problems, `cpu ${cpu} partial`);
        }
        return { cpu, address, freelist: fields.freelist.pointer(address), slab: fields.slab.pointer(address), partial };
      },
      problems,
      `cpu ${cpu}`,
    );
    if (found !== undefined) yield found;
  }
}

/** Slabs linked by slab.next. */
function collectChain(kernel: Kernel, cache: SlabCache, first: VirtualAddress, next: Field, found: VirtualAddress[]): void {
  const seen = new Set<VirtualAddress>();
  for (let slab = first; slab !== 0n; slab = next.pointer(slab)) {
    if (seen.has(slab)) throw new CorruptionError("slab", "the list runs in a circle", slab);
    if (seen.size >= MAX_SLABS) throw new CorruptionError("slab", `more than ${MAX_SLABS} slabs`, slab);
    requireOwn(kernel, cache, slab);
    seen.add(slab);
    found.push(slab);
  }
}

function requireOwn(kernel: Kernel, cache: SlabCache, slab: VirtualAddress): void {
  if (Slabs.of(kernel)?.slabAt(slab)?.cache.address !== cache.address) throw new CorruptionError("slab", "is no slab of this cache", slab);
}

/** What each node has in its kmem_cache_node. */
export function* readNodes(kernel: Kernel, layout: SlubLayout, cache: SlabCache, problems: string[]): Generator<SlubNode> {
  const { node: fields, sheaves } = layout;
  const list = (what: string, head: VirtualAddress): readonly VirtualAddress[] => {
    const found: VirtualAddress[] = [];
    attempt(
      () => {
        for (const node of listNodes(kernel.memory, head, { limit: MAX_SLABS })) {
          const slab = containerOf(node, layout.slab.list);
          requireOwn(kernel, cache, slab);
          found.push(slab);
        }
      },
      problems,
      what,
    );
    return found;
  };
  for (const { node, address, barn } of attempt(() => cacheNodes(kernel, layout, cache.address), problems, "nodes") ?? []) {
    const read = attempt(
      () => ({
        node,
        address,
        slabs: fields.slabs?.number(address),
        objects: fields.objects?.number(address),
        partialCount: fields.partialCount.number(address),
        partial: list(`node ${node} partial`, fields.partial.address(address)),
        // The list is kept for caches with SLAB_STORE_USER only; it is empty for all others.
        full:
          fields.full === undefined || !hasSlabFlag(kernel, cache, "STORE_USER")
            ? undefined
            : list(`node ${node} full`, fields.full.address(address)),
        barn: barn === undefined || sheaves === undefined ? undefined : readBarn(kernel, sheaves, node, barn, problems),
      }),
      problems,
      `node ${node}`,
    );
    if (read === undefined) continue;
    if (read.partial.length !== read.partialCount)
      addNote(problems, `node ${node}: nr_partial is ${read.partialCount}, the list holds ${read.partial.length} slabs`);
    yield read;
  }
}
