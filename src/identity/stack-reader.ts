/** Stacks of tasks for those below who may not unwind themselves (src/linux/locking). */
import type { Kernel } from "../kernel/kernel.ts";
import type { StackReader } from "../linux/locking/mentions.ts";
import { threadSize } from "../stack/task-stack.ts";
import { unwindTask } from "../stack/unwind.ts";

export function stackReader(kernel: Kernel): StackReader {
  return { stackSize: threadSize(kernel), unwind: (task) => unwindTask(kernel, task.address) };
}
