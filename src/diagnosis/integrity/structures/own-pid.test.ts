import { beforeEach, describe, expect, it } from "vitest";
import { virtual } from "../../../bytes/address.ts";
import { FakeKernel } from "../../../linux/testing/fake-kernel.ts";
import { Survey } from "../survey.ts";
import type { Targets } from "../targets.ts";
import { ownPid } from "./own-pid.ts";

const TASK = virtual(0xffff_8880_0001_0000n);
const PID = virtual(0xffff_8880_0001_0400n);
const [LINK, HEAD, NUMBER] = [TASK + 16n, PID + 8n, PID + 64n];

let kernel: FakeKernel;

beforeEach(() => {
  kernel = new FakeKernel({
    pid: { tasks: [8, "u64[4]"], numbers: [64, "upid"] },
    upid: { nr: [0, "u32"], $size: [16, ""] },
    task_struct: { thread_pid: [8, "u64"], pid_links: [16, "bytes64"] },
  });
  kernel.memory.write(TASK, new Uint8Array(0x800));
  Object.assign(kernel.arch, {
    stripPointer: (address: bigint) => virtual(address),
    isKernelAddress: (address: bigint) => address >= 0xffff_8000_0000_0000n,
  });
  kernel.memory.put64(LINK + 8n, HEAD);
  kernel.memory.put64(HEAD, LINK);
  kernel.memory.put32(NUMBER, 77);
});

const own = () => ownPid(new Survey(kernel.kernel, {} as Targets), TASK, 77)?.value;

describe("the pid of a task by its list", () => {
  it("is known whatever thread_pid says", () => {
    kernel.memory.put64(TASK + 8n, PID ^ 0x200n);
    expect(own()).toBe(PID);
  });

  it("is not known where the list does not lead to the task, or the number is another", () => {
    kernel.memory.put64(HEAD, LINK + 8n);
    expect(own()).toBeUndefined();
    kernel.memory.put64(HEAD, LINK);
    kernel.memory.put32(NUMBER, 78);
    expect(own()).toBeUndefined();
  });

  it("is not known of a task that has exited", () => {
    kernel.memory.put64(LINK + 8n, 0xdead_0000_0000_0122n);
    expect(own()).toBeUndefined();
  });
});
