/**
 * A made-up SLUB for tests: one cache "filp" of 64-byte objects, 16 in a slab of one page, on two CPUs and one node.
 *
 *   frame 1  kmem_cache   frame 2  its name, kmem_cache_node at +0x100   frame 3  kmem_cache_cpu (CPU 1 one frame behind)
 *   frames 8, 9, 10  slabs A, B, C
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import { readSlabCache } from "../slab-cache.ts";
import { SlubCache } from "../slub.ts";
import type { StructTable } from "./fake-kernel.ts";
import { PagedKernel } from "./paged-kernel.ts";

const COMMON = {
  page: { flags: [0, "u64"], compound_head: [8, "u64"], $size: [64, ""] },
  slab: {
    slab_cache: [16, "u64"],
    objects: [24, "u16"],
    inuse: [26, "u16"],
    freelist: [32, "u64"],
    slab_list: [40, "bytes16"],
    next: [40, "u64"],
  },
} as const;
const CACHE = {
  flags: [8, "u32"],
  size: [16, "u32"],
  object_size: [20, "u32"],
  oo: [24, "u32"],
  name: [32, "u64"],
  offset: [40, "u32"],
  inuse: [44, "u32"],
  random: [48, "u64"],
  list: [56, "bytes16"],
  node: [72, "bytes8"],
} as const;
const NODE = {
  nr_partial: [8, "u64"],
  partial: [16, "bytes16"],
  nr_slabs: [32, "u64"],
  total_objects: [40, "u64"],
  full: [48, "bytes16"],
} as const;
const CPU_SLABS = {
  ...COMMON,
  kmem_cache: { cpu_slab: [0, "u64"], ...CACHE },
  kmem_cache_cpu: { freelist: [0, "u64"], slab: [8, "u64"], partial: [16, "u64"] },
  kmem_cache_node: NODE,
} as const;
const SHEAVES = {
  ...COMMON,
  kmem_cache: { cpu_sheaves: [0, "u64"], ...CACHE, sheaf_capacity: [80, "u32"] },
  slub_percpu_sheaves: { main: [0, "u64"], spare: [8, "u64"], rcu_free: [16, "u64"] },
  slab_sheaf: { barn_list: [0, "bytes16"], cache: [16, "u64"], size: [24, "u32"], objects: [32, "bytes0"] },
  node_barn: { sheaves_full: [0, "bytes16"], sheaves_empty: [16, "bytes16"], nr_full: [32, "u32"], nr_empty: [36, "u32"] },
  kmem_cache_node: { ...NODE, barn: [64, "u64"] },
} as const;

const FLAG = { pageflags: { PG_slab: 9n } };
export const STRIDE = 64;
export const OBJECTS = 16;
export const SLABS = { A: 8, B: 9, C: 10 } as const;
export type SlabName = keyof typeof SLABS;

function swab(value: bigint): bigint {
  let out = 0n;
  for (let i = 0n; i < 8n; i++) out |= ((value >> (i * 8n)) & 0xffn) << (56n - i * 8n);
  return out;
}

export class SlubKernel extends PagedKernel {
  /** How free pointers are stored: the key, and whether their place is swapped. */
  random = 0n;
  swabbed = false;

  /** @param more structures beside those of the allocator; @param members more of kmem_cache */
  constructor(kind: "cpu slabs" | "sheaves" = "cpu slabs", more: StructTable = {}, members: StructTable[string] = {}) {
    const own = kind === "sheaves" ? SHEAVES : CPU_SLABS;
    super({ ...own, kmem_cache: { ...own.kmem_cache, ...members }, ...more }, FLAG);
    const cache = this.cacheAddress;
    this.memory.write(this.at(1), new Uint8Array(4096));
    this.memory.write(this.at(2), new Uint8Array(4096));
    for (const frame of [3, 4]) this.memory.write(this.at(frame), new Uint8Array(4096));
    this.memory.put64(cache, this.at(3));
    this.memory.put32(cache + 16n, STRIDE);
    this.memory.put32(cache + 20n, 60);
    this.memory.put32(cache + 24n, OBJECTS);
    this.memory.put64(cache + 32n, this.at(2));
    this.memory.putText(this.at(2), "filp\0");
    this.memory.put32(cache + 40n, 32);
    this.memory.put32(cache + 44n, STRIDE);
    this.memory.put64(cache + 72n, this.node);
    this.perCpuOffsets = [0n as VirtualAddress, 4096n as VirtualAddress];
    this.ring(0xffff_ffff_8200_0000n, [cache + 56n]);
    this.symbol("slab_caches", 0xffff_ffff_8200_0000n);
    // One node, whose description is not known.
    this.symbol("contig_page_data", 0xffff_ffff_8200_9000n);
    this.ring(this.node + 16n, []);
    this.ring(this.node + 48n, []);
  }

  get cacheAddress(): VirtualAddress {
    return this.at(1);
  }

  get node(): VirtualAddress {
    return this.at(2, 0x100);
  }

  /** Links nodes of a list_head in a ring behind its head. */
  ring(head: bigint, nodes: readonly bigint[]): void {
    const all = [head, ...nodes];
    for (const [i, node] of all.entries()) {
      this.memory.put64(node, all[(i + 1) % all.length] as bigint);
      this.memory.put64((all[(i + 1) % all.length] as bigint) + 8n, node);
    }
  }

  object(slab: SlabName, index: number): VirtualAddress {
    return this.at(SLABS[slab], index * STRIDE);
  }

  /** Writes a chain of free objects: each holds where the next is. @param end what the last one holds */
  chain(objects: readonly bigint[], end = 0n): bigint {
    for (const [i, object] of objects.entries()) {
      const at = object + 32n;
      const next = objects[i + 1] ?? end;
      this.memory.put64(at, this.random === 0n ? next : next ^ this.random ^ (this.swabbed ? swab(at) : at));
    }
    return objects[0] ?? end;
  }

  /** A slab whose own list holds these objects; all others count as in use. */
  slab(name: SlabName, free: readonly number[]): bigint {
    const page = this.page(SLABS[name]);
    this.memory.write(this.at(SLABS[name]), new Uint8Array(4096));
    this.memory.put64(page, 1n << 9n);
    this.memory.put64(page + 16n, this.cacheAddress);
    this.memory.put16(page + 24n, OBJECTS);
    this.memory.put16(page + 26n, OBJECTS - free.length);
    this.memory.put64(page + 32n, this.chain(free.map((index) => this.object(name, index))));
    return page;
  }

  /** CPU's kmem_cache_cpu: allocates from this slab, takes these objects. */
  cpu(number: number, slab: SlabName | undefined, free: readonly number[], partial = 0n): bigint {
    const at = this.at(3 + number);
    this.memory.put64(at, slab === undefined ? 0n : this.chain(free.map((index) => this.object(slab, index))));
    this.memory.put64(at + 8n, slab === undefined ? 0n : this.page(SLABS[slab]));
    this.memory.put64(at + 16n, partial);
    return at;
  }

  /** The node's partial slabs, and how many slabs and objects it counts. */
  partial(pages: readonly bigint[], slabs: number): void {
    this.ring(
      this.node + 16n,
      pages.map((page) => page + 40n),
    );
    this.memory.put64(this.node + 8n, BigInt(pages.length));
    this.memory.put64(this.node + 32n, BigInt(slabs));
    this.memory.put64(this.node + 40n, BigInt(slabs * OBJECTS));
  }

  /** A slab_sheaf at an address. */
  sheaf(at: bigint, objects: readonly bigint[]): bigint {
    this.memory.put64(at + 16n, this.cacheAddress);
    this.memory.put32(at + 24n, objects.length);
    for (const [i, object] of objects.entries()) this.memory.put64(at + 32n + BigInt(i * 8), object);
    return at;
  }

  /** The cache as the code under test reads it. */
  get slub(): SlubCache {
    const found = SlubCache.of(this.kernel, readSlabCache(this.kernel, this.cacheAddress));
    if (found === undefined) throw new Error("not taken for SLUB");
    return found;
  }
}
