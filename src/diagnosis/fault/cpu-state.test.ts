import { describe, expect, it } from "vitest";
import { virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { smallKernel } from "../../kernel/testing/small-kernel.ts";
import { addressOfCode, type LogFacts } from "../subject/log-facts.ts";
import type { Subject } from "../subject/subject.ts";
import { faultState } from "./cpu-state.ts";

const F = 0xffff_ffff_8100_0100n;
const CODE = { name: "f", offset: 5, size: 16 } as const;

const REGISTERS = new Map(["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"].map((name, i) => [name, BigInt(i)]));

function kernelOf(): Kernel {
  return smallKernel({ symbols: { f: [F, "T"], end: [F + 0x40n, "T"] } });
}

function subjectOf(facts: Partial<LogFacts>): Subject {
  const event = { family: "fault", kind: "page fault", text: "BUG", index: 0 };
  return {
    event,
    fault: event,
    facts: { registers: REGISTERS, ...facts },
    task: undefined,
    cpu: 0,
    before: [],
    after: [],
    notes: [],
  } as unknown as Subject;
}

describe("with the task gone", () => {
  it("the log's registers are taken, and said to be", () => {
    const state = faultState(kernelOf(), subjectOf({ code: CODE, address: 8n, errorCode: 2n }));
    expect(state).toMatchObject({
      source: "log",
      pc: F + 5n,
      address: 8n,
      errorCode: 2n,
      consistent: true,
      exception: { access: "write", present: false },
    });
    if ("reason" in state) throw new Error(state.reason);
    expect(state.registers.get(state.registers.file.names.indexOf("rdi"))).toBe(5n);
    expect(state.stack).toBeUndefined();
    expect(state.checks[0]?.what).toMatch(/^only the log tells the registers/);
  });

  it("is nothing when the log does not tell enough", () => {
    expect(faultState(kernelOf(), subjectOf({ address: 8n }))).toHaveProperty("reason");
    expect(faultState(kernelOf(), subjectOf({ code: CODE, registers: new Map([["rax", 1n]]) }))).toHaveProperty("reason");
    expect(faultState(kernelOf(), subjectOf({ code: { ...CODE, name: "gone" } }))).toHaveProperty("reason");
  });

  it("takes no address that the CPU says it has not", () => {
    const kernel = kernelOf();
    Object.assign(kernel.arch, { name: "aarch64" });
    // FnV: the fault address register holds nothing.
    const state = faultState(kernel, subjectOf({ code: CODE, address: 8n, errorCode: 0x9600_0410n }));
    expect(state).not.toHaveProperty("address");
    expect(state).toMatchObject({ exception: { noAddress: true } });
  });
});

it("a place in the code is an address only when one symbol has its name, of the same module", () => {
  const kernel = kernelOf();
  expect(addressOfCode(kernel, CODE)).toBe(virtual(F + 5n));
  expect(addressOfCode(kernel, { ...CODE, module: "mod" })).toBeUndefined();
  expect(addressOfCode(kernel, 0n)).toBe(0n);
  Object.assign(kernel.symbols, { allByName: () => [{ address: F }, { address: F + 64n }] });
  expect(addressOfCode(kernel, CODE)).toBeUndefined();
});
