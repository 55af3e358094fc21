/**
 * AF_PACKET sockets (net/packet/internal.h): what they listen to, what they have counted, and the fan-out group they share packets in.
 *
 *   packet_sock { num: EtherType, ifindex, tp_version, rx_ring, tx_ring, fanout ─► packet_fanout { id, type, num_members, arr[] } }
 */
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { swap16 } from "./address-text.ts";
import { guarded } from "./guarded.ts";
import { type PacketRing, readPacketRing } from "./packet-ring.ts";

/** PACKET_FANOUT_MAX is 256 up to 5.15 and 65536 since. */
const MAX_MEMBERS = 1 << 16;

/** PACKET_FANOUT_ (include/uapi/linux/if_packet.h). */
const FANOUT_TYPES = ["HASH", "LB", "CPU", "ROLLOVER", "RND", "QM", "CBPF", "EBPF"];

/** A group of AF_PACKET sockets that share the packets. */
export interface PacketFanout {
  /** struct packet_fanout. */
  readonly address: VirtualAddress;
  readonly id: number;
  readonly type: string;
  readonly flags: number;
  /** struct sock of each member. */
  readonly members: readonly VirtualAddress[];
}

/** What an AF_PACKET socket has besides. */
export interface PacketDetails {
  /** EtherType it receives; 3 is ETH_P_ALL, 0 none. */
  readonly protocol: number;
  /** Index of the device; 0 for all. */
  readonly device: number;
  readonly version: 1 | 2 | 3;
  /** Packets and drops since they were last asked for. */
  readonly packets: number;
  readonly drops: number;
  /** How often the rings are mapped by user space. */
  readonly mapped: number;
  readonly rings: readonly PacketRing[];
  readonly fanout?: PacketFanout;
  readonly problems: readonly string[];
}

/** @throws FaultError when the sock cannot be read; damaged rings say so themselves */
export function packetDetails(kernel: Kernel, sock: VirtualAddress): PacketDetails {
  const struct = kernel.types.struct("packet_sock");
  const number = (...paths: string[]) => struct.firstField(...paths)?.number(sock) ?? 0;
  const problems: string[] = [];
  const version = Math.min(3, number("tp_version") + 1) as 1 | 2 | 3;
  const rings = (["rx", "tx"] as const).flatMap((kind) => {
    const field = struct.field(`${kind}_ring`);
    return guarded(problems, `its ${kind} ring`, () => readPacketRing(kernel, field.address(sock), kind, version)) ?? [];
  });
  const fanout = guarded(problems, "its fan-out group", () => fanoutOf(kernel, struct.field("fanout").pointer(sock)));
  return {
    protocol: swap16(number("num")),
    device: number("ifindex"),
    version,
    packets: number("stats.stats1.tp_packets"),
    // Since 5.4 drops of rings are counted apart (8e8e2951e309).
    drops: number("stats.stats1.tp_drops") + number("tp_drops.counter"),
    mapped: number("mapped.counter"),
    rings,
    ...(fanout === undefined ? {} : { fanout }),
    problems,
  };
}

function fanoutOf(kernel: Kernel, address: VirtualAddress): PacketFanout | undefined {
  if (address === 0n) return undefined;
  const struct = kernel.types.struct("packet_fanout");
  const count = Math.min(struct.field("num_members").number(address), MAX_MEMBERS);
  const type = struct.field("type").number(address);
  const members: VirtualAddress[] = [];
  for (let i = 0; i < count; i++) members.push(virtual(kernel.memory.u64(add(struct.field("arr").address(address), i * 8))));
  return {
    address,
    id: struct.field("id").number(address),
    type: FANOUT_TYPES[type] ?? String(type),
    flags: struct.field("flags").number(address),
    members,
  };
}
