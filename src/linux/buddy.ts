/**
 * The buddy allocator's free lists. Source: mm/page_alloc.c, include/linux/mmzone.h.
 *
 *   zone.free_area[order] { free_list[migratetype], nr_free } ─► page.buddy_list / page.lru ⇄ …       each page heads 2^order free pages
 *   zone.per_cpu_pageset (5.14; before pageset->pcp), per CPU: per_cpu_pages { count, lists[] }       free too, not in free_area
 *
 * nr_free counts the blocks of all migratetypes, so the lists can be held against it; all blocks together are NR_FREE_PAGES.
 */
import { add, type VirtualAddress } from "../bytes/address.ts";
import { CorruptionError, type InquestError } from "../bytes/errors.ts";
import { strip } from "../debug-info/c-type.ts";
import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { listNodes } from "./list.ts";
import { PageMap } from "./page.ts";
import { unlessBroken, untilBroken } from "./until-broken.ts";
import { arrayLength, memoryNodes, type Zone } from "./zone.ts";

/** One list of free blocks. */
export interface FreeList {
  readonly zone: Zone;
  readonly order: number;
  readonly migrateType: number;
  /** "Unmovable", "Movable", "Reclaimable", … as /proc/pagetypeinfo names them; the number when the kernel's types do not tell. */
  readonly migrateName: string;
  /** Its list_head. */
  readonly head: VirtualAddress;
}

/** A list with what it holds. */
export interface CountedList extends FreeList {
  readonly blocks: number;
  /** Why the count ends early. */
  readonly broken?: string;
}

/** One order of a zone. */
export interface FreeArea {
  readonly order: number;
  readonly address: VirtualAddress;
  /** nr_free: blocks that the kernel counts. */
  readonly told: number;
  readonly lists: readonly FreeList[];
}

/** MAX_ORDER and MIGRATE_TYPES of a damaged type description are not followed. */
const MAX_ORDERS = 64;
const MAX_TYPES = 16;

/** The free areas of a zone, by order; nothing of the lists is read yet. */
export function freeAreas(kernel: Kernel, zone: Zone): readonly FreeArea[] {
  const areas = kernel.types.struct("zone").field("free_area");
  const area = kernel.types.struct("free_area");
  const lists = area.field("free_list");
  const told = area.field("nr_free");
  const names = migrateNames(kernel);
  const types = Math.min(MAX_TYPES, arrayLength(lists) ?? 0);
  return Array.from({ length: Math.min(MAX_ORDERS, arrayLength(areas) ?? 0) }, (_, order) => {
    const address = add(areas.address(zone.address), order * area.size);
    return {
      order,
      address,
      told: told.number(address),
      lists: Array.from({ length: types }, (_, migrateType) => ({
        zone,
        order,
        migrateType,
        migrateName: names[migrateType] ?? String(migrateType),
        head: add(lists.address(address), migrateType * 16),
      })),
    };
  });
}

/**
 * First pages of the list's blocks (struct page). Throws CorruptionError where the list breaks: a node that is no page of the zone, a
 * cut or cyclic chain, more blocks than the zone has room for.
 */
export function* freeBlocks(kernel: Kernel, { zone, order, head }: FreeList): Generator<VirtualAddress, void, undefined> {
  const map = PageMap.of(kernel);
  // buddy_list since 5.19 (bf75f200569d), in one union with lru.
  const link = kernel.types.struct("page").firstField("buddy_list", "lru") as Field;
  // More blocks than fit into the zone are a circle that was not closed.
  const limit = Math.floor(zone.spanned / 2 ** order) + 1;
  for (const node of listNodes(kernel.memory, head, { limit })) {
    const page = add(node, -link.offset);
    const pfn = map?.pfnOf(page);
    if (map !== undefined && (pfn === undefined || pfn < zone.startPfn || pfn >= zone.startPfn + zone.spanned))
      throw new CorruptionError("list_head", `it is on a free list of zone ${zone.name} and in none of its pages`, node);
    yield page;
  }
}

/** Counts a list; what breaks it is part of the answer. */
export function countBlocks(kernel: Kernel, list: FreeList): CountedList {
  let blocks = 0;
  let broken: InquestError | undefined;
  for (const _ of untilBroken(freeBlocks(kernel, list), (error) => (broken = error))) blocks++;
  return broken === undefined ? { ...list, blocks } : { ...list, blocks, broken: broken.message };
}

/** Names of the migratetypes: enum migratetype. */
export function migrateNames(kernel: Kernel): readonly string[] {
  return kernel.memo(migrateNames, () => {
    const found = kernel.types.enumerator("MIGRATE_TYPES");
    const names: string[] = [];
    for (const { name, value } of found?.type.enumerators ?? []) {
      // Marks in the enumeration share the number of a type.
      if (found === undefined || value >= found.value || name === "MIGRATE_PCPTYPES" || name.startsWith("__")) continue;
      const word = name.replace(/^MIGRATE_/, "").toLowerCase();
      names[Number(value)] = word === "highatomic" ? "HighAtomic" : word === "cma" ? "CMA" : word[0]?.toUpperCase() + word.slice(1);
    }
    return names;
  });
}

/** Pages that a CPU keeps for itself. */
export interface PerCpuPages {
  readonly cpu: number;
  readonly address: VirtualAddress;
  readonly count: number;
  readonly high: number;
  readonly batch: number;
}

/** The per-CPU lists of a zone. CPUs whose part cannot be read are told and left out. */
export function perCpuPages(kernel: Kernel, zone: Zone, broken: (error: InquestError) => void): readonly PerCpuPages[] {
  const { struct, pointer } = perCpuLists(kernel);
  const pages = kernel.types.struct("per_cpu_pages");
  const fields = { count: pages.field("count"), high: pages.field("high"), batch: pages.field("batch") };
  const base = unlessBroken(() => pointer.pointer(zone.address), broken);
  if (base === undefined || base === 0n) return [];
  return kernel.perCpuOffsets.flatMap((offset, cpu) => {
    if (offset === undefined) return [];
    const address = add(kernel.perCpuAddress(base, cpu), struct);
    const read = () => ({
      cpu,
      address,
      count: fields.count.number(address),
      high: fields.high.number(address),
      batch: fields.batch.number(address),
    });
    return unlessBroken(read, broken) ?? [];
  });
}

/** Pages on one CPU's lists: first pages of blocks with the number of the list. Throws CorruptionError where a list breaks. */
export function* perCpuBlocks(kernel: Kernel, pages: PerCpuPages): Generator<{ page: VirtualAddress; list: number }, void, undefined> {
  const lists = kernel.types.struct("per_cpu_pages").field("lists");
  const link = kernel.types.struct("page").firstField("pcp_list", "lru") as Field;
  const count = arrayLength(lists) ?? 0;
  for (let list = 0; list < count; list++) {
    const head = add(lists.address(pages.address), list * 16);
    for (const node of listNodes(kernel.memory, head, { limit: 1 << 20 })) yield { page: add(node, -link.offset), list };
  }
}

/** The zone's per-CPU pointer and where in what it points to the lists lie. */
function perCpuLists(kernel: Kernel): { readonly pointer: Field; readonly struct: number } {
  const zone = kernel.types.struct("zone");
  // 5.14: 28f836b6777b.
  const today = zone.tryField("per_cpu_pageset");
  if (today !== undefined) return { pointer: today, struct: 0 };
  const pointer = zone.field("pageset");
  const target = strip(pointer.type);
  const set = target.kind === "pointer" ? kernel.types.wrap(target.target) : undefined;
  return { pointer, struct: (set ?? kernel.types.struct("per_cpu_pageset")).field("pcp").offset };
}

/** Where a free page waits. */
export interface FreePlace {
  readonly zone: Zone;
  /** Absent for a page on a CPU's own list. */
  readonly list?: FreeList;
  readonly cpu?: number;
  /** First frame of its block. */
  readonly firstPfn: number;
  readonly order: number;
}

/** All free blocks by frame: typed arrays, as a machine may have millions. */
interface FreeTable {
  readonly pfns: Float64Array;
  /** Index into `places`. */
  readonly owners: Uint32Array;
  readonly places: readonly Omit<FreePlace, "firstPfn">[];
}

/** The free block that holds a frame; undefined when it is not free. Lists are walked once per dump. */
export function freePlaceOf(kernel: Kernel, pfn: number, broken: (error: InquestError) => void = () => {}): FreePlace | undefined {
  const { pfns, owners, places } = freeTable(kernel, broken);
  let low = 0;
  let high = pfns.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((pfns[middle] as number) <= pfn) low = middle + 1;
    else high = middle;
  }
  const firstPfn = pfns[low - 1];
  const place = places[owners[low - 1] ?? -1];
  return firstPfn === undefined || place === undefined || pfn >= firstPfn + 2 ** place.order ? undefined : { ...place, firstPfn };
}

function freeTable(kernel: Kernel, broken: (error: InquestError) => void): FreeTable {
  return kernel.memo(freeTable, () => {
    const map = PageMap.of(kernel);
    const places: Omit<FreePlace, "firstPfn">[] = [];
    const found: (readonly [pfn: number, owner: number])[] = [];
    const take = (page: VirtualAddress) => {
      const pfn = map?.pfnOf(page);
      if (pfn !== undefined) found.push([pfn, places.length - 1]);
    };
    for (const zone of memoryNodes(kernel).nodes.flatMap(({ zones }) => zones)) {
      if (zone.spanned === 0) continue;
      for (const { order, lists } of unlessBroken(() => freeAreas(kernel, zone), broken) ?? []) {
        for (const list of lists) {
          places.push({ zone, list, order });
          for (const page of untilBroken(freeBlocks(kernel, list), broken)) take(page);
        }
      }
      for (const pages of perCpuPages(kernel, zone, broken)) {
        let last = -1;
        for (const { page, list } of untilBroken(perCpuBlocks(kernel, pages), broken)) {
          if (list !== last) places.push({ zone, cpu: pages.cpu, order: perCpuOrder(kernel, list) });
          last = list;
          take(page);
        }
      }
    }
    found.sort((a, b) => a[0] - b[0]);
    return { pfns: Float64Array.from(found, ([pfn]) => pfn), owners: Uint32Array.from(found, ([, owner]) => owner), places };
  });
}

/**
 * Order of a CPU's list: MIGRATE_PCPTYPES lists an order since 5.14 (44042b449872); behind those up to 3 come the ones of huge pages,
 * one of them, or two since 6.10 (bf14ed81f571).
 */
function perCpuOrder(kernel: Kernel, list: number): number {
  const types = Number(kernel.types.constant("MIGRATE_PCPTYPES") ?? 3n);
  const order = Math.floor(list / types);
  // PAGE_ALLOC_COSTLY_ORDER is 3.
  return order <= 3 ? order : kernel.arch.pageShift - 3;
}
