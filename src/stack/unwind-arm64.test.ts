import { describe, expect, it } from "vitest";
import { ARM64_REGISTERS, FP, LR, PC, PSTATE, SP } from "../arch/arm64-registers.ts";
import { RegisterSet } from "../arch/registers.ts";
import { startOfRegisters } from "./start.ts";
import { describeFrames, FakeStackKernel, IRQ_END, STACK, STACK_END, TASK } from "./testing/fake-stack-kernel.ts";
import { unwindFrom, unwindTask } from "./unwind.ts";

/** struct pt_regs of a task that came from user mode: at the very end of its stack. */
const REGS = STACK_END - 336n;
const RECORD = REGS + 304n;
const EL1 = 0x6000_0005n;
const EL0 = 0x8000_0000n;

function at(pc: bigint, fp: bigint, more: Readonly<Record<number, bigint>> = {}) {
  const registers = new RegisterSet(ARM64_REGISTERS);
  registers.set(PC, pc);
  registers.set(FP, fp);
  registers.set(SP, fp);
  registers.set(PSTATE, EL1);
  for (const [register, value] of Object.entries(more)) registers.set(Number(register), value);
  return startOfRegisters(registers);
}

function putRegs(
  kernel: FakeStackKernel,
  address: bigint,
  values: { pc: bigint; sp: bigint; pstate: bigint; fp?: bigint; lr?: bigint },
): void {
  kernel.memory.put64(address + 29n * 8n, values.fp ?? 0n);
  kernel.memory.put64(address + 30n * 8n, values.lr ?? 0n);
  kernel.words(address + 248n, values.sp, values.pc, values.pstate, 0x3fn, 0x40n);
}

/** __switch_to ← __schedule ← read ← el0_sync, as a sleeping system call leaves them; the end is {0, 0} in pt_regs. */
function sleeper(machine: "arm64" | "arm64 with metadata" = "arm64") {
  const kernel = new FakeStackKernel(machine);
  for (const name of ["cpu_switch_to", "__switch_to", "__schedule", "read", "el0_sync"]) kernel.define(name);
  const a = STACK_END - 1024n;
  kernel.words(TASK + 24n + 80n, a, a - 32n, kernel.call("__switch_to", 0x60, "cpu_switch_to"));
  kernel.words(a, a + 64n, kernel.call("__schedule", 0x80, "__switch_to"));
  kernel.words(a + 64n, a + 160n, kernel.call("read", 0x40, "__schedule"));
  kernel.words(a + 160n, RECORD, kernel.call("el0_sync", 0x180, "read"));
  kernel.words(RECORD, 0n, 0n, 1n);
  putRegs(kernel, REGS, { pc: 0x401000n, sp: 0xffff_f000n, pstate: EL0 });
  return { kernel, a };
}

const SLEEPING = ["#0 __switch_to+0x60 start", "#1 __schedule+0x80", "#2 read+0x40", "#3 el0_sync+0x180"];

describe("frame records", () => {
  it("lead from a sleeping task to the registers of user mode", () => {
    const { kernel, a } = sleeper();
    const { frames, stop, user } = unwindTask(kernel.kernel, TASK);
    expect(describeFrames(frames)).toEqual(SLEEPING);
    expect(frames.map((frame) => frame.sp)).toEqual([a, a + 64n, a + 160n, RECORD]);
    expect(stop).toEqual({ complete: true, text: "user mode" });
    expect(user).toMatchObject({ address: REGS });
    expect(user?.registers.pc).toBe(0x401000n);
    expect(frames[3]?.exception?.user).toBe(true);
  });

  it("are stripped of authentication codes", () => {
    const { kernel, a } = sleeper();
    const clear = kernel.call("read", 0x40, "__schedule");
    kernel.memory.put64(a + 72n, clear & ~0x7f_0000_0000_0000n);
    expect(describeFrames(unwindTask(kernel.kernel, TASK).frames)).toEqual(SLEEPING);
  });

  it("end without registers for a kernel thread, whose pt_regs are zero, and where x29 is zero", () => {
    const { kernel, a } = sleeper();
    putRegs(kernel, REGS, { pc: 0n, sp: 0n, pstate: 5n });
    expect(unwindTask(kernel.kernel, TASK)).toMatchObject({ stop: { complete: true, text: "end of the stack" }, user: undefined });
    kernel.memory.put64(a + 160n, 0n);
    const { frames, stop } = unwindTask(kernel.kernel, TASK);
    expect(describeFrames(frames)).toEqual(SLEEPING);
    expect(stop).toEqual({ complete: true, text: "end of the stack" });
  });

  it("with metadata say whether the stack ends or an exception lies there (6.13)", () => {
    const { kernel, a } = sleeper("arm64 with metadata");
    expect(describeFrames(unwindTask(kernel.kernel, TASK).frames)).toEqual(SLEEPING);
    const inner = a - 512n;
    kernel.define("el1h_64_irq");
    kernel.define("handler");
    const record = inner + 304n;
    kernel.words(inner - 64n, record, kernel.call("el1h_64_irq", 0x70, "handler"));
    kernel.words(record, 0n, 0n, 2n);
    putRegs(kernel, inner, { pc: kernel.start("__schedule") + 0x80n, sp: a, pstate: EL1, fp: a + 64n });
    const { frames, stop } = unwindFrom(kernel.kernel, at(kernel.start("handler") + 8n, inner - 64n), TASK);
    expect(describeFrames(frames)).toEqual([
      "#0 handler+0x8 interrupted",
      "#1 el1h_64_irq+0x70",
      "#2 __schedule+0x80 interrupted",
      "#3 read+0x40",
      "#4 el0_sync+0x180",
    ]);
    expect(frames[1]?.exception).toMatchObject({ address: inner, user: false });
    expect(stop.text).toBe("user mode");
    kernel.words(record, 0n, 0n, 9n);
    expect(unwindFrom(kernel.kernel, at(kernel.start("handler") + 8n, inner - 64n), TASK).stop.text).toContain("unknown type 9");
  });

  it("inside pt_regs mark the interrupted instruction up to 6.12, over from the IRQ stack", () => {
    const { kernel, a } = sleeper();
    kernel.addCpuStacks();
    kernel.define("el1_irq");
    kernel.define("handler");
    const regs = a - 512n;
    const record = regs + 304n;
    const irq = IRQ_END - 128n;
    const pc = kernel.start("__schedule") + 0x80n;
    kernel.words(irq, record, kernel.call("el1_irq", 0x70, "handler"));
    kernel.words(record, a + 64n, pc);
    putRegs(kernel, regs, { pc, sp: a, pstate: EL1, fp: a + 64n });
    const { frames, stop } = unwindFrom(kernel.kernel, at(kernel.start("handler") + 8n, irq), TASK);
    expect(describeFrames(frames)).toEqual([
      "#0 handler+0x8 interrupted",
      "#1 el1_irq+0x70",
      "#2 __schedule+0x80 interrupted",
      "#3 read+0x40",
      "#4 el0_sync+0x180",
    ]);
    expect(frames.map((frame) => frame.stack.kind)).toEqual(["irq", "task", "task", "task", "task"]);
    expect(frames[1]?.exception?.address).toBe(regs);
    expect(stop.text).toBe("user mode");
    // The same record without the registers around it is an ordinary one.
    kernel.memory.put64(regs + 256n, 0n);
    expect(unwindFrom(kernel.kernel, at(kernel.start("handler") + 8n, irq), TASK).frames[2]?.kind).toBe("call");
  });

  it("on a stack that no symbol leads to are taken for the IRQ stack when the interrupt entry follows", () => {
    const { kernel, a } = sleeper();
    kernel.define("el1_irq");
    kernel.define("handler");
    const irq = IRQ_END - 128n;
    kernel.words(irq, a, kernel.call("el1_irq", 0x70, "handler"));
    const { frames } = unwindFrom(kernel.kernel, at(kernel.start("handler") + 8n, irq), TASK);
    expect(frames.map((frame) => frame.stack.kind).slice(0, 2)).toEqual(["irq", "task"]);
  });

  it("that cannot be read, do not rise or are not aligned end the unwind, with what is left as a guess", () => {
    const { kernel, a } = sleeper();
    kernel.memory.put64(a + 64n, 0xffff_c900_0900_0000n);
    const unreadable = unwindTask(kernel.kernel, TASK);
    expect(unreadable.stop).toEqual({ complete: false, text: "the frame record at ffffc90009000000 cannot be read" });
    expect(describeFrames(unreadable.frames).slice(0, 3)).toEqual(["#0 __switch_to+0x60 start", "#1 __schedule+0x80", "#2 read+0x40"]);
    kernel.memory.put64(a + 64n, a);
    const circle = unwindTask(kernel.kernel, TASK);
    expect(circle.stop.text).toContain("does not go on outwards");
    expect(describeFrames(circle.frames)).toEqual(["#0 __switch_to+0x60 start", "#1 __schedule+0x80", "#2 ? el0_sync+0x180"]);
    kernel.memory.put64(a + 64n, a + 161n);
    expect(unwindTask(kernel.kernel, TASK).stop.text).toContain("is not aligned");
  });
});

describe("a function interrupted without a record of its own", () => {
  function leaf() {
    const { kernel, a } = sleeper();
    kernel.define("leaf");
    kernel.define("other");
    // read called leaf; the newest record is read's, leading to el0_sync.
    const start = (lr: bigint, pc = kernel.start("leaf") + 4n) =>
      describeFrames(unwindFrom(kernel.kernel, at(pc, a + 160n, { [LR]: lr }), TASK).frames);
    return { kernel, start };
  }

  it("is called from where x30 points", () => {
    const { kernel, start } = leaf();
    expect(start(kernel.call("read", 0x90, "leaf"))).toEqual(["#0 leaf+0x4 interrupted", "#1 read+0x90", "#2 el0_sync+0x180"]);
    expect(start(kernel.call("read", 0xa0, "*"))[1]).toBe("#1 read+0xa0");
  });

  it("has no caller in x30 when x30 points into itself, is repeated in the record, or is no return address", () => {
    const { kernel, start } = leaf();
    const none = ["#0 leaf+0x4 interrupted", "#1 el0_sync+0x180"];
    expect(start(kernel.call("leaf", 0x90, "leaf"))).toEqual(none);
    expect(start(kernel.call("el0_sync", 0x180, "read"))).toEqual(none);
    expect(start(kernel.start("read") + 0xb0n)).toEqual(none);
    expect(start(0n)).toEqual(none);
  });

  it("is only a guess at an exception's entry, where x30 belongs to what was interrupted", () => {
    const { kernel, start } = leaf();
    const lr = kernel.call("read", 0x90, "other");
    kernel.symbol("__entry_text_start", kernel.start("leaf"));
    kernel.symbol("__entry_text_end", kernel.start("leaf") + 0x100n);
    expect(start(lr)).toEqual(["#0 leaf+0x4 interrupted", "#1 ? read+0x90", "#2 el0_sync+0x180"]);
  });

  it("believes x30 after another function's call only while the code has linked no record", () => {
    const { kernel, start } = leaf();
    const lr = kernel.call("read", 0x90, "other");
    const pc = kernel.start("leaf") + 0x20n;
    expect(start(lr, pc)[1]).toBe("#1 read+0x90");
    // stp x29, x30, [sp, #-32]!; mov x29, sp
    kernel.memory.put32(kernel.start("leaf"), 0xa9be_7bfd);
    kernel.memory.put32(kernel.start("leaf") + 4n, 0x9100_03fd);
    expect(start(lr, pc)[1]).toBe("#1 el0_sync+0x180");
    // ldp x29, x30, [sp], #32 right before the pc took it back.
    kernel.memory.put32(pc - 4n, 0xa8c2_7bfd);
    expect(start(lr, pc)[1]).toBe("#1 read+0x90");
  });
});

it("says what is wrong with a sleeping task whose stack pointer is elsewhere", () => {
  const { kernel } = sleeper();
  kernel.memory.put64(TASK + 24n + 88n, STACK);
  expect(unwindTask(kernel.kernel, TASK).stop.text).toContain("is not on the task's stack");
});
