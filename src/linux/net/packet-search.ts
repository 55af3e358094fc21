/**
 * Every packet in memory, with the place it was found in: rings of AF_PACKET, queues of sockets, of neighbours, of devices (qdiscs) and of
 * CPUs. Lazy: a packet is read when it is pulled.
 *
 *   socket   sk_receive_queue, sk_error_queue, sk_write_queue, sk_backlog; of TCP tcp_rtx_queue and out_of_order_queue; of UDP reader_queue
 *   CPU      softnet_data: input_pkt_queue, process_queue (received, not looked at), completion_queue (sent, to be freed)
 */
import { hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { cpuMasks } from "../cpu.ts";
import { type NetDevice, netDevices } from "./device.ts";
import { guardedWalk, tell } from "./guarded.ts";
import { netNamespaces } from "./namespace.ts";
import { neighbours } from "./neighbour.ts";
import { PacketCapture } from "./packet-capture.ts";
import { framedPacket } from "./packet-frame.ts";
import type { PacketRing } from "./packet-ring.ts";
import type { PcapngPacket } from "./pcapng.ts";
import { deviceQdiscs, qdiscPackets } from "./qdisc.ts";
import { skbChain, skbList, skbTree } from "./sk-buff-queue.ts";
import { TCP_LISTEN } from "./sock-names.ts";
import type { TableProgress } from "./socket-tables.ts";
import { allSockets, isTcp, type SocketEntry } from "./sockets.ts";

/** A packet for a capture, and whether memory held it as such. */
export type FoundPacket = PcapngPacket & { readonly place: string };

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
  readonly #capture: PacketCapture;

  constructor(kernel: Kernel, notes: string[], progress: TableProgress | undefined) {
    this.#kernel = kernel;
    this.#notes = notes;
    this.#progress = progress;
    for (const { address } of netNamespaces(kernel, notes))
      for (const device of netDevices(kernel, address, notes)) this.#devices.set(device.address, device);
    this.#capture = new PacketCapture(kernel, this.#devices);
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
        const packet = this.#attempt(place, () => this.#capture.ringPacket(frame, sock.namespace, sock.type === "DGRAM", ring.kind));
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
      const packet = this.#attempt(here, () => (sending ? this.#capture.segment(entry, skb) : this.#capture.socketPacket(entry, skb)));
      // A UNIX listener queues empty ones: each stands for a connection.
      if (packet !== undefined && packet.bytes.length > 0) yield this.#placed(packet, skb, here);
    }
  }

  /** One sk_buff in two queues is damage that is told where the second is found. */
  #placed(packet: PcapngPacket, skb: VirtualAddress, place: string): FoundPacket {
    const before = this.#seen.get(skb);
    this.#seen.set(skb, place);
    const more = [packet.comment, before === undefined ? undefined : `the same sk_buff is in ${before}`].filter(
      (each) => each !== undefined,
    );
    return { ...packet, place, comment: [`${place}: sk_buff ${hex16(skb)}`, ...more].join("; ") };
  }

  *neighbourQueues(): Generator<FoundPacket, void, undefined> {
    for (const { address, ip, device, queue } of neighbours(this.#kernel, this.#notes))
      yield* this.#plain(`neighbour ${hex16(address)} (${ip} on ${device}), waiting for its address`, () => skbList(this.#kernel, queue));
  }

  *#plain(place: string, queue: () => Iterable<VirtualAddress>): Generator<FoundPacket, void, undefined> {
    let index = 0;
    for (const skb of guardedWalk(this.#notes, place, queue)) {
      const here = `${place}, packet ${index++}`;
      const packet = this.#attempt(here, () => this.#capture.framed(framedPacket(this.#kernel, skb)));
      if (packet !== undefined) yield this.#placed(packet, skb, here);
    }
  }

  *deviceQueues(): Generator<FoundPacket, void, undefined> {
    for (const device of this.#devices.values()) {
      for (const qdisc of deviceQdiscs(this.#kernel, device.address, this.#notes)) {
        let index = 0;
        for (const { skb, place } of qdiscPackets(this.#kernel, qdisc, this.#notes)) {
          const here = `qdisc ${qdisc.kind} ${qdisc.handle} of ${device.name}, ${place}, packet ${index++}`;
          const packet = this.#attempt(here, () => this.#capture.framed(framedPacket(this.#kernel, skb)));
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
