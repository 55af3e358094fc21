/**
 * A made-up machine with one node and two zones over the page structures of PagedKernel, orders 0 to 2, two migratetypes, two CPUs:
 *
 *   zone 0 "Low"    frames 16 … 127     free: order 0 Movable {20, 22}, order 1 Unmovable {24}, order 2 Movable {32}
 *   zone 1 "High"   empty
 */
import { virtual } from "../../bytes/address.ts";
import type { StructTable } from "./fake-kernel.ts";
import { PagedKernel } from "./paged-kernel.ts";

const TABLE: StructTable = {
  page: { flags: [0, "u64"], lru: [8, "bytes16"], _mapcount: [48, "s32"], _refcount: [52, "s32"], $size: [64, ""] },
  list_head: { next: [0, "u64"], prev: [8, "u64"] },
  free_area: { free_list: [0, "list_head[2]"], nr_free: [32, "u64"] },
  zone: {
    _watermark: [0, "u64[3]"],
    watermark_boost: [24, "u64"],
    lowmem_reserve: [32, "u64[2]"],
    per_cpu_pageset: [48, "u64"],
    per_cpu_zonestats: [56, "u64"],
    zone_start_pfn: [64, "u64"],
    managed_pages: [72, "u64"],
    spanned_pages: [80, "u64"],
    present_pages: [88, "u64"],
    name: [96, "u64"],
    free_area: [104, "free_area[3]"],
    vm_stat: [224, "u64[2]"],
    $size: [256, ""],
  },
  pglist_data: {
    node_zones: [0, "zone[2]"],
    node_start_pfn: [512, "u64"],
    node_present_pages: [520, "u64"],
    node_spanned_pages: [528, "u64"],
    $size: [576, ""],
  },
  per_cpu_pages: { count: [0, "s32"], high: [4, "s32"], batch: [8, "s32"], lists: [16, "list_head[2]"], $size: [64, ""] },
  per_cpu_zonestat: { vm_stat_diff: [0, "s8[2]"] },
};

export const NODE = 0xffff_8880_0003_0000n;
/** The first zone begins its node. */
const ZONE = NODE;
const PER_CPU = 0xffff_8880_0005_0000n;
/** What lists of free pages hold: order → migratetype → frames. */
export const FREE: readonly (readonly (readonly number[])[])[] = [
  [[], [20, 22]],
  [[24], []],
  [[], [32]],
];

export class ZonedKernel extends PagedKernel {
  constructor() {
    super(TABLE, {
      zone_stat_item: { NR_FREE_PAGES: 0n, NR_ZONE_BASE: 1n, NR_ZONE_FILE: 1n, NR_VM_ZONE_STAT_ITEMS: 2n },
      migratetype: { MIGRATE_UNMOVABLE: 0n, MIGRATE_MOVABLE: 1n, MIGRATE_PCPTYPES: 2n, MIGRATE_TYPES: 2n },
    });
    const { memory } = this;
    this.perCpuOffsets = [virtual(0n), virtual(0x1000n)];
    this.symbol("contig_page_data", NODE);
    memory.write(NODE, new Uint8Array(1024));
    memory.write(PER_CPU, new Uint8Array(0x2000));
    for (const [offset, value] of [
      [512, 16],
      [520, 100],
      [528, 112],
      [0, 5],
      [8, 6],
      [16, 7],
      [24, 3],
      [64, 16],
      [72, 90],
      [80, 112],
      [88, 100],
      [224, 6],
    ] as const)
      memory.put64(NODE + BigInt(offset), BigInt(value));
    memory.put64(ZONE + 48n, PER_CPU);
    memory.put64(ZONE + 56n, PER_CPU + 0x800n);
    this.#name(0, "Low");
    this.#name(1, "High");
    for (const [order, types] of FREE.entries()) {
      const area = this.area(order);
      memory.put64(area + 32n, BigInt(types.flat().length));
      for (const [type, frames] of types.entries()) this.link(area + BigInt(type) * 16n, frames);
    }
    for (const cpu of [0n, 1n]) for (const list of [0n, 1n]) this.link(PER_CPU + cpu * 0x1000n + 16n + list * 16n, []);
  }

  /** free_area of an order of the first zone. */
  area(order: number): bigint {
    return ZONE + 104n + BigInt(order) * 40n;
  }

  /** One CPU's lists of the first zone. */
  perCpuList(cpu: number, list: number): bigint {
    return PER_CPU + BigInt(cpu) * 0x1000n + 16n + BigInt(list) * 16n;
  }

  /** One CPU's difference of a counter of the first zone. */
  setPending(cpu: number, item: number, value: number): void {
    this.memory.put8(PER_CPU + 0x800n + BigInt(cpu) * 0x1000n + BigInt(item), value & 0xff);
  }

  /** Makes a list of the frames' page structures behind a head. */
  link(head: bigint, frames: readonly number[]): void {
    const ring = [head, ...frames.map((frame) => this.page(frame) + 8n)];
    for (const [i, node] of ring.entries()) {
      this.memory.put64(node, ring[(i + 1) % ring.length] as bigint);
      this.memory.put64(node + 8n, ring.at(i - 1) as bigint);
    }
  }

  #name(zone: number, name: string): void {
    const at = NODE + 600n + BigInt(zone) * 16n;
    this.memory.putText(at, `${name}\0`);
    this.memory.put64(ZONE + BigInt(zone) * 256n + 96n, at);
  }
}
