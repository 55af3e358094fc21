/**
 * Who holds the memory of the machine. Procedure P5 of the catalogue.
 *
 *   total ─┬─ free
 *          ├─ processes           resident sets, by address space (what several share counts for each)
 *          ├─ shared memory       tmpfs, shm
 *          ├─ page cache          without the former
 *          ├─ slab                by cache: slabs × pages
 *          ├─ page tables, kernel stacks
 *          ├─ vmalloc()           areas that hold pages, by who asked for them
 *          ├─ per-CPU memory      populated pages of the chunks (mm/percpu.c)
 *          └─ in no account       pages that drivers took from the allocator themselves
 *
 * The sums come from the kernel's counters (mm/vmstat.c), where those cannot be read from the report in the log; caches and processes are
 * counted one by one, so the largest has two witnesses.
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { memoryUsage } from "../../linux/memory-usage.ts";
import { memoryUse } from "../../linux/mm.ts";
import type { SlabCache } from "../../linux/slab-cache.ts";
import { slabCaches } from "../../linux/slab-caches.ts";
import { slabNumbers } from "../../linux/slab-statistics.ts";
import { type Task, taskTable } from "../../linux/task.ts";
import { globalNodeCounters, globalZoneCounters } from "../../linux/vmstat.ts";
import { guarded } from "../guarded.ts";
import { areasByCaller } from "./areas.ts";
import type { OomReport } from "./oom-report.ts";
import { perCpuMemory } from "./per-cpu-memory.ts";

/** All in pages. */
export interface Holders {
  readonly total: number;
  readonly free: number | undefined;
  readonly anonymous: number | undefined;
  readonly shared: number | undefined;
  readonly pageCache: number | undefined;
  readonly slab: number | undefined;
  readonly pageTables: number | undefined;
  /** Of all tasks. */
  readonly stacks: number;
  /** Of what is free. */
  readonly freeCma: number | undefined;
  /** Of vmalloc(), without the stacks of tasks. */
  readonly areas: number | undefined;
  /** alloc_percpu()'s pages, of all CPUs; undefined when they cannot be counted. */
  readonly perCpu: number | undefined;
  /** What none of the others has; undefined when one of them is not known. */
  readonly unaccounted: number | undefined;
  readonly caches: readonly HeldCache[];
  readonly processes: readonly HeldProcess[];
}

export interface HeldCache {
  readonly cache: SlabCache;
  readonly pages: number;
  readonly allocated: number;
  readonly total: number;
}

export interface HeldProcess {
  readonly task: Task;
  readonly mm: VirtualAddress;
  readonly pages: number;
}

/** undefined when not even the total is known. */
export function memoryHolders(kernel: Kernel, report: OomReport | undefined): Holders | undefined {
  const counters = countersOf(kernel);
  const told = (...names: readonly string[]): number | undefined => {
    let sum: number | undefined;
    for (const name of names) {
      const value = report?.pages.get(name);
      if (value !== undefined) sum = (sum ?? 0) + value;
    }
    return sum;
  };
  const usage = guarded(() => memoryUsage(kernel));
  const total = report?.total ?? usage?.total;
  if (total === undefined || total <= 0) return undefined;
  const page = kernel.arch.pageSize;
  const shared = told("shmem") ?? counters.get("NR_SHMEM");
  const file = told("active_file", "inactive_file");
  const cached = file ?? (usage?.cached === undefined ? undefined : usage.cached + (usage.buffers ?? 0) - (shared ?? 0));
  // Pages of shared memory stand on the lists of anonymous ones.
  const lists = told("active_anon", "inactive_anon", "unevictable");
  const anonymous = lists === undefined ? counters.get("NR_ANON_MAPPED") : Math.max(0, lists - (shared ?? 0));
  const stacks = ((counters.get("NR_KERNEL_STACK_KB") ?? 0) * 1024) / page;
  const parts = {
    free: told("free") ?? usage?.free,
    anonymous,
    shared,
    pageCache: cached,
    slab: told("slab_reclaimable", "slab_unreclaimable") ?? usage?.slab,
    pageTables: told("pagetables") ?? counters.get("NR_PAGETABLE"),
    areas: Math.max(0, areasByCaller(kernel).reduce((sum, { pages }) => sum + pages, 0) - stacks),
  };
  const perCpu = perCpuMemory(kernel)?.pages;
  const sum = Object.values(parts).reduce<number | undefined>(
    (all, part) => (all === undefined || part === undefined ? undefined : all + part),
    stacks + (perCpu ?? 0),
  );
  return {
    total,
    ...parts,
    stacks,
    perCpu,
    freeCma: told("free_cma") ?? counters.get("NR_FREE_CMA_PAGES"),
    unaccounted: sum === undefined ? undefined : Math.max(0, total - sum),
    caches: cachesOf(kernel),
    processes: processesOf(kernel),
  };
}

function countersOf(kernel: Kernel): ReadonlyMap<string, number> {
  const all = [globalZoneCounters, globalNodeCounters].flatMap((read) => guarded(() => read(kernel))?.counters ?? []);
  return new Map(all.map(({ name, value }) => [name, Math.max(0, value)]));
}

function cachesOf(kernel: Kernel): HeldCache[] {
  const found = (guarded(() => slabCaches(kernel))?.caches ?? []).flatMap((cache) => {
    const numbers = guarded(() => slabNumbers(kernel, cache));
    if (numbers === undefined) return [];
    return [{ cache, pages: numbers.slabs * cache.pagesPerSlab, allocated: numbers.allocated, total: numbers.total }];
  });
  return found.sort((a, b) => b.pages - a.pages);
}

function processesOf(kernel: Kernel): HeldProcess[] {
  const found = new Map<VirtualAddress, HeldProcess>();
  for (const task of guarded(() => taskTable(kernel))?.tasks ?? []) {
    if (task.mm === 0n || found.has(task.mm)) continue;
    const use = guarded(() => memoryUse(kernel, task.mm));
    if (use !== undefined) found.set(task.mm, { task, mm: task.mm, pages: Math.max(0, use.residentPages) });
  }
  return [...found.values()].sort((a, b) => b.pages - a.pages);
}

/** "193 MiB". */
export function sizeText(kernel: Kernel, pages: number): string {
  const kib = (pages * kernel.arch.pageSize) / 1024;
  return kib >= 10 * 1024 ** 2
    ? `${Math.round(kib / 1024 ** 2)} GiB`
    : kib >= 10 * 1024
      ? `${Math.round(kib / 1024)} MiB`
      : `${Math.round(kib)} KiB`;
}
