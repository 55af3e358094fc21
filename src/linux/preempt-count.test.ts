import { expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { decodePreemptCount, preemptCount } from "./preempt-count.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";

test("each level has its bits", () => {
  // One NMI over one hardirq over a softirq that is served, bottom halves off twice, preemption off three times.
  expect(decodePreemptCount(0x0011_0503, false)).toEqual({
    raw: 0x0011_0503,
    preempt: 3,
    bottomHalves: 2,
    servingSoftirq: true,
    hardirq: 1,
    nmi: 1,
    needResched: undefined,
  });
});

test("on x86-64 the highest bit is set while nobody wants a reschedule", () => {
  expect(decodePreemptCount(0x8000_0001, true)).toMatchObject({ raw: 1, preempt: 1, needResched: false });
  expect(decodePreemptCount(0x0000_0001, true)).toMatchObject({ raw: 1, preempt: 1, needResched: true });
});

test("pcpu_hot is asked before __preempt_count, and each CPU's own copy", () => {
  const fake = new FakeKernel({ pcpu_hot: { current_task: [0, "u64"], preempt_count: [8, "u32"] } });
  fake.perCpuOffsets = [virtual(0x1_0000n), virtual(0x2_0000n)];
  fake.symbol("pcpu_hot", 0x100n);
  fake.symbol("__preempt_count", 0x200n);
  fake.memory.put32(0x1_0108n, 0x8000_0002);
  fake.memory.put32(0x2_0108n, 0x8001_0000);
  expect(preemptCount(fake.kernel, 0, undefined)).toMatchObject({ preempt: 2, hardirq: 0 });
  expect(preemptCount(fake.kernel, 1, undefined)).toMatchObject({ preempt: 0, hardirq: 1 });
});
