/** Every socket of every namespace with what its family knows of it, and the tasks that hold it. */
import type { VirtualAddress } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type NetlinkDetails, netlinkDetails } from "./netlink-sock.ts";
import { type PacketDetails, packetDetails } from "./packet-sock.ts";
import { readSock, type Sock } from "./sock.ts";
import { AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX, AF_VSOCK } from "./sock-names.ts";
import { allSocks, type TableProgress } from "./socket-tables.ts";
import { type SocketOwner, socketOwners } from "./task-sockets.ts";
import { type RequestDetails, requestDetails, type TcpDetails, type TimeWaitDetails, tcpDetails, timeWaitDetails } from "./tcp.ts";
import { type UnixDetails, unixDetails } from "./unix-sock.ts";
import { type VsockDetails, vsockDetails } from "./vsock.ts";

/** IPPROTO_TCP. */
const TCP = 6;

/** A socket with what its family knows of it. */
export interface SocketEntry {
  readonly sock: Sock;
  /** Tasks that have it open; none for what the kernel itself uses, was closed, or is not accepted yet. */
  readonly owners: readonly SocketOwner[];
  readonly tcp?: TcpDetails;
  readonly timeWait?: TimeWaitDetails;
  readonly request?: RequestDetails;
  readonly unix?: UnixDetails;
  readonly netlink?: NetlinkDetails;
  readonly packet?: PacketDetails;
  readonly vsock?: VsockDetails;
  /** Why details are missing. */
  readonly problem?: string;
}

/** A sock that cannot be read at all. */
export interface UnreadableSocket {
  readonly address: VirtualAddress;
  readonly problem: string;
}

/** All sockets, read as they are pulled. What is damaged in the tables is told in `notes`. */
export function* allSockets(
  kernel: Kernel,
  notes: string[] = [],
  progress?: TableProgress,
): Generator<SocketEntry | UnreadableSocket, void, undefined> {
  for (const address of allSocks(kernel, notes, progress)) yield readSocketEntry(kernel, address);
}

/** One sock with its details. Never throws for damaged memory. */
export function readSocketEntry(kernel: Kernel, address: VirtualAddress): SocketEntry | UnreadableSocket {
  let sock: Sock;
  try {
    sock = readSock(kernel, address);
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    return { address, problem: error.message };
  }
  const base: SocketEntry = { sock, owners: socketOwners(kernel).get(address) ?? [] };
  try {
    return { ...base, ...detailsOf(kernel, sock) };
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    return { ...base, problem: error.message };
  }
}

/** True for a TCP connection or listener, whatever its address family. */
export function isTcp({ kind, family, type, protocol }: Sock): boolean {
  return kind === "sock" && (family === AF_INET || family === AF_INET6) && type === "STREAM" && protocol === TCP;
}

function detailsOf(kernel: Kernel, sock: Sock): Omit<SocketEntry, "sock" | "owners"> {
  const { address, kind, family, state, protocol = 0 } = sock;
  if (kind === "time wait") return { timeWait: timeWaitDetails(kernel, address) };
  if (kind === "request") return { request: requestDetails(kernel, address) };
  if (isTcp(sock)) return { tcp: tcpDetails(kernel, address, state) };
  if (family === AF_UNIX) return { unix: unixDetails(kernel, address) };
  if (family === AF_NETLINK) return { netlink: netlinkDetails(kernel, address, protocol) };
  if (family === AF_PACKET) return { packet: packetDetails(kernel, address) };
  if (family === AF_VSOCK) {
    const vsock = vsockDetails(kernel, address);
    return vsock === undefined ? {} : { vsock };
  }
  return {};
}
