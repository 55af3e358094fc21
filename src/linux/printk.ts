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
import { structuredLog, textLog } from "./printk-records.ts";
import { ringLog } from "./printk-ring.ts";

/** One record of the log. */
export interface LogRecord {
  /** Sequence number; counts from 0 at boot. */
  readonly sequence: number;
  /** Nanoseconds of local_clock() at the time of the call. undefined in plain-text logs without a stamp. */
  readonly nanoseconds: bigint | undefined;
  /** 0 (KERN_EMERG) … 7 (KERN_DEBUG). */
  readonly level: number;
  /** 0 for the kernel, 3 for daemons … (the syslog facility). */
  readonly facility: number;
  /** "T123": task 123; "C1": CPU 1 outside task context; undefined when not recorded. */
  readonly caller: string | undefined;
  /** Task name recorded with the message (CONFIG_PRINTK_EXECUTION_CTX, 6.18+). */
  readonly comm: string | undefined;
  /** May hold several lines, without the last line end. */
  readonly text: string;
  /** The device dictionary: [["SUBSYSTEM", "pci"], ["DEVICE", "+pci:0000:00:01.0"]]. */
  readonly dictionary: readonly (readonly [key: string, value: string])[];
}

export interface LogBuffer {
  readonly records: readonly LogRecord[];
  /** First sequence number that `dmesg -C` left visible; records before it are still in the buffer. */
  readonly clearSequence: number | undefined;
  /** What could not be read, in one line each. */
  readonly notes: readonly string[];
}

/** Reads the whole log; computed once per dump. @throws LookupError when the dump shows no log buffer at all */
export function readLog(kernel: Kernel): LogBuffer {
  return kernel.memo(readLog, () => {
    const log = ringLog(kernel) ?? structuredLog(kernel) ?? textLog(kernel);
    if (log === undefined) throw new LookupError('no log buffer: neither "prb" nor "log_buf" is among the symbols or in VMCOREINFO');
    return log;
  });
}

/** "T123" or "C1" from printk's caller_id: bit 31 set means a CPU. */
export function callerName(id: number): string {
  return (id & 0x8000_0000) === 0 ? `T${id}` : `C${(id & 0x7fff_ffff) >>> 0}`;
}

const utf8 = new TextDecoder("utf-8", { fatal: false });

/** Bytes of a message as text; a NUL ends nothing (the length does), what is no UTF-8 shows as U+FFFD. */
export function messageText(bytes: Uint8Array): string {
  return utf8.decode(bytes);
}
