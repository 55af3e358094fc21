/** Kernel threads (kernel/kthread.c). */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";

/**
 * What a kernel thread was started with: kthread.data. The task points at its struct kthread through worker_private (5.17+, e32cf5dfbe22),
 * set_child_tid (4.10+, 1da5c46fa965), before through vfork_done, which is inside.
 */
export function kthreadData(kernel: Kernel, task: VirtualAddress): VirtualAddress | undefined {
  const struct = kernel.types.tryStruct("kthread");
  const data = struct?.tryField("data");
  if (struct === undefined || data === undefined) return undefined;
  const own = kernel.types.struct("task_struct").firstField("worker_private", "set_child_tid", "vfork_done")?.pointer(task) ?? 0n;
  if (own === 0n) return undefined;
  const value = data.pointer(virtual(own));
  return value === 0n ? undefined : virtual(value);
}
