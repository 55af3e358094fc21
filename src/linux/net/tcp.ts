/**
 * TCP's own state (include/linux/tcp.h, include/net/inet_connection_sock.h, inet_timewait_sock.h, request_sock.h).
 *
 *   tcp_sock ⊃ inet_connection_sock ⊃ inet_sock ⊃ sock
 *     snd_una ≤ snd_nxt ≤ write_seq        unacknowledged │ sent │ written        copied_seq ≤ rcv_nxt     read by the user │ received
 *
 *   What icsk_pending says of the one timer for sending:  retransmit, zero-window probe, loss probe, reordering
 *     up to 6.18   icsk_retransmit_timer, due at icsk_timeout; keep-alive, FIN_WAIT2 and SYN-ACK in sk_timer
 *     7.0+         sk.tcp_retransmit_timer, due at its expires; keep-alive in icsk_keepalive_timer
 *
 * A timer that was put off runs at its old time and arms itself anew: `due` is what the kernel means, not when the wheel fires.
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Struct } from "../../kernel/types.ts";
import { tickRate } from "../tick-rate.ts";
import { skbTree } from "./sk-buff-queue.ts";
import { TCP_LISTEN } from "./sock-names.ts";

/** A timer that is armed. */
export interface SocketTimer {
  /** "retransmit", "zero-window probe", "delayed ACK", "keep-alive", "TIME_WAIT" … */
  readonly name: string;
  /** Jiffies at which it is due. */
  readonly expires: number;
  /** Milliseconds from the death of the kernel on; negative when it is overdue; absent when the time is not known. */
  readonly due?: number;
}

/** What a TCP connection has besides. */
export interface TcpDetails {
  readonly sendUnacknowledged: number;
  readonly sendNext: number;
  readonly writeSequence: number;
  readonly receiveNext: number;
  readonly copiedSequence: number;
  readonly sendWindow: number;
  readonly receiveWindow: number;
  /** Bytes not yet acknowledged, and not yet read, as /proc/net/tcp counts them. */
  readonly unacknowledgedBytes: number;
  readonly unreadBytes: number;
  /** In segments. */
  readonly congestionWindow: number;
  readonly slowStartThreshold: number;
  readonly mss: number;
  readonly packetsOut: number;
  readonly retransmitted: number;
  readonly lost: number;
  readonly sacked: number;
  readonly totalRetransmits: number;
  /** Retransmissions of what is at the front now, without an answer. */
  readonly retransmits: number;
  readonly backoff: number;
  readonly probes: number;
  /** Milliseconds. */
  readonly retransmitTimeout?: number;
  readonly roundTripTime: number;
  /** "Open", "Disorder", "CWR", "Recovery", "Loss". */
  readonly congestionState: string;
  /** "cubic" */
  readonly congestionControl?: string;
  /** Packets sent and not acknowledged (tcp_rtx_queue), and received out of order; undefined where the tree cannot be read. */
  readonly retransmitQueue?: number;
  readonly outOfOrder?: number;
  /** Of a listener: connections that wait for accept(), and how many may. */
  readonly acceptQueue?: number;
  readonly acceptLimit?: number;
  readonly timers: readonly SocketTimer[];
}

/** enum tcp_ca_state (include/uapi/linux/tcp.h). */
const CONGESTION_STATES = ["Open", "Disorder", "CWR", "Recovery", "Loss"];

/** ICSK_TIME_ of include/net/inet_connection_sock.h. */
const PENDING: Readonly<Record<number, string>> = {
  1: "retransmit",
  2: "delayed ACK",
  3: "zero-window probe",
  4: "early retransmit",
  5: "loss probe",
  6: "reordering",
};
/** ICSK_ACK_TIMER. */
const ACK_TIMER = 2;
/** TCP_CLOSE. */
const CLOSED = 7;

/** Reads what TCP knows of a connection or listener (a full sock). @throws FaultError when the sock cannot be read */
export function tcpDetails(kernel: Kernel, sock: VirtualAddress, state: number): TcpDetails {
  const tcp = kernel.types.struct("tcp_sock");
  const icsk = kernel.types.struct("inet_connection_sock");
  const base = kernel.types.struct("sock");
  const u32 = (name: string) => (tcp.tryField(name)?.number(sock) ?? 0) >>> 0;
  const icskNumber = (name: string) => icsk.tryField(name)?.number(sock) ?? 0;
  const hz = tickRate(kernel);
  const rto = icskNumber("icsk_rto");
  const control = congestionControl(kernel, icsk, sock);
  const listening = state === TCP_LISTEN;
  const rtx = base.tryField("tcp_rtx_queue");
  const count = (field: { address(base: VirtualAddress): VirtualAddress } | undefined) =>
    field === undefined ? undefined : countTree(kernel, field.address(sock));
  // The trees of a listener are other things' places.
  const retransmitQueue = listening ? undefined : count(rtx);
  const outOfOrder = listening ? undefined : count(tcp.tryField("out_of_order_queue"));
  return {
    sendUnacknowledged: u32("snd_una"),
    sendNext: u32("snd_nxt"),
    writeSequence: u32("write_seq"),
    receiveNext: u32("rcv_nxt"),
    copiedSequence: u32("copied_seq"),
    sendWindow: u32("snd_wnd"),
    receiveWindow: u32("rcv_wnd"),
    unacknowledgedBytes: (u32("write_seq") - u32("snd_una")) >>> 0,
    // A FIN takes a number and is no byte: rcv_nxt may also be one behind copied_seq.
    unreadBytes: Math.max(0, (u32("rcv_nxt") - u32("copied_seq")) | 0),
    congestionWindow: u32("snd_cwnd"),
    slowStartThreshold: u32("snd_ssthresh"),
    mss: u32("mss_cache"),
    packetsOut: u32("packets_out"),
    retransmitted: u32("retrans_out"),
    lost: u32("lost_out"),
    sacked: u32("sacked_out"),
    totalRetransmits: u32("total_retrans"),
    retransmits: icskNumber("icsk_retransmits"),
    backoff: icskNumber("icsk_backoff"),
    probes: icskNumber("icsk_probes_out"),
    ...(hz === undefined ? {} : { retransmitTimeout: Math.round((rto * 1000) / hz) }),
    // srtt_us is kept eight times as large.
    roundTripTime: Math.round(u32("srtt_us") / 8) / 1000,
    congestionState: CONGESTION_STATES[icskNumber("icsk_ca_state")] ?? String(icskNumber("icsk_ca_state")),
    ...(control === undefined ? {} : { congestionControl: control }),
    ...(retransmitQueue === undefined ? {} : { retransmitQueue }),
    ...(outOfOrder === undefined ? {} : { outOfOrder }),
    ...(listening
      ? { acceptQueue: base.field("sk_ack_backlog").number(sock), acceptLimit: base.field("sk_max_ack_backlog").number(sock) }
      : {}),
    timers: tcpTimers(kernel, sock, listening || state === CLOSED),
  };
}

function congestionControl(kernel: Kernel, icsk: Struct, sock: VirtualAddress): string | undefined {
  const name = kernel.types.tryStruct("tcp_congestion_ops")?.tryField("name");
  const operations = icsk.tryField("icsk_ca_ops")?.pointer(sock) ?? 0n;
  if (name === undefined || operations === 0n) return undefined;
  try {
    return kernel.memory.cString(name.address(operations as VirtualAddress), name.size);
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

function countTree(kernel: Kernel, root: VirtualAddress): number | undefined {
  let count = 0;
  try {
    for (const _each of skbTree(kernel, root)) count++;
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
  return count;
}

/** @param idle it neither sends nor waits for an answer: only the keep-alive timer may be armed */
function tcpTimers(kernel: Kernel, sock: VirtualAddress, idle: boolean): readonly SocketTimer[] {
  const icsk = kernel.types.struct("inet_connection_sock");
  const base = kernel.types.struct("sock");
  const timers: SocketTimer[] = [];
  const add = (name: string, armed: VirtualAddress, expires?: bigint) => {
    const timer = readTimer(kernel, name, armed, expires);
    if (timer !== undefined) timers.push(timer);
  };
  const pending = icsk.field("icsk_pending").number(sock);
  const send = icsk.tryField("icsk_retransmit_timer") ?? base.tryField("tcp_retransmit_timer");
  if (send !== undefined && !idle && pending !== 0)
    add(PENDING[pending] ?? `timer ${pending}`, send.address(sock), icsk.tryField("icsk_timeout")?.bigint(sock));
  const ack = icsk.tryField("icsk_delack_timer");
  if (ack !== undefined && !idle && (icsk.field("icsk_ack.pending").number(sock) & ACK_TIMER) !== 0)
    add("delayed ACK", ack.address(sock), icsk.tryField("icsk_ack.timeout")?.bigint(sock));
  const keep = icsk.tryField("icsk_keepalive_timer") ?? base.tryField("sk_timer");
  if (keep !== undefined) add("keep-alive", keep.address(sock));
  return timers;
}

/** A timer_list that is in the wheel: its node names what points at it. @param expires the time that is meant, where it is kept apart */
export function readTimer(kernel: Kernel, name: string, timer: VirtualAddress, expires?: bigint): SocketTimer | undefined {
  const struct = kernel.types.struct("timer_list");
  if (struct.field("entry.pprev").pointer(timer) === 0n) return undefined;
  const at = expires ?? struct.field("expires").bigint(timer);
  const due = untilJiffies(kernel, at);
  return { name, expires: Number(at), ...(due === undefined ? {} : { due }) };
}

/** Milliseconds from the kernel's death to a time in jiffies; undefined when jiffies or HZ is not known. */
export function untilJiffies(kernel: Kernel, jiffies: bigint): number | undefined {
  const hz = tickRate(kernel);
  const symbol = kernel.tryAddress("jiffies_64") ?? kernel.tryAddress("jiffies");
  const now = symbol === undefined ? undefined : kernel.memory.tryU64(symbol);
  return hz === undefined || now === undefined ? undefined : Math.round((Number(BigInt.asIntN(64, jiffies - now)) * 1000) / hz);
}

/** TIME_WAIT, or FIN_WAIT2 that has moved into the small structure. */
export interface TimeWaitDetails {
  readonly substate: "TIME_WAIT" | "FIN_WAIT2";
  readonly timers: readonly SocketTimer[];
}

/** Reads an inet_timewait_sock. @throws FaultError */
export function timeWaitDetails(kernel: Kernel, sock: VirtualAddress): TimeWaitDetails {
  const struct = kernel.types.struct("inet_timewait_sock");
  const timer = readTimer(kernel, "TIME_WAIT", struct.field("tw_timer").address(sock));
  // TCP_FIN_WAIT2 is 5.
  const substate = struct.field("tw_substate").number(sock) === 5 ? "FIN_WAIT2" : "TIME_WAIT";
  return { substate, timers: timer === undefined ? [] : [timer] };
}

/** A connection whose SYN was answered and whose ACK has not come. */
export interface RequestDetails {
  /** struct sock of the listener. */
  readonly listener: bigint;
  /** How often the SYN-ACK was sent again, and how often time ran out. */
  readonly retransmits: number;
  readonly timeouts: number;
  readonly timers: readonly SocketTimer[];
}

/** Reads a request_sock. @throws FaultError */
export function requestDetails(kernel: Kernel, sock: VirtualAddress): RequestDetails {
  const struct = kernel.types.struct("request_sock");
  const timer = readTimer(kernel, "SYN-ACK", struct.field("rsk_timer").address(sock));
  return {
    listener: kernel.types.struct("sock_common").field("skc_listener").pointer(sock),
    retransmits: struct.field("num_retrans").number(sock),
    timeouts: struct.field("num_timeout").number(sock),
    timers: timer === undefined ? [] : [timer],
  };
}
