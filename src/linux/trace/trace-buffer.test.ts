import { expect, it } from "vitest";
import { virtual } from "../../bytes/address.ts";
import { FakeKernel } from "../testing/fake-kernel.ts";
import { TraceBuffers, type TraceCpu } from "./trace-buffer.ts";

const TABLE = {
  list_head: { next: [0, "u64"], prev: [8, "u64"] },
  trace_array: { list: [0, "list_head"] },
  trace_buffer: { buffers: [0, "u64"] },
  ring_buffer_per_cpu: { head_page: [0, "u64"], commit_page: [8, "u64"], reader_page: [16, "u64"] },
  buffer_page: { list: [0, "list_head"], read: [16, "u32"], page: [24, "u64"] },
  buffer_data_page: { time_stamp: [0, "u64"], commit: [8, "u64"], data: [16, "bytes4080"] },
} as const;

const CPU = 0xffff800000000000n;
const page = (n: number) => 0xffff800000010000n + BigInt(n) * 0x100n;
const data = (n: number) => 0xffff800000100000n + BigInt(n) * 0x1000n;

/** An event of 8 bytes of data. */
function event(delta: number, pid: number): number[] {
  return [(delta << 5) | 2, 1, pid];
}

/** Pages 1, 2, 3 in a ring of which 2 is the oldest, and reader page 0 taken out. */
function ring(words: readonly (readonly number[])[], commit: number, read = 0) {
  const fake = new FakeKernel(TABLE);
  fake.memory.put64(CPU, page(1));
  fake.memory.put64(CPU + 8n, page(commit));
  fake.memory.put64(CPU + 16n, page(0));
  const next = [1, 2, 3, 1];
  for (const [n, list] of words.entries()) {
    // The pointer to the oldest page carries RB_PAGE_HEAD.
    fake.memory.put64(page(n), page(next[n] as number) | (n === 1 ? 1n : 0n));
    fake.memory.put32(page(n) + 16n, n === 0 ? read : 0);
    fake.memory.put64(page(n) + 24n, data(n));
    fake.memory.put64(data(n), BigInt(1000 * (n + 1)));
    fake.memory.put64(data(n) + 8n, BigInt(list.length * 4));
    for (const [i, word] of list.entries()) fake.memory.put32(data(n) + 16n + BigInt(i * 4), word);
  }
  const notes: string[] = [];
  const buffers = TraceBuffers.of(fake.kernel, (text) => notes.push(text));
  const cpu: TraceCpu = { cpu: 3, address: virtual(CPU), pages: 3, entries: 0, overrun: 0, dropped: 0 };
  return { fake, notes, events: () => [...(buffers?.events(cpu) ?? [])].map(({ time, pid }) => [Number(time), pid]) };
}

it("goes from the reader's page through the oldest to the page being written", () => {
  const { events, notes } = ring([event(5, 10), event(1, 12), event(1, 11), event(2, 13)], 1);
  // 2 is the oldest, then 3, then 1, where the writer is.
  expect(events()).toEqual([
    [1005, 10],
    [3001, 11],
    [4002, 13],
    [2001, 12],
  ]);
  expect(notes).toEqual([]);
});

it("leaves out what a reader had taken, and stops at the reader's page when the writer is there", () => {
  const { events } = ring([[...event(5, 10), ...event(5, 20)], [], [], []], 0, 12);
  expect(events()).toEqual([[1010, 20]]);
});

it("reads padding, extended and absolute times, and long events", () => {
  const words = [
    ...[(4 << 5) | 30, 2], // 2 << 27 + 4 later
    ...event(1, 1),
    ...[(0 << 5) | 31, 0x10], // the time is 0x10 << 27
    ...event(2, 2),
    ...[(3 << 5) | 29, 4], // padding of one word
    ...[(1 << 5) | 0, 16, 7, 3, 0, 0].slice(0, 5), // length 16 with the length itself: 12 bytes
    ...[29, 0, 0, 0], // the rest of the page is empty
  ];
  const { events } = ring([words, [], [], []], 0);
  const extended = 1000 + 2 * 2 ** 27 + 4 + 1;
  const absolute = 0x10 * 2 ** 27 + 2;
  expect(events()).toEqual([
    [extended, 1],
    [absolute, 2],
    [absolute + 4, 3],
  ]);
});

it("tells a broken ring, an unreadable page and an impossible event, and goes on", () => {
  const cut = ring([event(5, 10), [], [], []], 1);
  cut.fake.memory.put64(page(1), 0xffff900000000000n);
  expect(cut.events()).toEqual([[1005, 10]]);
  expect(cut.notes.join()).toMatch(/ring of ring_buffer_per_cpu/);

  const unmarked = ring([event(5, 10), event(1, 1), event(1, 2), event(1, 3)], 1);
  unmarked.fake.memory.put64(page(1), page(2));
  expect(unmarked.events()).toEqual([[1005, 10]]);
  expect(unmarked.notes.join()).toMatch(/marked as the oldest/);

  const lost = ring([event(5, 10), event(1, 12), event(1, 11), event(2, 13)], 1);
  lost.fake.memory.drop(data(2));
  expect(lost.events().map(([, pid]) => pid)).toEqual([10, 13, 12]);
  expect(lost.notes.join()).toMatch(/a page of the ring/);

  const long = ring([[...event(1, 1), 28, 0], [], [], []], 0);
  expect(long.events()).toEqual([[1001, 1]]);
  expect(long.notes.join()).toMatch(/an event of 112 bytes/);
});
