import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { stolenTime } from "./interrupt-load.ts";
import type { Task } from "./task.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";

const [RQ, TASK] = [0xffff_8880_0100_0000n, virtual(0xffff_8880_0200_0000n)];
const SECOND = 1_000_000_000n;
const task = { address: TASK, cpu: 0, idle: false } as Task;

/** A CPU whose task got it at 100 s and has run for `own` seconds of the ten since. */
function cpu(own: bigint, accounts = true): FakeKernel {
  const fake = new FakeKernel({
    rq: { clock: [0, "u64"], ...(accounts ? { prev_irq_time: [8, "u64"] as const } : {}) },
    sched_entity: { sum_exec_runtime: [0, "u64"], prev_sum_exec_runtime: [8, "u64"] },
    sched_info: { last_arrival: [0, "u64"] },
    task_struct: { stack: [0, "u64"], se: [24, "sched_entity"], sched_info: [40, "sched_info"] },
  });
  fake.symbol("runqueues", RQ);
  fake.memory.put64(RQ, 110n * SECOND);
  fake.memory.put64(TASK + 40n, 100n * SECOND);
  fake.memory.put64(TASK + 32n, 7n * SECOND);
  fake.memory.put64(TASK + 24n, (7n + own) * SECOND);
  return fake;
}

describe("time that a task had its CPU and did not run", () => {
  test("is what interrupts took of it", () => {
    expect(stolenTime(cpu(1n).kernel, task)).toEqual({ onCpu: 10, stolen: 9 });
    expect(stolenTime(cpu(10n).kernel, task)).toEqual({ onCpu: 10, stolen: 0 });
  });

  test("is not known where the kernel does not account for it, nor of clocks that contradict each other", () => {
    expect(stolenTime(cpu(1n, false).kernel, task)).toBeUndefined();
    expect(stolenTime(cpu(11n).kernel, task)).toBeUndefined();
    expect(stolenTime(cpu(1n).kernel, { ...task, idle: true })).toBeUndefined();
  });
});
