import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { kernelPanic, panicTask } from "./panic-task.ts";
import { FakeKernel, type StructTable } from "./testing/fake-kernel.ts";

const TABLE: StructTable = {
  list_head: { next: [0, "u64"], prev: [8, "u64"] },
  task_struct: {
    __state: [0, "u32"],
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
  },
  rq: { curr: [0, "u64"], idle: [8, "u64"] },
  cpumask: { bits: [0, "u64"] },
};
const INIT = 0xffff_ffff_8260_0000n;
const SHELL = 0xffff_8880_0010_0000n;
const LOG = 0xffff_ffff_8300_0000n;
const AREAS = [0xffff_8880_1000_0000n, 0xffff_8880_1100_0000n];

/** CPU 0 idles, CPU 1 runs "sh" (pid 214); the log is a plain one. */
function build(log: string): FakeKernel {
  const fake = new FakeKernel(TABLE);
  const { memory } = fake;
  fake.perCpuOffsets = AREAS.map(virtual);
  fake.symbol("init_task", INIT);
  fake.symbol("runqueues", 0x1000n);
  fake.symbol("__cpu_possible_mask", LOG + 0x100n);
  memory.put64(LOG + 0x100n, 3n);
  for (const [at, pid, comm] of [
    [INIT, 0, "swapper/0"],
    [SHELL, 214, "sh"],
  ] as const) {
    memory.write(at, new Uint8Array(128));
    memory.put32(at + 60n, pid);
    memory.put32(at + 64n, pid);
    memory.putText(at + 88n, comm);
    memory.put64(at + 104n, at);
  }
  memory.put64(INIT + 32n, SHELL + 32n);
  memory.put64(SHELL + 32n, INIT + 32n);
  AREAS.forEach((area, cpu) => {
    memory.put64(area + 0x1000n, cpu === 0 ? INIT : SHELL);
    memory.put64(area + 0x1008n, cpu === 0 ? INIT : 0n);
  });
  fake.symbol("log_buf", LOG);
  fake.symbol("log_buf_len", LOG + 8n);
  fake.symbol("log_end", LOG + 16n);
  memory.put64(LOG, LOG + 0x1000n);
  memory.put32(LOG + 8n, 4096);
  memory.put32(LOG + 16n, log.length);
  memory.write(LOG + 0x1000n, new Uint8Array(4096));
  memory.putText(LOG + 0x1000n, log);
  return fake;
}

const OOPS = "BUG: kernel NULL pointer dereference\nCPU: 1 PID: 214 Comm: sh Not tainted\nKernel panic - not syncing: Fatal exception\n";

describe("panicTask", () => {
  test("a crashing_cpu of 0 on a kernel without panic_cpu (3.10) is no answer when the log names another CPU", () => {
    const fake = build(OOPS);
    fake.symbol("crashing_cpu", LOG + 0x200n);
    fake.memory.put32(LOG + 0x200n, 0);
    expect(panicTask(fake.kernel)).toMatchObject({ cpu: 1, by: "log", task: { comm: "sh" } });
    const started = build(OOPS);
    started.symbol("crashing_cpu", LOG + 0x200n);
    started.memory.put32(LOG + 0x200n, 1);
    expect(panicTask(started.kernel)).toMatchObject({ cpu: 1, by: "crashing_cpu" });
  });

  test("panic_cpu decides when it names a CPU", () => {
    const fake = build(OOPS);
    fake.symbol("panic_cpu", LOG + 0x200n);
    fake.memory.put32(LOG + 0x200n, 1);
    expect(panicTask(fake.kernel)).toMatchObject({ cpu: 1, by: "panic_cpu", flag: "PANIC", task: { pid: 214 } });
  });

  test("PANIC_CPU_INVALID is no CPU: the log's report decides", () => {
    const fake = build(OOPS);
    fake.symbol("panic_cpu", LOG + 0x200n);
    fake.memory.put32(LOG + 0x200n, -1);
    expect(panicTask(fake.kernel)).toMatchObject({ cpu: 1, by: "log", task: { comm: "sh" } });
  });

  test("without a panic the first task that runs and is not idle", () => {
    expect(panicTask(build("all quiet\n").kernel)).toMatchObject({ cpu: 1, by: "active", flag: "ACTIVE" });
  });

  test("a return address into panic() on the stack of a running task names it, when nothing else does", () => {
    for (const [name, flag] of [
      ["panic", "PANIC"],
      ["sysrq_handle_crash", "SYSRQ"],
    ] as const) {
      const fake = build("");
      Object.assign(fake.arch, { stripPointer: (address: bigint) => address });
      const stack = 0xffff_c900_0001_0000n;
      const code = 0xffff_ffff_8100_0100n;
      for (const task of [INIT, SHELL]) fake.memory.put64(task + 8n, task === SHELL ? stack : stack + 0x10000n);
      fake.memory.write(stack, new Uint8Array(16 << 10));
      fake.memory.put64(stack + 0x3e00n, code + 0x20n);
      fake.symbols.byAddress = (address) =>
        address >= code && address < code + 0x40n ? { symbol: { name }, offset: Number(address - code) } : undefined;
      expect(panicTask(fake.kernel)).toMatchObject({ cpu: 1, by: "stack", flag, task: { comm: "sh" } });
    }
  });

  test("sysrq and NMI are told from other panics", () => {
    expect(panicTask(build("SysRq : Trigger a crash\nKernel panic - not syncing: sysrq triggered crash\n").kernel)?.flag).toBe("SYSRQ");
    expect(panicTask(build("Kernel panic - not syncing: NMI: Not continuing\n").kernel)?.flag).toBe("NMI");
  });

  test("the task of the CPU that panicked cannot be read: another is no PANIC task, and a note says so", () => {
    for (const by of ["panic_cpu", "log"]) {
      const fake = build(OOPS);
      if (by === "panic_cpu") fake.symbol("panic_cpu", LOG + 0x200n);
      fake.memory.put32(LOG + 0x200n, 1);
      fake.memory.put64((AREAS[1] as bigint) + 0x1000n, 0xffff_8880_0770_0000n);
      fake.memory.put64(INIT + 32n, INIT + 32n);
      expect(panicTask(fake.kernel)).toMatchObject({ cpu: 0, by: "active", flag: "ACTIVE", task: { comm: "swapper/0" } });
      expect(fake.notes).toContainEqual(
        expect.stringContaining("stopped on CPU 1, whose task cannot be read: commands begin with swapper/0"),
      );
    }
  });

  test("nothing names the CPU that panicked: a note says that the task is a guess", () => {
    const fake = build("Kernel panic - not syncing: Fatal exception\n");
    expect(panicTask(fake.kernel)).toMatchObject({ cpu: 1, by: "active", flag: "PANIC" });
    expect(fake.notes).toContainEqual(
      expect.stringContaining("which CPU panicked cannot be told: commands begin with sh (pid 214) on CPU 1"),
    );
  });

  test("CRASHTIME makes the last report fatal", () => {
    const fake = build("BUG: kernel NULL pointer dereference\nCPU: 1 PID: 214 Comm: sh Not tainted\n");
    fake.dump.vmcoreinfo = "CRASHTIME=1\n";
    expect(kernelPanic(fake.kernel)).toMatchObject({ fatal: true, index: 0 });
    expect(panicTask(fake.kernel)).toMatchObject({ by: "log", flag: "PANIC" });
  });
});
