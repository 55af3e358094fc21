import { describe, expect, it } from "vitest";
import { virtual } from "../bytes/address.ts";
import { LookupError, UnsupportedError, UsageError } from "../bytes/errors.ts";
import { type Task, type TaskTable, taskTable } from "../linux/task.ts";
import { callRule, END_RULE, FakeStackKernel, STACK, STACK_END, TASK, x86PtRegs } from "../stack/testing/fake-stack-kernel.ts";
import { parseArguments } from "./arguments.ts";
import type { BtStack } from "./bt/result.ts";
import { bt } from "./bt.ts";
import type { Session } from "./command.ts";
import { jsonChunks } from "./json.ts";

/** A kernel with one sleeping task (pid 7), a thread of its group that is the same task_struct, and an idle task that cannot be read. */
function session() {
  const kernel = new FakeStackKernel("x86_64");
  kernel.define("switch");
  kernel.define("__schedule", callRule(16));
  kernel.define("worker", callRule(8));
  kernel.define("ret_from_fork_asm", END_RULE);
  const sp = STACK_END - 512n;
  kernel.memory.put64(TASK + 24n, sp);
  kernel.words(sp, 0n, 0n, 0n, 0n, 0n, 0n, kernel.call("__schedule", 0x80, "switch"), 0x1234n, kernel.call("worker", 0x30, "__schedule"));
  kernel.words(sp + 72n, kernel.call("ret_from_fork_asm", 0x10, "worker"));
  kernel.words(STACK, 0x57ac6e9dn);
  kernel.words(STACK + 64n, kernel.call("worker", 0x90, "switch"));
  const task = (pid: number, comm: string, address: bigint, more: Partial<Task> = {}): Task => ({
    address: virtual(address),
    pid,
    tgid: 7,
    comm,
    cpu: 0,
    flags: 0,
    state: 1,
    exitState: 0,
    mm: virtual(0n),
    parent: virtual(0n),
    groupLeader: virtual(TASK),
    signal: virtual(0n),
    active: false,
    idle: false,
    ...more,
  });
  const idle = task(0, "swapper/0", 0x1000n, { tgid: 0, idle: true, active: true, groupLeader: virtual(0x1000n) });
  const tasks = [idle, task(7, "worker", TASK), task(8, "gone", 0x2000n)];
  const table: TaskTable = {
    tasks,
    byAddress: new Map(tasks.map((one) => [one.address, one])),
    byPid: new Map(tasks.map((one) => [one.pid, one])),
    notes: [],
  };
  kernel.memo(taskTable, () => table);
  Object.assign(kernel.symbols, { prefix: () => [] });
  Object.assign(kernel, { nearestSymbols: () => [] });
  const result = { kernel: kernel.kernel, context: TASK } as unknown as Session;
  const run = (line: string) => bt.run(result, parseArguments(bt.spec, line.split(" ").filter(Boolean), line));
  const text = (line: string) => [...bt.text(run(line), { radix: 10 })];
  const stacks = (line: string): BtStack[] => [...(run(line).stacks ?? [])];
  return { kernel, sp, text, stacks, run };
}

const names = (stack: BtStack | undefined) => stack?.frames.map((frame) => frame.function);

describe("bt", () => {
  it("shows the context's stack, or those of the tasks named by pid or address", () => {
    const { stacks, text } = session();
    expect(names(stacks("")[0])).toEqual(["__schedule", "worker", "ret_from_fork_asm"]);
    expect(stacks("7 8").map((stack) => stack.task?.pid)).toEqual([7, 8]);
    expect(stacks(TASK.toString(16))[0]?.task?.pid).toBe(7);
    expect(text("7 7").filter((line) => line === "")).toHaveLength(1);
    expect(() => stacks("999")).toThrow(LookupError);
  });

  it("answers for a task that cannot be read with the reason", () => {
    const { stacks } = session();
    expect(stacks("8")[0]).toMatchObject({ frames: [], complete: false, stop: expect.stringContaining("the stack cannot be read") });
  });

  it("in JSON gives the stable fields and keeps the layout's own out", () => {
    const { run, sp } = session();
    const json = JSON.parse(jsonChunks(run("")).join(""));
    expect(Object.keys(json)).toEqual(["stacks"]);
    expect(json.stacks[0]).toMatchObject({
      task: { pid: 7, comm: "worker", address: `0x${TASK.toString(16)}`, cpu: 0 },
      stop: "end of the stack",
    });
    expect(json.stacks[0].frames[0]).toMatchObject({
      level: 0,
      sp: `0x${(sp + 48n).toString(16)}`,
      function: "__schedule",
      offset: 0x80,
      module: null,
      kind: "start",
      certainty: "exact",
    });
  });

  it("takes the tasks of CPUs with -a and -c, idle ones left out on request, and a thread group with -g", () => {
    const { stacks } = session();
    expect(stacks("-a").map((stack) => stack.task?.comm)).toEqual(["swapper/0"]);
    expect(stacks("-a -n idle")).toEqual([]);
    expect(stacks("-c 0").map((stack) => stack.task?.pid)).toEqual([0]);
    expect(() => stacks("-c 5")).toThrow(UsageError);
    expect(() => stacks("-n busy")).toThrow(UsageError);
    expect(stacks("-g 8").map((stack) => stack.task?.pid)).toEqual([7, 8]);
  });

  it("notes the CPUs with -a whose task is not known", () => {
    const { kernel, stacks } = session();
    kernel.perCpuOffsets = [virtual(0n), virtual(0x1000n)];
    expect(stacks("-c 0")).toHaveLength(1);
    expect(kernel.notes).toEqual([]);
    expect(stacks("-a")).toHaveLength(1);
    expect(kernel.notes).toEqual(["no task is known to have run on CPU 1: its stack is missing from the answer"]);
  });

  it("shows each frame's words with -f", () => {
    const { stacks, sp } = session();
    const frames = stacks("-f")[0]?.frames;
    expect(frames?.[0]?.words?.map((word) => word.address - sp)).toEqual([56n, 64n]);
    expect(frames?.[1]?.words?.map((word) => word.address - sp)).toEqual([72n]);
    expect(frames?.[0]?.words?.[0]?.value).toBe(0x1234n);
    // The outermost frame's reach to the stack's end.
    expect(frames?.[2]?.words).toHaveLength((512 - 80) / 8);
  });

  it("lists text words above the saved stack pointer (-t), of the whole stack (-T), and calls only (-o)", () => {
    const { kernel, stacks, text, sp } = session();
    kernel.words(sp + 200n, kernel.start("worker"));
    const functions = (line: string) => stacks(line)[0]?.text?.map((row) => `${row.function}+${row.offset.toString(16)}`);
    expect(functions("-t")).toEqual(["__schedule+80", "worker+30", "ret_from_fork_asm+10", "worker+0"]);
    expect(functions("-T")?.[0]).toBe("worker+90");
    expect(functions("-o")).toEqual(["__schedule+80", "worker+30", "ret_from_fork_asm+10"]);
    expect(text("-t")[1]).toMatch(/^ {14}START: __schedule at /);
    expect(text("-O")).toEqual(["bt: use old bt method by default"]);
    expect(functions("")).toEqual(functions("-o"));
    expect(text("-O")).toEqual(["bt: use new bt method by default"]);
    expect(functions("")).toBeUndefined();
  });

  it("shows the raw stack with -r and saved registers with -e", () => {
    const { kernel, stacks, text } = session();
    expect(stacks("-r")[0]?.raw).toHaveLength(2048);
    kernel.words(STACK + 0x800n, ...x86PtRegs({ ip: kernel.start("worker") + 5n, sp: STACK + 0x900n }));
    expect(stacks("-e")[0]?.exceptionFrames).toMatchObject([{ address: STACK + 0x800n, user: false, function: "worker", offset: 5 }]);
    expect(text("-e")[2]).toBe(`  KERNEL-MODE EXCEPTION FRAME AT: ${(STACK + 0x800n).toString(16)}`);
  });

  it("searches the CPUs' stacks with -E", () => {
    const { kernel, text } = session();
    expect(text("-E")).toEqual([expect.stringContaining("not known in this dump")]);
    const other = session();
    other.kernel.addCpuStacks();
    expect(other.text("-E")).toEqual([
      "CPU 0 IRQ STACK:",
      "(none found)",
      "",
      "CPU 0 DOUBLEFAULT EXCEPTION STACK:",
      "(none found)",
      "",
      "CPU 0 NMI EXCEPTION STACK:",
      "(none found)",
    ]);
    expect(kernel).toBeDefined();
  });

  it("limits the output to stacks with a reference (-R): a function, an address on the stack", () => {
    const { stacks } = session();
    expect(stacks("-R worker 7 8").map((stack) => stack.task?.pid)).toEqual([7]);
    expect(stacks("-R 1234 7").map((stack) => stack.task?.pid)).toEqual([7]);
    expect(stacks("-R switch 7")).toEqual([]);
    expect(() => stacks("-R nonsense 7")).toThrow(LookupError);
  });

  it("starts where it is told with -I and -S", () => {
    const { kernel, stacks, sp } = session();
    expect(names(stacks(`-S ${(sp + 64n).toString(16)}`)[0])).toEqual(["worker", "ret_from_fork_asm"]);
    const at = `-I ${(kernel.start("worker") + 4n).toString(16)} -S ${(sp + 72n).toString(16)}`;
    expect(names(stacks(at)[0])).toEqual(["worker", "ret_from_fork_asm"]);
    expect(stacks(at)[0]?.registers).toBeUndefined();
  });

  it("checks the mark at the low end of every stack with -v", () => {
    const { kernel, text, run } = session();
    expect(run("-v").overflows?.map(({ task }) => task.pid)).toEqual([0, 8]);
    kernel.words(STACK, 0x1n);
    expect(text("-v")).toContain(`  possible stack overflow: ${STACK.toString(16)}: 1 != STACK_END_MAGIC`);
  });

  it("says what it does not have", () => {
    const { stacks } = session();
    expect(() => stacks("-l")).toThrow(UnsupportedError);
    expect(() => stacks("-A")).toThrow(UnsupportedError);
  });
});
