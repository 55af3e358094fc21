/**
 * A task's stack and saved place, from its task_struct. Source: include/linux/sched.h, include/linux/sched/task_stack.h,
 * arch/x86/include/asm/processor.h, arch/arm64/include/asm/processor.h.
 *
 *   task_struct.stack ──► ┌────────────────────┐ lowest: STACK_END_MAGIC (5.x: after thread_info where that lies on the stack)
 *                         │        ↑ grows     │
 *                         │ … saved frames …   │ ◄── thread.sp (x86-64), thread.cpu_context.sp (arm64) of a sleeping task
 *                         │ pt_regs            │
 *                         └────────────────────┘ stack + THREAD_SIZE (− 16 with FRED)
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";
import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Struct } from "../kernel/types.ts";
import type { StackArea } from "./frame.ts";

/** Members of task_struct that stacks need, resolved once. */
export interface TaskLayout {
  readonly struct: Struct;
  readonly stack: Field;
  readonly stackArea: Field | undefined;
  readonly onCpu: Field | undefined;
  readonly cpu: Field | undefined;
  /** x86-64: thread.sp; arm64: thread.cpu_context. */
  readonly saved: Field | undefined;
}

export function taskLayout(kernel: Kernel): TaskLayout {
  return kernel.memo(taskLayout, () => {
    const struct = kernel.types.struct("task_struct");
    return {
      struct,
      stack: struct.field("stack"),
      stackArea: struct.tryField("stack_vm_area"),
      onCpu: struct.tryField("on_cpu"),
      // thread_info.cpu up to 4.8 and again from 5.16 (commit bcf9033e5449); task_struct.cpu between; neither without SMP.
      cpu: struct.firstField("thread_info.cpu", "cpu"),
      saved: kernel.arch.name === "x86_64" ? struct.tryField("thread.sp") : struct.tryField("thread.cpu_context"),
    };
  });
}

/** THREAD_SIZE when nothing in the dump tells: 16 KiB on both machines, one page where pages are larger. */
const DEFAULT_THREAD_SIZE = 16384;
const MAX_THREAD_SIZE = 1 << 20;

/**
 * THREAD_SIZE of this kernel: union thread_union (up to 6.9 always used), the boot task's stack between its linker symbols
 * (__start_init_stack since 6.10, commit 2c92ca849fcc; __start_init_task before).
 */
export function threadSize(kernel: Kernel): number {
  return kernel.memo(threadSize, () => {
    const plausible = (size: number | undefined): size is number =>
      size !== undefined && size >= 4096 && size <= MAX_THREAD_SIZE && (size & (size - 1)) === 0;
    const candidates = [
      kernel.types.tryStruct("thread_union")?.size,
      between(kernel, "__start_init_stack", "__end_init_stack"),
      between(kernel, "__start_init_task", "__end_init_task"),
    ];
    return candidates.find(plausible) ?? Math.max(DEFAULT_THREAD_SIZE, kernel.arch.pageSize);
  });
}

function between(kernel: Kernel, first: string, last: string): number | undefined {
  const start = kernel.tryAddress(first);
  const end = kernel.tryAddress(last);
  return start === undefined || end === undefined ? undefined : Number(end - start);
}

/** The task's own stack. Throws FaultError when the task_struct cannot be read. */
export function taskStack(kernel: Kernel, task: VirtualAddress): StackArea {
  const start = taskLayout(kernel).stack.pointer(task);
  return { kind: "task", start, end: add(start, threadSize(kernel)), cpu: undefined };
}

/** CPU the task runs or last ran on; 0 on a kernel without SMP. */
export function taskCpu(kernel: Kernel, task: VirtualAddress): number {
  return taskLayout(kernel).cpu?.number(task) ?? 0;
}

/**
 * Does the task occupy a CPU? task_struct.on_cpu; without SMP (until 6.16 there are such kernels) it is the run queue's `curr`. on_cpu is
 * also set for a moment around a context switch, when the CPU may still or already be on another task's stack: what the CPU did is shown.
 */
export function isOnCpu(kernel: Kernel, task: VirtualAddress): boolean {
  const layout = taskLayout(kernel);
  if (layout.onCpu !== undefined) return layout.onCpu.number(task) !== 0;
  const queue = kernel.tryAddress("runqueues");
  const current = kernel.types.tryStruct("rq")?.tryField("curr");
  return queue !== undefined && current !== undefined && current.pointer(kernel.perCpuAddress(queue, 0)) === task;
}

/** Value at the stack's lowest end that a running stack never overwrites (include/uapi/linux/magic.h). */
export const STACK_END_MAGIC = 0x57ac6e9dn;

/** Address of STACK_END_MAGIC: the first word, or the one after thread_info where that still lies on the stack (before 4.9). */
export function stackEndAddress(kernel: Kernel, stack: StackArea): VirtualAddress {
  if (taskLayout(kernel).struct.has("thread_info")) return stack.start;
  return add(stack.start, kernel.types.tryStruct("thread_info")?.size ?? 0);
}

/** Where the registers of the task's last entry from user mode lie. */
export function taskPtRegs(kernel: Kernel, stack: StackArea): VirtualAddress {
  const size = kernel.types.tryStruct("pt_regs")?.size ?? (kernel.arch.name === "x86_64" ? 168 : 336);
  return add(stack.end, -(size + stackPadding(kernel)));
}

/**
 * TOP_OF_KERNEL_STACK_PADDING on x86-64: 16 bytes with CONFIG_X86_FRED (6.9, commit 65c9cc9e2c14), which leaves the type fred_cs in the
 * kernel's type information.
 */
function stackPadding(kernel: Kernel): number {
  return kernel.arch.name === "x86_64" &&
    kernel.types.tryStruct("fred_cs") !== undefined &&
    kernel.tryAddress("asm_fred_entrypoint_user") !== undefined
    ? 16
    : 0;
}

/** First usable byte above a saved stack pointer, or undefined when the pointer is not on the task's stack. */
export function onStack(stack: StackArea, address: bigint): boolean {
  return address >= stack.start && address < stack.end;
}

/** One word, or undefined when it cannot be read. */
export function tryWord(kernel: Kernel, address: bigint): bigint | undefined {
  try {
    return kernel.memory.u64(virtual(address));
  } catch (error) {
    if (error instanceof FaultError) return undefined;
    throw error;
  }
}
