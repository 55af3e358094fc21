import { beforeEach, describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { isGroup, QueueReader } from "./queued-tasks.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";

const QUEUE = 0xffff_8880_0001_0000n;
const GROUP_QUEUE = 0xffff_8880_0001_1000n;
const RT = 0xffff_8880_0001_2000n;
const TASK = (n: number) => 0xffff_8880_0002_0000n + BigInt(n) * 0x1000n;
const GROUP_ENTITY = 0xffff_8880_0001_3000n;
const SE = 0x100n;
const RT_ENTITY = 0x180n;

let fake: FakeKernel;
const entity = (task: bigint) => task + SE;

beforeEach(() => {
  fake = new FakeKernel({
    task_struct: { prio: [0x10, "u32"], se: [Number(SE), "sched_entity"], rt: [Number(RT_ENTITY), "sched_rt_entity"] },
    sched_entity: { run_node: [0, "bytes24"], my_q: [24, "u64"], sched_delayed: [32, "u8"] },
    sched_rt_entity: { run_list: [0, "bytes16"], my_q: [16, "u64"] },
    cfs_rq: { tasks_timeline: [0, "bytes16"], curr: [16, "u64"], throttled: [24, "u32"], tg: [32, "u64"] },
    rt_rq: { active: [0, "rt_prio_array"] },
    rt_prio_array: { bitmap: [0, "bytes16"], queue: [16, "bytes1600"] },
    task_group: { children: [0, "bytes16"] },
  });
  for (const address of [QUEUE, GROUP_QUEUE, RT, GROUP_ENTITY, TASK(0), TASK(1), TASK(2), TASK(3)])
    fake.memory.write(address, new Uint8Array(4096));
  for (let level = 0; level < 100; level++) {
    const head = RT + 16n + BigInt(level) * 16n;
    fake.memory.put64(head, head);
    fake.memory.put64(head + 8n, head);
  }
});

/** A tree of two: the root and its left child. */
function tree(queue: bigint, root: bigint, left: bigint): void {
  fake.memory.put64(queue, root);
  fake.memory.put64(root, 1n);
  fake.memory.put64(root + 16n, left);
  fake.memory.put64(left, root);
}

describe("fair queue", () => {
  test("in order, the running task first, marked; a sleeper that is still queued is marked", () => {
    tree(QUEUE, entity(TASK(1)), entity(TASK(2)));
    fake.memory.put64(QUEUE + 16n, entity(TASK(0)));
    for (const n of [0, 1, 2]) fake.memory.put32(TASK(n) + 0x10n, 120 + n);
    fake.memory.put8(entity(TASK(1)) + 32n, 1);
    const reader = new QueueReader(fake.kernel, 0, []);
    expect(reader.fair(virtual(QUEUE), false)).toEqual([
      { task: TASK(0), priority: 120, current: true },
      { task: TASK(2), priority: 122 },
      { task: TASK(1), priority: 121, delayed: true },
    ]);
    expect(reader.notes).toEqual([]);
  });

  test("a group's own queue is inside it; a group that holds its parent's queue is told", () => {
    tree(QUEUE, GROUP_ENTITY, entity(TASK(1)));
    fake.memory.put64(GROUP_ENTITY + 24n, GROUP_QUEUE);
    fake.memory.put32(GROUP_QUEUE + 24n, 1);
    tree(GROUP_QUEUE, entity(TASK(2)), entity(TASK(3)));
    fake.memory.put64(entity(TASK(3)) + 24n, QUEUE);
    const notes: string[] = [];
    const entries = new QueueReader(fake.kernel, 0, notes).fair(virtual(QUEUE), false);
    const group = entries.find(isGroup);
    expect(group).toMatchObject({ queue: GROUP_QUEUE, throttled: true });
    expect(group?.entries.filter((entry) => !isGroup(entry))).toMatchObject([{ task: TASK(2) }]);
    expect(notes.join()).toMatch(/run in a circle/);
  });

  test("a wild pointer in the tree keeps what came before", () => {
    tree(QUEUE, entity(TASK(1)), entity(TASK(2)));
    fake.memory.put64(entity(TASK(1)) + 8n, 0xdead_beef_0000n);
    const notes: string[] = [];
    expect(new QueueReader(fake.kernel, 0, notes).fair(virtual(QUEUE), false)).toHaveLength(2);
    expect(notes.join()).toMatch(/cannot be read/);
  });
});

test("realtime tasks by priority, and a list that is cut", () => {
  const head = (level: number) => RT + 16n + BigInt(level) * 16n;
  const link = (level: number, node: bigint) => {
    fake.memory.put64(head(level), node);
    fake.memory.put64(head(level) + 8n, node);
    fake.memory.put64(node, head(level));
    fake.memory.put64(node + 8n, head(level));
  };
  link(5, TASK(1) + RT_ENTITY);
  link(90, TASK(2) + RT_ENTITY);
  const notes: string[] = [];
  expect(new QueueReader(fake.kernel, 1, notes).realtime(virtual(RT))).toMatchObject([{ task: TASK(1) }, { task: TASK(2) }]);
  expect(notes).toEqual([]);
  fake.memory.put64(TASK(1) + RT_ENTITY, 0n);
  expect(new QueueReader(fake.kernel, 1, notes).realtime(virtual(RT))).toHaveLength(2);
  expect(notes.join()).toMatch(/CPU 1.*priority 5/);
});
