/** How long the kernel lets tasks sleep uninterruptibly before it calls them hung (kernel/hung_task.c). */
import type { Kernel } from "../../kernel/kernel.ts";
import { readLog } from "../../linux/printk.ts";
import { guarded } from "../guarded.ts";

/** CONFIG_DEFAULT_HUNG_TASK_TIMEOUT. */
export const DEFAULT_TIMEOUT = 120;

/** kernel.hung_task_timeout_secs; where variables are not listed, what khungtaskd said of it. undefined when it is off or not known. */
export function hungTaskTimeout(kernel: Kernel): number | undefined {
  return kernel.memo(hungTaskTimeout, () => {
    const at = kernel.tryAddress("sysctl_hung_task_timeout_secs");
    const seconds = at === undefined ? undefined : kernel.memory.tryU64(at);
    if (seconds === undefined) return reportedTimeout((guarded(() => readLog(kernel).records) ?? []).map(({ text }) => text));
    return seconds === 0n || seconds > 1n << 31n ? undefined : Number(seconds);
  });
}

/** "INFO: task widgetd:117 blocked for more than 120 seconds."; later reports of a task say how long it has waited in all: the least counts. */
export function reportedTimeout(lines: readonly string[]): number | undefined {
  const found = lines.flatMap((text) => {
    const [, seconds] = /^INFO: task .{1,32} blocked(?: in I\/O wait)? for more than (\d{1,9}) seconds\.?/.exec(text) ?? [];
    return seconds === undefined || Number(seconds) === 0 ? [] : [Number(seconds)];
  });
  return found.length === 0 ? undefined : Math.min(...found);
}
