import { expect, test } from "vitest";
import { type Task, taskTable } from "../../linux/task.ts";
import { FakeKernel } from "../../linux/testing/fake-kernel.ts";
import { threadSize } from "../../stack/task-stack.ts";
import type { HeldCache } from "./holders.ts";
import { largestFamily, STACK_MAKERS } from "./task-memory.ts";

function world(comms: readonly string[]) {
  const { kernel } = new FakeKernel({});
  const tasks = comms.map((comm, i) => ({ comm, pid: i + 1, idle: false, address: BigInt(i) }) as unknown as Task);
  kernel.memo(taskTable, () => ({ tasks, byAddress: new Map() }) as never);
  kernel.memo(threadSize, () => 16384 as never);
  return kernel;
}
const cache = (name: string, pages: number) => ({ cache: { name }, pages }) as unknown as HeldCache;

test("tasks that differ in a number are one family, with its share of stacks and structures", () => {
  const kernel = world([...Array.from({ length: 600 }, (_, i) => `evt/${i}`), ...Array.from({ length: 200 }, (_, i) => `kworker/${i}:0`)]);
  const found = largestFamily(kernel, [cache("task_struct", 1600), cache("dentry", 9000)]);
  expect(found).toMatchObject({ name: "evt/*", count: 600, first: { pid: 1 } });
  expect(found?.pages).toBe(Math.round(((1600 + (800 * 16384) / kernel.arch.pageSize) * 600) / 800));
});

test("a few hundred are no reason", () => {
  expect(largestFamily(world(Array.from({ length: 400 }, (_, i) => `evt/${i}`)), [])).toBeUndefined();
});

test("who asks for stacks", () => {
  expect(STACK_MAKERS.test("kernel_clone")).toBe(true);
  expect(STACK_MAKERS.test("snap_alloc")).toBe(false);
});
