import { describe, expect, it } from "vitest";
import { virtual } from "../bytes/address.ts";
import { FakeKernel, type StructTable } from "../linux/testing/fake-kernel.ts";
import { ReturnTrampolines } from "./return-trampolines.ts";

const TASK = virtual(0xffff_8880_0001_0000n);
const LIST = 0xffff_8880_0002_0000n;
const TRAMPOLINE = virtual(0xffff_ffff_8100_0000n);

const TABLE: StructTable = {
  task_struct: { ret_stack: [0, "u64"], curr_ret_stack: [8, "s32"], rethooks: [16, "llist_head"], kretprobe_instances: [24, "llist_head"] },
  llist_head: { first: [0, "u64"] },
  ftrace_ret_stack: { ret: [0, "u64"], func: [8, "u64"], retp: [16, "u64"] },
  rethook_node: { rcu: [0, "bytes16"], llist: [16, "u64"], ret_addr: [24, "u64"], frame: [32, "u64"] },
  kretprobe_instance: { llist: [0, "u64"], ret_addr: [8, "u64"] },
};

function words(kernel: FakeKernel, address: bigint, ...values: readonly bigint[]): void {
  values.forEach((value, i) => {
    kernel.memory.put64(address + BigInt(i * 8), value);
  });
}

function recovered(kernel: FakeKernel, times: number, task: typeof TASK | undefined = TASK) {
  const trampolines = new ReturnTrampolines(kernel.kernel, task);
  return Array.from({ length: times }, () => trampolines.recover(TRAMPOLINE));
}

describe("return addresses that a tracer replaced", () => {
  it("leave others alone", () => {
    const kernel = new FakeKernel(TABLE);
    kernel.symbol("return_to_handler", TRAMPOLINE);
    expect(new ReturnTrampolines(kernel.kernel, TASK).recover(virtual(0x1234n))).toBe(0x1234n);
  });

  it("come from an array of entries, newest first, up to 6.10", () => {
    const kernel = new FakeKernel(TABLE);
    kernel.symbol("return_to_handler", TRAMPOLINE);
    words(kernel, TASK, LIST, 1n);
    words(kernel, LIST, 0xa1n, 0n, 0n, 0xa2n, 0n, 0n, 0xbadn);
    expect(recovered(kernel, 3)).toEqual([0xa2n, 0xa1n, undefined]);
  });

  it("come from frames of words that say their own length, since 6.11", () => {
    const kernel = new FakeKernel(TABLE, { FGRAPH_TYPE_BITMAP: 1 });
    kernel.symbol("return_to_handler", TRAMPOLINE);
    // Two frames of 4 and 5 words; the last word of each has the length in its low 10 bits.
    words(kernel, TASK, LIST, 9n);
    words(kernel, LIST, 0xa1n, 0n, 0n, 0x1404n, 0xa2n, 0n, 0n, 0x77n, 0x2405n);
    expect(recovered(kernel, 3)).toEqual([0xa2n, 0xa1n, undefined]);
  });

  it("come from lists of probes, past entries that return to the trampoline again", () => {
    for (const [symbol, member, link, ret] of [
      ["arch_rethook_trampoline", 16n, 16n, 24n],
      ["__kretprobe_trampoline", 24n, 0n, 8n],
    ] as const) {
      const kernel = new FakeKernel(TABLE);
      kernel.symbol(symbol, TRAMPOLINE);
      const nodes = [LIST, LIST + 64n, LIST + 128n];
      const addresses = [TRAMPOLINE, 0xb1n, 0xb2n];
      words(kernel, TASK, 0n, 0n, 0n, 0n);
      kernel.memory.put64(TASK + member, (nodes[0] as bigint) + link);
      nodes.forEach((node, i) => {
        const next = nodes[i + 1];
        kernel.memory.put64(node + link, next === undefined ? 0n : next + link);
        kernel.memory.put64(node + ret, addresses[i] as bigint);
      });
      expect(recovered(kernel, 3)).toEqual([0xb1n, 0xb2n, undefined]);
    }
  });

  it("are lost without a task, or when the list cannot be read", () => {
    const kernel = new FakeKernel(TABLE);
    kernel.symbol("return_to_handler", TRAMPOLINE);
    expect(recovered(kernel, 1, undefined)).toEqual([undefined]);
    expect(recovered(kernel, 1)).toEqual([undefined]);
  });
});
