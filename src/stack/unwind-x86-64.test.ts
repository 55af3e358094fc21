import { describe, expect, it } from "vitest";
import { RegisterSet } from "../arch/registers.ts";
import { R10, RBP, RBX, RIP, RSP, X86_64_REGISTERS } from "../arch/x86-64-registers.ts";
import { virtual } from "../bytes/address.ts";
import { FakeKernel } from "../linux/testing/fake-kernel.ts";
import { startOfRegisters, taskStart } from "./start.ts";
import { isOnCpu } from "./task-stack.ts";
import {
  callRule,
  DF_END,
  describeFrames,
  END_RULE,
  FakeStackKernel,
  IRQ_END,
  NMI_END,
  regsRule,
  STACK,
  STACK_END,
  TASK,
  UNDEFINED_RULE,
  x86PtRegs,
} from "./testing/fake-stack-kernel.ts";
import { unwindFrom, unwindTask } from "./unwind.ts";

/** Registers at an interrupted instruction. */
function at(pc: bigint, sp: bigint, more: Readonly<Record<number, bigint>> = {}) {
  const registers = new RegisterSet(X86_64_REGISTERS);
  registers.set(RIP, pc);
  registers.set(RSP, sp);
  for (const [register, value] of Object.entries(more)) registers.set(Number(register), value);
  return startOfRegisters(registers);
}

/** __schedule ← schedule ← worker ← ret_from_fork_asm, and a task asleep in it. */
function sleeper() {
  const kernel = new FakeStackKernel("x86_64");
  kernel.define("__switch_to_asm");
  kernel.define("__schedule", callRule(32, { bpReg: "prev_sp", bpOffset: -16 }));
  kernel.define("schedule", callRule(16));
  kernel.define("worker", callRule(8));
  kernel.define("ret_from_fork_asm", END_RULE);
  const sp = STACK_END - 256n;
  kernel.memory.put64(TASK + 24n, sp);
  kernel.words(
    sp,
    ...[15n, 14n, 13n, 12n, 0xbbn, 0x1111n],
    kernel.call("__schedule", 0x80, "__switch_to_asm"),
    // Frame of __schedule: 32 bytes above its return address slot, bp 16 below the top.
    ...[0n, 0n, STACK + 64n, kernel.call("schedule", 0x20, "__schedule")],
    ...[0n, kernel.call("worker", 0x30, "schedule")],
    kernel.call("ret_from_fork_asm", 0x10, "worker"),
  );
  return { kernel, sp };
}

describe("a sleeping task, by ORC", () => {
  it("starts at the saved return address and ends where the table says", () => {
    const { kernel, sp } = sleeper();
    const { frames, stop } = unwindTask(kernel.kernel, TASK);
    expect(describeFrames(frames)).toEqual(["#0 __schedule+0x80 start", "#1 schedule+0x20", "#2 worker+0x30", "#3 ret_from_fork_asm+0x10"]);
    expect(stop).toEqual({ complete: true, text: "end of the stack" });
    // The bracket of crash's lines: the slot that holds the return address.
    expect(frames.map((frame) => frame.sp - sp)).toEqual([48n, 80n, 96n, 104n]);
    expect(frames.every((frame) => frame.certainty === "exact" && frame.stack.kind === "task")).toBe(true);
    expect(frames.map((frame) => frame.foundBy)).toEqual(["registers", "orc", "orc", "orc"]);
  });

  it("recovers bp from the place that the table names, and calls other registers unknown", () => {
    const { kernel } = sleeper();
    const { frames } = unwindTask(kernel.kernel, TASK);
    expect(frames[0]?.registers.get(RBP)).toBe(0x1111n);
    expect(frames[0]?.registers.get(RBX)).toBe(0xbbn);
    expect(frames[1]?.registers.get(RBP)).toBe(STACK + 64n);
    expect(frames[1]?.registers.get(RBX)).toBeUndefined();
  });

  it("of a running task whose registers are lost, all is a guess and says so", () => {
    const { kernel } = sleeper();
    const lost = { kind: "none", running: true, text: "the dump has no registers of that CPU" } as const;
    const { frames, stop } = unwindFrom(kernel.kernel, lost, TASK);
    expect(frames.map((frame) => frame.function)).toEqual(["__schedule", "schedule", "worker", "ret_from_fork_asm"]);
    expect(frames.every((frame) => frame.certainty === "guessed")).toBe(true);
    expect(stop).toEqual({ complete: false, text: "the dump has no registers of that CPU" });
    expect(unwindFrom(kernel.kernel, { ...lost, running: false }, TASK).frames).toEqual([]);
  });

  it("begins at the first instruction of ret_from_fork_asm for a task that never ran", () => {
    const { kernel, sp } = sleeper();
    kernel.words(sp + 48n, kernel.start("ret_from_fork_asm"));
    expect(describeFrames(unwindTask(kernel.kernel, TASK).frames)).toEqual(["#0 ret_from_fork_asm+0x0 interrupted"]);
  });

  it("names the function of the call, not the one behind it, when the call is the last instruction", () => {
    const { kernel, sp } = sleeper();
    // worker ends with its call: the return address is the first byte of what follows.
    kernel.words(sp + 96n, kernel.call("worker", 0x1000, "schedule"));
    const { frames, stop } = unwindTask(kernel.kernel, TASK);
    expect(describeFrames(frames)).toEqual([
      "#0 __schedule+0x80 start",
      "#1 schedule+0x20",
      "#2 worker+0x1000",
      "#3 ret_from_fork_asm+0x10",
    ]);
    expect(stop.complete).toBe(true);
  });

  it("says so when the saved stack pointer is not on the stack, or the stack is not in the dump", () => {
    const { kernel } = sleeper();
    kernel.memory.put64(TASK + 24n, STACK - 8n);
    expect(unwindTask(kernel.kernel, TASK).stop).toEqual({ complete: false, text: expect.stringContaining("is not on the task's stack") });
    kernel.memory.put64(TASK + 24n, STACK_END - 256n);
    kernel.memory.drop(STACK_END - 256n);
    const { frames, stop } = unwindTask(kernel.kernel, TASK);
    expect(frames).toEqual([]);
    expect(stop).toEqual({ complete: false, text: expect.stringContaining("cannot be read") });
  });

  it("is running without SMP when it is the run queue's current one", () => {
    const kernel = new FakeKernel({ task_struct: { stack: [0, "u64"] }, rq: { curr: [8, "u64"] } });
    kernel.symbol("runqueues", 0xffff_ffff_8500_0000n);
    kernel.memory.put64(0xffff_ffff_8500_0008n, TASK);
    expect([TASK, virtual(TASK + 64n)].map((task) => isOnCpu(kernel.kernel, task))).toEqual([true, false]);
  });

  it("says that the CPU's registers are missing for a task that was running", () => {
    const { kernel } = sleeper();
    kernel.memory.put32(TASK + 16n, 1);
    Object.assign(kernel.dump, { notes: [], littleEndian: true });
    expect(unwindTask(kernel.kernel, TASK).stop.text).toBe("the task was running on CPU 0, and the dump has no registers of that CPU");
  });
});

/** fault() ← caller() ← entry of a system call; the exception's handler above fault(). */
function faulting() {
  const kernel = new FakeStackKernel("x86_64");
  kernel.addCpuStacks();
  kernel.define("handler", callRule(24));
  kernel.define("asm_exc_page_fault", regsRule(0));
  kernel.define("fault", [
    [0, callRule(8)],
    [4, callRule(16)],
  ]);
  kernel.define("caller", callRule(8));
  kernel.define("entry_SYSCALL_64", regsRule(0));
  return kernel;
}

describe("exceptions, by ORC", () => {
  it("goes on at the interrupted instruction itself and ends in user mode with its registers", () => {
    const kernel = faulting();
    const sp = STACK_END - 1024n;
    const top = sp + 24n + 168n;
    const user = top + 24n;
    kernel.words(
      sp,
      1n,
      2n,
      kernel.call("asm_exc_page_fault", 0x22, "handler"),
      ...x86PtRegs({ ip: kernel.start("fault") + 4n, sp: top, bp: 7n }),
    );
    kernel.words(top, 0n, kernel.call("caller", 0x40, "fault"), kernel.call("entry_SYSCALL_64", 0x76, "caller"));
    kernel.words(user, ...x86PtRegs({ ip: 0x401000n, sp: 0x7fff_0000n, user: true }));
    const { frames, stop, user: registers } = unwindFrom(kernel.kernel, at(kernel.start("handler") + 9n, sp), TASK);
    expect(describeFrames(frames)).toEqual([
      "#0 handler+0x9 interrupted",
      "#1 asm_exc_page_fault+0x22",
      "#2 fault+0x4 interrupted",
      "#3 caller+0x40",
      "#4 entry_SYSCALL_64+0x76",
    ]);
    expect(frames[1]?.exception).toMatchObject({ address: sp + 24n, user: false, partial: false });
    expect(frames[2]?.registers.get(RBP)).toBe(7n);
    expect(frames[2]?.sp).toBe(top);
    expect(frames[4]?.exception).toMatchObject({ address: user, user: true });
    expect(stop).toEqual({ complete: true, text: "user mode" });
    expect(registers).toMatchObject({ address: user });
    expect(registers?.registers.pc).toBe(0x401000n);
  });

  it("asks the table for the interrupted pc, not for the byte before it", () => {
    const kernel = faulting();
    const sp = STACK_END - 512n;
    // At fault+4 the frame is 16 bytes; one byte before it is 8, where the word is no return address.
    kernel.words(
      sp,
      0n,
      kernel.call("caller", 0x40, "fault"),
      kernel.call("entry_SYSCALL_64", 0x76, "caller"),
      ...x86PtRegs({ ip: 1n, sp: 1n, user: true }),
    );
    expect(unwindFrom(kernel.kernel, at(kernel.start("fault") + 4n, sp), TASK).stop.text).toBe("user mode");
  });

  it("takes only what the CPU pushed from a partial frame and keeps the live registers", () => {
    const kernel = faulting();
    kernel.define("asm_exc_nmi", regsRule(0, { type: "regs_partial" }));
    const sp = NMI_END - 40n;
    const inner = STACK_END - 512n;
    kernel.words(sp, kernel.start("fault") + 4n, 0x10n, 0x46n, inner, 0x18n);
    kernel.words(
      inner,
      0n,
      kernel.call("caller", 0x40, "fault"),
      kernel.call("entry_SYSCALL_64", 0x76, "caller"),
      ...x86PtRegs({ ip: 1n, sp: 1n, user: true }),
    );
    const { frames, stop } = unwindFrom(kernel.kernel, at(kernel.start("asm_exc_nmi"), sp, { [RBX]: 0x77n }), TASK);
    expect(describeFrames(frames).slice(0, 3)).toEqual(["#0 asm_exc_nmi+0x0 interrupted", "#1 fault+0x4 interrupted", "#2 caller+0x40"]);
    expect(frames.map((frame) => frame.stack.kind)).toEqual(["nmi", "task", "task", "task"]);
    expect(frames[1]?.registers.get(RBX)).toBe(0x77n);
    expect(stop.complete).toBe(true);
  });

  it("follows an interrupt's own stack back to the task's through a word at the stack pointer", () => {
    const kernel = faulting();
    kernel.define("irq_handler", callRule(8));
    kernel.define("sysvec", callRule(8, { spReg: "sp_indirect" }));
    const irq = IRQ_END - 64n;
    const inner = STACK_END - 1024n;
    // irq_handler returns to sysvec, whose old stack pointer lies at the top of the IRQ stack.
    kernel.words(irq, kernel.call("sysvec", 0x50, "irq_handler"), inner);
    kernel.words(inner, kernel.call("asm_exc_page_fault", 0x16, "sysvec"), ...x86PtRegs({ ip: kernel.start("fault"), sp: inner + 176n }));
    kernel.words(
      inner + 176n,
      kernel.call("caller", 0x40, "fault"),
      kernel.call("entry_SYSCALL_64", 0x76, "caller"),
      ...x86PtRegs({ ip: 1n, sp: 1n, user: true }),
    );
    const { frames, stop } = unwindFrom(kernel.kernel, at(kernel.start("irq_handler") + 3n, irq), TASK);
    expect(describeFrames(frames)).toEqual([
      "#0 irq_handler+0x3 interrupted",
      "#1 sysvec+0x50",
      "#2 asm_exc_page_fault+0x16",
      "#3 fault+0x0 interrupted",
      "#4 caller+0x40",
      "#5 entry_SYSCALL_64+0x76",
    ]);
    expect(frames.map((frame) => frame.stack.kind)).toEqual(["irq", "irq", "task", "task", "task", "task"]);
    expect(frames[2]?.sp).toBe(inner);
    expect(stop.text).toBe("user mode");
  });

  it("follows a stack overflow from the double-fault stack into the guard page and up", () => {
    const kernel = faulting();
    kernel.define("asm_exc_double_fault", regsRule(0));
    const regs = DF_END - 168n;
    const sp = STACK - 8n;
    kernel.words(regs, ...x86PtRegs({ ip: kernel.start("fault") + 4n, sp }));
    kernel.words(
      STACK,
      kernel.call("caller", 0x40, "fault"),
      kernel.call("entry_SYSCALL_64", 0x76, "caller"),
      ...x86PtRegs({ ip: 1n, sp: 1n, user: true }),
    );
    const { frames, stop } = unwindFrom(kernel.kernel, at(kernel.start("asm_exc_double_fault") + 8n, regs), TASK);
    expect(frames.map((frame) => `${frame.function} ${frame.stack.kind}`)).toEqual([
      "asm_exc_double_fault double fault",
      "fault task",
      "caller task",
      "entry_SYSCALL_64 task",
    ]);
    expect(stop.complete).toBe(true);
  });

  it("finds the caller of a jump to nowhere", () => {
    const kernel = faulting();
    const sp = STACK_END - 512n;
    kernel.words(
      sp,
      kernel.call("caller", 0x40, "*"),
      kernel.call("entry_SYSCALL_64", 0x76, "caller"),
      ...x86PtRegs({ ip: 1n, sp: 1n, user: true }),
    );
    for (const pc of [0n, 0xdead_beefn]) {
      const { frames, stop } = unwindFrom(kernel.kernel, at(pc, sp), TASK);
      expect(describeFrames(frames).slice(1)).toEqual(["#1 caller+0x40", "#2 entry_SYSCALL_64+0x76"]);
      expect(frames[0]?.function).toBeUndefined();
      expect(frames[1]?.foundBy).toBe("call through a bad pointer");
      expect(stop.complete).toBe(true);
    }
  });
});

describe("an unwind that cannot go on", () => {
  it("stops at a return address in no code and guesses the rest", () => {
    const { kernel, sp } = sleeper();
    kernel.words(sp + 80n, 0x1234n);
    const { frames, stop } = unwindTask(kernel.kernel, TASK);
    expect(describeFrames(frames)).toEqual(["#0 __schedule+0x80 start", "#1 ? worker+0x30", "#2 ? ret_from_fork_asm+0x10"]);
    expect(stop).toEqual({ complete: false, text: "the return address 0000000000001234 is in no code that the kernel knows" });
    expect(frames.map((frame) => frame.foundBy)).toEqual(["registers", "scan", "orc"]);
  });

  it("lists every return address left when none of them leads to the end", () => {
    const { kernel, sp } = sleeper();
    kernel.words(sp + 80n, 0x1234n);
    kernel.words(sp + 104n, 0n);
    expect(describeFrames(unwindTask(kernel.kernel, TASK).frames).slice(1)).toEqual(["#1 ? worker+0x30"]);
  });

  it("prefers a caller of the function in which it stopped", () => {
    const { kernel, sp } = sleeper();
    kernel.define("odd", UNDEFINED_RULE);
    kernel.define("stale", callRule(8));
    // A stale address that even leads to the end lies below the true one.
    kernel.words(sp + 200n, kernel.call("stale", 0x10, "schedule"), kernel.call("ret_from_fork_asm", 0x40, "worker"));
    kernel.words(sp + 232n, kernel.call("worker", 0x70, "odd"), kernel.call("ret_from_fork_asm", 0x10, "worker"));
    const { frames } = unwindFrom(kernel.kernel, at(kernel.start("odd") + 32n, sp + 160n), TASK);
    expect(describeFrames(frames)).toEqual(["#0 odd+0x20 interrupted", "#1 ? worker+0x70", "#2 ? ret_from_fork_asm+0x10"]);
  });

  it("does not run in circles", () => {
    const { kernel, sp } = sleeper();
    kernel.define("loop", callRule(8, { spReg: "bp" }));
    const slot = sp + 16n;
    kernel.words(slot - 8n, kernel.call("loop", 0x10, "schedule"));
    const { frames, stop } = unwindFrom(kernel.kernel, at(kernel.start("loop") + 1n, slot, { [RBP]: slot - 8n }), TASK);
    expect(frames.filter((frame) => frame.certainty === "exact")).toHaveLength(1);
    expect(stop.text).toContain("does not go on outwards");
  });

  it("does not return to a stack that it has left", () => {
    const kernel = faulting();
    kernel.define("hop", regsRule(0));
    const first = NMI_END - 400n;
    const second = STACK_END - 400n;
    kernel.words(first, ...x86PtRegs({ ip: kernel.start("hop") + 1n, sp: second }));
    kernel.words(second, ...x86PtRegs({ ip: kernel.start("hop") + 2n, sp: NMI_END - 200n }));
    const { frames, stop } = unwindFrom(kernel.kernel, at(kernel.start("hop"), first), TASK);
    expect(frames.filter((frame) => frame.certainty === "exact")).toHaveLength(2);
    expect(stop).toEqual({ complete: false, text: "the stack pointer returns to the nmi stack, which was left before" });
  });

  it("names the register that a frame did not save", () => {
    const kernel = faulting();
    kernel.define("realigned", callRule(0, { spReg: "r10" }));
    const start = at(kernel.start("realigned"), STACK_END - 64n);
    expect(unwindFrom(kernel.kernel, start, TASK).stop.text).toBe("the unwind table wants r10, which no frame saved");
    const sp = STACK_END - 512n;
    kernel.words(
      sp - 8n,
      kernel.call("caller", 0x40, "fault"),
      kernel.call("entry_SYSCALL_64", 0x76, "caller"),
      ...x86PtRegs({ ip: 1n, sp: 1n, user: true }),
    );
    expect(unwindFrom(kernel.kernel, at(kernel.start("realigned"), sp - 64n, { [R10]: sp }), TASK).stop.complete).toBe(true);
  });
});

describe("code that ORC does not describe", () => {
  it("uses the prologue where two witnesses agree", () => {
    const { kernel, sp } = sleeper();
    const start = kernel.define("odd", UNDEFINED_RULE);
    // call fentry; push %rbx; push %rbp; mov $1,%edx; sub $0x18,%rsp
    kernel.memory.write(start, Uint8Array.of(0xe8, 0, 0, 0, 0, 0x53, 0x55, 0xba, 1, 0, 0, 0, 0x48, 0x83, 0xec, 0x18, 0x90));
    const slot = sp + 200n;
    kernel.words(slot - 16n, 0xb9n, 0xbbn, kernel.call("worker", 0x70, "odd"), kernel.call("ret_from_fork_asm", 0x10, "worker"));
    const { frames, stop } = unwindFrom(kernel.kernel, at(start + 0x40n, slot - 40n, { [RBX]: 1n, [RBP]: 2n }), TASK);
    expect(describeFrames(frames)).toEqual(["#0 odd+0x40 interrupted", "#1 worker+0x70", "#2 ret_from_fork_asm+0x10"]);
    expect(frames[1]).toMatchObject({ foundBy: "prologue", sp: slot });
    expect(frames[1]?.registers.get(RBX)).toBe(0xbbn);
    expect(frames[1]?.registers.get(RBP)).toBe(0xb9n);
    expect(stop.complete).toBe(true);
    // The same word is not believed when it returns from a call to another function.
    kernel.words(slot, kernel.call("worker", 0x90, "schedule"));
    expect(unwindFrom(kernel.kernel, at(start + 0x40n, slot - 40n), TASK).frames[1]?.certainty).toBe("guessed");
  });

  it("uses the frame pointer of code that no table covers", () => {
    const { kernel, sp } = sleeper();
    const start = kernel.define("bpf_prog");
    const bp = sp + 200n;
    kernel.words(bp, 0x99n, kernel.call("worker", 0x70, "bpf_prog"), kernel.call("ret_from_fork_asm", 0x10, "worker"));
    const { frames, stop } = unwindFrom(kernel.kernel, at(start + 0x40n, sp, { [RBP]: bp }), TASK);
    expect(describeFrames(frames)).toEqual(["#0 bpf_prog+0x40 interrupted", "#1 worker+0x70", "#2 ret_from_fork_asm+0x10"]);
    expect(frames[1]).toMatchObject({ foundBy: "frame pointer", sp: bp + 8n });
    expect(frames[1]?.registers.get(RBP)).toBe(0x99n);
    expect(stop.complete).toBe(true);
  });
});

describe("a sleeping task before 4.9", () => {
  /** Frame pointers; the switch is inline in __schedule: [rbp][flags], then the frame that rbp names. */
  function old() {
    const kernel = new FakeStackKernel("x86_64 before 4.9");
    kernel.orcPresent = false;
    for (const name of ["__schedule", "__switch_to", "schedule", "kthread", "ret_from_fork"]) kernel.define(name);
    kernel.call("__schedule", 0x120, "__switch_to");
    const sp = STACK_END - 512n;
    kernel.memory.put64(TASK + 24n, sp);
    kernel.words(sp, sp + 64n, 0x246n);
    kernel.words(sp + 64n, sp + 96n, kernel.call("schedule", 0x29, "__schedule"));
    kernel.words(sp + 96n, 0n, kernel.call("kthread", 0xcf, "schedule"));
    return { kernel, sp };
  }

  it("stands behind the call of __switch_to", () => {
    const { kernel, sp } = old();
    const { frames, stop } = unwindTask(kernel.kernel, TASK);
    expect(describeFrames(frames)).toEqual(["#0 __schedule+0x120 start", "#1 schedule+0x29", "#2 kthread+0xcf"]);
    expect(frames[0]?.registers.get(RSP)).toBe(sp + 16n);
    expect(stop.complete).toBe(true);
  });

  it("has yet to return from its fork when its saved stack pointer is at its user registers", () => {
    const { kernel } = old();
    kernel.memory.put64(TASK + 24n, STACK_END - 168n);
    expect(describeFrames(unwindTask(kernel.kernel, TASK).frames)).toEqual(["#0 ret_from_fork+0x0 interrupted"]);
  });

  it("is not guessed at when __schedule does not switch", () => {
    const { kernel } = old();
    kernel.memory.write(kernel.start("__schedule") + 0x120n - 5n, Uint8Array.of(0x90));
    const { frames, stop } = unwindTask(kernel.kernel, TASK);
    expect(frames).toEqual([]);
    expect(stop.text).toContain("where __schedule switches tasks was not found");
  });
});

describe("a kernel with frame pointers", () => {
  function pointed() {
    const kernel = new FakeStackKernel("x86_64");
    kernel.orcPresent = false;
    for (const name of ["inner", "outer", "entry"]) {
      const start = kernel.define(name);
      kernel.memory.write(start, Uint8Array.of(0x0f, 0x1f, 0x44, 0, 0, 0x55, 0x48, 0x89, 0xe5, 0x90));
    }
    const bp = STACK_END - 512n;
    const regs = STACK_END - 168n;
    kernel.words(bp, bp + 32n, kernel.call("outer", 0x40, "inner"));
    kernel.words(bp + 32n, regs | 1n, kernel.call("entry", 0x80, "outer"));
    kernel.words(regs, ...x86PtRegs({ ip: 0x401000n, sp: 1n, user: true }));
    return { kernel, bp, regs };
  }

  it("follows rbp and the registers that entry code encoded in it", () => {
    const { kernel, bp, regs } = pointed();
    const { frames, stop } = unwindFrom(kernel.kernel, at(kernel.start("inner") + 0x20n, bp - 64n, { [RBP]: bp }), TASK);
    expect(describeFrames(frames)).toEqual(["#0 inner+0x20 interrupted", "#1 outer+0x40", "#2 entry+0x80"]);
    expect(frames[2]?.exception).toMatchObject({ address: regs, user: true });
    expect(stop.text).toBe("user mode");
  });

  it("ends where a kernel thread's user registers would be", () => {
    const { kernel, bp, regs } = pointed();
    kernel.words(regs, ...new Array(21).fill(0n));
    const { frames, stop } = unwindFrom(kernel.kernel, at(kernel.start("inner") + 0x20n, bp - 64n, { [RBP]: bp }), TASK);
    expect(describeFrames(frames)).toEqual(["#0 inner+0x20 interrupted", "#1 outer+0x40", "#2 entry+0x80"]);
    expect(frames[2]?.exception).toBeUndefined();
    expect(stop).toEqual({ complete: true, text: "end of the stack" });
  });

  it("goes on through init text that is gone, to the start of a CPU, which nothing called", () => {
    const { kernel, bp } = pointed();
    for (const name of ["start_kernel", "secondary_startup_64"]) kernel.define(name);
    kernel.symbol("_sinittext", kernel.start("start_kernel"));
    kernel.symbol("_einittext", kernel.start("start_kernel") + 0x100n);
    kernel.words(bp + 32n, bp + 64n, kernel.start("start_kernel") + 0x80n, 0n, 0n, 0n, kernel.start("secondary_startup_64") + 0x20n);
    const { frames, stop } = unwindFrom(kernel.kernel, at(kernel.start("inner") + 0x20n, bp - 64n, { [RBP]: bp }), TASK);
    expect(describeFrames(frames).slice(1)).toEqual(["#1 outer+0x40", "#2 start_kernel+0x80", "#3 secondary_startup_64+0x20"]);
    expect(stop).toEqual({ complete: true, text: "end of the stack" });
  });

  it("keeps the caller of a function interrupted before, in and behind its prologue", () => {
    const { kernel, bp } = pointed();
    const start = kernel.start("inner");
    const expected = ["#1 outer+0x40", "#2 entry+0x80"];
    const rest = (pc: bigint, sp: bigint, frame: bigint) =>
      describeFrames(unwindFrom(kernel.kernel, at(pc, sp, { [RBP]: frame }), TASK).frames).slice(1);
    // Before the push, rbp is still outer's and the return address is the top word.
    expect(rest(start + 5n, bp + 8n, bp + 32n)).toEqual(expected);
    // Pushed, not yet moved.
    expect(rest(start + 6n, bp, bp + 32n)).toEqual(expected);
    // At the return: popped again.
    kernel.memory.write(start + 0x50n, Uint8Array.of(0xc3));
    expect(rest(start + 0x50n, bp + 8n, bp + 32n)).toEqual(expected);
  });

  it("ends where rbp is zero", () => {
    const { kernel, bp } = pointed();
    kernel.words(bp + 32n, 0n);
    const { stop } = unwindFrom(kernel.kernel, at(kernel.start("inner") + 0x20n, bp - 64n, { [RBP]: bp }), TASK);
    expect(stop).toEqual({ complete: true, text: "end of the stack" });
  });
});

it("takes the start of a sleeping task from thread.sp", () => {
  const { kernel, sp } = sleeper();
  expect(taskStart(kernel.kernel, TASK)).toMatchObject({ kind: "frame", slot: virtual(sp + 48n), sleeping: true });
});
