import { beforeEach, describe, expect, test } from "vitest";
import { add, virtual } from "../../bytes/address.ts";
import { CorruptionError } from "../../bytes/errors.ts";
import { PageMap } from "../page.ts";
import { FakeKernel } from "../testing/fake-kernel.ts";
import { readSkBuff, skBuffFault } from "./sk-buff.ts";
import { skBuffBytes } from "./sk-buff-bytes.ts";
import { readSkbQueue, skbChain } from "./sk-buff-queue.ts";

const HEAD = 0xffff_8880_0010_0000n;
const SKB = 0xffff_8880_0020_0000n;
const PAGES = 0xffff_8880_0300_0000n;
const PAGE = 0xffff_ea00_0000_0400n;

const tables = {
  refcount: { refs: [0, "atomic"] as const, $size: [4, ""] as const },
  atomic: { counter: [0, "s32"] as const },
  sk_buff: {
    next: [0, "u64"] as const,
    prev: [8, "u64"] as const,
    dev: [16, "u64"] as const,
    sk: [24, "u64"] as const,
    tstamp: [32, "s64"] as const,
    cb: [40, "bytes48"] as const,
    len: [88, "u32"] as const,
    data_len: [92, "u32"] as const,
    cloned: [96, "bits1:0"] as const,
    pkt_type: [97, "bits3:0"] as const,
    skb_iif: [100, "s32"] as const,
    vlan_proto: [104, "u16"] as const,
    vlan_tci: [106, "u16"] as const,
    protocol: [108, "u16"] as const,
    transport_header: [110, "u16"] as const,
    network_header: [112, "u16"] as const,
    mac_header: [114, "u16"] as const,
    tail: [116, "u32"] as const,
    end: [120, "u32"] as const,
    head: [128, "u64"] as const,
    data: [136, "u64"] as const,
    truesize: [144, "u32"] as const,
    users: [148, "refcount"] as const,
  },
  skb_shared_info: {
    nr_frags: [2, "u8"] as const,
    gso_size: [4, "u16"] as const,
    gso_segs: [6, "u16"] as const,
    frag_list: [8, "u64"] as const,
    gso_type: [16, "u32"] as const,
    dataref: [20, "atomic"] as const,
    frags: [32, "skb_frag[4]"] as const,
  },
  skb_frag: { netmem: [0, "u64"] as const, len: [8, "u32"] as const, offset: [12, "u32"] as const },
  sk_buff_head: { next: [0, "u64"] as const, prev: [8, "u64"] as const, qlen: [16, "u32"] as const },
};

let kernel: FakeKernel;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** 64 bytes of headers, then the text; skb_shared_info at 512. */
function makeSkb(at: bigint, head: bigint, content: string, paged = 0): void {
  const { memory } = kernel;
  memory.put32(at + 88n, content.length + paged);
  memory.put32(at + 92n, paged);
  memory.put16(at + 108n, 0x0008);
  memory.put16(at + 110n, 0xffff);
  memory.put16(at + 112n, 14);
  memory.put16(at + 114n, 0);
  memory.put32(at + 116n, 64 + content.length);
  memory.put32(at + 120n, 512);
  memory.put64(at + 128n, head);
  memory.put64(at + 136n, head + 64n);
  memory.put32(at + 148n, 1);
  memory.putText(head + 64n, content);
  memory.put8(head + 514n, 0);
}

beforeEach(() => {
  kernel = new FakeKernel(tables);
  kernel.memo(PageMap, () => ({
    pfnOf: (page: bigint) => (page >= PAGE && page < PAGE + 0x400n ? Number((page - PAGE) / 64n) : undefined),
    linearAddress: (pfn: number) => add(virtual(PAGES), pfn * 4096),
  }));
});

describe("sk_buff", () => {
  test("places of a packet: headers before the data, protocol in the host's order, a VLAN tag", () => {
    makeSkb(SKB, HEAD, "payload");
    kernel.memory.put16(SKB + 104n, 0x0081);
    kernel.memory.put16(SKB + 106n, 42);
    const skb = readSkBuff(kernel.kernel, virtual(SKB));
    expect(skb.protocol).toBe(0x800);
    expect(skb.macHeader).toBe(HEAD);
    expect(skb.networkHeader).toBe(HEAD + 14n);
    expect(skb.transportHeader).toBeUndefined();
    expect(skb.vlan).toEqual({ protocol: 0x8100, tci: 42 });
    expect(skb.users).toBe(1);
    expect(skBuffFault(skb)).toBeUndefined();
    expect(text(skBuffBytes(kernel.kernel, skb).bytes)).toBe("payload");
    expect(skBuffBytes(kernel.kernel, skb, skb.macHeader).bytes.length).toBe(64 + 7);
  });

  test("fragments in pages and packets of the frag_list follow the linear part", () => {
    makeSkb(SKB, HEAD, "one", 9);
    kernel.memory.put8(HEAD + 514n, 1);
    kernel.memory.put64(HEAD + 544n, PAGE + 128n);
    kernel.memory.put32(HEAD + 552n, 4);
    kernel.memory.put32(HEAD + 556n, 100);
    kernel.memory.putText(PAGES + 2n * 4096n + 100n, "-two");
    kernel.memory.put64(HEAD + 520n, SKB + 4096n);
    makeSkb(SKB + 4096n, HEAD + 4096n, "-3333");
    const skb = readSkBuff(kernel.kernel, virtual(SKB));
    expect(skBuffBytes(kernel.kernel, skb)).toEqual({ bytes: new TextEncoder().encode("one-two-3333") });
  });

  test("what cannot be read of the pages is told, and the front still comes", () => {
    makeSkb(SKB, HEAD, "one", 4);
    kernel.memory.put8(HEAD + 514n, 1);
    kernel.memory.put32(HEAD + 552n, 4);
    kernel.memory.put64(HEAD + 544n, 0x1234n);
    const damaged = skBuffBytes(kernel.kernel, readSkBuff(kernel.kernel, virtual(SKB)));
    expect(text(damaged.bytes)).toBe("one");
    expect(damaged.missing).toMatch(/1234 is no struct page/);
    kernel.memory.put64(HEAD + 544n, PAGE + 1n);
    expect(skBuffBytes(kernel.kernel, readSkBuff(kernel.kernel, virtual(SKB))).missing).toMatch(/memory of a device/);
    kernel.memory.put8(HEAD + 514n, 200);
    expect(skBuffBytes(kernel.kernel, readSkBuff(kernel.kernel, virtual(SKB))).missing).toMatch(/200 fragments/);
  });

  test("a frag_list in a circle ends", () => {
    makeSkb(SKB, HEAD, "x", 100);
    kernel.memory.put64(HEAD + 520n, SKB + 4096n);
    makeSkb(SKB + 4096n, HEAD + 4096n, "y");
    kernel.memory.put64(SKB + 4096n, SKB + 4096n);
    const read = skBuffBytes(kernel.kernel, readSkBuff(kernel.kernel, virtual(SKB)));
    expect(text(read.bytes)).toBe("xy");
    expect(read.missing).toMatch(/circle/);
  });

  test.each([
    ["a length of gigabytes", (memory: FakeKernel["memory"]) => memory.put32(SKB + 88n, 0x7fffffff), /length of 2147483647/],
    ["data before head", (memory: FakeKernel["memory"]) => memory.put64(SKB + 136n, HEAD - 8n), /not in this order/],
    ["an end far away", (memory: FakeKernel["memory"]) => memory.put32(SKB + 120n, 0xfffffff0), /buffer would have/],
    ["more in pages than in all", (memory: FakeKernel["memory"]) => memory.put32(SKB + 92n, 100), /data_len 100/],
    ["a tail that does not fit the length", (memory: FakeKernel["memory"]) => memory.put32(SKB + 116n, 80), /tail − data is 16/],
  ])("%s is a fault, and nothing is read", (_what, damage, told) => {
    makeSkb(SKB, HEAD, "payload");
    damage(kernel.memory);
    const skb = readSkBuff(kernel.kernel, virtual(SKB));
    expect(skBuffFault(skb)).toMatch(told);
    expect(() => skBuffBytes(kernel.kernel, skb)).toThrow(CorruptionError);
  });
});

describe("queues of packets", () => {
  const QUEUE = 0xffff_8880_0040_0000n;
  const link = (from: bigint, to: bigint) => {
    kernel.memory.put64(from, to);
    kernel.memory.put64(to + 8n, from);
  };

  test("a queue whose count agrees has no problem", () => {
    link(QUEUE, SKB);
    link(SKB, QUEUE);
    kernel.memory.put32(QUEUE + 16n, 1);
    expect(readSkbQueue(kernel.kernel, virtual(QUEUE))).toEqual({ head: QUEUE, count: 1, packets: [SKB] });
    kernel.memory.put32(QUEUE + 16n, 2);
    expect(readSkbQueue(kernel.kernel, virtual(QUEUE)).problem).toBe("qlen is 2, and the list holds 1");
  });

  test("a packet that was taken out on another CPU: prev is NULL", () => {
    link(QUEUE, SKB);
    link(SKB, SKB + 256n);
    link(SKB + 256n, QUEUE);
    kernel.memory.put64(SKB + 256n + 8n, 0n);
    kernel.memory.put32(QUEUE + 16n, 2);
    const queue = readSkbQueue(kernel.kernel, virtual(QUEUE));
    expect(queue.packets).toEqual([SKB]);
    expect(queue.problem).toMatch(/prev is 0000000000000000 where ffff888000200000 points here/);
  });

  test("a chain in a circle ends where it closes", () => {
    kernel.memory.put64(SKB, SKB + 256n);
    kernel.memory.put64(SKB + 256n, SKB);
    const seen: bigint[] = [];
    expect(() => {
      for (const each of skbChain(kernel.kernel, virtual(SKB))) seen.push(each);
    }).toThrow(/circle/);
    expect(seen).toEqual([SKB, SKB + 256n]);
  });
});
