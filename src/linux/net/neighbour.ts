/**
 * Neighbours: which hardware address an IP address has (net/core/neighbour.c). ARP's table for IPv4, NDP's for IPv6.
 *
 *   arp_tbl, nd_tbl ─► neigh_table.nht ─► neigh_hash_table { hash_shift, buckets[1 << hash_shift] }
 *     6.13+   hash_heads[]   hlist of neighbour.hash                     (a01a67ab2fff)
 *     before  hash_buckets[] → neighbour.next → … → NULL
 *
 * Where the symbols are hidden, any device leads to the tables: in_device.arp_parms->tbl, inet6_dev.nd_parms->tbl.
 */
import { add, type VirtualAddress } from "../../bytes/address.ts";
import { CorruptionError } from "../../bytes/errors.ts";
import { containerOf } from "../../kernel/field.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { hlistNodes } from "../list.ts";
import { hardwareText, ipv4Text, ipv6Text } from "./address-text.ts";
import { inDevice, inet6Device, netDevices } from "./device.ts";
import { guarded, guardedWalk } from "./guarded.ts";
import { netNamespaces } from "./namespace.ts";

/** gc_thresh3 limits a table to 1,024 entries unless raised; 2^20 buckets are beyond any. */
const MAX_SHIFT = 20;
const MAX_NEIGHBOURS = 1 << 22;

/** NUD_ states (include/uapi/linux/neighbour.h). */
const STATES: readonly (readonly [bit: number, name: string])[] = [
  [0x01, "INCOMPLETE"],
  [0x02, "REACHABLE"],
  [0x04, "STALE"],
  [0x08, "DELAY"],
  [0x10, "PROBE"],
  [0x20, "FAILED"],
  [0x40, "NOARP"],
  [0x80, "PERMANENT"],
];

/** An entry of ARP's or NDP's table. */
export interface Neighbour {
  /** struct neighbour. */
  readonly address: VirtualAddress;
  readonly family: "IPv4" | "IPv6";
  readonly ip: string;
  readonly hardwareAddress: string;
  /** ARPHRD_ of the device; 1 is Ethernet. */
  readonly hardwareType: number;
  readonly device: string;
  readonly deviceAddress: VirtualAddress;
  /** "REACHABLE", "STALE" … */
  readonly state: string;
  /** Packets that wait for the address to be found. */
  readonly queued: number;
  /** struct sk_buff_head of those. */
  readonly queue: VirtualAddress;
}

/** "REACHABLE"; several bits are joined; NONE for no bit. */
export function neighbourState(bits: number): string {
  const names = STATES.filter(([bit]) => (bits & bit) !== 0).map(([, name]) => name);
  return names.length === 0 ? "NONE" : names.join("|");
}

/** All neighbours of all namespaces, IPv4 first. What is damaged is told in `notes`. */
export function* neighbours(kernel: Kernel, notes: string[] = []): Generator<Neighbour, void, undefined> {
  for (const family of ["IPv4", "IPv6"] as const) {
    const table = guarded(notes, `the neighbour table of ${family}`, () => tableOf(kernel, family));
    if (table !== undefined)
      yield* guardedWalk(notes, `the neighbour table of ${family}`, () => tableEntries(kernel, table, family, notes));
  }
}

/** struct neigh_table by symbol, else through the devices. */
function tableOf(kernel: Kernel, family: Neighbour["family"]): VirtualAddress | undefined {
  const symbol = kernel.tryAddress(family === "IPv4" ? "arp_tbl" : "nd_tbl");
  if (symbol !== undefined) return symbol;
  const parms = kernel.types.struct("neigh_parms").field("tbl");
  for (const namespace of netNamespaces(kernel)) {
    for (const { address } of netDevices(kernel, namespace.address)) {
      const owner = family === "IPv4" ? inDevice(kernel, address) : inet6Device(kernel, address);
      if (owner === 0n) continue;
      const own =
        family === "IPv4" ? kernel.types.struct("in_device").field("arp_parms") : kernel.types.struct("inet6_dev").field("nd_parms");
      const table = parms.pointer(own.pointer(owner));
      if (table !== 0n) return table;
    }
  }
  return undefined;
}

function* tableEntries(
  kernel: Kernel,
  table: VirtualAddress,
  family: Neighbour["family"],
  notes: string[],
): Generator<Neighbour, void, undefined> {
  const hash = kernel.types.struct("neigh_hash_table");
  const nht = kernel.types.struct("neigh_table").field("nht").pointer(table);
  const shift = hash.field("hash_shift").number(nht);
  if (shift > MAX_SHIFT) throw new CorruptionError("neigh_hash_table", `a hash_shift of ${shift}`, nht);
  const buckets = (hash.tryField("hash_heads") ?? hash.field("hash_buckets")).pointer(nht);
  for (let bucket = 0; bucket < 1 << shift; bucket++) {
    const chain = () => chainEntries(kernel, add(buckets, bucket * 8));
    for (const address of guardedWalk(notes, `bucket ${bucket} of the neighbour table of ${family}`, chain)) {
      const read = guarded(notes, `neighbour ${address.toString(16)}`, () => readNeighbour(kernel, address, family));
      if (read !== undefined) yield read;
    }
  }
}

function* chainEntries(kernel: Kernel, head: VirtualAddress): Generator<VirtualAddress, void, undefined> {
  const neighbour = kernel.types.struct("neighbour");
  const link = neighbour.tryField("hash");
  if (link !== undefined) {
    for (const node of hlistNodes(kernel.memory, head, { limit: MAX_NEIGHBOURS, checkBackLinks: false })) yield containerOf(node, link);
    return;
  }
  const next = neighbour.field("next");
  const seen = new Set<bigint>();
  for (let at = kernel.memory.u64(head) as VirtualAddress; at !== 0n; at = next.pointer(at)) {
    if (seen.has(at)) throw new CorruptionError("neighbour", "the chain runs in a circle", at);
    if (seen.size >= MAX_NEIGHBOURS) throw new CorruptionError("neighbour", `more than ${MAX_NEIGHBOURS} entries in a chain`, at);
    seen.add(at);
    yield at;
  }
}

function readNeighbour(kernel: Kernel, address: VirtualAddress, family: Neighbour["family"]): Neighbour {
  const neighbour = kernel.types.struct("neighbour");
  const device = kernel.types.struct("net_device");
  const dev = neighbour.field("dev").pointer(address);
  const key = kernel.memory.bytes(neighbour.field("primary_key").address(address), family === "IPv4" ? 4 : 16);
  const length = Math.min(device.field("addr_len").number(dev), neighbour.field("ha").size);
  return {
    address,
    family,
    ip: family === "IPv4" ? ipv4Text(key) : ipv6Text(key),
    hardwareAddress: hardwareText(kernel.memory.bytes(neighbour.field("ha").address(address), length)),
    hardwareType: device.field("type").number(dev),
    device: device.field("name").string(dev),
    deviceAddress: dev,
    state: neighbourState(neighbour.field("nud_state").number(address)),
    queued: neighbour.field("arp_queue.qlen").number(address),
    queue: neighbour.field("arp_queue").address(address),
  };
}
