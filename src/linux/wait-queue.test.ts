import { beforeEach, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { taskTable } from "./task.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";
import { waiters, waitQueueKind } from "./wait-queue.ts";

const HEAD = 0xffff_8880_0001_0000n;
const ENTRY = (n: number) => 0xffff_8880_0001_1000n + BigInt(n) * 0x40n;
const TASK = 0xffff_8880_0001_2000n;
const POLLER = 0xffff_8880_0001_3000n;

let fake: FakeKernel;
const names: Record<string, string> = { f1: "autoremove_wake_function", f2: "pollwake", f3: "ep_poll_callback" };

function list(head: bigint, ...nodes: readonly bigint[]): void {
  const all = [head, ...nodes];
  for (const [i, node] of all.entries()) {
    fake.memory.put64(node, all[(i + 1) % all.length] as bigint);
    fake.memory.put64(node + 8n, all[(i + all.length - 1) % all.length] as bigint);
  }
}

beforeEach(() => {
  fake = new FakeKernel({
    wait_queue_head: { lock: [0, "u32"], head: [8, "bytes16"] },
    wait_queue_entry: { flags: [0, "u32"], private: [8, "u64"], func: [16, "u64"], entry: [24, "bytes16"] },
    swait_queue_head: { lock: [0, "u32"], task_list: [8, "bytes16"] },
    swait_queue: { task: [0, "u64"], task_list: [8, "bytes16"] },
    poll_wqueues: { polling_task: [16, "u64"] },
  });
  Object.assign(fake, { symbolize: (address: bigint) => names[address.toString(16)] });
  fake.memo(taskTable, () => ({ tasks: [], byAddress: new Map([[TASK, {}]]), byPid: new Map(), notes: [] }));
  for (const page of [HEAD, ENTRY(0), TASK, POLLER]) fake.memory.write(page, new Uint8Array(4096));
});

function plain(n: number, flags: number, owner: bigint, called: bigint): bigint {
  fake.memory.put32(ENTRY(n), flags);
  fake.memory.put64(ENTRY(n) + 8n, owner);
  fake.memory.put64(ENTRY(n) + 16n, called);
  return ENTRY(n) + 24n;
}

test("sleepers, pollers, and what is no task", () => {
  fake.memory.put64(POLLER + 16n, TASK);
  list(HEAD + 8n, plain(0, 1, TASK, 0xf1n), plain(1, 0, POLLER, 0xf2n), plain(2, 0, 0n, 0xf3n));
  expect(waiters(fake.kernel, virtual(HEAD), "plain", [])).toEqual([
    { address: ENTRY(0), task: TASK, function: "autoremove_wake_function", flags: 1 },
    { address: ENTRY(1), task: TASK, function: "pollwake", flags: 0 },
    { address: ENTRY(2), function: "ep_poll_callback", flags: 0 },
  ]);
});

test("an address tells nothing: the entries show that the queue is a simple one", () => {
  fake.memory.put64(ENTRY(0), TASK);
  list(HEAD + 8n, ENTRY(0) + 8n);
  expect(waiters(fake.kernel, virtual(HEAD), undefined, [])).toEqual([{ address: ENTRY(0), task: TASK }]);
});

test("a queue that was never used is empty; one that leads away is told", () => {
  expect(waiters(fake.kernel, virtual(HEAD), "plain", [])).toEqual([]);
  fake.memory.put64(HEAD + 8n, 0xdead_0000_0000n);
  const notes: string[] = [];
  expect(waiters(fake.kernel, virtual(HEAD), "plain", notes)).toEqual([]);
  expect(notes.join()).toMatch(/cannot be read/);
});

test("kinds by the name of the type", () => {
  expect(["wait_queue_head", "__wait_queue_head", "swait_queue_head", "mutex"].map(waitQueueKind)).toEqual([
    "plain",
    "plain",
    "simple",
    undefined,
  ]);
});
