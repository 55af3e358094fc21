/**
 * One struct sock (include/net/sock.h): what it is, its two ends, its queues and how full they are.
 *
 *   struct socket { state, type, file, sk } ──sk──► struct sock { __sk_common { family, state, ports, addresses, net, prot } … }
 *     a socket of user space                          also without a struct socket: accepted by nobody yet, or closed and still sending
 *
 * Two smaller structures share only the struct sock_common at the front: inet_timewait_sock (TIME_WAIT) and request_sock (NEW_SYN_RECV).
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Struct } from "../../kernel/types.ts";
import { ipv4OfWord, ipv6Groups, ipv6Text, swap16 } from "./address-text.ts";
import { AF_INET, AF_INET6, familyName, stateName, TCP_NEW_SYN_RECV, TCP_TIME_WAIT, typeName } from "./sock-names.ts";

/** One end of a socket of IPv4 or IPv6. */
export interface SocketEnd {
  readonly address: string;
  readonly port: number;
}

/** How much waits where. Bytes are as the kernel accounts them: with the overhead of the buffers. */
export interface SocketQueues {
  /** Packets in sk_receive_queue (with UDP's reader_queue), sk_write_queue, sk_error_queue. */
  readonly receive: number;
  readonly write: number;
  readonly error: number;
  /** sk_rmem_alloc, sk_wmem_queued, sk_wmem_alloc, sk_backlog.len. */
  readonly receiveBytes: number;
  readonly writeBytes: number;
  readonly sendingBytes: number;
  readonly backlogBytes: number;
  readonly receiveLimit: number;
  readonly sendLimit: number;
  readonly drops: number;
}

/** What all sockets have (struct sock). */
export interface Sock {
  /** struct sock, inet_timewait_sock or request_sock. */
  readonly address: VirtualAddress;
  readonly kind: "sock" | "time wait" | "request";
  readonly family: number;
  /** "INET6" */
  readonly familyName: string;
  /** "STREAM"; undefined for the two small kinds. */
  readonly type?: string;
  /** IPPROTO_, NETLINK_ …; undefined for the two small kinds. */
  readonly protocol?: number;
  /** Name of the struct proto: "TCP", "UDPv6", "UNIX-STREAM", "PACKET". */
  readonly protocolName?: string;
  readonly state: number;
  readonly stateName: string;
  /** struct net. */
  readonly namespace: VirtualAddress;
  /** Index of the device it is bound to; 0 for none. */
  readonly device: number;
  readonly local?: SocketEnd;
  readonly remote?: SocketEnd;
  /** struct socket; undefined for one that user space has closed or not yet accepted. */
  readonly socket?: VirtualAddress;
  /** Number of the inode in sockfs: "socket:[1234]". */
  readonly inode?: number;
  readonly uid?: number;
  readonly queues?: SocketQueues;
  /** sk_err, 0 for none. */
  readonly error?: number;
}

interface Layout {
  readonly sock: Struct;
  readonly common: Struct;
}

function sockLayout(kernel: Kernel): Layout {
  return kernel.memo(sockLayout, () => ({ sock: kernel.types.struct("sock"), common: kernel.types.struct("sock_common") }));
}

/** Reads a sock of any family. @throws FaultError when its front cannot be read; queues that cannot be read are left out */
export function readSock(kernel: Kernel, address: VirtualAddress): Sock {
  const { sock, common } = sockLayout(kernel);
  const family = common.field("skc_family").number(address);
  const state = common.field("skc_state").number(address);
  const kind: Sock["kind"] = state === TCP_TIME_WAIT ? "time wait" : state === TCP_NEW_SYN_RECV ? "request" : "sock";
  // TIME_WAIT and NEW_SYN_RECV are states of TCP alone; another family's number that looks like it is a full sock.
  const isSmall = kind !== "sock" && (family === AF_INET || family === AF_INET6);
  const front: Sock = {
    address,
    kind: isSmall ? kind : "sock",
    family,
    familyName: familyName(family),
    state,
    stateName: stateName(state),
    namespace: namespaceOf(common, address),
    device: common.field("skc_bound_dev_if").number(address),
    ...inetEnds(kernel, address, family, isSmall),
  };
  if (isSmall) return front;
  const name = protocolName(kernel, common.field("skc_prot").pointer(address));
  const socket = sock.field("sk_socket").pointer(address);
  const inode = socket === 0n ? undefined : inodeNumber(kernel, socket);
  const uid = sock.firstField("sk_uid.val", "sk_uid");
  return {
    ...front,
    type: typeName(sock.field("sk_type").number(address)),
    protocol: sock.field("sk_protocol").number(address),
    ...(name === undefined ? {} : { protocolName: name }),
    ...(socket === 0n ? {} : { socket }),
    ...(inode === undefined ? {} : { inode }),
    ...(uid === undefined || uid.size !== 4 ? {} : { uid: uid.number(address) >>> 0 }),
    queues: readQueues(kernel, sock, address, /^UDP/.test(name ?? "")),
    error: sock.field("sk_err").number(address),
  };
}

/** struct net of a sock: possible_net_t is empty without CONFIG_NET_NS. */
function namespaceOf(common: Struct, address: VirtualAddress): VirtualAddress {
  return common.firstField("skc_net.net")?.pointer(address) ?? (0n as VirtualAddress);
}

function protocolName(kernel: Kernel, proto: VirtualAddress): string | undefined {
  const name = kernel.types.tryStruct("proto")?.tryField("name");
  const bytes = name === undefined || proto === 0n ? undefined : kernel.memory.tryBytes(name.address(proto), name.size);
  if (bytes === undefined) return undefined;
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** inode.i_ino of a socket: both lie in one struct socket_alloc. */
function inodeNumber(kernel: Kernel, socket: VirtualAddress): number | undefined {
  const both = kernel.types.tryStruct("socket_alloc");
  const inode = both?.tryField("vfs_inode.i_ino");
  if (both === undefined || inode === undefined) return undefined;
  const base = BigInt.asUintN(64, socket - BigInt(both.field("socket").offset)) as VirtualAddress;
  const number = kernel.memory.tryU64(inode.address(base));
  return number === undefined ? undefined : Number(number);
}

/** Both ends; none for other families. The small kinds have their ports in skc_num and skc_dport only. */
function inetEnds(kernel: Kernel, address: VirtualAddress, family: number, small: boolean): Pick<Sock, "local" | "remote"> {
  if (family !== AF_INET && family !== AF_INET6) return {};
  const { common } = sockLayout(kernel);
  const inet = small ? undefined : kernel.types.tryStruct("inet_sock");
  // inet_sport is what the packets carry; skc_num is the same in the host's order, and 0 before the socket is bound to it.
  const sport = inet?.tryField("inet_sport");
  const local = sport === undefined ? common.field("skc_num").number(address) : swap16(sport.number(address));
  const remote = swap16(common.field("skc_dport").number(address));
  const text = (v4: string, v6: string) => {
    const field = family === AF_INET6 ? common.tryField(v6) : undefined;
    if (field !== undefined) return ipv6Text(kernel.memory.bytes(field.address(address), 16));
    return ipv4OfWord(common.field(v4).number(address) >>> 0);
  };
  return {
    local: { address: text("skc_rcv_saddr", "skc_v6_rcv_saddr"), port: local },
    remote: { address: text("skc_daddr", "skc_v6_daddr"), port: remote },
  };
}

/** Both ends of an IPv6 socket with all their groups, as crash prints them. @throws FaultError */
export function inet6Groups(kernel: Kernel, address: VirtualAddress): { readonly local: string; readonly remote: string } {
  const { common } = sockLayout(kernel);
  const groups = (name: string) => ipv6Groups(kernel.memory.bytes(common.field(name).address(address), 16));
  return { local: groups("skc_v6_rcv_saddr"), remote: groups("skc_v6_daddr") };
}

function readQueues(kernel: Kernel, sock: Struct, address: VirtualAddress, isUdp: boolean): SocketQueues {
  const number = (...paths: string[]) => sock.firstField(...paths)?.number(address) ?? 0;
  // What a reader has looked at waits in a queue of its own: 4.12 (2276f58ac589).
  const reader = isUdp ? (kernel.types.tryStruct("udp_sock")?.tryField("reader_queue.qlen")?.number(address) ?? 0) : 0;
  return {
    receive: number("sk_receive_queue.qlen") + reader,
    write: number("sk_write_queue.qlen"),
    error: number("sk_error_queue.qlen"),
    receiveBytes: number("sk_backlog.rmem_alloc.counter"),
    writeBytes: number("sk_wmem_queued"),
    // Begins at 1, so that the sock lives as long as it can be written to; refcount_t since 4.13 (14afee4b6092).
    sendingBytes: Math.max(0, number("sk_wmem_alloc.refs.counter", "sk_wmem_alloc.counter") - 1),
    backlogBytes: number("sk_backlog.len"),
    receiveLimit: number("sk_rcvbuf"),
    sendLimit: number("sk_sndbuf"),
    drops: number("sk_drops.counter") + dropsByNode(kernel, sock, address),
  };
}

/** Drops of UDP and RAW sockets are counted by NUMA node since 6.18 (struct numa_drop_counters). */
function dropsByNode(kernel: Kernel, sock: Struct, address: VirtualAddress): number {
  const pointer = sock.tryField("sk_drop_counters")?.pointer(address) ?? 0n;
  const counters = kernel.types.tryStruct("numa_drop_counters");
  if (pointer === 0n || counters === undefined) return 0;
  let sum = 0;
  for (const name of ["drops0.counter", "drops1.counter"]) {
    const field = counters.tryField(name);
    sum += field === undefined ? 0 : (kernel.memory.tryU32(field.address(pointer as VirtualAddress)) ?? 0);
  }
  return sum;
}
