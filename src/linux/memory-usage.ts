/**
 * How the kernel's memory is used, counted as /proc/meminfo counts. Source: fs/proc/meminfo.c, mm/show_mem.c (si_meminfo), mm/util.c.
 *
 *   free       vm_zone_stat[NR_FREE_PAGES]
 *   buffers    pages cached for block devices: inodes of blockdev_superblock (all_bdevs before 5.8)
 *   cached     vm_node_stat[NR_FILE_PAGES] − swap cache − buffers
 *   slab       NR_SLAB_RECLAIMABLE_B + NR_SLAB_UNRECLAIMABLE_B: pages, whatever their name says
 *   limit      (total − huge pages) × overcommit_ratio %, or overcommit_kbytes; plus all swap
 *   committed  vm_committed_as, the parts of all CPUs added
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError, type InquestError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { hugePagePools } from "./huge-page.ts";
import { listNodes } from "./list.ts";
import { pageRuns } from "./page-scan.ts";
import { hasSwap } from "./swap.ts";
import { unlessBroken, untilBroken } from "./until-broken.ts";
import { globalNodeCounters, globalZoneCounters } from "./vmstat.ts";

/** All in pages; undefined where it cannot be told, with the reason among the notes. */
export interface MemoryUsage {
  readonly total: number | undefined;
  readonly free: number | undefined;
  readonly buffers: number | undefined;
  readonly cached: number | undefined;
  readonly slab: number | undefined;
  readonly hugeTotal: number | undefined;
  readonly hugeFree: number | undefined;
  readonly swapTotal: number | undefined;
  readonly swapFree: number | undefined;
  readonly commitLimit: number | undefined;
  readonly committed: number | undefined;
  readonly notes: readonly string[];
}

/** Inodes of block devices, one a device; more is damage. */
const MAX_DEVICES = 1 << 16;

/** Reads all counts. Throws LookupError when the dump has no types. */
export function memoryUsage(kernel: Kernel): MemoryUsage {
  if (kernel.types.lack !== undefined) throw kernel.types.lack;
  const notes: string[] = [];
  const note = ({ message }: Error) => {
    if (!notes.includes(message)) notes.push(message);
  };
  const without = (what: string) => (error: Error) => note(new Error(`${what}: ${error.message}`));
  const told = <T>(read: () => T) => unlessBroken(read, note);
  const pages = counterValues(kernel, note);
  const total = told(() => word(kernel, kernel.tryAddress("_totalram_pages") ?? addressOf(kernel, "totalram_pages")));
  const buffers = told(() => bufferPages(kernel, without("BUFFERS is not whole, and CACHED may hold the rest")));
  const file = pages("NR_FILE_PAGES");
  const swapCache = pages("NR_SWAPCACHE") ?? told(() => swapCachePages(kernel));
  const cached = file === undefined || buffers === undefined ? undefined : Math.max(0, file - buffers - (swapCache ?? 0));
  if (cached !== undefined && swapCache === undefined) notes.push("CACHED holds the swap cache too");
  const huge = told(() => hugeTotals(kernel));
  const [swapTotal, swapFree] = hasSwap(kernel)
    ? [told(() => word(kernel, addressOf(kernel, "total_swap_pages"))), told(() => word(kernel, addressOf(kernel, "nr_swap_pages")))]
    : [0, 0];
  const base = told(() => (total === undefined || huge === undefined ? undefined : commitBase(kernel, total - huge.total)));
  return {
    total,
    free: pages("NR_FREE_PAGES"),
    buffers,
    cached,
    slab: sum(pages("NR_SLAB_RECLAIMABLE_B", "NR_SLAB_RECLAIMABLE"), pages("NR_SLAB_UNRECLAIMABLE_B", "NR_SLAB_UNRECLAIMABLE")),
    hugeTotal: huge?.total,
    hugeFree: huge?.free,
    swapTotal,
    swapFree,
    commitLimit: sum(base, swapTotal),
    committed: told(() =>
      Math.max(0, percpuCounterSum(kernel, addressOf(kernel, "vm_committed_as"), without("COMMITTED is without a CPU's part"))),
    ),
    notes,
  };
}

/** Its name is all that helps: there is no other symbol to take instead. */
function addressOf(kernel: Kernel, name: string): VirtualAddress {
  const address = kernel.tryAddress(name);
  if (address === undefined) throw kernel.unknownSymbol(name, []);
  return address;
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a + b;
}

function word(kernel: Kernel, address: VirtualAddress): number {
  return Number(kernel.memory.s64(address));
}

/** Looks a counter up by its names, newest first; negative ones are 0 as in /proc/meminfo. */
function counterValues(kernel: Kernel, note: (error: Error) => void): (...names: readonly string[]) => number | undefined {
  const all = [globalZoneCounters, globalNodeCounters].flatMap((read) => unlessBroken(() => read(kernel), note)?.counters ?? []);
  const byName = new Map(all.map(({ name, value }) => [name, Math.max(0, value)]));
  return (...names) => names.map((name) => byName.get(name)).find((value) => value !== undefined);
}

function hugeTotals(kernel: Kernel): { readonly total: number; readonly free: number } {
  const pools = hugePagePools(kernel);
  const pages = (key: "total" | "free") => pools.reduce((all, pool) => all + pool[key] * 2 ** pool.order, 0);
  return { total: pages("total"), free: pages("free") };
}

/** nr_blockdev_pages(): i_mapping->nrpages of every block device's inode. */
function bufferPages(kernel: Kernel, note: (error: InquestError) => void): number {
  const inode = kernel.types.struct("inode");
  const mapping = inode.field("i_mapping");
  const count = kernel.types.struct("address_space").field("nrpages");
  let pages = 0;
  const visit = (at: VirtualAddress) => {
    unlessBroken(() => (pages += count.number(mapping.pointer(at))), note);
  };
  const owner = kernel.tryAddress("blockdev_superblock");
  if (owner !== undefined) {
    const superblock = virtual(kernel.memory.u64(owner));
    const head = kernel.types.struct("super_block").field("s_inodes").address(superblock);
    const link = inode.field("i_sb_list");
    for (const node of untilBroken(listNodes(kernel.memory, head, { limit: MAX_DEVICES }), note)) visit(add(node, -link.offset));
    return pages;
  }
  const device = kernel.types.struct("block_device");
  const link = device.field("bd_list");
  const own = device.field("bd_inode");
  for (const node of untilBroken(listNodes(kernel.memory, addressOf(kernel, "all_bdevs"), { limit: MAX_DEVICES }), note))
    visit(own.pointer(add(node, -link.offset)));
  return pages;
}

/** total_swapcache_pages() of 4.11 – 5.11: swapper_spaces[type] ─► address_space[nr_swapper_spaces[type]]; later NR_SWAPCACHE counts. */
function swapCachePages(kernel: Kernel): number {
  if (!hasSwap(kernel)) return 0;
  const files = Math.min(32, kernel.memory.u32(addressOf(kernel, "nr_swapfiles")));
  if (files === 0) return 0;
  const spaces = addressOf(kernel, "swapper_spaces");
  const counts = addressOf(kernel, "nr_swapper_spaces");
  const space = kernel.types.struct("address_space");
  let pages = 0;
  for (let type = 0; type < files; type++) {
    const first = virtual(kernel.memory.u64(add(spaces, type * 8)));
    // One a 64 MiB of swap.
    const count = Math.min(1 << 20, kernel.memory.u32(add(counts, type * 4)));
    for (let i = 0; first !== 0n && i < count; i++) pages += space.field("nrpages").number(add(first, i * space.size));
  }
  return pages;
}

/** vm_commit_limit() without the swap. */
function commitBase(kernel: Kernel, pages: number): number {
  // unsigned long; 0 unless set (3.14, 49f0ce5f9232).
  const kilobytes = kernel.tryAddress("sysctl_overcommit_kbytes");
  const set = kilobytes === undefined ? 0 : word(kernel, kilobytes);
  if (set > 0) return Math.floor(set / (kernel.arch.pageSize / 1024));
  return Math.floor((pages * kernel.memory.u32(addressOf(kernel, "sysctl_overcommit_ratio"))) / 100);
}

/** A percpu_counter with the parts that CPUs hold back (lib/percpu_counter.c); without SMP it is the count alone. */
export function percpuCounterSum(kernel: Kernel, address: VirtualAddress, note: (error: InquestError) => void): number {
  const counter = kernel.types.struct("percpu_counter");
  let total = Number(BigInt.asIntN(64, counter.field("count").bigint(address)));
  const parts = counter.tryField("counters")?.pointer(address) ?? 0n;
  if (parts === 0n) return total;
  for (const [cpu, offset] of kernel.perCpuOffsets.entries()) {
    if (offset === undefined) continue;
    unlessBroken(() => (total += kernel.memory.s32(kernel.perCpuAddress(virtual(parts), cpu))), note);
  }
  return total;
}

/** Pages that more than one user holds, reserved ones left out: a look at every struct page. */
export function sharedPages(kernel: Kernel, broken: (error: InquestError) => void, progress?: (pfn: number) => void): number {
  const page = kernel.types.struct("page");
  const count = page.firstField("_refcount", "_count")?.offset;
  const flags = page.firstField("flags")?.offset ?? 0;
  const reserved = Number(kernel.types.constant("PG_reserved") ?? -1n);
  if (count === undefined || reserved < 0 || reserved > 31) throw new FaultError(0n, "virtual", "corrupt", "struct page is not known");
  let shared = 0;
  for (const { firstPfn, count: pages, size, view } of pageRuns(kernel, broken)) {
    progress?.(firstPfn);
    for (let i = 0, at = 0; i < pages; i++, at += size)
      if (view.getInt32(at + count, true) > 1 && ((view.getUint32(at + flags, true) >>> reserved) & 1) === 0) shared++;
  }
  return shared;
}
