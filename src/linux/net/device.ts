/**
 * Network devices of a namespace and their addresses (include/linux/netdevice.h, inetdevice.h, include/net/if_inet6.h).
 *
 *   net.dev_base_head ⇄ net_device.dev_list            and net.dev_index_head[256] → net_device.index_hlist
 *     net_device.ip_ptr  ─► in_device.ifa_list ─► in_ifaddr → in_ifaddr → NULL               (ifa_local, ifa_prefixlen)
 *     net_device.ip6_ptr ─► inet6_dev.addr_list ⇄ inet6_ifaddr.if_list                       (addr, prefix_len)
 *
 * When the list is broken, the hash table by index gives the devices it has lost.
 */
import { add, type VirtualAddress } from "../../bytes/address.ts";
import { CorruptionError } from "../../bytes/errors.ts";
import { containerOf } from "../../kernel/field.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Struct } from "../../kernel/types.ts";
import { hlistNodes, listNodes } from "../list.ts";
import { hardwareText, ipv4OfWord, ipv6Text } from "./address-text.ts";
import { guarded, guardedWalk } from "./guarded.ts";

const MAX_DEVICES = 1 << 20;
const MAX_ADDRESSES = 1 << 16;
/** NETDEV_HASHENTRIES. */
const INDEX_BUCKETS = 256;
/** MAX_ADDR_LEN. */
const MAX_HARDWARE_ADDRESS = 32;

/** An IP address of a network device. */
export interface DeviceAddress {
  readonly family: "IPv4" | "IPv6";
  readonly address: string;
  readonly prefix: number;
}

/** A network device (struct net_device). */
export interface NetDevice {
  /** struct net_device. */
  readonly address: VirtualAddress;
  readonly name: string;
  readonly index: number;
  /** IFF_ flags. */
  readonly flags: number;
  readonly mtu: number;
  /** ARPHRD_: 1 Ethernet, 772 loopback … */
  readonly hardwareType: number;
  readonly hardwareAddress?: string;
  /** struct net it belongs to. */
  readonly namespace: VirtualAddress;
  readonly addresses: readonly DeviceAddress[];
}

/** The devices of a namespace, in the kernel's order. What is damaged is told in `notes`. */
export function netDevices(kernel: Kernel, namespace: VirtualAddress, notes: string[] = []): readonly NetDevice[] {
  const all = kernel.memo(netDevices, () => new Map<bigint, { readonly devices: NetDevice[]; readonly notes: string[] }>());
  let known = all.get(namespace);
  if (known === undefined) {
    const own: string[] = [];
    known = { devices: [...readDevices(kernel, namespace, own)], notes: own };
    all.set(namespace, known);
  }
  notes.push(...known.notes);
  return known.devices;
}

function* readDevices(kernel: Kernel, namespace: VirtualAddress, notes: string[]): Generator<NetDevice, void, undefined> {
  const device = kernel.types.struct("net_device");
  for (const address of deviceAddresses(kernel, device, namespace, notes)) {
    const read = guarded(notes, `net_device ${address.toString(16)}`, () => readDevice(kernel, device, address, namespace, notes));
    if (read !== undefined) yield read;
  }
}

function* deviceAddresses(
  kernel: Kernel,
  device: Struct,
  namespace: VirtualAddress,
  notes: string[],
): Generator<VirtualAddress, void, undefined> {
  const net = kernel.types.struct("net");
  const link = device.field("dev_list");
  const seen = new Set<bigint>();
  const before = notes.length;
  // Devices are added and removed under RCU: the way back is not checked.
  const list = () => listNodes(kernel.memory, net.field("dev_base_head").address(namespace), { limit: MAX_DEVICES, checkBackLinks: false });
  for (const node of guardedWalk(notes, "the list of network devices", list)) {
    seen.add(containerOf(node, link));
    yield containerOf(node, link);
  }
  const table = net.tryField("dev_index_head");
  const byIndex = device.tryField("index_hlist");
  if (notes.length === before || table === undefined || byIndex === undefined) return;
  for (const heads of guardedWalk(notes, "the table of network devices", () => [table.pointer(namespace)])) {
    for (let bucket = 0; bucket < INDEX_BUCKETS; bucket++) {
      const chain = () => hlistNodes(kernel.memory, add(heads, bucket * 8), { limit: MAX_DEVICES, checkBackLinks: false });
      for (const node of guardedWalk(notes, "the table of network devices", chain)) {
        const address = containerOf(node, byIndex);
        if (!seen.has(address)) yield address;
        seen.add(address);
      }
    }
  }
}

function readDevice(kernel: Kernel, device: Struct, address: VirtualAddress, namespace: VirtualAddress, notes: string[]): NetDevice {
  const name = device.field("name").string(address);
  const hardware = hardwareAddress(kernel, device, address);
  return {
    address,
    name,
    index: device.field("ifindex").number(address),
    flags: device.field("flags").number(address) >>> 0,
    mtu: device.field("mtu").number(address),
    hardwareType: device.field("type").number(address),
    ...(hardware === undefined ? {} : { hardwareAddress: hardware }),
    namespace,
    addresses: [
      ...guardedWalk(notes, `the IPv4 addresses of ${name}`, () => ipv4Addresses(kernel, device, address)),
      ...guardedWalk(notes, `the IPv6 addresses of ${name}`, () => ipv6Addresses(kernel, device, address)),
    ],
  };
}

function hardwareAddress(kernel: Kernel, device: Struct, address: VirtualAddress): string | undefined {
  const length = device.field("addr_len").number(address);
  const at = kernel.memory.tryU64(device.field("dev_addr").address(address));
  if (at === undefined || length === 0 || length > MAX_HARDWARE_ADDRESS) return undefined;
  const bytes = kernel.memory.tryBytes(at as VirtualAddress, length);
  return bytes === undefined ? undefined : hardwareText(bytes);
}

/** struct in_device of a device; 0 when it has none. @throws FaultError */
export function inDevice(kernel: Kernel, device: VirtualAddress): VirtualAddress {
  return kernel.types.struct("net_device").field("ip_ptr").pointer(device);
}

/** struct inet6_dev of a device; 0 when it has none. @throws FaultError */
export function inet6Device(kernel: Kernel, device: VirtualAddress): VirtualAddress {
  return kernel.types.struct("net_device").tryField("ip6_ptr")?.pointer(device) ?? (0n as VirtualAddress);
}

function* ipv4Addresses(kernel: Kernel, device: Struct, address: VirtualAddress): Generator<DeviceAddress, void, undefined> {
  const inDev = device.field("ip_ptr").pointer(address);
  if (inDev === 0n) return;
  const entry = kernel.types.struct("in_ifaddr");
  const next = entry.field("ifa_next");
  const local = entry.field("ifa_local");
  const prefix = entry.field("ifa_prefixlen");
  const seen = new Set<bigint>();
  for (let at = kernel.types.struct("in_device").field("ifa_list").pointer(inDev); at !== 0n; at = next.pointer(at)) {
    if (seen.has(at)) throw new CorruptionError("in_ifaddr", "the list runs in a circle", at);
    if (seen.size >= MAX_ADDRESSES) throw new CorruptionError("in_ifaddr", `more than ${MAX_ADDRESSES} addresses`, at);
    seen.add(at);
    yield { family: "IPv4", address: ipv4OfWord(local.number(at) >>> 0), prefix: prefix.number(at) };
  }
}

function* ipv6Addresses(kernel: Kernel, device: Struct, address: VirtualAddress): Generator<DeviceAddress, void, undefined> {
  const inet6 = device.tryField("ip6_ptr")?.pointer(address) ?? 0n;
  if (inet6 === 0n) return;
  const entry = kernel.types.tryStruct("inet6_ifaddr");
  const list = kernel.types.tryStruct("inet6_dev")?.tryField("addr_list");
  if (entry === undefined || list === undefined) return;
  const link = entry.field("if_list");
  const prefix = entry.field("prefix_len");
  const head = list.address(inet6 as VirtualAddress);
  for (const node of listNodes(kernel.memory, head, { limit: MAX_ADDRESSES, checkBackLinks: false })) {
    const at = containerOf(node, link);
    yield { family: "IPv6", address: ipv6Text(kernel.memory.bytes(entry.field("addr").address(at), 16)), prefix: prefix.number(at) };
  }
}
