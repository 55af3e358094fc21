import { beforeEach, describe, expect, it } from "vitest";
import { type VirtualAddress, virtual } from "../../../bytes/address.ts";
import { taskTable } from "../../../linux/task.ts";
import { FakeKernel } from "../../../linux/testing/fake-kernel.ts";
import { Survey } from "../survey.ts";
import type { Targets } from "../targets.ts";
import { surveyPids } from "./pid-table.ts";

const BASE = 0xffff_8880_0001_0000n;
const at = (n: number): VirtualAddress => virtual(BASE + BigInt(n) * 0x100n);
const NAMESPACE = at(1);
const ROOT = at(4);
const LEAVES = [at(8), at(12)];
const NUMBERS = [1, 2, 5, 67] as const;
const TASKS = NUMBERS.map((_, i) => at(20 + 4 * i));
const PIDS = NUMBERS.map((_, i) => at(22 + 4 * i));
const SLOTS = 40n;
const THREAD_PID = 8n;
const LINKS = 16n;
const HEADS = 8n;

let kernel: FakeKernel;

/** idr ─► node (shift 6) ─► two leaves: 1, 2, 5 and 67. */
beforeEach(() => {
  kernel = new FakeKernel({
    pid_namespace: { idr: [0, "idr"] },
    idr: { idr_rt: [0, "xarray"] },
    xarray: { xa_head: [8, "u64"], $size: [16, ""] },
    xa_node: { shift: [0, "u8"], offset: [1, "u8"], parent: [8, "u64"], array: [16, "u64"], slots: [40, "u64[64]"] },
    pid: { tasks: [8, "u64[4]"], numbers: [64, "upid"] },
    upid: { nr: [0, "u32"], $size: [16, ""] },
    task_struct: { thread_pid: [8, "u64"], pid_links: [16, "bytes64"] },
  });
  kernel.memory.write(BASE, new Uint8Array(0x4000));
  Object.assign(kernel.arch, {
    stripPointer: (address: bigint) => virtual(address),
    isKernelAddress: (address: bigint) => address >= 0xffff_8000_0000_0000n,
  });
  kernel.symbol("init_pid_ns", NAMESPACE);
  const tasks = NUMBERS.map((pid, i) => ({ address: TASKS[i], pid, idle: false }));
  kernel.kernel.memo(taskTable, () => ({ tasks }) as never);
  const { memory } = kernel;
  memory.put64(NAMESPACE + 8n, ROOT + 2n);
  memory.put8(ROOT, 6);
  memory.put64(ROOT + 16n, NAMESPACE);
  for (const [i, leaf] of LEAVES.entries()) {
    memory.put64(ROOT + SLOTS + BigInt(i) * 8n, leaf + 2n);
    memory.put8(leaf + 1n, i);
    memory.put64(leaf + 8n, ROOT);
    memory.put64(leaf + 16n, NAMESPACE);
  }
  for (const [i, number] of NUMBERS.entries()) {
    const [task, pid] = [TASKS[i] as bigint, PIDS[i] as bigint];
    memory.put64((LEAVES[number >> 6] as bigint) + SLOTS + BigInt(number & 63) * 8n, pid);
    memory.put32(pid + 64n, number);
    memory.put64(task + THREAD_PID, pid);
    memory.put64(pid + HEADS, task + LINKS);
    memory.put64(task + LINKS + 8n, pid + HEADS);
  }
});

function found() {
  const targets = { valid: () => "yes", isUsual: () => false } as unknown as Targets;
  const survey = new Survey(kernel.kernel, targets);
  surveyPids(survey);
  return survey.settled();
}

describe("the table of pids", () => {
  it("that is whole", () => {
    expect(found()).toEqual([]);
  });

  it("with a slot that is not the pid of its number", () => {
    const address = (LEAVES[1] as bigint) + SLOTS + 3n * 8n;
    kernel.memory.put64(address, (PIDS[3] as bigint) ^ (1n << 33n));
    expect(found()).toMatchObject([{ class: "bit-flip", type: "xa_node", member: "slots", object: LEAVES[1], address, expected: PIDS[3] }]);
  });

  it("with a branch that leads elsewhere", () => {
    const address = ROOT + SLOTS + 8n;
    kernel.memory.put64(address, ((LEAVES[1] as bigint) + 2n) ^ (1n << 30n));
    expect(found()).toMatchObject([{ class: "bit-flip", member: "slots", object: ROOT, address, expected: (LEAVES[1] as bigint) + 2n }]);
  });

  it("with a task whose own pid is wrong: the slot is not", () => {
    kernel.memory.put64((TASKS[2] as bigint) + THREAD_PID, PIDS[1] as bigint);
    expect(found()).toEqual([]);
  });

  it("with a head, or a link back, that is wrong", () => {
    const head = (PIDS[0] as bigint) + HEADS;
    kernel.memory.put64(head, 0n);
    expect(found()).toMatchObject([{ type: "pid", member: "tasks", address: head, expected: (TASKS[0] as bigint) + LINKS }]);
    const link = (TASKS[1] as bigint) + LINKS + 8n;
    kernel.memory.put64(link, ((PIDS[1] as bigint) + HEADS) ^ 0x1000n);
    expect(found()[1]).toMatchObject({ class: "bit-flip", type: "task_struct", member: "pid_links", address: link });
  });

  it("of tasks that are on no list any more", () => {
    kernel.memory.put64((PIDS[0] as bigint) + HEADS, 0n);
    kernel.memory.put64((TASKS[0] as bigint) + LINKS + 8n, 0n);
    expect(found()).toEqual([]);
  });
});
