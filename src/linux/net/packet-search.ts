/**
 * Every packet in memory, with the place it was found in: rings of AF_PACKET, queues of sockets, of neighbours, of devices (qdiscs) and of
 * CPUs. Lazy: a packet is read when it is pulled.
 *
 *   socket   sk_receive_queue, sk_error_queue, sk_write_queue, sk_backlog; of TCP tcp_rtx_queue and out_of_order_queue; of UDP reader_queue
 *   CPU      softnet_data: input_pkt_queue, process_queue (received, not looked at), completion_queue (sent, to be freed)
 */
import { add, hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { cpuMasks } from "../cpu.ts";
import { machineTime } from "../timekeeping.ts";
import { swap16 } from "./address-text.ts";
import { type NetDevice, netDevices } from "./device.ts";
import { guardedWalk, tell } from "./guarded.ts";
import { tcpPacket } from "./made-headers.ts";
import { netNamespaces } from "./namespace.ts";
import { neighbours } from "./neighbour.ts";
import { type Framed, framedPacket } from "./packet-frame.ts";
import type { PacketFrame, PacketRing } from "./packet-ring.ts";
import { LINKTYPE, type PcapngPacket } from "./pcapng.ts";
import { deviceQdiscs, qdiscPackets } from "./qdisc.ts";
import { MAX_PACKET, readSkBuff, skBuffBytes } from "./sk-buff.ts";
import { skbChain, skbList, skbTree } from "./sk-buff-queue.ts";
import { AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX, TCP_LISTEN } from "./sock-names.ts";
import type { TableProgress } from "./socket-tables.ts";
import { allSockets, isTcp, type SocketEntry } from "./sockets.ts";

/** A packet for a capture, and whether memory held it as such. */
export type FoundPacket = PcapngPacket & { readonly place: string };

/** ARPHRD_ of links whose frames begin with an Ethernet header: Ethernet itself, and the loopback device. */
const ETHERNET_LIKE = [1, 772];
const ARPHRD_NETLINK = 824;
const TEN_YEARS = 10n * 365n * 86_400n * 1_000_000_000n;

/** All packets. What is damaged is told in `notes`. */
export function* findPackets(kernel: Kernel, notes: string[] = [], progress?: TableProgress): Generator<FoundPacket, void, undefined> {
  const search = new PacketSearch(kernel, notes, progress);
  for (const part of [search.ringsAndSockets, search.neighbourQueues, search.deviceQueues, search.cpuQueues])
    yield* guardedWalk(notes, "a search for packets", () => part.call(search));
}

class PacketSearch {
  readonly #kernel: Kernel;
  readonly #notes: string[];
  readonly #progress: TableProgress | undefined;
  readonly #devices = new Map<bigint, NetDevice>();
  readonly #seen = new Map<bigint, string>();
  readonly #now: bigint;

  constructor(kernel: Kernel, notes: string[], progress: TableProgress | undefined) {
    this.#kernel = kernel;
    this.#notes = notes;
    this.#progress = progress;
    this.#now = machineTime(kernel).realtime ?? 0n;
    for (const { address } of netNamespaces(kernel, notes))
      for (const device of netDevices(kernel, address, notes)) this.#devices.set(device.address, device);
  }

  *ringsAndSockets(): Generator<FoundPacket, void, undefined> {
    for (const entry of allSockets(this.#kernel, this.#notes, this.#progress)) {
      if (!("sock" in entry)) continue;
      const name = socketName(entry);
      for (const ring of entry.packet?.rings ?? []) yield* this.#ringPackets(entry, ring, name);
      yield* this.#socketQueues(entry, name);
    }
  }

  *#ringPackets({ sock }: SocketEntry, ring: PacketRing, name: string): Generator<FoundPacket, void, undefined> {
    for (const block of ring.blocks) {
      for (const frame of block.frames) {
        const v3 = block.status !== undefined;
        const place = `${name}, ${ring.kind} ring V${ring.version}, ${v3 ? `block ${block.index}, packet ${frame.index}` : `frame ${frame.index}`}`;
        const packet = this.#attempt(place, () => this.#ringPacket(frame, sock.namespace, sock.type === "DGRAM", ring.kind));
        if (packet === undefined) continue;
        const state = [
          frame.owner === "user" ? "in the hands of the process" : "in the hands of the kernel",
          `status ${frame.statusNames.join("|")}`,
          ...(frame.vlan === undefined ? [] : [`VLAN ${frame.vlan.tci & 0xfff}`]),
          ...(ring.kind === "rx" && frame.owner === "kernel" && !(block.active ?? false) ? ["given back: an old packet"] : []),
        ].join(", ");
        yield { ...packet, place, comment: `${place}: ${state}` };
      }
    }
  }

  #ringPacket(frame: PacketFrame, namespace: VirtualAddress, cooked: boolean, kind: PacketRing["kind"]): Omit<FoundPacket, "place"> {
    const device = this.#deviceOf(namespace, frame.from?.device);
    const ethernet = frame.from === undefined || ETHERNET_LIKE.includes(frame.from.hardwareType);
    const linkType = cooked || !ethernet ? LINKTYPE.raw : LINKTYPE.ethernet;
    return {
      interface: this.#interface(device, linkType, kind === "tx" ? "to be sent" : "unknown device"),
      timestamp:
        frame.timestamp === undefined ? this.#now : BigInt(frame.timestamp.seconds) * 1_000_000_000n + BigInt(frame.timestamp.nanoseconds),
      bytes: this.#kernel.memory.bytes(frame.data, frame.captured),
      originalLength: frame.length,
    };
  }

  *#socketQueues(entry: SocketEntry, name: string): Generator<FoundPacket, void, undefined> {
    const { sock } = entry;
    if (sock.kind !== "sock") return;
    const kernel = this.#kernel;
    const struct = kernel.types.struct("sock");
    const list = (field: string) => () => skbList(kernel, struct.field(field).address(sock.address));
    yield* this.#walk(entry, `${name}, receive queue`, list("sk_receive_queue"));
    yield* this.#walk(entry, `${name}, error queue`, list("sk_error_queue"));
    const reader = /^UDP/.test(sock.protocolName ?? "") ? kernel.types.tryStruct("udp_sock")?.tryField("reader_queue") : undefined;
    if (reader !== undefined) yield* this.#walk(entry, `${name}, reader queue`, () => skbList(kernel, reader.address(sock.address)));
    yield* this.#walk(entry, `${name}, backlog`, () => skbChain(kernel, struct.field("sk_backlog.head").pointer(sock.address)));
    if (!isTcp(sock)) {
      yield* this.#walk(entry, `${name}, write queue`, list("sk_write_queue"));
      return;
    }
    if (sock.state === TCP_LISTEN) return;
    const tree = (field: { address(base: VirtualAddress): VirtualAddress } | undefined) => () =>
      field === undefined ? [] : skbTree(kernel, field.address(sock.address));
    const tcp = kernel.types.tryStruct("tcp_sock");
    yield* this.#walk(entry, `${name}, out-of-order queue`, tree(tcp?.tryField("out_of_order_queue")));
    yield* this.#walk(entry, `${name}, retransmit queue`, tree(struct.tryField("tcp_rtx_queue")), true);
    yield* this.#walk(entry, `${name}, write queue`, list("sk_write_queue"), true);
  }

  *#walk(
    entry: SocketEntry,
    place: string,
    queue: () => Iterable<VirtualAddress>,
    sending = false,
  ): Generator<FoundPacket, void, undefined> {
    let index = 0;
    for (const skb of guardedWalk(this.#notes, place, queue)) {
      const here = `${place}, packet ${index++}`;
      const packet = this.#attempt(here, () => (sending ? this.#segment(entry, skb) : this.#socketPacket(entry, skb)));
      // A UNIX listener queues empty ones: each stands for a connection.
      if (packet !== undefined && packet.bytes.length > 0) yield this.#placed(packet, skb, here);
    }
  }

  /** One sk_buff in two queues is damage that is told where the second is found. */
  #placed(packet: Omit<FoundPacket, "place">, skb: VirtualAddress, place: string): FoundPacket {
    const before = this.#seen.get(skb);
    this.#seen.set(skb, place);
    const more = [packet.comment, before === undefined ? undefined : `the same sk_buff is in ${before}`].filter(
      (each) => each !== undefined,
    );
    return { ...packet, place, comment: [`${place}: sk_buff ${hex16(skb)}`, ...more].join("; ") };
  }

  #socketPacket({ sock }: SocketEntry, address: VirtualAddress): Omit<FoundPacket, "place"> {
    const framed = framedPacket(this.#kernel, address);
    if (sock.family === AF_UNIX) return this.#made(framed, framed.bytes, LINKTYPE.user0, "AF_UNIX");
    if (sock.family === AF_NETLINK) return this.#made(framed, netlinkFrame(framed.bytes, sock.protocol ?? 0), LINKTYPE.netlink, "netlink");
    return sock.family === AF_PACKET ? this.#captured(framed, sock.namespace) : this.#framed(framed, sock.namespace);
  }

  /**
   * A packet that AF_PACKET has queued names its device in its control block, and its length before a filter cut it:
   * struct packet_skb_cb, an int and what of struct sockaddr_ll follows at byte 4 (sll_ifindex).
   */
  #captured(framed: Framed, namespace: VirtualAddress): Omit<FoundPacket, "place"> {
    const cb = this.#kernel.types.struct("sk_buff").field("cb").address(framed.skb.address);
    const index = this.#kernel.memory.u32(add(cb, 4));
    const length = this.#kernel.memory.u32(cb);
    const device = this.#deviceOf(namespace, index);
    if (device === undefined) return this.#framed(framed, namespace);
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

  #made(framed: Framed, bytes: Uint8Array, linkType: number, name: string): Omit<FoundPacket, "place"> {
    return this.#stamped(framed, { interface: { name, linkType }, bytes, originalLength: Math.max(bytes.length, framed.skb.length) });
  }

  /** A packet of a queue that knows no socket, or of a socket of the network. */
  #framed(framed: Framed, namespace?: VirtualAddress): Omit<FoundPacket, "place"> {
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

  #stamped({ skb, missing }: Framed, packet: Pick<FoundPacket, "interface" | "bytes" | "originalLength">): Omit<FoundPacket, "place"> {
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

  #interface(device: NetDevice | undefined, linkType: number, otherwise: string): FoundPacket["interface"] {
    if (device === undefined) return { name: otherwise, linkType };
    const namespace = netNamespaces(this.#kernel).find(({ address }) => address === device.namespace);
    const description = namespace === undefined || namespace.initial ? undefined : `network namespace ${namespace.inode ?? "?"}`;
    return { name: device.name, linkType, ...(description === undefined ? {} : { description }) };
  }

  /** Data in TCP's queues for sending has no headers yet: they are made. */
  #segment({ sock, tcp }: SocketEntry, address: VirtualAddress): Omit<FoundPacket, "place"> {
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

  *neighbourQueues(): Generator<FoundPacket, void, undefined> {
    for (const { address, ip, device, queue } of neighbours(this.#kernel, this.#notes))
      yield* this.#plain(`neighbour ${hex16(address)} (${ip} on ${device}), waiting for its address`, () => skbList(this.#kernel, queue));
  }

  *#plain(place: string, queue: () => Iterable<VirtualAddress>): Generator<FoundPacket, void, undefined> {
    let index = 0;
    for (const skb of guardedWalk(this.#notes, place, queue)) {
      const here = `${place}, packet ${index++}`;
      const packet = this.#attempt(here, () => this.#framed(framedPacket(this.#kernel, skb)));
      if (packet !== undefined) yield this.#placed(packet, skb, here);
    }
  }

  *deviceQueues(): Generator<FoundPacket, void, undefined> {
    for (const device of this.#devices.values()) {
      for (const qdisc of deviceQdiscs(this.#kernel, device.address, this.#notes)) {
        let index = 0;
        for (const { skb, place } of qdiscPackets(this.#kernel, qdisc, this.#notes)) {
          const here = `qdisc ${qdisc.kind} ${qdisc.handle} of ${device.name}, ${place}, packet ${index++}`;
          const packet = this.#attempt(here, () => this.#framed(framedPacket(this.#kernel, skb)));
          if (packet !== undefined) yield this.#placed(packet, skb, here);
        }
      }
    }
  }

  *cpuQueues(): Generator<FoundPacket, void, undefined> {
    const kernel = this.#kernel;
    const symbol = kernel.tryAddress("softnet_data");
    const struct = kernel.types.tryStruct("softnet_data");
    if (symbol === undefined || struct === undefined) {
      tell(this.#notes, "the queues of the CPUs cannot be found: softnet_data is missing");
      return;
    }
    for (const cpu of cpuMasks(kernel).possible) {
      if (kernel.perCpuOffsets[cpu] === undefined) continue;
      const base = kernel.perCpuAddress(symbol, cpu);
      for (const name of ["input_pkt_queue", "process_queue"])
        yield* this.#plain(`CPU ${cpu}, ${name}`, () => skbList(kernel, struct.field(name).address(base)));
      const done = struct.tryField("completion_queue");
      if (done !== undefined)
        yield* this.#plain(`CPU ${cpu}, completion_queue (sent, to be freed)`, () => skbChain(kernel, virtual(done.pointer(base))));
    }
  }

  #attempt<T>(place: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      tell(this.#notes, `${place}: ${error.message}`);
      return undefined;
    }
  }
}

/** "socket ff… TCP 127.0.0.1:5001 > 127.0.0.1:4000 of nc (120) fd 3" */
function socketName({ sock, owners, unix }: SocketEntry): string {
  const { local, remote } = sock;
  const ends = local === undefined || remote === undefined ? "" : ` ${local.address}:${local.port} > ${remote.address}:${remote.port}`;
  const path = unix?.path === undefined ? "" : ` ${unix.path}`;
  const [owner] = owners;
  const holder = owner === undefined ? "" : ` of ${owner.comm} (${owner.pid}) fd ${owner.fd}`;
  return `socket ${hex16(sock.address)} ${sock.protocolName ?? sock.familyName}${ends}${path}${holder}`;
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
