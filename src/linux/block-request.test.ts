import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { readBlockQueue } from "./block-request.ts";
import { FakeKernel, type StructTable } from "./testing/fake-kernel.ts";
import { machineTime } from "./timekeeping.ts";

const QUEUE = virtual(0xffff_8880_0060_0000n);
const HW = 0xffff_8880_0061_0000n;
const TAGS = 0xffff_8880_0062_0000n;
const RQS = 0xffff_8880_0063_0000n;
const MAP = 0xffff_8880_0064_0000n;
const REQUEST = 0xffff_8880_0065_0000n;
const OTHER_QUEUE = 0xffff_8880_0069_0000n;

const TYPES: StructTable = {
  list_head: { next: [0, "u64"], prev: [8, "u64"] },
  request_queue: {
    mq_ops: [0, "u64"],
    elevator: [8, "u64"],
    queue_hw_ctx: [16, "u64"],
    nr_hw_queues: [24, "u32"],
    requeue_list: [32, "list_head"],
  },
  blk_mq_hw_ctx: { dispatch: [0, "list_head"], tags: [16, "u64"], sched_tags: [24, "u64"], queue_num: [32, "u32"], state: [40, "u64"] },
  sbitmap: { depth: [0, "u32"], shift: [4, "u32"], map_nr: [8, "u32"], map: [16, "u64"] },
  sbitmap_word: { word: [0, "u64"], cleared: [8, "u64"], $size: [16, ""] },
  blk_mq_tags: {
    nr_tags: [0, "u32"],
    nr_reserved_tags: [4, "u32"],
    bitmap_tags: [8, "sbitmap"],
    breserved_tags: [40, "sbitmap"],
    rqs: [72, "u64"],
    static_rqs: [80, "u64"],
  },
  request: {
    q: [0, "u64"],
    mq_hctx: [8, "u64"],
    cmd_flags: [16, "u32"],
    tag: [20, "s32"],
    internal_tag: [24, "s32"],
    __data_len: [28, "u32"],
    __sector: [32, "u64"],
    bio: [40, "u64"],
    io_start_time_ns: [48, "u64"],
    timeout: [56, "u32"],
    deadline: [64, "u64"],
    state: [72, "u32"],
  },
};

function made(): FakeKernel {
  const fake = new FakeKernel(TYPES);
  fake.memo(machineTime, () => ({ uptime: undefined, monotonic: 100_000_000_000n, realtime: undefined, uptimeSource: "", dateSource: "" }));
  for (const at of [QUEUE, HW, TAGS, RQS, MAP, REQUEST]) fake.memory.write(at, new Uint8Array(2048));
  fake.memory.put64(QUEUE, 1n);
  fake.memory.put64(QUEUE + 16n, HW + 0x400n);
  fake.memory.put32(QUEUE + 24n, 1);
  fake.memory.put64(HW + 0x400n, HW);
  for (const head of [QUEUE + 32n, HW]) {
    fake.memory.put64(head, head);
    fake.memory.put64(head + 8n, head);
  }
  fake.memory.put64(HW + 16n, TAGS);
  fake.memory.put32(HW + 32n, 5);
  fake.memory.put32(TAGS, 64);
  fake.memory.put32(TAGS + 4n, 2);
  fake.memory.put32(TAGS + 8n, 62);
  fake.memory.put32(TAGS + 12n, 6);
  fake.memory.put32(TAGS + 16n, 1);
  fake.memory.put64(TAGS + 24n, MAP);
  fake.memory.put32(TAGS + 40n, 2);
  fake.memory.put32(TAGS + 44n, 6);
  fake.memory.put32(TAGS + 48n, 1);
  fake.memory.put64(TAGS + 56n, MAP + 16n);
  fake.memory.put64(TAGS + 72n, RQS);
  return fake;
}

function request(fake: FakeKernel, index: number, tag: number, values: { queue?: bigint; started?: bigint; state?: number } = {}): bigint {
  const at = REQUEST + BigInt(index) * 128n;
  fake.memory.put64(at, values.queue ?? QUEUE);
  fake.memory.put32(at + 20n, tag);
  fake.memory.put32(at + 24n, -1);
  fake.memory.put32(at + 28n, 4096);
  fake.memory.put64(at + 32n, 800n);
  fake.memory.put64(at + 48n, values.started ?? 60_000_000_000n);
  fake.memory.put32(at + 72n, values.state ?? 1);
  fake.memory.put64(RQS + BigInt(tag) * 8n, at);
  return at;
}

describe("requests of a queue", () => {
  test("by their tags, behind the reserved ones; the oldest first", () => {
    const fake = made();
    const [young, old] = [request(fake, 0, 3, { started: 90_000_000_000n }), request(fake, 1, 0)];
    fake.memory.put64(MAP, 0b10n);
    fake.memory.put64(MAP + 16n, 0b1n);
    const { requests, hardwareQueues, notes } = readBlockQueue(fake.kernel, QUEUE);
    expect(notes).toEqual([]);
    expect(requests.map(({ address, tag, ageSeconds, state, hardwareQueue }) => [address, tag, ageSeconds, state, hardwareQueue])).toEqual([
      [old, 0, 40, "in flight", 5],
      [young, 3, 10, "in flight", 5],
    ]);
    expect(hardwareQueues).toMatchObject([{ number: 5, tagsUsed: 2, tagDepth: 64, dispatchList: 0 }]);
  });

  test("a request of another queue that shares the tags is not ours", () => {
    const fake = made();
    request(fake, 0, 2, { queue: OTHER_QUEUE });
    fake.memory.put64(MAP, 1n);
    expect(readBlockQueue(fake.kernel, QUEUE).requests).toEqual([]);
  });

  test("a request that cannot be read is told, and the others come", () => {
    const fake = made();
    const good = request(fake, 0, 2);
    fake.memory.put64(MAP, 0b11n);
    fake.memory.put64(RQS + 3n * 8n, 0xffff_8880_7777_0000n);
    const { requests, notes } = readBlockQueue(fake.kernel, QUEUE);
    expect(requests.map(({ address }) => address)).toEqual([good]);
    expect(notes).toEqual([expect.stringContaining("the request at ffff888077770000")]);
  });

  test("tags overwritten with text, and a lost hardware queue, are told", () => {
    const fake = made();
    fake.memory.putText(TAGS + 8n, "AAAAAAAAAAAA");
    expect(readBlockQueue(fake.kernel, QUEUE).notes).toEqual([expect.stringContaining("do not go together")]);
    const lost = made();
    lost.memory.put64(HW + 0x400n, 0xffff_8880_7777_0000n);
    expect(readBlockQueue(lost.kernel, QUEUE)).toMatchObject({
      requests: [],
      notes: [expect.stringContaining("the hardware queue at ffff888077770000")],
    });
  });

  test("a device that passes bios on has none", () => {
    const fake = made();
    fake.memory.put64(QUEUE, 0n);
    expect(readBlockQueue(fake.kernel, QUEUE)).toMatchObject({ bioBased: true, requests: [], hardwareQueues: [], notes: [] });
  });
});
