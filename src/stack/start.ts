/**
 * Where the unwind of a task begins. Source: arch/x86/include/asm/switch_to.h (struct inactive_task_frame), arch/x86/entry/entry_64.S
 * (__switch_to_asm), arch/arm64/include/asm/processor.h (struct cpu_context), arch/arm64/kernel/entry.S (cpu_switch_to).
 *
 *   sleeping, x86-64   thread.sp ──► [r15 r14 r13 r12 bx bp ret_addr]   pc = ret_addr (in __schedule), sp above it
 *                      before 4.9: old-switch.ts
 *   sleeping, arm64    thread.cpu_context { x19 … x28, fp, sp, pc }     pc in __switch_to
 *   on a CPU           that CPU's registers (cpu-registers.ts)
 */
import { FP as ARM64_FP, ARM64_REGISTERS, SP as ARM64_SP, PC, X19 } from "../arch/arm64-registers.ts";
import { RegisterSet } from "../arch/registers.ts";
import { R12, R13, R14, R15, RBP, RBX, RIP, RSP, X86_64_REGISTERS } from "../arch/x86-64-registers.ts";
import { add, hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type CpuRegisters, cpuRegisters } from "./cpu-registers.ts";
import type { StackArea } from "./frame.ts";
import { inlineSwitchState, switchesInline } from "./old-switch.ts";
import { isOnCpu, onStack, taskCpu, taskLayout, taskPtRegs, taskStack, tryWord } from "./task-stack.ts";
import type { FrameState } from "./unwinder.ts";

export type StackStart =
  | { readonly kind: "frame"; readonly state: FrameState; readonly slot: VirtualAddress; readonly sleeping: boolean }
  | { readonly kind: "user"; readonly registers: RegisterSet }
  /** `running`: the task's stack is in use, and only the registers that tell where are missing. */
  | { readonly kind: "none"; readonly text: string; readonly running?: boolean };

/** Start of a task's stack. Throws FaultError when the task_struct cannot be read. */
export function taskStart(kernel: Kernel, task: VirtualAddress): StackStart {
  return isOnCpu(kernel, task) ? runningStart(kernel, task) : sleepingStart(kernel, task);
}

/** The stack of a task that waits to run. */
export function sleepingStart(kernel: Kernel, task: VirtualAddress): StackStart {
  const saved = taskLayout(kernel).saved;
  if (saved === undefined)
    return { kind: "none", text: "the kernel's types do not say where a sleeping task's registers are (task_struct.thread)" };
  const stack = taskStack(kernel, task);
  return kernel.arch.name === "x86_64"
    ? x86Sleeping(kernel, saved.pointer(task), stack)
    : arm64Sleeping(kernel, saved.address(task), stack);
}

/** Registers pushed by __switch_to_asm, lowest first, when the dump's types do not tell (the order never changed on x86-64). */
const SWITCH_ORDER: readonly (readonly [string, number])[] = [
  ["r15", R15],
  ["r14", R14],
  ["r13", R13],
  ["r12", R12],
  ["bx", RBX],
  ["bp", RBP],
  ["ret_addr", RIP],
];

function x86Sleeping(kernel: Kernel, sp: VirtualAddress, stack: StackArea): StackStart {
  if (!onStack(stack, sp))
    return { kind: "none", text: `the saved stack pointer ${hex16(sp)} is not on the task's stack ${hex16(stack.start)}` };
  if (switchesInline(kernel)) {
    const state = inlineSwitchState(kernel, sp, taskPtRegs(kernel, stack));
    return state === undefined
      ? { kind: "none", text: "where __schedule switches tasks was not found: this kernel does not save it (before 4.9)" }
      : { kind: "frame", state, slot: sp, sleeping: true };
  }
  const frame = kernel.types.tryStruct("inactive_task_frame");
  const registers = new RegisterSet(X86_64_REGISTERS);
  SWITCH_ORDER.forEach(([member, register], index) => {
    const offset = frame?.tryField(member)?.offset ?? (frame === undefined ? index * 8 : undefined);
    if (offset !== undefined) registers.set(register, tryWord(kernel, sp + BigInt(offset)));
  });
  const slot = add(sp, frame?.tryField("ret_addr")?.offset ?? (SWITCH_ORDER.length - 1) * 8);
  const pc = registers.get(RIP);
  if (pc === undefined) return { kind: "none", text: `the task's stack at ${hex16(slot)} cannot be read` };
  registers.set(RSP, add(slot, 8));
  return { kind: "frame", state: { registers, pc: virtual(pc), interrupted: isEntryPoint(kernel, virtual(pc)) }, slot, sleeping: true };
}

function arm64Sleeping(kernel: Kernel, context: VirtualAddress, stack: StackArea): StackStart {
  const struct = kernel.types.struct("cpu_context");
  const registers = new RegisterSet(ARM64_REGISTERS);
  for (let i = 0; i < 10; i++) {
    const field = struct.tryField(`x${X19 + i}`);
    if (field !== undefined) registers.set(X19 + i, field.bigint(context));
  }
  const fp = struct.field("fp").bigint(context);
  const pc = kernel.arch.stripPointer(struct.field("pc").bigint(context));
  const sp = struct.field("sp").bigint(context);
  registers.set(ARM64_FP, fp);
  registers.set(ARM64_SP, sp);
  registers.set(PC, pc);
  if (!onStack(stack, sp - 1n))
    return { kind: "none", text: `the saved stack pointer ${hex16(sp)} is not on the task's stack ${hex16(stack.start)}` };
  return {
    kind: "frame",
    state: { registers, pc, interrupted: isEntryPoint(kernel, pc) },
    slot: virtual(fp === 0n ? sp : fp),
    sleeping: true,
  };
}

/** A task that never ran starts at the first instruction of ret_from_fork (ret_from_fork_asm since 6.6): no call stands before it. */
function isEntryPoint(kernel: Kernel, pc: VirtualAddress): boolean {
  return kernel.tryAddress("ret_from_fork_asm") === pc || kernel.tryAddress("ret_from_fork") === pc;
}

function runningStart(kernel: Kernel, task: VirtualAddress): StackStart {
  const cpu = taskCpu(kernel, task);
  const found = cpuRegisters(kernel)[cpu];
  if (found === undefined) {
    return { kind: "none", running: true, text: `the task was running on CPU ${cpu}, and the dump has no registers of that CPU` };
  }
  return startOfCpu(found);
}

/** Start from a CPU's own registers. */
export function startOfCpu(found: CpuRegisters): StackStart {
  if (found.user) return { kind: "user", registers: found.registers };
  return startOfRegisters(found.registers);
}

/** Start from registers whose pc is the very instruction. */
export function startOfRegisters(registers: RegisterSet): StackStart {
  const state = { registers, pc: virtual(registers.pc ?? 0n), interrupted: true };
  return { kind: "frame", state, slot: virtual((registers.file.link === undefined ? registers.sp : registers.fp) ?? 0n), sleeping: false };
}

/**
 * Start from values given by hand; what is missing comes from the task's own start. x86-64: sp without pc takes the word at sp as return
 * address. arm64: sp is the address of a frame record.
 */
export function givenStart(
  kernel: Kernel,
  task: VirtualAddress,
  pc: VirtualAddress | undefined,
  sp: VirtualAddress | undefined,
): StackStart {
  const own = taskStart(kernel, task);
  if (kernel.arch.name === "x86_64") {
    const registers = new RegisterSet(X86_64_REGISTERS);
    if (pc === undefined) {
      const at = sp as VirtualAddress;
      const word = tryWord(kernel, at);
      if (word === undefined) return { kind: "none", text: `the stack at ${hex16(at)} cannot be read` };
      registers.set(RIP, word);
      registers.set(RSP, add(at, 8));
      return { kind: "frame", state: { registers, pc: virtual(word), interrupted: false }, slot: at, sleeping: true };
    }
    registers.set(RIP, pc);
    registers.set(RSP, sp ?? (own.kind === "frame" ? own.state.registers.get(RSP) : undefined));
    return startOfRegisters(registers);
  }
  const registers = own.kind === "frame" ? own.state.registers.copy() : new RegisterSet(ARM64_REGISTERS);
  if (pc !== undefined) registers.set(PC, pc);
  if (sp !== undefined) registers.set(ARM64_FP, sp);
  return startOfRegisters(registers);
}
