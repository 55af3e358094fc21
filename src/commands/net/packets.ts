/** `net --packet`: AF_PACKET sockets with their rings; `net --pcap FILE`: every packet in memory as a capture. */
import { hex16 } from "../../bytes/address.ts";
import { netDevices } from "../../linux/net/device.ts";
import { netNamespaces } from "../../linux/net/namespace.ts";
import type { PacketBlock, PacketRing } from "../../linux/net/packet-ring.ts";
import { findPackets } from "../../linux/net/packet-search.ts";
import type { PacketDetails } from "../../linux/net/packet-sock.ts";
import { pcapng } from "../../linux/net/pcapng.ts";
import type { Sock } from "../../linux/net/sock.ts";
import { AF_PACKET } from "../../linux/net/sock-names.ts";
import { allSockets } from "../../linux/net/sockets.ts";
import type { SocketOwner } from "../../linux/net/task-sockets.ts";
import type { PacketFrame, PacketTime } from "../../linux/net/tpacket-frame.ts";
import { utsname } from "../../linux/utsname.ts";
import { type SavedBytes, savedChunks } from "../saved-bytes.ts";
import { dateText, sizeText } from "../support/date-text.ts";
import { lazy } from "../support/lazy.ts";
import { defineNetView } from "./view.ts";

export interface PacketSocket {
  readonly sock: Sock;
  /** "lo", "all". */
  readonly device: string;
  readonly owners: readonly SocketOwner[];
  readonly packet: PacketDetails;
}

export interface PacketsResult {
  /** Read as they are shown. */
  readonly packetSockets: Iterable<PacketSocket>;
  readonly frames: boolean;
  readonly packetNotes: readonly string[];
}

/** ETH_P_ of what sockets listen to, as tcpdump's users know them. */
const PROTOCOLS: Readonly<Record<number, string>> = { 0: "none", 3: "ALL", 2048: "IP", 2054: "ARP", 34525: "IPV6", 35020: "LLDP" };

export const packets = defineNetView<PacketsResult>({
  options: [{ flag: "--packet", help: "AF_PACKET sockets and their rings (TPACKET_V1 to V3): who owns each block and frame" }],
  modifiers: [{ flag: "-v", help: "with --packet: each frame" }],
  synopsis: ["--packet [-v]"],
  description: [
    "--packet shows what tcpdump and its like have left: the rings with their blocks, who owns each, and how many packets they hold.",
  ],
  examples: [["net --packet -v", "every frame of every ring"]],
  run({ kernel, progress }, args) {
    const packetNotes: string[] = [];
    const names = new Map<string, string>();
    for (const { address } of netNamespaces(kernel, packetNotes))
      for (const { index, name } of netDevices(kernel, address, packetNotes)) names.set(`${address} ${index}`, name);
    return {
      packetSockets: lazy(function* () {
        for (const entry of allSockets(kernel, packetNotes, progress)) {
          if (!("sock" in entry) || entry.sock.family !== AF_PACKET || entry.packet === undefined) continue;
          const { sock, owners, packet } = entry;
          const device = packet.device === 0 ? "all" : (names.get(`${sock.namespace} ${packet.device}`) ?? `device ${packet.device}`);
          yield { sock, device, owners, packet };
        }
      }),
      frames: args.has("-v"),
      packetNotes,
    };
  },
  *text({ packetSockets, frames, packetNotes }) {
    let count = 0;
    for (const socket of packetSockets) {
      if (count++ > 0) yield "";
      yield* socketLines(socket, frames);
    }
    if (count === 0) yield "No AF_PACKET sockets.";
    for (const note of packetNotes) yield `net: ${note}`;
  },
});

function* socketLines({ sock, device, owners, packet }: PacketSocket, frames: boolean): Iterable<string> {
  const { protocol, packets: seen, drops, rings, fanout, problems } = packet;
  const name = PROTOCOLS[protocol];
  yield `PACKET_SOCK ${hex16(sock.address)}  ${sock.type}  protocol ${protocol.toString(16).padStart(4, "0")}${name === undefined ? "" : ` (${name})`}  device ${device}`;
  const holders = owners.slice(0, 3).map(({ pid, comm, fd }) => `${comm} (${pid}) fd ${fd}`);
  const { queues } = sock;
  yield `  ${[
    ...(sock.inode === undefined ? [] : [`inode ${sock.inode}`]),
    ...holders,
    `${seen} packets and ${drops} drops since they were asked for`,
    ...(queues === undefined
      ? []
      : [`${queues.receive} packets (${queues.receiveBytes} bytes) in the receive queue`, `${queues.drops} dropped`]),
  ].join(", ")}`;
  if (fanout !== undefined)
    yield `  FANOUT id ${fanout.id} ${fanout.type}: ${fanout.members.length} sockets: ${fanout.members.map(hex16).join(" ")}`;
  for (const ring of rings) yield* ringLines(ring, frames);
  for (const problem of problems) yield `  (${problem})`;
}

function* ringLines(ring: PacketRing, frames: boolean): Iterable<string> {
  const { blockSize, blocks, frameSize, frames: count, retireTimeout, privateSize } = ring.request;
  const v3 = retireTimeout === undefined ? "" : `, retired after ${retireTimeout} ms, private area ${privateSize} bytes`;
  yield `  ${ring.kind.toUpperCase()} RING TPACKET_V${ring.version}: ${blocks} blocks of ${sizeText(blockSize)}, ${count} frames of ${frameSize} bytes${v3}`;
  const byBlock = ring.blocks.some(({ status }) => status !== undefined);
  if (byBlock) yield "    BLOCK      ADDRESS      OWNER   STATUS              SEQ  PACKETS   BYTES  FIRST PACKET";
  else yield "    BLOCK      ADDRESS      FRAMES WITH A PACKET: USER  KERNEL";
  for (const block of ring.blocks) {
    yield byBlock ? blockLine(block) : frameCountLine(block);
    if (block.problem !== undefined) yield `          (${block.problem})`;
    if (!frames || block.frames.length === 0) continue;
    yield "          FRAME      ADDRESS      OWNER   LENGTH  CAPTURED  MAC  NET  STATUS";
    for (const frame of block.frames) yield frameLine(frame);
  }
  if (ring.problem !== undefined) yield `    (${ring.problem})`;
}

function blockLine(block: PacketBlock): string {
  const { index, address, owner = "", statusNames = [], sequence = 0, packets: count = 0, length = 0, first, active } = block;
  const status = `${statusNames.join("|")}${active !== true ? "" : owner === "user" ? " (next: the ring is full)" : " (being filled)"}`;
  const date = first === undefined || count === 0 ? "" : `  ${stampText(first)}`;
  return `    ${String(index).padStart(5)}  ${hex16(address)} ${owner.padEnd(7)} ${status.padEnd(16)} ${String(sequence).padStart(6)}  ${String(count).padStart(7)} ${String(length).padStart(7)}${date}`;
}

function frameCountLine({ index, address, frames }: PacketBlock): string {
  const user = frames.filter(({ owner }) => owner === "user").length;
  return `    ${String(index).padStart(5)}  ${hex16(address)} ${String(user).padStart(26)} ${String(frames.length - user).padStart(7)}`;
}

function frameLine({ index, address, owner, length, captured, mac, net, statusNames, vlan, timestamp }: PacketFrame): string {
  const tag = vlan === undefined ? "" : `  VLAN ${vlan.tci & 0xfff}`;
  const time = timestamp === undefined ? "" : `  ${stampText(timestamp)}`;
  return `          ${String(index).padStart(5)}  ${hex16(address)} ${owner.padEnd(7)} ${String(length).padStart(6)}  ${String(captured).padStart(8)} ${String(mac).padStart(4)} ${String(net).padStart(4)}  ${statusNames.join("|")}${tag}${time}`;
}

/** "12:22:03.123456789": the day is that of the dump. */
function stampText({ seconds, nanoseconds }: PacketTime): string {
  const clock = /\d\d:\d\d:\d\d/.exec(dateText(BigInt(seconds) * 1_000_000_000n))?.[0] ?? "";
  return `${clock}.${String(nanoseconds).padStart(9, "0")}`;
}

export interface CaptureResult {
  /** Counts as the capture is written. */
  readonly capture: CaptureCount;
  readonly save: SavedBytes;
}

interface CaptureCount {
  readonly file: string;
  packets: number;
  bytes: number;
  /** Packets by kind of place: "receive queue", "rx ring V3" … */
  readonly places: Record<string, number>;
  /** What was damaged. */
  readonly notes: string[];
}

export const capture = defineNetView<CaptureResult>({
  options: [
    {
      flag: "--pcap",
      argument: "file",
      help: "write every packet in memory to a file that Wireshark and tshark read (pcapng); comments say where each was found",
    },
  ],
  synopsis: ["--pcap file"],
  description: [
    "--pcap writes all packets that memory holds: those in rings of AF_PACKET, in queues of sockets (received, not yet read; written, not yet sent or acknowledged; out of order; in the backlog), of neighbours, of devices (qdiscs) and of CPUs. Data that TCP has not sent gets headers made from the socket. Data of UNIX sockets is written as link type USER0, messages of netlink as NETLINK.",
  ],
  examples: [["net --pcap dump.pcapng", "all packets; then: tshark -r dump.pcapng"]],
  run({ kernel, progress }, args) {
    const file = args.value("--pcap") as string;
    const found: CaptureCount = { file, packets: 0, bytes: 0, places: {}, notes: [] };
    const system = utsname(kernel);
    const counted = function* () {
      for (const packet of findPackets(kernel, found.notes, progress)) {
        found.packets++;
        found.bytes += packet.bytes.length;
        const kind = kindOf(packet.place);
        found.places[kind] = (found.places[kind] ?? 0) + 1;
        yield packet;
      }
    };
    const name = system === undefined ? undefined : `${system.sysname} ${system.release}`;
    return { capture: found, save: savedChunks(file, () => pcapng(counted(), "Inquest", name)) };
  },
  *text({ capture: { file, packets: count, bytes, places, notes } }) {
    yield `${count} packets (${bytes} bytes) written to ${file}`;
    for (const [kind, number] of Object.entries(places)) yield `  ${String(number).padStart(7)}  ${kind}`;
    for (const note of notes) yield `net: ${note}`;
  },
});

function kindOf(place: string): string {
  return (
    /rx ring V\d|tx ring V\d|\w[\w-]*(?: \w+)? queue|backlog|^qdisc \S+|^neighbour|(?:input_pkt|process|completion)_queue/.exec(
      place,
    )?.[0] ?? "other"
  );
}
