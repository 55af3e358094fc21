/**
 * Queues of packets, in the kernel's four forms:
 *
 *   sk_buff_head     head ⇄ sk_buff ⇄ sk_buff ⇄ head, and qlen           receive, write, error queues, softnet_data.input_pkt_queue
 *   qdisc_skb_head   head → sk_buff → sk_buff → NULL, tail, qlen         Qdisc.q
 *   chain            sk_buff.next → … → NULL                             sk_backlog, frag_list, completion_queue
 *   tree             rb_root of sk_buff.rbnode, by sequence number       tcp_rtx_queue, out_of_order_queue
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import { CorruptionError, InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { listNodes } from "../list.ts";
import { rbtreeNodes } from "../rbtree.ts";

/** net.core.wmem_max and its like bound queues by bytes; 2^20 packets of 256 bytes are 256 MiB. */
const MAX_QUEUE = 1 << 20;

/** Packets of a sk_buff_head. @throws CorruptionError where the list breaks, also when prev does not lead back (`skb->prev` is NULL …) */
export function skbList(kernel: Kernel, head: VirtualAddress): Generator<VirtualAddress, void, undefined> {
  return listNodes(kernel.memory, head, { limit: MAX_QUEUE });
}

/** Packets from a first one on, each naming the next. @throws CorruptionError */
export function* skbChain(kernel: Kernel, first: VirtualAddress): Generator<VirtualAddress, void, undefined> {
  const seen = new Set<bigint>();
  for (let at = first; at !== 0n; at = kernel.memory.u64(at) as VirtualAddress) {
    if (seen.has(at)) throw new CorruptionError("sk_buff", "the chain runs in a circle", at);
    if (seen.size >= MAX_QUEUE) throw new CorruptionError("sk_buff", `more than ${MAX_QUEUE} packets in a chain`, at);
    seen.add(at);
    yield at;
  }
}

/** Packets of a tree, in order of their sequence numbers. @param root address of the rb_root. @throws CorruptionError */
export function skbTree(kernel: Kernel, root: VirtualAddress): Generator<VirtualAddress, void, undefined> {
  return rbtreeNodes(kernel.memory, root, MAX_QUEUE);
}

/** A whole sk_buff_head, for listings and for diagnosis. */
export interface SkbQueue {
  /** struct sk_buff_head. */
  readonly head: VirtualAddress;
  /** What the kernel counts; undefined where it cannot be read. */
  readonly count: number | undefined;
  /** Packets up to where the list breaks. */
  readonly packets: readonly VirtualAddress[];
  /** Where and how the list breaks, or that it holds another number of packets than is counted. */
  readonly problem?: string;
}

/** Reads a sk_buff_head with all its packets and checks it. Never throws for damaged memory. */
export function readSkbQueue(kernel: Kernel, head: VirtualAddress): SkbQueue {
  const count = kernel.memory.tryU32(kernel.types.struct("sk_buff_head").field("qlen").address(head));
  const packets: VirtualAddress[] = [];
  try {
    for (const skb of skbList(kernel, head)) packets.push(skb);
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    return { head, count, packets, problem: error.message };
  }
  if (count !== undefined && count !== packets.length)
    return { head, count, packets, problem: `qlen is ${count}, and the list holds ${packets.length}` };
  return { head, count, packets };
}
