import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { memoryUse, splitStrings } from "./mm.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";

const MM = 0xffff_8880_0050_0000n;
const COUNTS = { MM_FILEPAGES: 0, MM_ANONPAGES: 1, MM_SWAPENTS: 2, MM_SHMEMPAGES: 3 };

describe("memoryUse", () => {
  test("percpu counters (6.2+): the shared count and every CPU's part, each kind not below zero", () => {
    const fake = new FakeKernel(
      {
        percpu_counter: { lock: [0, "u32"], count: [8, "s64"], list: [16, "bytes16"], counters: [32, "u64"] },
        mm_struct: { total_vm: [0, "u64"], rss_stat: [8, "bytes160"] },
        cpumask: { bits: [0, "u64"] },
      },
      COUNTS,
    );
    fake.symbol("__cpu_possible_mask", 0xffff_ffff_8100_0000n);
    fake.memory.put64(0xffff_ffff_8100_0000n, 3n);
    fake.perCpuOffsets = [virtual(0xffff_8880_1000_0000n), virtual(0xffff_8880_1100_0000n)];
    fake.memory.write(MM, new Uint8Array(256));
    fake.memory.put64(MM, 500n);
    const counter = (index: number, count: bigint, parts: readonly number[]) => {
      const at = MM + 8n + BigInt(index) * 40n;
      fake.memory.put64(at + 8n, count);
      fake.memory.put64(at + 32n, 0x3000n + BigInt(index) * 8n);
      for (const [cpu, part] of parts.entries())
        fake.memory.put32((fake.perCpuOffsets[cpu] as bigint) + 0x3000n + BigInt(index) * 8n, part);
    };
    counter(0, 100n, [5, -2]);
    counter(1, 0n, [-7, 3]);
    counter(2, 1000n, [0, 0]);
    counter(3, 20n, [0, 1]);
    expect(memoryUse(fake.kernel, virtual(MM))).toEqual({ residentPages: 103 + 0 + 21, totalPages: 500 });
  });

  test("atomic counters (before 6.2): plus what threads hold back", () => {
    const fake = new FakeKernel(
      {
        mm_rss_stat: { count: [0, "bytes32"] },
        task_rss_stat: { events: [0, "s32"], count: [4, "bytes16"] },
        mm_struct: { total_vm: [0, "u64"], rss_stat: [8, "mm_rss_stat"] },
        cpumask: { bits: [0, "u64"] },
        rq: { curr: [0, "u64"], idle: [8, "u64"] },
        list_head: { next: [0, "u64"], prev: [8, "u64"] },
        task_struct: {
          state: [0, "s64"],
          stack: [8, "u64"],
          flags: [16, "u32"],
          prio: [20, "s32"],
          policy: [24, "u32"],
          tasks: [32, "list_head"],
          mm: [48, "u64"],
          exit_state: [56, "s32"],
          pid: [60, "s32"],
          tgid: [64, "s32"],
          parent: [72, "u64"],
          group_leader: [80, "u64"],
          comm: [88, "bytes16"],
          signal: [104, "u64"],
          cpu: [112, "u32"],
          on_cpu: [116, "s32"],
          rss_stat: [120, "task_rss_stat"],
        },
      },
      COUNTS,
    );
    const init = 0xffff_ffff_8260_0000n;
    fake.symbol("init_task", init);
    fake.memory.write(init, new Uint8Array(256));
    fake.memory.put64(init + 32n, init + 32n);
    fake.memory.put64(init + 48n, MM);
    fake.memory.put32(init + 124n, 4);
    fake.memory.put32(init + 128n, -1);
    fake.memory.put32(init + 132n, 1000);
    fake.memory.write(MM, new Uint8Array(64));
    fake.memory.put64(MM, 90n);
    for (const [index, count] of [10n, 20n, 999n, 3n].entries()) fake.memory.put64(MM + 8n + BigInt(index) * 8n, count);
    expect(memoryUse(fake.kernel, virtual(MM))).toEqual({ residentPages: 33 + 4 - 1, totalPages: 90 });
  });
});

describe("splitStrings", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  test("NUL ends each, the last may lack it, empty ones count", () => {
    expect(splitStrings(bytes("sh\0-c\0"))).toEqual(["sh", "-c"]);
    expect(splitStrings(bytes("sh\0\0x"))).toEqual(["sh", "", "x"]);
    expect(splitStrings(bytes(""))).toEqual([]);
  });
});
