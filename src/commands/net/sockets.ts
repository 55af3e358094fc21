/** `net --sockets`: every socket of every namespace. */
import { hex16 } from "../../bytes/address.ts";
import { UsageError } from "../../bytes/errors.ts";
import { type NetNamespace, netNamespaces } from "../../linux/net/namespace.ts";
import type { Sock } from "../../linux/net/sock.ts";
import { AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX, AF_VSOCK } from "../../linux/net/sock-names.ts";
import { allSockets, type SocketEntry, type UnreadableSocket } from "../../linux/net/sockets.ts";
import type { SocketOwner } from "../../linux/net/task-sockets.ts";
import type { SocketTimer, TcpDetails } from "../../linux/net/tcp.ts";
import { parseNumber } from "../support/evaluate.ts";
import { lazy } from "../support/lazy.ts";
import { defineNetView } from "./view.ts";

export interface SocketsResult {
  readonly namespaces: readonly NetNamespace[];
  /** Read as they are shown. */
  readonly sockets: Iterable<SocketEntry | UnreadableSocket>;
  /** Filled while the sockets are read. */
  readonly socketNotes: readonly string[];
}

/** Words that choose by family or protocol. */
const FAMILIES: Readonly<Record<string, (sock: Sock) => boolean>> = {
  tcp: (sock) => sock.kind !== "sock" || /^(MP)?TCP/.test(sock.protocolName ?? ""),
  udp: (sock) => /^UDP/.test(sock.protocolName ?? ""),
  raw: ({ family, type }) => (family === AF_INET || family === AF_INET6) && type === "RAW",
  inet: ({ family }) => family === AF_INET || family === AF_INET6,
  unix: ({ family }) => family === AF_UNIX,
  netlink: ({ family }) => family === AF_NETLINK,
  packet: ({ family }) => family === AF_PACKET,
  vsock: ({ family }) => family === AF_VSOCK,
};

/** What completion offers behind --sockets. */
export const SOCKET_FAMILIES: readonly string[] = Object.keys(FAMILIES);

export const sockets = defineNetView<SocketsResult>({
  options: [{ flag: "--sockets", help: "every socket of every namespace: state, ends, queues, TCP's windows and timers, owners" }],
  synopsis: ["--sockets [tcp | udp | raw | inet | unix | netlink | packet | vsock | pid | address | :port]…"],
  description: [
    "--sockets shows all sockets, also those that no task holds: of the kernel itself, closed and still sending, not yet accepted, TIME_WAIT, half open. RX and TX are the packets that wait to be read and to be sent, with the bytes that the kernel accounts for them. Operands narrow the choice: a family or protocol, a pid, the address of a socket or sock, a port such as :80.",
  ],
  examples: [
    ["net --sockets tcp", "connections with their queues and timers"],
    ["net --sockets 1234", "what process 1234 holds"],
  ],
  run(session, args) {
    const { kernel } = session;
    const socketNotes: string[] = [];
    const wanted = args.operands.map(chooser);
    const progress = session.progress;
    return {
      namespaces: netNamespaces(kernel, socketNotes),
      sockets: lazy(function* () {
        for (const entry of allSockets(kernel, socketNotes, progress)) if (wanted.every((test) => test(entry))) yield entry;
      }),
      socketNotes,
    };
  },
  *text({ namespaces, sockets, socketNotes }) {
    yield "      SOCK       PROTO          STATE          RX (bytes)      TX (bytes)    LOCAL > REMOTE";
    const numbers = new Map(namespaces.map(({ address, inode, initial }) => [address, initial ? undefined : (inode ?? 0)]));
    let count = 0;
    for (const entry of sockets) {
      count++;
      yield* entryLines(entry, numbers);
    }
    if (count === 0) yield "(no sockets)";
    for (const note of socketNotes) yield `net: ${note}`;
  },
});

function chooser(text: string): (entry: SocketEntry | UnreadableSocket) => boolean {
  const family = Object.hasOwn(FAMILIES, text) ? FAMILIES[text] : undefined;
  if (family !== undefined) return (entry) => "sock" in entry && family(entry.sock);
  const port = /^:(\d{1,5})$/.exec(text);
  if (port !== null) return (entry) => "sock" in entry && [entry.sock.local?.port, entry.sock.remote?.port].includes(Number(port[1]));
  if (/^\d{1,7}$/.test(text)) return (entry) => "sock" in entry && entry.owners.some(({ pid }) => pid === Number(text));
  const address = parseNumber(text, 16);
  if (address === undefined) throw new UsageError(`${text} is no family (${Object.keys(FAMILIES).join(", ")}), pid, address or :port`);
  return (entry) => ("sock" in entry ? entry.sock.address === address || entry.sock.socket === address : entry.address === address);
}

function* entryLines(entry: SocketEntry | UnreadableSocket, numbers: ReadonlyMap<bigint, number | undefined>): Iterable<string> {
  if (!("sock" in entry)) {
    yield `${hex16(entry.address)} (unreadable: ${entry.problem})`;
    return;
  }
  const { sock } = entry;
  const { queues } = sock;
  const protocol = protocolOf(entry);
  const receive = queues === undefined ? "-" : `${queues.receive} (${queues.receiveBytes})`;
  const send = queues === undefined ? "-" : `${sendCount(entry)} (${Math.max(queues.writeBytes, queues.sendingBytes)})`;
  yield `${hex16(sock.address)} ${protocol.padEnd(14)} ${stateOf(entry).padEnd(12)} ${receive.padStart(12)} ${send.padStart(15)}    ${endsOf(entry)}`.trimEnd();
  const facts = [...factsOf(entry, numbers)];
  if (facts.length > 0) yield `    ${facts.join(", ")}`;
  if (entry.tcp !== undefined) yield* tcpLines(entry.tcp);
  for (const timer of entry.timeWait?.timers ?? entry.request?.timers ?? []) yield `    timer: ${timerText(timer)}`;
  if (entry.problem !== undefined) yield `    (${entry.problem})`;
}

function protocolOf({ sock }: SocketEntry): string {
  if (sock.kind !== "sock") return sock.family === AF_INET6 ? "TCPv6" : "TCP";
  if (sock.family === AF_UNIX || sock.family === AF_PACKET) return `${sock.familyName}:${sock.type}`;
  return sock.family === AF_NETLINK ? `NETLINK:${sock.type}` : (sock.protocolName ?? sock.familyName);
}

function stateOf({ sock, timeWait }: SocketEntry): string {
  if (timeWait !== undefined) return timeWait.substate;
  if (sock.kind === "request") return "SYN_RECV";
  // These have no states.
  return sock.family === AF_NETLINK || sock.family === AF_PACKET ? "-" : sock.stateName;
}

function sendCount({ sock, tcp }: SocketEntry): number {
  return (sock.queues?.write ?? 0) + (tcp?.retransmitQueue ?? 0);
}

function endsOf({ sock, unix, netlink, packet, vsock }: SocketEntry): string {
  const { local, remote } = sock;
  if (local !== undefined && remote !== undefined) {
    const text = ({ address, port }: { address: string; port: number }) =>
      `${address.includes(":") ? `[${address}]` : address}:${port === 0 ? "*" : port}`;
    return remote.port === 0 ? text(local) : `${text(local)} > ${text(remote)}`;
  }
  if (unix !== undefined) return `${unix.path ?? "(no name)"}${unix.peer === 0n ? "" : ` > ${hex16(unix.peer)}`}`;
  if (netlink !== undefined)
    return `${netlink.protocol}${netlink.port === 0 ? "" : ` port ${netlink.port}`}${netlink.groups.length === 0 ? "" : ` groups ${netlink.groups.join(",")}`}`;
  if (packet !== undefined) {
    const rings = packet.rings.map(({ kind, version }) => `${kind} ring V${version}`).join(", ");
    return `protocol ${packet.protocol.toString(16).padStart(4, "0")} device ${packet.device === 0 ? "all" : packet.device}${rings === "" ? "" : `, ${rings}`}`;
  }
  if (vsock !== undefined) {
    // VMADDR_CID_ANY and VMADDR_PORT_ANY.
    const text = (value: number) => (value === 0xffff_ffff ? "*" : String(value));
    const [here, there] = [vsock.local, vsock.remote].map(({ cid, port }) => `cid ${text(cid)} port ${text(port)}`);
    return vsock.remote.port === 0xffff_ffff ? `${here}` : `${here} > ${there}`;
  }
  return "";
}

function* factsOf(entry: SocketEntry, numbers: ReadonlyMap<bigint, number | undefined>): Iterable<string> {
  const { sock, owners, tcp, request } = entry;
  const number = numbers.get(sock.namespace);
  if (number !== undefined) yield `namespace ${number}`;
  if (sock.inode !== undefined) yield `inode ${sock.inode}`;
  if (owners.length > 0) yield ownersText(owners);
  else if (sock.kind === "sock") yield sock.socket === undefined ? orphanText(entry) : "held by no task (the kernel's own)";
  if (request !== undefined) yield `listener ${hex16(request.listener)}, SYN-ACK sent again ${request.retransmits} times`;
  const { queues } = sock;
  if (queues !== undefined) {
    if (queues.backlogBytes > 0) yield `backlog ${queues.backlogBytes} bytes`;
    if (queues.error > 0) yield `${queues.error} in the error queue`;
    if (queues.drops > 0) yield `${queues.drops} dropped`;
    if (queues.receiveBytes >= queues.receiveLimit && queues.receive > 0) yield `receive buffer full (limit ${queues.receiveLimit})`;
  }
  if (sock.error !== undefined && sock.error !== 0) yield `error ${sock.error}`;
  if (sock.device !== 0) yield `bound to device ${sock.device}`;
  if (tcp?.acceptQueue !== undefined) yield `${tcp.acceptQueue} of ${tcp.acceptLimit} wait for accept`;
}

/** Up to three; a socket that a server's workers share has hundreds of owners. */
function ownersText(owners: readonly SocketOwner[]): string {
  const shown = owners.slice(0, 3).map(({ pid, comm, fd }) => `${comm} (${pid}) fd ${fd}`);
  return shown.join(", ") + (owners.length > 3 ? ` and ${owners.length - 3} more` : "");
}

function orphanText({ sock }: SocketEntry): string {
  return sock.stateName === "ESTABLISHED" || sock.stateName === "CLOSE_WAIT" ? "not accepted yet" : "no socket: closed by its owner";
}

function* tcpLines(tcp: TcpDetails): Iterable<string> {
  if (tcp.acceptQueue === undefined) {
    const out =
      tcp.packetsOut === 0
        ? ""
        : `, ${tcp.packetsOut} segments out (${tcp.retransmitted} sent again, ${tcp.lost} lost, ${tcp.sacked} sacked)`;
    yield `    snd_una ${tcp.sendUnacknowledged} snd_nxt ${tcp.sendNext} write_seq ${tcp.writeSequence} (${tcp.unacknowledgedBytes} bytes unacknowledged), rcv_nxt ${tcp.receiveNext} copied_seq ${tcp.copiedSequence} (${tcp.unreadBytes} unread)`;
    yield `    cwnd ${tcp.congestionWindow} ssthresh ${tcp.slowStartThreshold === 0x7fffffff ? "none" : tcp.slowStartThreshold} ${tcp.congestionControl ?? ""} ${tcp.congestionState}, mss ${tcp.mss}, snd_wnd ${tcp.sendWindow} rcv_wnd ${tcp.receiveWindow}, rtt ${tcp.roundTripTime} ms rto ${tcp.retransmitTimeout ?? "?"} ms${out}`;
    const trouble = [
      tcp.retransmits > 0 ? `${tcp.retransmits} retransmissions without an answer` : "",
      tcp.totalRetransmits > 0 ? `${tcp.totalRetransmits} in all` : "",
      tcp.backoff > 0 ? `backoff ${tcp.backoff}` : "",
      tcp.probes > 0 ? `${tcp.probes} probes` : "",
      (tcp.outOfOrder ?? 0) > 0 ? `${tcp.outOfOrder} out of order` : "",
    ].filter((each) => each !== "");
    if (trouble.length > 0) yield `    ${trouble.join(", ")}`;
  }
  for (const timer of tcp.timers) yield `    timer: ${timerText(timer)}`;
}

function timerText({ name, expires, due }: SocketTimer): string {
  if (due === undefined) return `${name} at jiffies ${expires}`;
  return `${name} ${due < 0 ? `overdue by ${-due} ms` : `in ${due} ms`}`;
}
