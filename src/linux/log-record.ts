/** One message of the kernel's log, and what all forms of the log buffer share: the caller's name, the text's decoding. */

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

/** "T123" or "C1" from printk's caller_id: bit 31 set means a CPU. */
export function callerName(id: number): string {
  return (id & 0x8000_0000) === 0 ? `T${id}` : `C${(id & 0x7fff_ffff) >>> 0}`;
}

const utf8 = new TextDecoder("utf-8", { fatal: false });

/** Bytes of a message as text; a NUL ends nothing (the length does), what is no UTF-8 shows as U+FFFD. */
export function messageText(bytes: Uint8Array): string {
  return utf8.decode(bytes);
}
