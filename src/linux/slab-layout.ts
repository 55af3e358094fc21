/**
 * How this kernel lays out its slab allocator: SLUB (mm/slub.c) or SLAB (mm/slab.c, removed in 6.8), every field resolved once.
 *
 *   kmem_cache ─ cpu_slab (per CPU) ─► kmem_cache_cpu: freelist, slab, partial ─► …        SLUB until 6.19
 *              ─ cpu_sheaves (per CPU) ─► slub_percpu_sheaves: main, spare, rcu_free       SLUB since 6.18 (2d517aa09bbc), alone since 7.0
 *              ─ node[n] ─► kmem_cache_node: partial, full                                 7.1: per_node[n].{node, barn} (5ba6bc27b1f9)
 *              ─ cpu_cache (per CPU) ─► array_cache                                         SLAB: slab-allocator-layout.ts
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";
import { strip } from "../debug-info/c-type.ts";
import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Struct } from "../kernel/types.ts";
import { type SlabAllocatorLayout, slabAllocatorLayout } from "./slab-allocator-layout.ts";
import { type CacheFields, cacheFields, complete, type SlabFields, slabFields } from "./slab-fields.ts";

/** Members of SLUB, resolved once per dump. */
export interface SlubLayout {
  readonly allocator: "SLUB";
  readonly cache: CacheFields & {
    /** Bytes from an object's start to its free pointer. */
    readonly offset: Field;
    readonly inuse: Field;
    readonly redLeftPad: Field | undefined;
    /** Key of CONFIG_SLAB_FREELIST_HARDENED (4.14, 2482ddec670f). */
    readonly random: Field | undefined;
    /** order << 16 | objects of an ordinary slab. */
    readonly oo: Field;
    readonly min: Field | undefined;
  };
  readonly slab: SlabFields & { readonly inuse: Field; readonly objects: Field; readonly frozen: Field | undefined };
  readonly cpu: SlubCpuFields | undefined;
  readonly sheaves: SheafFields | undefined;
  readonly node: {
    readonly partialCount: Field;
    readonly partial: Field;
    /** nr_slabs, total_objects and full are there with CONFIG_SLUB_DEBUG only. */
    readonly slabs: Field | undefined;
    readonly objects: Field | undefined;
    readonly full: Field | undefined;
  };
}

/** kmem_cache_cpu; gone since 7.0. */
export interface SlubCpuFields {
  /** __percpu pointer in kmem_cache. */
  readonly pointer: Field;
  readonly freelist: Field;
  /** .slab since 5.17 (bb192ed9aa71), before .page. */
  readonly slab: Field;
  /** Absent without CONFIG_SLUB_CPU_PARTIAL. */
  readonly partial: Field | undefined;
  /** Link from one per-CPU partial slab to the next, in the slab. */
  readonly next: Field | undefined;
}

/** Sheaves and barns (6.18+). */
export interface SheafFields {
  readonly pointer: Field;
  readonly capacity: Field;
  readonly main: Field;
  readonly spare: Field;
  readonly rcuFree: Field;
  readonly sheaf: { readonly size: Field; readonly objects: Field; readonly cache: Field; readonly barnList: Field };
  readonly barn: { readonly full: Field; readonly empty: Field; readonly fullCount: Field; readonly emptyCount: Field };
}

export type SlabLayout = SlubLayout | SlabAllocatorLayout;

/** No machine has more nodes (MAX_NUMNODES with NODES_SHIFT 10). */
const MAX_NODES = 1024;

/** The layout, or one line saying why there is none. Settled once per dump. */
export function slabLayout(kernel: Kernel): SlabLayout | string {
  return kernel.memo(slabLayout, () => {
    const struct = kernel.types.tryStruct("kmem_cache");
    if (struct === undefined) return kernel.types.lack?.message ?? "the types of this dump have no struct kmem_cache";
    const own = kernel.types.tryStruct("slab");
    const slab = own?.has("slab_cache") === true ? own : kernel.types.tryStruct("page");
    if (slab === undefined) return "the types of this dump have no struct page";
    if (struct.has("oo"))
      return slubLayout(kernel, struct, slab) ?? "struct kmem_cache, slab or kmem_cache_node of SLUB lacks known members";
    if (struct.has("num")) return slabAllocatorLayout(kernel, struct, slab, own) ?? "struct kmem_cache or slab of SLAB lacks known members";
    return "this kernel's allocator keeps no caches (SLOB, removed in 6.4)";
  });
}

function slubLayout(kernel: Kernel, struct: Struct, slab: Struct): SlubLayout | undefined {
  const { types } = kernel;
  const common = cacheFields(struct);
  const shared = slabFields(slab, undefined);
  const nodeStruct = types.tryStruct("kmem_cache_node");
  if (common === undefined || shared === undefined || nodeStruct === undefined) return undefined;
  const cache = complete<SlubLayout["cache"]>(
    {
      ...common,
      offset: struct.tryField("offset"),
      inuse: struct.tryField("inuse"),
      redLeftPad: struct.tryField("red_left_pad"),
      random: struct.tryField("random"),
      oo: struct.tryField("oo"),
      min: struct.tryField("min"),
    },
    ["redLeftPad", "random", "min"],
  );
  const slabParts = complete<SlubLayout["slab"]>(
    { ...shared, inuse: slab.tryField("inuse"), objects: slab.tryField("objects"), frozen: slab.tryField("frozen") },
    ["frozen"],
  );
  const node = complete<SlubLayout["node"]>(
    {
      partialCount: nodeStruct.tryField("nr_partial"),
      partial: nodeStruct.tryField("partial"),
      slabs: nodeStruct.tryField("nr_slabs"),
      objects: nodeStruct.tryField("total_objects"),
      full: nodeStruct.tryField("full"),
    },
    ["slabs", "objects", "full"],
  );
  if (cache === undefined || slabParts === undefined || node === undefined) return undefined;
  return { allocator: "SLUB", cache, slab: slabParts, cpu: cpuFields(kernel, struct, slab), sheaves: sheafFields(kernel, struct), node };
}

function cpuFields(kernel: Kernel, cache: Struct, slab: Struct): SlubCpuFields | undefined {
  const cpu = kernel.types.tryStruct("kmem_cache_cpu");
  return complete<SlubCpuFields>(
    {
      pointer: cache.tryField("cpu_slab"),
      freelist: cpu?.tryField("freelist"),
      slab: cpu?.firstField("slab", "page"),
      partial: cpu?.tryField("partial"),
      next: slab.tryField("next"),
    },
    ["partial", "next"],
  );
}

function sheafFields(kernel: Kernel, cache: Struct): SheafFields | undefined {
  const percpu = kernel.types.tryStruct("slub_percpu_sheaves");
  const sheaf = kernel.types.tryStruct("slab_sheaf");
  const barn = kernel.types.tryStruct("node_barn");
  const parts = complete<SheafFields["sheaf"]>({
    size: sheaf?.tryField("size"),
    objects: sheaf?.tryField("objects"),
    cache: sheaf?.tryField("cache"),
    barnList: sheaf?.tryField("barn_list"),
  });
  const store = complete<SheafFields["barn"]>({
    full: barn?.tryField("sheaves_full"),
    empty: barn?.tryField("sheaves_empty"),
    fullCount: barn?.tryField("nr_full"),
    emptyCount: barn?.tryField("nr_empty"),
  });
  return complete<SheafFields>({
    pointer: cache.tryField("cpu_sheaves"),
    capacity: cache.tryField("sheaf_capacity"),
    main: percpu?.tryField("main"),
    spare: percpu?.tryField("spare"),
    rcuFree: percpu?.tryField("rcu_free"),
    sheaf: parts,
    barn: store,
  });
}

/** Where a cache keeps what belongs to a node. */
export interface CacheNode {
  readonly node: number;
  /** Its kmem_cache_node. */
  readonly address: VirtualAddress;
  /** Its store of sheaves (6.18+). */
  readonly barn: VirtualAddress | undefined;
}

/** Memory nodes a cache may have parts for: nr_node_ids. */
export function nodeCount(kernel: Kernel): number {
  return kernel.memo(nodeCount, () => {
    const symbol = kernel.tryAddress("nr_node_ids");
    const count = symbol === undefined ? 1 : (kernel.memory.tryU32(symbol) ?? 1);
    return count >= 1 && count <= MAX_NODES ? count : 1;
  });
}

/** The nodes of a cache. Throws FaultError when the cache cannot be read. */
export function cacheNodes(kernel: Kernel, layout: SlabLayout, cache: VirtualAddress): readonly CacheNode[] {
  const { struct } = layout.cache;
  const old = struct.firstField("node", "nodelists");
  const paired = struct.tryField("per_node");
  const found: CacheNode[] = [];
  if (paired !== undefined) {
    const element = strip(paired.type);
    const pair = element.kind === "array" ? kernel.types.wrap(element.element) : undefined;
    const [node, barn] = [pair?.tryField("node"), pair?.tryField("barn")];
    if (pair === undefined || node === undefined) return [];
    for (let i = 0; i < nodeCount(kernel); i++) {
      const slot = add(paired.address(cache), i * pair.size);
      const address = node.pointer(slot);
      const store = barn?.pointer(slot);
      if (address !== 0n) found.push({ node: i, address, barn: store === 0n ? undefined : store });
    }
    return found;
  }
  if (old === undefined) return [];
  // SLAB kept a pointer to the array for a while (nodelists).
  const inside = strip(old.type).kind === "array";
  const first = inside ? old.address(cache) : old.pointer(cache);
  const barn = kernel.types.tryStruct("kmem_cache_node")?.tryField("barn");
  for (let i = 0; i < nodeCount(kernel); i++) {
    const address = virtual(kernel.memory.u64(add(first, i * 8)));
    if (address === 0n) continue;
    found.push({ node: i, address, barn: barn === undefined ? undefined : readBarn(barn, address) });
  }
  return found;
}

/** 6.18 and 6.19 keep the barn's address in kmem_cache_node. */
function readBarn(barn: Field, node: VirtualAddress): VirtualAddress | undefined {
  try {
    const address = barn.pointer(node);
    return address === 0n ? undefined : address;
  } catch (error) {
    if (error instanceof FaultError) return undefined;
    throw error;
  }
}
