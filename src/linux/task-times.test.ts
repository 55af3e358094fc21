import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import type { Task } from "./task.ts";
import { taskTimes } from "./task-times.ts";
import { FakeKernel, type StructTable } from "./testing/fake-kernel.ts";

const AT = 0xffff_8880_0010_0000n;
/** What every layout of task_struct must have. */
const COMMON = Object.fromEntries(
  ["pid", "tgid", "comm", "exit_state", "flags", "stack", "mm", "parent", "group_leader", "tasks", "signal", "policy", "prio"].map(
    (name) => [name, [256, "u64"]] as const,
  ),
);

function times(members: StructTable[string], more: StructTable = {}, hertz = 250) {
  const fake = new FakeKernel({
    task_struct: { ...COMMON, state: [0, "s64"], ...members },
    clocksource: { mult: [0, "u32"], shift: [4, "u32"] },
    ...more,
  });
  fake.memory.write(AT, new Uint8Array(264));
  fake.symbol("clocksource_jiffies", AT + 0x1000n);
  fake.memory.put32(AT + 0x1000n, (1e9 / hertz) * 256);
  fake.memory.put32(AT + 0x1004n, 8);
  for (const [offset, value] of [
    [16n, 5n],
    [24n, 600_000_000n],
    [32n, 70n],
    [40n, 80n],
  ] as const)
    fake.memory.put64(AT + offset, value);
  return taskTimes(fake.kernel, { address: virtual(AT) } as Task);
}

describe("taskTimes", () => {
  test("nanoseconds (5.5)", () => {
    const found = times({ start_time: [16, "u64"], start_boottime: [24, "u64"], utime: [32, "u64"], stime: [40, "u64"] });
    expect(found).toEqual({ start: 600_000_000n, user: 70n, system: 80n, run: undefined });
  });

  const timespec = { timespec: { tv_sec: [0, "s64"], tv_nsec: [8, "s64"] } } as const;

  test("a timespec and ticks (3.10)", () => {
    const cpu = "cputime_t=long unsigned int";
    const found = times({ real_start_time: [16, "timespec"], utime: [32, cpu], stime: [40, cpu] }, timespec);
    expect(found).toMatchObject({ start: 5_600_000_000n, user: 280_000_000n, system: 320_000_000n });
  });

  test("a timespec and exact times (3.10 with CONFIG_VIRT_CPU_ACCOUNTING_GEN)", () => {
    const cpu = "cputime_t=long long unsigned int";
    const found = times({ start_time: [16, "timespec"], utime: [32, cpu], stime: [40, cpu] }, timespec);
    expect(found).toMatchObject({ start: 5_600_000_000n, user: 70n, system: 80n });
  });
});
