import { beforeEach, expect, test } from "vitest";
import { virtual } from "../../bytes/address.ts";
import { FakeKernel } from "../testing/fake-kernel.ts";
import { deviceQdiscs, qdiscPackets } from "./qdisc.ts";

const DEVICE = 0xffff_8880_0010_0000n;
const QUEUES = 0xffff_8880_0011_0000n;
const OPS = 0xffff_8880_0012_0000n;
const FAST = 0xffff_8880_0020_0000n;
const CHILD = 0xffff_8880_0021_0000n;
const RING = 0xffff_8880_0030_0000n;
const SKB = 0xffff_8880_0040_0000n;

let kernel: FakeKernel;

function makeQdisc(at: bigint, name: string, handle: number, count: number): void {
  const { memory } = kernel;
  memory.write(at, new Uint8Array(512));
  const ops = OPS + (at & 0xffff_0000n);
  memory.putText(ops, `${name}\0`);
  memory.put64(at, ops);
  memory.put32(at + 8n, handle);
  memory.put32(at + 40n, count);
  for (const queue of [64n, 96n]) {
    memory.put64(at + queue, at + queue);
    memory.put64(at + queue + 8n, at + queue);
  }
}

beforeEach(() => {
  kernel = new FakeKernel({
    sk_buff_head: { next: [0, "u64"], prev: [8, "u64"], qlen: [16, "u32"] },
    qdisc_skb_head: { head: [0, "u64"], tail: [8, "u64"], qlen: [16, "u32"] },
    Qdisc_ops: { id: [0, "bytes16"] },
    Qdisc: {
      ops: [0, "u64"],
      handle: [8, "u32"],
      hash: [16, "u64"],
      q: [24, "qdisc_skb_head"],
      gso_skb: [64, "sk_buff_head"],
      skb_bad_txq: [96, "sk_buff_head"],
      privdata: [192, "bytes8"],
    },
    netdev_queue: { qdisc: [0, "u64"], qdisc_sleeping: [8, "u64"], $size: [64, ""] },
    net_device: { num_tx_queues: [0, "u32"], _tx: [8, "u64"], qdisc: [16, "u64"], qdisc_hash: [64, "bytes128"] },
    ptr_ring: { consumer_head: [0, "s32"], size: [4, "s32"], queue: [8, "u64"] },
    skb_array: { ring: [0, "ptr_ring"] },
  });
  const { memory } = kernel;
  memory.write(DEVICE, new Uint8Array(256));
  memory.write(QUEUES, new Uint8Array(128));
  memory.put32(DEVICE, 2);
  memory.put64(DEVICE + 8n, QUEUES);
  makeQdisc(FAST, "pfifo_fast", 0, 3);
  for (const queue of [0n, 64n]) {
    memory.put64(QUEUES + queue, FAST);
    memory.put64(QUEUES + queue + 8n, FAST);
  }
});

const packets = (notes: string[] = []) =>
  [...deviceQdiscs(kernel.kernel, virtual(DEVICE), notes)].flatMap((qdisc) =>
    [...qdiscPackets(kernel.kernel, qdisc, notes)].map(
      ({ skb, place }) => `${qdisc.kind} ${qdisc.handle} ${place} ${(skb - SKB).toString()}`,
    ),
  );

test("pfifo_fast keeps packets in rings of pointers, from the consumer's place on; one discipline of two queues is told once", () => {
  const { memory } = kernel;
  // Band 1: four slots, the consumer at the last one.
  memory.put32(FAST + 192n + 16n, 3);
  memory.put32(FAST + 192n + 20n, 4);
  memory.put64(FAST + 192n + 24n, RING);
  memory.write(RING, new Uint8Array(32));
  memory.put64(RING + 24n, SKB);
  memory.put64(RING, SKB + 256n);
  const notes: string[] = [];
  expect(packets(notes)).toEqual(["pfifo_fast 0: band 1 0", "pfifo_fast 0: band 1 256"]);
  expect(notes).toEqual([]);
});

test("others keep a chain; what the driver refused goes first; children hang in the device's table", () => {
  const { memory } = kernel;
  makeQdisc(CHILD, "fq_codel", 0x80010000, 2);
  memory.put64(DEVICE + 64n + 24n, CHILD + 16n);
  memory.put64(CHILD + 24n, SKB);
  memory.put64(SKB, SKB + 512n);
  memory.put64(SKB + 512n, 0n);
  memory.put64(CHILD + 64n, SKB + 768n);
  memory.put64(CHILD + 72n, SKB + 768n);
  memory.put64(SKB + 768n, CHILD + 64n);
  memory.put64(SKB + 776n, CHILD + 64n);
  expect(packets()).toEqual(["fq_codel 8001: queue 0", "fq_codel 8001: queue 512", "fq_codel 8001: gso_skb 768"]);
});

test("damage is told and costs its own queue: a chain in a circle, a ring of billions of slots, a wild discipline", () => {
  const { memory } = kernel;
  memory.put64(FAST + 24n, SKB);
  memory.put64(SKB, SKB);
  memory.put32(FAST + 192n + 20n, 0x7fffffff);
  memory.put64(FAST + 192n + 8n, RING);
  memory.put32(FAST + 192n + 4n, 0x7fffffff);
  memory.put64(QUEUES + 64n, 0xdead_0000_0000_0000n);
  const notes: string[] = [];
  expect(packets(notes)).toEqual(["pfifo_fast 0: queue 0"]);
  expect(notes.some((note) => /queue: sk_buff .*circle/.test(note))).toBe(true);
  expect(notes.some((note) => /band 0: ptr_ring .*2147483647 slots/.test(note))).toBe(true);
  expect(notes.some((note) => /^Qdisc dead000000000000/.test(note))).toBe(true);
});
