/** The task that commands apply to until the user sets another: the panic task, else the first task there is. */
import type { VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";

export function initialContext(kernel: Kernel): VirtualAddress {
  return kernel.address("init_task");
}
