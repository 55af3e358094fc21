import { describe, expect, it } from "vitest";
import { RegisterSet } from "../arch/registers.ts";
import { RIP, RSP, X86_64_REGISTERS } from "../arch/x86-64-registers.ts";
import { virtual } from "../bytes/address.ts";
import { FakeKernel } from "../linux/testing/fake-kernel.ts";
import { ftraceOriginal, ftraceTrampolines } from "./ftrace-trampolines.ts";
import { startOfRegisters } from "./start.ts";
import { callRule, END_RULE, FakeStackKernel, STACK_END, TASK } from "./testing/fake-stack-kernel.ts";
import { unwindFrom } from "./unwind.ts";

const LIST = 0xffff_ffff_8500_0000n;
const LAST = 0xffff_ffff_8500_0100n;
const OPS = 0xffff_8880_0500_0000n;
const TRAMPOLINE = virtual(0xffff_ffff_c000_1000n);

function build() {
  const kernel = new FakeKernel(
    { ftrace_ops: { flags: [8, "u64"], next: [24, "u64"], trampoline: [32, "u64"], trampoline_size: [40, "u64"] } },
    { FTRACE_OPS_FL_SAVE_REGS: 2 },
  );
  kernel.symbol("ftrace_ops_list", LIST);
  kernel.symbol("ftrace_list_end", LAST);
  kernel.symbol("ftrace_caller", 0xffff_ffff_8100_0000n);
  kernel.symbol("ftrace_regs_caller", 0xffff_ffff_8100_1000n);
  kernel.memory.put64(LIST, OPS);
  const ops = (address: bigint, flags: bigint, next: bigint, start: bigint, size: bigint) => {
    kernel.memory.put64(address + 8n, flags);
    kernel.memory.put64(address + 24n, next);
    kernel.memory.put64(address + 32n, start);
    kernel.memory.put64(address + 40n, size);
  };
  ops(OPS, 0x11n, OPS + 64n, 0n, 0n);
  ops(OPS + 64n, 0x01n, OPS + 128n, TRAMPOLINE, 0x80n);
  ops(OPS + 128n, 0x03n, LAST, TRAMPOLINE + 0x1000n, 0x100n);
  return kernel;
}

describe("trampolines of ftrace", () => {
  it("stand for the code they are copies of", () => {
    const kernel = build().kernel;
    expect(ftraceTrampolines(kernel)).toHaveLength(2);
    expect(ftraceOriginal(kernel, virtual(TRAMPOLINE + 0x20n))).toBe(0xffff_ffff_8100_0020n);
    expect(ftraceOriginal(kernel, virtual(TRAMPOLINE + 0x1020n))).toBe(0xffff_ffff_8100_1020n);
    expect(ftraceOriginal(kernel, virtual(TRAMPOLINE + 0x80n))).toBeUndefined();
  });

  it("read before a broken link count", () => {
    const kernel = build();
    kernel.memory.put64(OPS + 64n + 24n, 0x10n);
    expect(ftraceTrampolines(kernel.kernel)).toHaveLength(1);
  });
});

it("unwinds code in a trampoline by the entries of the original", () => {
  const kernel = new FakeStackKernel("x86_64");
  for (const name of ["ftrace_caller", "worker", "traced"]) kernel.define(name, callRule(name === "ftrace_caller" ? 24 : 8));
  kernel.define("ret_from_fork_asm", END_RULE);
  kernel.symbol("ftrace_ops_list", LIST);
  kernel.symbol("ftrace_list_end", LAST);
  kernel.words(LIST, OPS);
  kernel.words(OPS, 0n, 1n, 0n, LAST, TRAMPOLINE, 0x80n);
  const sp = STACK_END - 512n;
  kernel.words(sp, 0n, 0n, kernel.call("traced", 0x5, "ftrace_caller"), kernel.call("worker", 0x30, "traced"));
  kernel.words(sp + 32n, kernel.call("ret_from_fork_asm", 0x10, "worker"));
  const registers = new RegisterSet(X86_64_REGISTERS);
  registers.set(RIP, TRAMPOLINE + 0x20n);
  registers.set(RSP, sp);
  const { frames, stop } = unwindFrom(kernel.kernel, startOfRegisters(registers), TASK);
  expect(frames.map((frame) => frame.function)).toEqual(["ftrace_trampoline", "traced", "worker", "ret_from_fork_asm"]);
  expect(stop.complete).toBe(true);
});
