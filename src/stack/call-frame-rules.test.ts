import { describe, expect, it } from "vitest";
import { ARM64_REGISTERS, FP, LR, PC, SP } from "../arch/arm64-registers.ts";
import { RegisterSet } from "../arch/registers.ts";
import { R12, RBP, RBX, RIP, RSP, X86_64_REGISTERS } from "../arch/x86-64-registers.ts";
import type { DebugInfo, FrameRow, RegisterRule } from "../debug-info/debug-info.ts";
import { KernelDebugInfo } from "../kernel/debug-info.ts";
import { startOfRegisters } from "./start.ts";
import {
  callRule,
  describeFrames,
  END_RULE,
  FakeStackKernel,
  IRQ_END,
  STACK,
  STACK_END,
  TASK,
  UNDEFINED_RULE,
} from "./testing/fake-stack-kernel.ts";
import { unwindFrom } from "./unwind.ts";

const SIZE = 0x1000n;

/** Rows of whole functions, by name. */
function describeCode(kernel: FakeStackKernel, rows: Readonly<Record<string, FrameRow>>): void {
  const known = Object.entries(rows).map(([name, row]) => ({ start: kernel.start(name), row }));
  const frameRow = (pc: bigint) => known.find(({ start }) => pc >= start && pc < start + SIZE)?.row;
  kernel.debugInfo = new KernelDebugInfo({ module: undefined, path: "vmlinux", info: { frameRow } as DebugInfo, bias: 0n }, () => []);
}

/** CFA at rsp + size; registers at distances below it. */
function row(size: number, saved: Readonly<Record<number, number>> = {}, more: Partial<FrameRow> = {}): FrameRow {
  const rules = Object.entries(saved).map(([register, below]): [number, RegisterRule] => [
    Number(register),
    { kind: "at cfa", offset: -below },
  ]);
  return {
    cfa: { register: RSP, offset: size },
    registers: new Map<number, RegisterRule>([[RIP, { kind: "at cfa", offset: -8 }], ...rules]),
    returnRegister: RIP,
    signal: false,
    signed: false,
    ...more,
  };
}

function at(pc: bigint, sp: bigint, more: Readonly<Record<number, bigint>> = {}) {
  const registers = new RegisterSet(X86_64_REGISTERS);
  registers.set(RIP, pc);
  registers.set(RSP, sp);
  for (const [register, value] of Object.entries(more)) registers.set(Number(register), value);
  return startOfRegisters(registers);
}

/** work ← worker ← ret_from_fork_asm: work saves rbx, worker nothing; both by ORC too. */
function withOrc() {
  const kernel = new FakeStackKernel("x86_64");
  kernel.define("leaf", callRule(8));
  kernel.define("work", callRule(24));
  kernel.define("worker", callRule(16));
  kernel.define("ret_from_fork_asm", END_RULE);
  const sp = STACK + 1024n;
  kernel.words(
    sp,
    kernel.call("work", 0x40, "leaf"),
    ...[0n, 0xb0bn, kernel.call("worker", 0x40, "work")],
    ...[0n, kernel.call("ret_from_fork_asm", 0x10, "worker")],
  );
  return { kernel, start: at(kernel.start("leaf"), sp, { [RBX]: 0x1n, [R12]: 0x12n }) };
}

const saved = (frames: ReturnType<typeof unwindFrom>["frames"], register: number) => frames.map(({ registers }) => registers.get(register));

describe("beside ORC", () => {
  it("gives the registers that calls preserve, where its frame is ORC's", () => {
    const { kernel, start } = withOrc();
    describeCode(kernel, { leaf: row(8), work: row(24, { [RBX]: 16 }), worker: row(16) });
    const { frames } = unwindFrom(kernel.kernel, start, TASK);
    expect(frames.map(({ foundBy }) => foundBy)).toEqual(["registers", "orc", "orc", "orc"]);
    expect(saved(frames, RBX)).toEqual([0x1n, 0x1n, 0xb0bn, 0xb0bn]);
    expect(saved(frames, R12)).toEqual([0x12n, 0x12n, 0x12n, 0x12n]);
    // Not what calls do not preserve.
    expect(frames[1]?.registers.get(0)).toBeUndefined();
  });

  it("gives nothing where its frame is another, and nothing further out of what was lost there", () => {
    const { kernel, start } = withOrc();
    describeCode(kernel, { leaf: row(8), work: row(32, { [RBX]: 16 }), worker: row(16) });
    const { frames } = unwindFrom(kernel.kernel, start, TASK);
    expect(saved(frames, RBX)).toEqual([0x1n, 0x1n, undefined, undefined]);
    expect(frames).toHaveLength(4);
  });

  it("gives nothing for a rule that says so, and evaluates expressions over the CFA and registers", () => {
    const { kernel, start } = withOrc();
    const expression = (...bytes: number[]) => Uint8Array.from(bytes);
    const rules = new Map<number, RegisterRule>([
      [RIP, { kind: "at cfa", offset: -8 }],
      [RBX, { kind: "undefined" }],
      // DW_OP_lit16 DW_OP_minus: the word at CFA − 16.
      [R12, { kind: "at expression", expression: expression(0x40, 0x1c) }],
      [13, { kind: "is cfa", offset: 4 }],
      [14, { kind: "register", register: RBX }],
      [15, { kind: "is expression", expression: expression(0x23, 2) }],
    ]);
    // DW_OP_breg7 24.
    describeCode(kernel, { leaf: row(8), work: row(0, {}, { registers: rules, cfa: { expression: expression(0x77, 24) } }) });
    const registers = unwindFrom(kernel.kernel, start, TASK).frames[2]?.registers;
    const cfa = STACK + 1024n + 8n + 24n;
    expect([RBX, R12, 13, 14, 15].map((each) => registers?.get(each))).toEqual([undefined, 0xb0bn, cfa + 4n, 0x1n, cfa + 2n]);
  });

  it("unwinds what ORC does not know", () => {
    const { kernel } = withOrc();
    kernel.define("kexec", UNDEFINED_RULE);
    describeCode(kernel, { kexec: row(16, { [RBX]: 16 }) });
    const sp = STACK + 1000n;
    kernel.words(sp, 0xeen, kernel.call("leaf", 0x20, "kexec"));
    kernel.words(sp + 16n, kernel.call("work", 0x40, "leaf"));
    const { frames } = unwindFrom(kernel.kernel, at(kernel.start("kexec") + 8n, sp), TASK);
    expect(frames.slice(0, 2).map(({ foundBy }) => foundBy)).toEqual(["registers", "call-frame information"]);
    expect(frames[1]?.registers.get(RBX)).toBe(0xeen);
  });
});

describe("a kernel without ORC", () => {
  function bare() {
    const kernel = new FakeStackKernel("x86_64");
    kernel.orcPresent = false;
    for (const name of ["leaf", "work", "worker", "kthread"]) kernel.define(name);
    return kernel;
  }

  it("is unwound by call-frame information, also where a function was interrupted before its prologue", () => {
    const kernel = bare();
    describeCode(kernel, {
      leaf: row(8),
      work: row(24, { [RBP]: 16 }),
      worker: row(0, { [RBX]: 24 }, { cfa: { register: RBP, offset: 16 } }),
      kthread: row(8, {}, { registers: new Map([[RIP, { kind: "undefined" as const }]]) }),
    });
    const sp = STACK + 1024n;
    const rbp = STACK + 1200n;
    kernel.words(sp, kernel.call("work", 0x40, "leaf"), 0n, rbp, kernel.call("worker", 0x40, "work"));
    kernel.words(rbp - 8n, 0xbbn, 0n, kernel.call("kthread", 0x40, "worker"));
    const { frames, stop } = unwindFrom(kernel.kernel, at(kernel.start("leaf"), sp, { [RBX]: 7n }), TASK);
    expect(describeFrames(frames)).toEqual(["#0 leaf+0x0 interrupted", "#1 work+0x40", "#2 worker+0x40", "#3 kthread+0x40"]);
    expect(stop).toEqual({ complete: true, text: "end of the stack" });
    expect(saved(frames, RBX)).toEqual([7n, 7n, 7n, 0xbbn]);
    expect(frames[3]?.registers.sp).toBe(rbp + 16n);
  });

  it("falls back to frame pointers where there is no row, or it leads to no return address", () => {
    const kernel = bare();
    describeCode(kernel, { leaf: row(8), work: row(64) });
    const sp = STACK + 1024n;
    const rbp = STACK + 1200n;
    kernel.words(sp, kernel.call("work", 0x40, "leaf"));
    kernel.words(rbp, 0n, kernel.call("worker", 0x40, "work"));
    const { frames } = unwindFrom(kernel.kernel, at(kernel.start("leaf"), sp, { [RBP]: rbp }), TASK);
    expect(frames.map(({ function: name, foundBy }) => `${name} ${foundBy}`)).toEqual([
      "leaf registers",
      "work call-frame information",
      "worker frame pointer",
    ]);
  });

  it("comes back from the interrupt stack through its topmost word, which the switch of stacks wrote", () => {
    const kernel = bare();
    kernel.addCpuStacks();
    describeCode(kernel, { leaf: row(8), work: row(24, { [RBX]: 16 }), worker: row(16) });
    const old = STACK + 1024n;
    kernel.words(IRQ_END - 16n, kernel.call("work", 0x40, "leaf"), old);
    kernel.words(old, 0n, 0xbbn, kernel.call("worker", 0x40, "work"));
    const { frames } = unwindFrom(kernel.kernel, at(kernel.start("leaf"), IRQ_END - 16n), TASK);
    expect(describeFrames(frames)).toEqual(["#0 leaf+0x0 interrupted", "#1 work+0x40", "#2 worker+0x40"]);
    expect(frames.map(({ stack }) => stack.kind)).toEqual(["irq", "irq", "task"]);
    expect(frames[2]?.registers.get(RBX)).toBe(0xbbn);
  });

  it("goes on at the instruction itself behind a signal frame", () => {
    const kernel = bare();
    const rules = new Map<number, RegisterRule>([[RIP, { kind: "at cfa", offset: -40 }]]);
    describeCode(kernel, { leaf: row(48, {}, { registers: rules, signal: true }), work: row(8) });
    const sp = STACK + 1024n;
    kernel.words(sp, 0n, kernel.start("work"));
    const { frames } = unwindFrom(kernel.kernel, at(kernel.start("leaf") + 4n, sp), TASK);
    expect(frames[1]).toMatchObject({ pc: kernel.start("work"), kind: "interrupted" });
  });
});

describe("arm64", () => {
  /** stp x29, x30 at the bottom of the frame, x19 above it. */
  const arm = (size: number, more: Readonly<Record<number, number>> = {}): FrameRow =>
    row(
      size,
      {},
      {
        cfa: { register: SP, offset: size },
        returnRegister: LR,
        registers: new Map<number, RegisterRule>(
          Object.entries({ [FP]: size, [LR]: size - 8, ...more }).map(([register, below]) => [
            Number(register),
            { kind: "at cfa", offset: -below },
          ]),
        ),
      },
    );

  function started(kernel: FakeStackKernel, sp: bigint) {
    const registers = new RegisterSet(ARM64_REGISTERS);
    registers.set(PC, kernel.start("inner") + 0x20n);
    registers.set(FP, sp);
    registers.set(SP, sp);
    registers.set(19, 0x19n);
    registers.set(20, 0x20n);
    return startOfRegisters(registers);
  }

  function stack() {
    const kernel = new FakeStackKernel("arm64");
    for (const name of ["leaf", "inner", "middle", "outer"]) kernel.define(name);
    const a = STACK_END - 1024n;
    kernel.words(a, a + 64n, kernel.call("middle", 0x40, "inner"), 0xaan);
    kernel.words(a + 64n, a + 160n, kernel.call("outer", 0x40, "middle"));
    kernel.words(a + 160n, 0n, 0n);
    return { kernel, a };
  }

  it("frame records lead, call-frame information gives registers and the stack pointer", () => {
    const { kernel, a } = stack();
    describeCode(kernel, { inner: arm(64, { 19: 48 }), middle: arm(96, { 20: 8 }) });
    kernel.words(a + 152n, 0xbbn);
    const { frames } = unwindFrom(kernel.kernel, started(kernel, a), TASK);
    expect(frames.map(({ foundBy }) => foundBy)).toEqual(["registers", "frame pointer", "frame pointer"]);
    expect(saved(frames, 19)).toEqual([0x19n, 0xaan, 0xaan]);
    expect(saved(frames, 20)).toEqual([0x20n, 0x20n, 0xbbn]);
    expect(frames.map(({ registers }) => registers.sp)).toEqual([a, a + 64n, a + 160n]);
  });

  it("gives nothing when the stack pointer or the rules have the record elsewhere", () => {
    const below = stack();
    describeCode(below.kernel, { inner: arm(64, { 19: 48 }) });
    const start = started(below.kernel, below.a);
    if (start.kind === "frame") start.state.registers.set(SP, below.a - 16n);
    expect(unwindFrom(below.kernel.kernel, start, TASK).frames[1]?.registers.get(19)).toBeUndefined();
    const { kernel, a } = stack();
    const alone = new Map<number, RegisterRule>([[FP, { kind: "at cfa", offset: -64 }]]);
    describeCode(kernel, { inner: row(64, {}, { registers: alone, returnRegister: LR, cfa: { register: SP, offset: 64 } }) });
    expect(unwindFrom(kernel.kernel, started(kernel, a), TASK).frames[1]?.registers.get(19)).toBeUndefined();
  });

  it("keeps the registers of a caller that the link register led to", () => {
    const { kernel, a } = stack();
    const start = started(kernel, a);
    if (start.kind !== "frame") throw new Error("no frame");
    const { registers } = start.state;
    registers.set(PC, kernel.start("leaf") + 4n);
    registers.set(LR, kernel.call("inner", 0x20, "leaf"));
    registers.set(0, 0x77n);
    describeCode(kernel, { leaf: row(0, {}, { registers: new Map(), returnRegister: LR, cfa: { register: SP, offset: 0 } }) });
    const { frames } = unwindFrom(kernel.kernel, startOfRegisters(registers), TASK);
    expect(frames[1]).toMatchObject({ function: "inner", foundBy: "link register" });
    expect([0, 19, 20, SP].map((each) => frames[1]?.registers.get(each))).toEqual([undefined, 0x19n, 0x20n, a]);
  });
});

describe("registers of a set that are found later", () => {
  it("cost nothing until one is asked for, and then are there for good", () => {
    const set = new RegisterSet(X86_64_REGISTERS);
    let asked = 0;
    set.set(RSP, 5n);
    set.later([RBX, RSP, R12], () => {
      asked++;
      return new Map([
        [RBX, 1n],
        [RSP, 9n],
        [RIP, 3n],
      ]);
    });
    expect([set.get(RSP), set.pc, set.get(RBP), asked]).toEqual([5n, undefined, undefined, 0]);
    expect([set.get(R12), set.get(RBX), set.sp, set.pc, asked]).toEqual([undefined, 1n, 5n, undefined, 1]);
    expect(set.record()).toEqual({ rbx: 1n, rsp: 5n });
  });
});
