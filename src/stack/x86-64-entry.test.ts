import { describe, expect, it } from "vitest";
import { RegisterSet } from "../arch/registers.ts";
import { RIP, RSP, X86_64_REGISTERS } from "../arch/x86-64-registers.ts";
import { virtual } from "../bytes/address.ts";
import { FakeStackKernel, STACK, x86PtRegs } from "./testing/fake-stack-kernel.ts";
import { X86Entry } from "./x86-64-entry.ts";

const ENTRY = 0xffff_ffff_8140_0000n;
const CODE = 0xffff_ffff_8100_0000n;
const REGS = STACK + 0x800n;
const SIZE = 168n;

function step(
  write: (kernel: FakeStackKernel) => void,
  options: { readonly pc?: bigint; readonly interrupted?: boolean; readonly end?: bigint } = {},
) {
  const kernel = new FakeStackKernel("x86_64");
  for (let at = REGS; at < REGS + SIZE; at += 8n) kernel.memory.put64(at, 0n);
  write(kernel);
  const registers = new RegisterSet(X86_64_REGISTERS);
  const pc = virtual(options.pc ?? ENTRY + 0x40n);
  registers.set(RIP, pc);
  registers.set(RSP, REGS);
  const source = new X86Entry(kernel.kernel.memory, {
    isEntry: (address) => address >= ENTRY && address < ENTRY + 0x1000n,
    isCode: (address) => address >= CODE && address < ENTRY,
    onStack: (address) => address >= STACK && address < STACK + 16384n,
    userRegisters: options.end,
  });
  return source.step({ registers, pc, interrupted: options.interrupted === true });
}

const regs =
  (ip: bigint, sp: bigint, user = false) =>
  (kernel: FakeStackKernel) =>
    kernel.words(REGS, ...x86PtRegs({ ip, sp, user }));

describe("entry code without ORC", () => {
  it("stands on the registers of user mode", () => {
    expect(step(regs(0x401000n, 0x7ffe_0000n, true))).toMatchObject({ kind: "end", complete: true, text: "user mode" });
  });

  it("stands on what an exception interrupted, on this stack or another", () => {
    expect(step(regs(CODE + 8n, REGS + SIZE))).toMatchObject({
      kind: "found",
      foundBy: "exception frame",
      next: { pc: CODE + 8n, interrupted: true },
    });
    expect(step(regs(CODE + 8n, STACK + 0x1000n))).toMatchObject({ kind: "found" });
    // A jump to nowhere leaves no code at its pc: then the registers must lie right below where they say.
    expect(step(regs(0n, REGS + SIZE))).toMatchObject({ kind: "found" });
    expect(step(regs(0n, STACK + 0x1000n))).toBeUndefined();
    expect(step(regs(CODE + 8n, 0xffff_8880_0000_0000n))).toBeUndefined();
  });

  it("stands on a place kept free in a kernel thread", () => {
    expect(step(() => {}, { end: REGS })).toMatchObject({ kind: "end", complete: true, text: "end of the stack" });
    expect(step(() => {})).toBeUndefined();
  });

  it("is not other code, nor an interrupted instruction", () => {
    const user = regs(0x401000n, 0x7ffe_0000n, true);
    expect(step(user, { pc: ENTRY })).toBeUndefined();
    expect(step(user, { pc: ENTRY + 0x1001n })).toBeUndefined();
    expect(step(user, { interrupted: true })).toBeUndefined();
  });
});
