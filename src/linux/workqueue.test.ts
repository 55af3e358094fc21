import { beforeEach, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { taskTable } from "./task.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";
import { workerPools, workQueues } from "./workqueue.ts";

const POOLS = 0xffff_8880_0001_0000n;
const SIZE = 0x80;
const WORKER = 0xffff_8880_0001_1000n;
const QUEUE = 0xffff_8880_0001_2000n;
const SHARE = 0xffff_8880_0001_3000n;
const WORK = (n: number) => 0xffff_8880_0001_4000n + BigInt(n) * 0x40n;
const TASK = 0xffff_8880_0001_5000n;
const KTHREAD = 0xffff_8880_0001_6000n;

let fake: FakeKernel;

function list(head: bigint, ...nodes: readonly bigint[]): void {
  const all = [head, ...nodes];
  for (const [i, node] of all.entries()) {
    fake.memory.put64(node, all[(i + 1) % all.length] as bigint);
    fake.memory.put64(node + 8n, all[(i + all.length - 1) % all.length] as bigint);
  }
}

beforeEach(() => {
  fake = new FakeKernel({
    worker_pool: {
      cpu: [0, "s32"],
      id: [4, "s32"],
      flags: [8, "u32"],
      watchdog_ts: [16, "u64"],
      worklist: [24, "bytes16"],
      nr_workers: [40, "s32"],
      nr_idle: [44, "s32"],
      workers: [48, "bytes16"],
      $size: [SIZE, ""],
    },
    worker: {
      current_work: [16, "u64"],
      current_func: [24, "u64"],
      current_pwq: [32, "u64"],
      scheduled: [40, "bytes16"],
      task: [56, "u64"],
      pool: [64, "u64"],
      node: [72, "bytes16"],
      desc: [88, "bytes24"],
    },
    workqueue_struct: { pwqs: [0, "bytes16"], list: [16, "bytes16"], name: [32, "bytes24"], flags: [56, "u32"], max_active: [60, "s32"] },
    pool_workqueue: {
      pool: [0, "u64"],
      wq: [8, "u64"],
      nr_active: [16, "s32"],
      inactive_works: [24, "bytes16"],
      pwqs_node: [40, "bytes16"],
    },
    work_struct: { data: [0, "u64"], entry: [8, "bytes16"], func: [24, "u64"] },
    kthread: { data: [8, "u64"] },
    task_struct: { worker_private: [0, "u64"] },
    cpumask: { bits: [0, "bytes8"] },
  });
  Object.assign(fake, { symbolize: (address: bigint) => `f_${address.toString(16)}` });
  const task = { address: TASK, pid: 7, flags: 0x20, comm: "kworker/0:0", cpu: 0 };
  fake.memo(taskTable, () => ({ tasks: [task], byAddress: new Map([[TASK, task]]), byPid: new Map(), notes: [] }));
  fake.symbol("cpu_worker_pools", POOLS);
  fake.symbol("__cpu_possible_mask", 0xffff_8880_0001_7000n);
  for (const page of [POOLS, WORKER, QUEUE, SHARE, WORK(0), TASK, KTHREAD, 0xffff_8880_0001_7000n])
    fake.memory.write(page, new Uint8Array(4096));
  fake.memory.put64(0xffff_8880_0001_7000n, 1n);
  for (const i of [0, 1]) {
    const pool = POOLS + BigInt(i * SIZE);
    fake.memory.put32(pool + 4n, i);
    list(pool + 24n);
    list(pool + 48n);
  }
  fake.memory.put64(TASK, KTHREAD);
  fake.memory.put64(KTHREAD + 8n, WORKER);
  fake.memory.put64(WORKER + 24n, 0xf1n);
  fake.memory.put64(WORKER + 16n, WORK(0));
  fake.memory.put64(WORKER + 32n, SHARE);
  fake.memory.put64(WORKER + 56n, TASK);
  fake.memory.put64(WORKER + 64n, POOLS);
  list(WORKER + 40n);
  fake.memory.put64(SHARE, POOLS);
  fake.memory.put64(SHARE + 8n, QUEUE);
  list(SHARE + 24n);
  list(QUEUE, SHARE + 40n);
  fake.memory.putText(QUEUE + 32n, "events");
  // The pool's flag bits and the address of the share, 256 bytes aligned.
  for (const n of [0, 1, 2]) {
    fake.memory.put64(WORK(n), SHARE | 5n);
    fake.memory.put64(WORK(n) + 24n, 0xf0n + BigInt(n));
  }
});

test("a worker is found through its task, its items through the pool, their workqueue through their data", () => {
  list(POOLS + 24n, WORK(1) + 8n, WORK(2) + 8n);
  const notes: string[] = [];
  const [pool] = workerPools(fake.kernel, notes);
  expect(pool?.busy).toMatchObject([{ address: WORKER, task: TASK, work: WORK(0), function: "f_f1", queue: QUEUE }]);
  expect(pool?.pending).toEqual([
    { address: WORK(1), function: "f_f1", queue: QUEUE },
    { address: WORK(2), function: "f_f2", queue: QUEUE },
  ]);
  expect(notes).toEqual([]);
});

test("without the kernel's list the workqueues are those that pools work for, and it is told", () => {
  const notes: string[] = [];
  const pools = workerPools(fake.kernel, notes);
  expect(workQueues(fake.kernel, pools, notes)).toMatchObject([{ address: QUEUE, name: "events", shares: [{ address: SHARE }] }]);
  expect(notes.join()).toMatch(/"workqueues" is not among/);
});

test("a list of pending items that is cut, and a task whose data is no worker, cost only themselves", () => {
  list(POOLS + 24n, WORK(1) + 8n, WORK(2) + 8n);
  fake.memory.put64(WORK(1) + 8n, 0n);
  fake.memory.put64(WORKER + 56n, virtual(0x1234n));
  const notes: string[] = [];
  const pools = workerPools(fake.kernel, notes);
  expect(pools).toHaveLength(2);
  expect(pools[0]?.pending.map(({ address }) => address)).toEqual([WORK(1)]);
  expect(pools[0]?.busy).toEqual([]);
  expect(notes.join()).toMatch(/NULL in a circular list/);
});
