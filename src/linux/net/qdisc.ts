/**
 * Queueing disciplines: packets that wait to be sent (include/net/sch_generic.h).
 *
 *   net_device._tx[num_tx_queues]: netdev_queue.qdisc ─► Qdisc          and net_device.qdisc_hash[16] → Qdisc.hash: the classful ones' children
 *     Qdisc.q                   most disciplines: head → sk_buff → … → NULL
 *     Qdisc.gso_skb             what the driver refused and goes first       Qdisc.skb_bad_txq   what belongs to another queue
 *     pfifo_fast (the default)  privdata: three skb_arrays, rings of pointers (4.16+, c5ad119fb6c0)
 */
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { CorruptionError } from "../../bytes/errors.ts";
import { containerOf } from "../../kernel/field.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Struct } from "../../kernel/types.ts";
import { guarded, guardedWalk } from "./guarded.ts";
import { chainNodes } from "./hash-chains.ts";
import { skbChain, skbList } from "./sk-buff-queue.ts";

const MAX_QUEUES = 4096;
/** qdisc_hash has 16 buckets. */
const HASH_BUCKETS = 16;
/** txqueuelen is 1000 by default. */
const MAX_RING = 1 << 20;
/** PFIFO_FAST_BANDS. */
const BANDS = 3;

export interface Qdisc {
  /** struct Qdisc. */
  readonly address: VirtualAddress;
  /** "pfifo_fast", "fq_codel", "mq" … */
  readonly kind: string;
  /** "8001:" */
  readonly handle: string;
  /** Packets that the discipline counts. */
  readonly count: number;
}

/** The disciplines of a device that hold packets or may, each once. What is damaged is told in `notes`. */
export function* deviceQdiscs(kernel: Kernel, device: VirtualAddress, notes: string[]): Generator<Qdisc, void, undefined> {
  const seen = new Set<bigint>([0n]);
  const struct = kernel.types.struct("net_device");
  const queue = kernel.types.struct("netdev_queue");
  const found: VirtualAddress[] = [];
  guarded(notes, `the sending queues of net_device ${device.toString(16)}`, () => {
    const count = Math.min(struct.field("num_tx_queues").number(device), MAX_QUEUES);
    const queues = struct.field("_tx").pointer(device);
    const own = [queue.field("qdisc"), queue.field("qdisc_sleeping")];
    for (let i = 0; i < count; i++) for (const field of own) found.push(field.pointer(add(queues, i * queue.size)));
    const root = struct.tryField("qdisc");
    if (root !== undefined) found.push(root.pointer(device));
  });
  const table = struct.tryField("qdisc_hash");
  const link = kernel.types.struct("Qdisc").tryField("hash");
  if (table !== undefined && link !== undefined)
    for (let bucket = 0; bucket < HASH_BUCKETS; bucket++) {
      const head = add(table.address(device), bucket * 8);
      const walk = () => chainNodes(kernel, virtual(kernel.memory.u64(head)));
      for (const node of guardedWalk(notes, `the qdiscs of net_device ${device.toString(16)}`, walk)) found.push(containerOf(node, link));
    }
  for (const address of found) {
    if (seen.has(address)) continue;
    seen.add(address);
    const qdisc = guarded(notes, `Qdisc ${address.toString(16)}`, () => readQdisc(kernel, address));
    if (qdisc !== undefined) yield qdisc;
  }
}

function readQdisc(kernel: Kernel, address: VirtualAddress): Qdisc {
  const struct = kernel.types.struct("Qdisc");
  const operations = kernel.types.struct("Qdisc_ops").field("id");
  const ops = struct.field("ops").pointer(address);
  const handle = struct.field("handle").number(address) >>> 0;
  return {
    address,
    kind: operations.string(ops),
    handle: `${(handle >>> 16).toString(16)}:${(handle & 0xffff) === 0 ? "" : (handle & 0xffff).toString(16)}`,
    count: struct.field("q.qlen").number(address),
  };
}

/** Packets of a discipline, with the name of the place in it. @throws CorruptionError, FaultError where a queue breaks */
export function* qdiscPackets(
  kernel: Kernel,
  { address, kind }: Qdisc,
  notes: string[],
): Generator<{ readonly skb: VirtualAddress; readonly place: string }, void, undefined> {
  const struct = kernel.types.struct("Qdisc");
  const part = function* (place: string, walk: () => Iterable<VirtualAddress>) {
    for (const skb of guardedWalk(notes, `Qdisc ${address.toString(16)} (${kind}), ${place}`, walk)) yield { skb, place };
  };
  const first = struct.tryField("q.head");
  if (first !== undefined) yield* part("queue", () => skbChain(kernel, first.pointer(address)));
  for (const name of ["gso_skb", "skb_bad_txq"]) {
    const field = struct.tryField(name);
    // Up to 4.16 gso_skb was a single pointer.
    if (field !== undefined && field.size > 8) yield* part(name, () => skbList(kernel, field.address(address)));
  }
  if (kind !== "pfifo_fast") return;
  const ring = kernel.types.tryStruct("skb_array");
  const data = struct.tryField("privdata")?.address(address);
  if (ring === undefined || data === undefined) return;
  for (let band = 0; band < BANDS; band++) yield* part(`band ${band}`, () => ringPackets(kernel, ring, add(data, band * ring.size)));
}

/** Slots of a ptr_ring that are not NULL, from the consumer's place on. */
function* ringPackets(kernel: Kernel, struct: Struct, address: VirtualAddress): Generator<VirtualAddress, void, undefined> {
  const size = struct.field("ring.size").number(address);
  const slots = struct.field("ring.queue").pointer(address);
  if (slots === 0n) return;
  if (size > MAX_RING) throw new CorruptionError("ptr_ring", `${size} slots`, address);
  const start = struct.field("ring.consumer_head").number(address);
  for (let i = 0; i < size; i++) {
    const skb = kernel.memory.u64(add(slots, ((start + i) % size) * 8));
    if (skb !== 0n) yield virtual(skb);
  }
}
