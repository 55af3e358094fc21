/**
 * Saved kernel stack pointer of a task that does not run: x86-64 thread.sp, arm64 thread.cpu_context.sp. For a task on a CPU it is the
 * value of its last switch and means nothing.
 */
import type { VirtualAddress } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { taskLayout } from "./task-layout.ts";

/** undefined when it cannot be read. */
export function savedStackPointer(kernel: Kernel, task: VirtualAddress): VirtualAddress | undefined {
  const field = kernel.memo(savedStackPointer, () => ({
    field: taskLayout(kernel).struct.firstField("thread.cpu_context.sp", "thread.sp"),
  })).field;
  return field === undefined ? undefined : (kernel.memory.tryU64(field.address(task)) as VirtualAddress | undefined);
}
