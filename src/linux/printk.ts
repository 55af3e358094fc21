/**
 * The kernel's log buffer, whichever of its three forms this kernel keeps (kernel/printk/).
 *
 *   prb          5.10+     lockless ring: printk-ring.ts
 *   log_buf      3.5–5.9   chained records of struct printk_log (struct log before 3.11): printk-records.ts
 *   log_buf      older     plain text, log_end counts the characters ever written: printk-records.ts
 *
 * What a reader gets is the same for all: records with their text, and notes on what was lost.
 */
import { LookupError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { LogBuffer } from "./log-record.ts";
import { structuredLog, textLog } from "./printk-records.ts";
import { ringLog } from "./printk-ring.ts";

/** Reads the whole log; computed once per dump. @throws LookupError when the dump shows no log buffer at all */
export function readLog(kernel: Kernel): LogBuffer {
  return kernel.memo(readLog, () => {
    const log = ringLog(kernel) ?? structuredLog(kernel) ?? textLog(kernel);
    if (log === undefined && kernel.tryAddress("prb") !== undefined && kernel.types.lack !== undefined) throw kernel.types.lack;
    if (log === undefined) throw new LookupError('no log buffer: neither "prb" nor "log_buf" is among the symbols or in VMCOREINFO');
    return log;
  });
}
