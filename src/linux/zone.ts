/**
 * Memory nodes and their zones. Source: include/linux/mmzone.h, mm/page_alloc.c.
 *
 *   node_data[n] (NUMA) or contig_page_data ─► pglist_data { node_zones[MAX_NR_ZONES], node_start_pfn, node_spanned_pages, … }
 *   zone { _watermark[], watermark_boost, lowmem_reserve[], zone_start_pfn, spanned ⊇ present ⊇ managed pages, name, free_area[], vm_stat[] }
 *
 * _watermark and the boost came in 5.0 (a92154477414, 1c30844d2dfe), before it was watermark. managed_pages is atomic since 5.0
 * (9705bea5f833) and absent before 3.9; present_pages then was what managed is now.
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";
import { strip } from "../debug-info/c-type.ts";
import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { unlessBroken } from "./until-broken.ts";

/** A zone's watermarks in pages. */
export interface Watermarks {
  readonly min: number;
  readonly low: number;
  readonly high: number;
  /** WMARK_PROMO, 5.18 on (c574bbe91703). */
  readonly promo: number | undefined;
}

/** One zone. All sizes in pages. */
export interface Zone {
  readonly address: VirtualAddress;
  readonly node: number;
  /** Its place in node_zones[]. */
  readonly index: number;
  readonly name: string;
  readonly startPfn: number;
  readonly spanned: number;
  readonly present: number;
  readonly managed: number;
  /** Without the boost, which the kernel adds to each when it compares. */
  readonly watermarks: Watermarks;
  /** Temporary addition after external fragmentation. */
  readonly boost: number;
  /** Pages kept back from allocations that could be served by a higher zone, by that zone's index. */
  readonly reserve: readonly number[];
}

export interface MemoryNode {
  readonly address: VirtualAddress;
  readonly id: number;
  readonly startPfn: number;
  readonly spanned: number;
  readonly present: number;
  readonly zones: readonly Zone[];
}

export interface MemoryNodes {
  readonly nodes: readonly MemoryNode[];
  /** What could not be read, one line each. */
  readonly notes: readonly string[];
}

/** CONFIG_NODES_SHIFT is at most 10. */
const MAX_NODES = 1024;
/** MAX_NR_ZONES is 6 at most. */
const MAX_ZONES = 8;

/** All nodes. Throws LookupError when this dump cannot name them. Read once per dump. */
export function memoryNodes(kernel: Kernel): MemoryNodes {
  return kernel.memo(memoryNodes, () => {
    const notes: string[] = [];
    const note = (error: Error) => notes.push(error.message);
    const addresses = nodeAddresses(kernel);
    const read = nodeReader(kernel, note);
    const nodes = addresses.flatMap(([id, address]) => unlessBroken(() => read(id, address), note) ?? []);
    return { nodes, notes };
  });
}

/** Index and pglist_data of each node. */
function nodeAddresses(kernel: Kernel): readonly (readonly [id: number, address: VirtualAddress])[] {
  const single = kernel.tryAddress("contig_page_data");
  if (single !== undefined) return [[0, single]];
  const table = kernel.tryAddress("node_data");
  if (table === undefined) throw kernel.unknownSymbol("node_data");
  const counter = kernel.tryAddress("nr_node_ids");
  // Without the symbol one node at the most can exist.
  const told = counter === undefined ? 1 : kernel.memory.u32(counter);
  const count = told < 1 || told > MAX_NODES ? 1 : told;
  const found: (readonly [number, VirtualAddress])[] = [];
  for (let id = 0; id < count; id++) {
    const pointer = kernel.memory.u64(add(table, id * 8));
    if (kernel.arch.isKernelAddress(pointer)) found.push([id, virtual(pointer)]);
  }
  return found;
}

function nodeReader(kernel: Kernel, note: (error: Error) => void): (id: number, address: VirtualAddress) => MemoryNode {
  const node = kernel.types.struct("pglist_data");
  const zones = node.field("node_zones");
  const fields = {
    start: node.field("node_start_pfn"),
    spanned: node.field("node_spanned_pages"),
    present: node.field("node_present_pages"),
  };
  const zone = kernel.types.struct("zone");
  const count = Math.min(MAX_ZONES, arrayLength(zones) ?? 0);
  const read = zoneReader(kernel);
  return (id, address) => ({
    address,
    id,
    startPfn: fields.start.number(address),
    spanned: fields.spanned.number(address),
    present: fields.present.number(address),
    zones: Array.from({ length: count }, (_, index) => index).flatMap((index) => {
      const at = add(zones.address(address), index * zone.size);
      return unlessBroken(() => read(at, id, index), note) ?? [];
    }),
  });
}

function zoneReader(kernel: Kernel): (address: VirtualAddress, node: number, index: number) => Zone {
  const zone = kernel.types.struct("zone");
  const watermarks = zone.firstField("_watermark", "watermark");
  const boost = zone.tryField("watermark_boost");
  const reserve = zone.tryField("lowmem_reserve");
  const name = zone.field("name");
  const sizes = {
    start: zone.field("zone_start_pfn"),
    spanned: zone.field("spanned_pages"),
    present: zone.field("present_pages"),
    managed: zone.firstField("managed_pages.counter", "managed_pages", "present_pages") as Field,
  };
  return (address, node, index) => {
    const marks = watermarks === undefined ? [] : readWords(kernel, watermarks, address);
    const [min = 0, low = 0, high = 0, promo] = marks;
    return {
      address,
      node,
      index,
      name: zoneName(kernel, name.pointer(address)),
      startPfn: sizes.start.number(address),
      spanned: sizes.spanned.number(address),
      present: sizes.present.number(address),
      managed: sizes.managed.number(address),
      watermarks: { min, low, high, promo },
      boost: boost?.number(address) ?? 0,
      reserve: reserve === undefined ? [] : readWords(kernel, reserve, address),
    };
  };
}

/** A name is needed to tell zones apart, not to read them. */
function zoneName(kernel: Kernel, pointer: VirtualAddress): string {
  try {
    return kernel.memory.cString(pointer, 32);
  } catch (error) {
    if (error instanceof FaultError) return "?";
    throw error;
  }
}

/** Elements of an array member; undefined when it is none. */
export function arrayLength(field: Field): number | undefined {
  const type = strip(field.type);
  return type.kind === "array" ? type.length : undefined;
}

/** An array of signed words (long, atomic_long_t) in one read. Values beyond 2^53 lose their low bits. */
export function readWords(kernel: Kernel, field: Field, base: VirtualAddress): number[] {
  const view = new DataView(kernel.memory.bytes(field.address(base), field.size).buffer);
  return Array.from({ length: Math.floor(field.size / 8) }, (_, i) => Number(view.getBigInt64(i * 8, true)));
}
