/**
 * What a packet found in memory is in a capture: its bytes with the kind of link they begin at, its interface, and its time.
 *
 *   ring of AF_PACKET            as it was captured
 *   queue of a socket            by the family: a frame, a datagram, a netlink message behind a made-up header
 *   TCP's queues for sending     data without headers: they are made from the socket
 */
import { add, type VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { machineTime } from "../timekeeping.ts";
import { swap16 } from "./address-text.ts";
import type { NetDevice } from "./device.ts";
import { tcpPacket } from "./made-headers.ts";
import { netNamespaces } from "./namespace.ts";
import { type Framed, framedPacket } from "./packet-frame.ts";
import type { PacketRing } from "./packet-ring.ts";
import { LINKTYPE, type PcapngPacket } from "./pcapng.ts";
import { MAX_PACKET, readSkBuff } from "./sk-buff.ts";
import { skBuffBytes } from "./sk-buff-bytes.ts";
import { AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX } from "./sock-names.ts";
import type { SocketEntry } from "./sockets.ts";
import type { PacketFrame } from "./tpacket-frame.ts";

/** ARPHRD_ of links whose frames begin with an Ethernet header: Ethernet itself, and the loopback device. */
const ETHERNET_LIKE = [1, 772];
const ARPHRD_NETLINK = 824;
const TEN_YEARS = 10n * 365n * 86_400n * 1_000_000_000n;

/** Makes packets of a capture; knows the devices that their interfaces are. */
export class PacketCapture {
  readonly #kernel: Kernel;
  readonly #devices: ReadonlyMap<bigint, NetDevice>;
  readonly #now: bigint;

  constructor(kernel: Kernel, devices: ReadonlyMap<bigint, NetDevice>) {
    this.#kernel = kernel;
    this.#devices = devices;
    this.#now = machineTime(kernel).realtime ?? 0n;
  }

  /** A packet of a ring. */
  ringPacket(frame: PacketFrame, namespace: VirtualAddress, cooked: boolean, kind: PacketRing["kind"]): PcapngPacket {
    const device = this.#deviceOf(namespace, frame.from?.device);
    const ethernet = frame.from === undefined || ETHERNET_LIKE.includes(frame.from.hardwareType);
    const linkType = cooked || !ethernet ? LINKTYPE.raw : LINKTYPE.ethernet;
    return {
      interface: this.#interface(device, linkType, kind === "tx" ? "to be sent" : "unknown device"),
      timestamp:
        frame.timestamp === undefined ? this.#now : BigInt(frame.timestamp.seconds) * 1_000_000_000n + BigInt(frame.timestamp.nanoseconds),
      // The process may have written any length that fits into the block.
      bytes: this.#kernel.memory.bytes(frame.data, Math.min(frame.captured, MAX_PACKET)),
      originalLength: frame.length,
    };
  }

  /** A packet of a socket's queue. @throws FaultError, CorruptionError when the sk_buff makes no sense */
  socketPacket({ sock }: SocketEntry, address: VirtualAddress): PcapngPacket {
    const framed = framedPacket(this.#kernel, address);
    if (sock.family === AF_UNIX) return this.#made(framed, framed.bytes, LINKTYPE.user0, "AF_UNIX");
    if (sock.family === AF_NETLINK) return this.#made(framed, netlinkFrame(framed.bytes, sock.protocol ?? 0), LINKTYPE.netlink, "netlink");
    return sock.family === AF_PACKET ? this.#captured(framed, sock.namespace) : this.framed(framed, sock.namespace);
  }

  /**
   * A packet that AF_PACKET has queued names its device in its control block, and its length before a filter cut it:
   * struct packet_skb_cb, an int and what of struct sockaddr_ll follows at byte 4 (sll_ifindex).
   */
  #captured(framed: Framed, namespace: VirtualAddress): PcapngPacket {
    const cb = this.#kernel.types.struct("sk_buff").field("cb").address(framed.skb.address);
    const index = this.#kernel.memory.u32(add(cb, 4));
    const length = this.#kernel.memory.u32(cb);
    const device = this.#deviceOf(namespace, index);
    if (device === undefined) return this.framed(framed, namespace);
    return this.#stamped(framed, {
      interface: this.#interface(device, framed.linkType, "unknown device"),
      bytes: framed.bytes,
      originalLength: length <= MAX_PACKET ? Math.max(length, framed.bytes.length) : framed.bytes.length,
    });
  }

  #deviceOf(namespace: VirtualAddress | undefined, index: number | undefined): NetDevice | undefined {
    return [...this.#devices.values()].find(
      (device) => device.index === index && (namespace === undefined || device.namespace === namespace),
    );
  }

  #made(framed: Framed, bytes: Uint8Array, linkType: number, name: string): PcapngPacket {
    return this.#stamped(framed, { interface: { name, linkType }, bytes, originalLength: Math.max(bytes.length, framed.skb.length) });
  }

  /** A packet of a queue that knows no socket, or of a socket of the network. */
  framed(framed: Framed, namespace?: VirtualAddress): PcapngPacket {
    const { skb, bytes, linkType } = framed;
    const device =
      this.#devices.get(skb.device) ??
      [...this.#devices.values()].find(
        (each) => each.index === skb.inputDevice && (namespace === undefined || each.namespace === namespace),
      );
    const missing = framed.missing === undefined ? 0 : Math.max(0, skb.length - bytes.length);
    return this.#stamped(framed, {
      interface: this.#interface(device, linkType, "unknown device"),
      bytes,
      originalLength: bytes.length + missing,
    });
  }

  #stamped({ skb, missing }: Framed, packet: Pick<PcapngPacket, "interface" | "bytes" | "originalLength">): PcapngPacket {
    const stamp = this.#wallClock(skb.timestamp);
    const remarks = [
      ...(stamp === undefined ? ["its time is not known: that of the dump is shown"] : []),
      ...(skb.vlan === undefined ? [] : [`VLAN ${skb.vlan.tci & 0xfff}`]),
      ...(missing === undefined ? [] : [missing]),
    ];
    return { ...packet, timestamp: stamp ?? this.#now, ...(remarks.length === 0 ? {} : { comment: remarks.join("; ") }) };
  }

  /** Received packets carry wall-clock time, TCP's own CLOCK_MONOTONIC. */
  #wallClock(stamp: bigint): bigint | undefined {
    const { monotonic } = machineTime(this.#kernel);
    if (stamp <= 0n) return undefined;
    if (stamp > this.#now - TEN_YEARS && stamp < this.#now + TEN_YEARS) return stamp;
    return monotonic !== undefined && stamp <= monotonic + 86_400_000_000_000n ? this.#now - monotonic + stamp : undefined;
  }

  #interface(device: NetDevice | undefined, linkType: number, otherwise: string): PcapngPacket["interface"] {
    if (device === undefined) return { name: otherwise, linkType };
    const namespace = netNamespaces(this.#kernel).find(({ address }) => address === device.namespace);
    const description = namespace === undefined || namespace.initial ? undefined : `network namespace ${namespace.inode ?? "?"}`;
    return { name: device.name, linkType, ...(description === undefined ? {} : { description }) };
  }

  /** Data in TCP's queues for sending has no headers yet: they are made. */
  segment({ sock, tcp }: SocketEntry, address: VirtualAddress): PcapngPacket {
    const kernel = this.#kernel;
    const skb = readSkBuff(kernel, address);
    const framed: Framed = { skb, linkType: LINKTYPE.raw, ...skBuffBytes(kernel, skb) };
    const common = kernel.types.struct("sock_common");
    const control = kernel.types.struct("tcp_skb_cb");
    const cb = kernel.types.struct("sk_buff").field("cb").address(address);
    const six = sock.family === AF_INET6;
    const end = (v4: string, v6: string) => kernel.memory.bytes(common.field(six ? v6 : v4).address(sock.address), six ? 16 : 4);
    const packet = tcpPacket({
      version: six ? 6 : 4,
      source: end("skc_rcv_saddr", "skc_v6_rcv_saddr"),
      destination: end("skc_daddr", "skc_v6_daddr"),
      sourcePort: common.field("skc_num").number(sock.address),
      destinationPort: swap16(common.field("skc_dport").number(sock.address)),
      sequence: control.field("seq").number(cb),
      acknowledgement: tcp?.receiveNext ?? 0,
      flags: control.field("tcp_flags").number(cb) | 0x10,
      window: tcp?.receiveWindow ?? 0,
      data: framed.bytes,
    });
    const made = this.#made(framed, packet, LINKTYPE.raw, "to be sent");
    return {
      ...made,
      originalLength: packet.length,
      comment: ["its headers are made from the socket", made.comment].filter(Boolean).join("; "),
    };
  }
}

/** LINKTYPE_NETLINK: a cooked header of 16 bytes with the netlink protocol at its end. */
function netlinkFrame(message: Uint8Array, protocol: number): Uint8Array {
  const frame = new Uint8Array(16 + message.length);
  const view = new DataView(frame.buffer);
  view.setUint16(2, ARPHRD_NETLINK);
  view.setUint16(14, protocol);
  frame.set(message, 16);
  return frame;
}
