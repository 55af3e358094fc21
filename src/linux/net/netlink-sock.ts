/** AF_NETLINK (net/netlink/af_netlink.h): port, groups, destination. */
import type { VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { netlinkName } from "./sock-names.ts";

/** Groups of one socket: NETLINK_GENERIC has some hundreds. */
const MAX_GROUPS = 1 << 14;

/** What a netlink socket has besides. */
export interface NetlinkDetails {
  /** "ROUTE", "KOBJECT_UEVENT" … */
  readonly protocol: string;
  /** 0 for the kernel's own sockets and unbound ones. */
  readonly port: number;
  readonly destinationPort: number;
  /** Multicast groups it listens to, from 1. */
  readonly groups: readonly number[];
  /** A dump is under way. */
  readonly dumping: boolean;
}

/** @throws FaultError */
export function netlinkDetails(kernel: Kernel, sock: VirtualAddress, protocol: number): NetlinkDetails {
  const struct = kernel.types.struct("netlink_sock");
  return {
    protocol: netlinkName(protocol),
    port: struct.field("portid").number(sock) >>> 0,
    destinationPort: struct.field("dst_portid").number(sock) >>> 0,
    groups: groupsOf(kernel, struct.field("groups").pointer(sock), struct.field("ngroups").number(sock)),
    dumping: (struct.tryField("cb_running")?.number(sock) ?? 0) !== 0,
  };
}

function groupsOf(kernel: Kernel, bitmap: VirtualAddress, count: number): readonly number[] {
  if (bitmap === 0n) return [];
  const bytes = kernel.memory.tryBytes(bitmap, Math.ceil(Math.min(count, MAX_GROUPS) / 8));
  const groups: number[] = [];
  for (const [i, byte] of (bytes ?? []).entries()) {
    for (let bit = 0; bit < 8; bit++) if ((byte >> bit) & 1) groups.push(i * 8 + bit + 1);
  }
  return groups;
}
