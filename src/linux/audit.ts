/**
 * Audit records that wait in the kernel for auditd (kernel/audit.c): three queues of socket buffers, each holding one netlink message.
 *
 *   audit_queue, audit_retry_queue, audit_hold_queue (4.11+)      audit_skb_queue, audit_skb_hold_queue (before)
 *   struct sk_buff_head { next, prev, qlen } ⇄ sk_buff.data ─► nlmsghdr { u32 len; u16 type; u16 flags; u32 seq; u32 pid } text
 */
import { add, type VirtualAddress } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { listNodes } from "./list.ts";

const QUEUES = ["audit_queue", "audit_retry_queue", "audit_hold_queue", "audit_skb_queue", "audit_skb_hold_queue"] as const;
const HEADER = 16;
/** MAX_AUDIT_MESSAGE_LENGTH is 8970. */
const MAX_MESSAGE = 16384;
/** audit_backlog_limit is 64 by default and set to some thousand by distributions. */
const MAX_RECORDS = 1 << 20;

export interface AuditRecord {
  readonly queue: string;
  readonly type: number;
  readonly text: string;
}

export interface AuditQueues {
  readonly records: readonly AuditRecord[];
  /** Queues that exist in this kernel. */
  readonly queues: readonly string[];
  readonly notes: readonly string[];
}

/** All records that wait, queue by queue. */
export function auditRecords(kernel: Kernel): AuditQueues {
  const records: AuditRecord[] = [];
  const queues: string[] = [];
  const notes: string[] = [];
  for (const queue of QUEUES) {
    const head = kernel.tryAddress(queue);
    if (head === undefined) continue;
    queues.push(queue);
    try {
      const data = kernel.types.struct("sk_buff").field("data");
      // next and prev are the first two words of sk_buff and of sk_buff_head, as in a list_head.
      for (const buffer of listNodes(kernel.memory, head, { limit: MAX_RECORDS }))
        records.push(readRecord(kernel, queue, data.pointer(buffer)));
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      notes.push(`${queue}: ${error.message}`);
    }
  }
  return { records, queues, notes };
}

function readRecord(kernel: Kernel, queue: string, message: VirtualAddress): AuditRecord {
  const length = kernel.memory.u32(message);
  const type = kernel.memory.u16(add(message, 4));
  const text = kernel.memory.cString(add(message, HEADER), Math.max(0, Math.min(length, MAX_MESSAGE) - HEADER));
  return { queue, type, text };
}
