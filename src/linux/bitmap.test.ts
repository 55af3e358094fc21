import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { readSbitmap, readSbitmapQueue, sbitmapCounts, usedBits } from "./bitmap.ts";
import { FakeKernel, type StructTable } from "./testing/fake-kernel.ts";

const QUEUE = virtual(0xffff_8880_0010_0000n);
const MAP = 0xffff_8880_0020_0000n;
const STATES = 0xffff_8880_0030_0000n;

/** 6.x: no depth in the words, hints in the bitmap, no counter in the wait states. */
const TYPES: StructTable = {
  sbitmap: { depth: [0, "u32"], shift: [4, "u32"], map_nr: [8, "u32"], round_robin: [12, "u8"], map: [16, "u64"], alloc_hint: [24, "u64"] },
  sbitmap_word: { word: [0, "u64"], cleared: [64, "u64"], $size: [128, ""] },
  atomic_t: { counter: [0, "s32"] },
  list_head: { next: [0, "u64"], prev: [8, "u64"] },
  wait_queue_head: { lock: [0, "u32"], head: [8, "list_head"] },
  sbq_wait_state: { wait: [0, "wait_queue_head"], $size: [64, ""] },
  sbitmap_queue: {
    sb: [0, "sbitmap"],
    wake_batch: [32, "u32"],
    wake_index: [36, "atomic_t"],
    ws: [40, "u64"],
    ws_active: [48, "atomic_t"],
  },
};

function queue(depth: number, shift: number, words: readonly (readonly [word: bigint, cleared: bigint])[], types = TYPES): FakeKernel {
  const fake = new FakeKernel(types);
  fake.memory.write(QUEUE, new Uint8Array(128));
  fake.memory.put32(QUEUE, depth);
  fake.memory.put32(QUEUE + 4n, shift);
  fake.memory.put32(QUEUE + 8n, words.length);
  fake.memory.put64(QUEUE + 16n, MAP);
  fake.memory.put32(QUEUE + 32n, 8);
  fake.memory.put64(QUEUE + 40n, STATES);
  for (const [index, [word, cleared]] of words.entries()) {
    fake.memory.put64(MAP + BigInt(index * 128), word);
    fake.memory.put64(MAP + BigInt(index * 128 + 64), cleared);
  }
  for (let state = 0n; state < 8n; state++) {
    const head = STATES + state * 64n + 8n;
    fake.memory.put64(head, state === 3n ? 0xffff_c900_0000_0000n : head);
  }
  return fake;
}

describe("sbitmaps", () => {
  test("a bit that is freed and not yet swept up is not in use", () => {
    const map = readSbitmap(
      queue(100, 6, [
        [0b1011n, 0b0010n],
        [1n << 35n, 0n],
      ]).kernel,
      QUEUE,
    );
    expect([...usedBits(map)]).toEqual([0, 3, 99]);
    expect(sbitmapCounts(map)).toEqual({ set: 4, cleared: 1 });
  });

  test("bits beyond the depth do not count", () => {
    const map = readSbitmap(queue(6, 3, [[0xffn, 0n]]).kernel, QUEUE);
    expect([...usedBits(map)]).toEqual([0, 1, 2, 3, 4, 5]);
    expect(sbitmapCounts(map)).toEqual({ set: 6, cleared: 0 });
  });

  test.each([
    ["a shift of no word", 64, 9, 1],
    ["fewer words than its depth wants", 200, 6, 1],
    ["a depth of garbage", 0x7070_7070, 6, 4],
  ])("%s is told", (_, depth, shift, words) => {
    const { kernel } = queue(
      depth,
      shift,
      Array.from({ length: words }, () => [0n, 0n] as const),
    );
    expect(() => readSbitmap(kernel, QUEUE)).toThrow("do not go together");
  });

  test("the queue: who waits, on kernels with a counter and without", () => {
    const now = readSbitmapQueue(queue(8, 3, [[1n, 0n]]).kernel, QUEUE);
    expect(now).toMatchObject({ wakeBatch: 8, activeWaits: 0, minShallowDepth: undefined, roundRobin: false });
    expect(now.waitStates.map(({ active }) => active).indexOf(true)).toBe(3);
    expect(now.waitStates[0]?.count).toBeUndefined();
    const before = {
      ...TYPES,
      sbq_wait_state: { wait_cnt: [32, "atomic_t"], wait: [0, "wait_queue_head"], $size: [64, ""] },
    } as StructTable;
    const fake = queue(8, 3, [[1n, 0n]], before);
    fake.memory.put32(STATES + 32n, 7);
    expect(readSbitmapQueue(fake.kernel, QUEUE).waitStates[0]).toEqual({ count: 7, active: false });
  });
});
