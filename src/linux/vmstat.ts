/**
 * The counters of the memory manager. Source: mm/vmstat.c, include/linux/mmzone.h, include/linux/vmstat.h, include/linux/vm_event_item.h.
 *
 *   vm_zone_stat[zone_stat_item], vm_node_stat[node_stat_item]      4.8 on (75ef71840539); before vm_stat[] for both
 *   zone.vm_stat[], pglist_data.vm_stat[]                           the same by zone and node
 *   vm_numa_event[numa_stat_item] (5.14, f19298b9516c), vm_numa_stat[] (4.14 – 5.13)
 *   vm_event_states.event[vm_event_item], per CPU                   only ever added to: sums over all CPUs
 *
 * A CPU collects changes of a counter in a byte of its own and adds them when a threshold is reached:
 *   per_cpu_zonestats->vm_stat_diff[] (5.14; before pageset->vm_stat_diff[]), per_cpu_nodestats->vm_node_stat_diff[]
 * so the shared value alone may be off, even below zero; /proc/meminfo shows it with negative ones as 0.
 */
import type { VirtualAddress } from "../bytes/address.ts";
import { type InquestError, UnsupportedError } from "../bytes/errors.ts";
import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { unlessBroken } from "./until-broken.ts";
import { arrayLength, type MemoryNode, memoryNodes, readWords, type Zone } from "./zone.ts";

/** One counter. */
export interface VmCounter {
  /** The kernel's enumerator: NR_FREE_PAGES, NR_FILE_PAGES, PGFAULT … */
  readonly name: string;
  /** The shared value; most count pages. */
  readonly value: number;
  /** What CPUs hold back: value + pending is exact. 0 for events, which are sums already. */
  readonly pending: number;
}

export interface VmCounters {
  readonly counters: readonly VmCounter[];
  /** CPUs whose part could not be read, one line each. */
  readonly notes: readonly string[];
}

/** CONFIG_NR_CPUS is at most 8192. */
const MAX_CPUS = 8192;

/** Names of an enum's values below its end marker, by value; of several names of one value the last: the others are bases. */
function itemNames(kernel: Kernel, end: string, ends: readonly string[] = []): readonly string[] {
  const found = [end, ...ends].map((name) => kernel.types.enumerator(name)).find((each) => each !== undefined);
  if (found === undefined) throw kernel.types.lack ?? new UnsupportedError(`the kernel's types have no ${end}: its counters have no names`);
  const names: string[] = [];
  for (const { name, value } of found.type.enumerators) if (value >= 0n && value < found.value) names[Number(value)] = name;
  return Array.from({ length: Number(found.value) }, (_, i) => names[i] ?? `ITEM_${i}`);
}

const zoneItems = (kernel: Kernel) => itemNames(kernel, "NR_VM_ZONE_STAT_ITEMS");
const nodeItems = (kernel: Kernel) => itemNames(kernel, "NR_VM_NODE_STAT_ITEMS");

/** vm_zone_stat[]: over all zones. Throws LookupError without the symbol. */
export function globalZoneCounters(kernel: Kernel): VmCounters {
  const zones = () => memoryNodes(kernel).nodes.flatMap((node) => node.zones);
  return globalCounters(kernel, zoneItems(kernel), ["vm_zone_stat", "vm_stat"], (note) =>
    zones().map((zone) => zonePending(kernel, zone, note)),
  );
}

/** vm_node_stat[]: over all nodes; undefined before 4.8, whose zone counters hold these too. */
export function globalNodeCounters(kernel: Kernel): VmCounters | undefined {
  if (kernel.types.enumerator("NR_VM_NODE_STAT_ITEMS") === undefined) return undefined;
  const pending = (note: Note) => memoryNodes(kernel).nodes.map((node) => nodePending(kernel, node, note));
  return globalCounters(kernel, nodeItems(kernel), ["vm_node_stat"], pending);
}

/** vm_numa_event[] or vm_numa_stat[]; undefined without NUMA. */
export function globalNumaCounters(kernel: Kernel): VmCounters | undefined {
  const names = ["vm_numa_event", "vm_numa_stat"];
  if (!names.some((name) => kernel.tryAddress(name) !== undefined)) return undefined;
  const items = itemNames(kernel, "NR_VM_NUMA_EVENT_ITEMS", ["NR_VM_NUMA_STAT_ITEMS"]);
  return globalCounters(kernel, items, names, (note) =>
    memoryNodes(kernel).nodes.flatMap(({ zones }) => zones.map((zone) => numaPending(kernel, zone, note))),
  );
}

/** One zone's counters. Throws FaultError. */
export function zoneCounters(kernel: Kernel, zone: Zone): VmCounters {
  const values = readWords(kernel, kernel.types.struct("zone").field("vm_stat"), zone.address);
  return counters(zoneItems(kernel), values, (note) => [zonePending(kernel, zone, note)]);
}

/**
 * vm_event_states: what happened since boot, summed over the CPUs. Throws LookupError without the symbol
 * (CONFIG_VM_EVENT_COUNTERS), FaultError when no CPU's part can be read.
 */
export function vmEvents(kernel: Kernel): VmCounters {
  const names = itemNames(kernel, "NR_VM_EVENT_ITEMS");
  const symbol = kernel.address("vm_event_states");
  const field = kernel.types.struct("vm_event_state").field("event");
  const sums = names.map(() => 0);
  const notes: string[] = [];
  const all = cpus(kernel);
  let lost: InquestError | undefined;
  for (const cpu of all) {
    const add = () => {
      const words = readWords(kernel, field, kernel.perCpuAddress(symbol, cpu));
      for (let i = 0; i < sums.length; i++) (sums[i] as number) += words[i] ?? 0;
    };
    unlessBroken(add, (error) => {
      lost ??= error;
      notes.push(`the events of CPU ${cpu} are not counted: ${error.message}`);
    });
  }
  // Sums of nothing are no zeros.
  if (lost !== undefined && notes.length === all.length) throw lost;
  return { counters: names.map((name, i) => ({ name, value: sums[i] as number, pending: 0 })), notes };
}

type Note = (error: Error) => void;

function globalCounters(
  kernel: Kernel,
  items: readonly string[],
  symbols: readonly string[],
  pending: (note: Note) => readonly (readonly number[])[],
): VmCounters {
  const symbol = symbols.map((name) => kernel.tryAddress(name)).find((each) => each !== undefined);
  if (symbol === undefined) throw kernel.unknownSymbol(symbols[0] as string);
  const view = new DataView(kernel.memory.bytes(symbol, items.length * 8).buffer);
  const values = items.map((_, i) => Number(view.getBigInt64(i * 8, true)));
  return counters(items, values, pending);
}

function counters(
  items: readonly string[],
  values: readonly number[],
  pending: (note: Note) => readonly (readonly number[])[],
): VmCounters {
  const notes: string[] = [];
  const parts = pending(({ message }) => notes.push(message));
  const sum = (i: number) => parts.reduce((total, part) => total + (part[i] ?? 0), 0);
  return { counters: items.map((name, i) => ({ name, value: values[i] ?? 0, pending: sum(i) })), notes };
}

/** CPUs with a per-CPU area of their own. */
function cpus(kernel: Kernel): readonly number[] {
  return kernel.perCpuOffsets.slice(0, MAX_CPUS).flatMap((offset, cpu) => (offset === undefined ? [] : [cpu]));
}

/** Sums of an array of small differences behind a per-CPU pointer. A kernel without SMP keeps none: its counters are exact. */
function pendingOf(kernel: Kernel, owner: VirtualAddress, pointer: Field | undefined, array: Field | undefined, note: Note): number[] {
  if (pointer === undefined || array === undefined) return [];
  const length = arrayLength(array) ?? 0;
  const width = length === 0 ? 0 : array.size / length;
  const sums = Array.from({ length }, () => 0);
  const base = unlessBroken(() => pointer.pointer(owner), note);
  if (base === undefined || base === 0n) return [];
  for (const cpu of cpus(kernel)) {
    const bytes = unlessBroken(() => kernel.memory.bytes(array.address(kernel.perCpuAddress(base, cpu)), array.size), note);
    if (bytes === undefined) continue;
    const view = new DataView(bytes.buffer);
    // s8 for counters, u16 for NUMA counters up to 5.13, unsigned long for NUMA events.
    const read =
      width === 1
        ? (i: number) => view.getInt8(i)
        : width === 2
          ? (i: number) => view.getUint16(i * 2, true)
          : (i: number) => Number(view.getBigUint64(i * 8, true));
    for (let i = 0; i < length; i++) (sums[i] as number) += read(i);
  }
  return sums;
}

function zonePending(kernel: Kernel, zone: Zone, note: Note): number[] {
  const pointer = kernel.types.struct("zone").firstField("per_cpu_zonestats", "pageset");
  return pendingOf(kernel, zone.address, pointer, zonePart(kernel, "vm_stat_diff"), note);
}

function numaPending(kernel: Kernel, zone: Zone, note: Note): number[] {
  const pointer = kernel.types.struct("zone").firstField("per_cpu_zonestats", "pageset");
  const array = zonePart(kernel, "vm_numa_event") ?? zonePart(kernel, "vm_numa_stat_diff");
  return pendingOf(kernel, zone.address, pointer, array, note);
}

function zonePart(kernel: Kernel, member: string): Field | undefined {
  return (kernel.types.tryStruct("per_cpu_zonestat") ?? kernel.types.tryStruct("per_cpu_pageset"))?.tryField(member);
}

function nodePending(kernel: Kernel, node: MemoryNode, note: Note): number[] {
  const pointer = kernel.types.struct("pglist_data").tryField("per_cpu_nodestats");
  return pendingOf(kernel, node.address, pointer, kernel.types.tryStruct("per_cpu_nodestat")?.tryField("vm_node_stat_diff"), note);
}
