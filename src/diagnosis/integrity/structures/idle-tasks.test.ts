import { beforeEach, describe, expect, it } from "vitest";
import { type VirtualAddress, virtual } from "../../../bytes/address.ts";
import { FakeKernel } from "../../../linux/testing/fake-kernel.ts";
import { Survey } from "../survey.ts";
import type { Targets } from "../targets.ts";
import { isNoIdleTask, surveyIdle } from "./idle-tasks.ts";

const BASE = 0xffff_8880_0001_0000n;
const at = (n: number): VirtualAddress => virtual(BASE + BigInt(n) * 0x100n);
const RQ = at(1);
const IDLE = [at(4), at(8)] as const;
const TASK = at(12);

let kernel: FakeKernel;

beforeEach(() => {
  kernel = new FakeKernel({
    rq: { idle: [8, "u64"] },
    task_struct: { pid: [8, "u32"], comm: [16, "bytes16"] },
  });
  kernel.memory.write(BASE, new Uint8Array(0x2000));
  Object.assign(kernel.arch, {
    stripPointer: (address: bigint) => virtual(address),
    isKernelAddress: (address: bigint) => address >= 0xffff_8000_0000_0000n,
  });
  name(IDLE[0], "swapper/0", 0);
  name(IDLE[1], "swapper/1", 0);
  name(TASK, "swapper/1", 77);
});

function name(task: VirtualAddress, comm: string, pid: number): void {
  kernel.memory.write(task + 16n, new TextEncoder().encode(comm));
  kernel.memory.put32(task + 8n, pid);
}

function found(value: bigint, thread?: VirtualAddress) {
  kernel.memory.put64(RQ + 8n, value);
  const survey = new Survey(kernel.kernel, {} as Targets);
  surveyIdle(survey, RQ, 1, thread);
  return survey.settled();
}

describe("the idle task of a CPU", () => {
  it("is the one that bears its name", () => {
    expect(found(IDLE[1])).toEqual([]);
    expect(found(IDLE[1], IDLE[0])).toEqual([]);
  });

  it("is told by its name when the run queue is a bit away", () => {
    for (const bit of [5n, 12n, 34n])
      expect(found(IDLE[1] ^ (1n << bit))).toMatchObject([
        { class: "bit-flip", type: "rq", member: "idle", object: RQ, expected: IDLE[1], witness: { address: IDLE[1] + 16n } },
      ]);
  });

  it("is told by idle_threads whatever stands there", () => {
    expect(found(0x1234n, IDLE[1])).toMatchObject([{ class: "overwritten-pointer", expected: IDLE[1] }]);
    // Of another CPU.
    expect(found(0x1234n, IDLE[0])).toEqual([]);
    expect(found(0x1234n)).toEqual([]);
  });

  it("has no pid", () => {
    expect(isNoIdleTask(kernel.kernel, TASK)).toBe(true);
    expect(isNoIdleTask(kernel.kernel, IDLE[0])).toBe(false);
    expect(isNoIdleTask(kernel.kernel, at(14))).toBe(true);
  });
});
