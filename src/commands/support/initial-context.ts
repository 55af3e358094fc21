/** The task that commands apply to until the user sets another: the panic task, else the first task there is. */
import type { VirtualAddress } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { panicTask } from "../../linux/panic-task.ts";

export function initialContext(kernel: Kernel): VirtualAddress {
  try {
    const found = panicTask(kernel);
    if (found !== undefined) return found.task.address;
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    // A damaged task table: init_task is at a symbol and needs none.
  }
  return kernel.address("init_task");
}
