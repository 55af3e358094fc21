/** How long the kernel lets tasks sleep uninterruptibly before it calls them hung (kernel/hung_task.c). */
import type { Kernel } from "../../kernel/kernel.ts";

/** CONFIG_DEFAULT_HUNG_TASK_TIMEOUT. */
export const DEFAULT_TIMEOUT = 120;

/** kernel.hung_task_timeout_secs; undefined when it is off or not known. */
export function hungTaskTimeout(kernel: Kernel): number | undefined {
  const at = kernel.tryAddress("sysctl_hung_task_timeout_secs");
  const seconds = at === undefined ? undefined : kernel.memory.tryU64(at);
  return seconds === undefined || seconds === 0n || seconds > 1n << 31n ? undefined : Number(seconds);
}
