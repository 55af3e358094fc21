/**
 * Why the kernel stopped, in its own words: the line of the log that tells the cause, as the banner's PANIC shows it.
 *
 * A fatal event is a run of reports at the log's end:
 *
 *   BUG: kernel NULL pointer dereference, address: 0000000000000804        ◄ the cause
 *   Oops: Oops: 0000 [#1] SMP
 *   Kernel panic - not syncing: Fatal exception                            says only that the event was fatal
 *
 * So: the last "Kernel panic" that names a cause of its own; when it only says "Fatal exception" or the like, the first line of the
 * report that led to it; without a panic line (a dump taken of a live or hung machine) the last report there is.
 */
import type { LogRecord } from "./log-record.ts";

export interface PanicMessage {
  readonly text: string;
  /** Index of the record in the log. */
  readonly index: number;
  /** The kernel stopped here; false for a report that it survived. */
  readonly fatal: boolean;
  /** More of the report is in the log than this line says (registers, a call trace). */
  readonly report: boolean;
  /** The user asked for it: sysrq-c. */
  readonly sysrq: boolean;
}

/** Lines that open a report, most telling first within one event. Each is anchored at the start of a line. */
const REPORT_STARTS: readonly RegExp[] = [
  /^BUG: .+/,
  /^Unable to handle kernel .+/,
  /^general protection fault.*/,
  /^divide error.*/,
  /^invalid opcode.*/,
  /^(?:kernel )?stack segment.*/,
  /^double fault.*/,
  /^PANIC: .+/,
  /^kernel BUG at .+/,
  /^Internal error: .+/,
  /^Oops.*: .+/,
  /^(?:watchdog: )?(?:BUG: )?(?:soft|hard) lockup.*/i,
  /^(?:NMI watchdog|watchdog): .+/,
  /^INFO: task .+ blocked for more than .+/,
  /^(?:INFO: )?rcu.*(?:detected|self-detected) (?:expedited )?stalls?.*/,
  /^Insufficient stack space to handle exception!/,
  /^traps: .*(?:fault|error).*/,
];

const PANIC = /^Kernel panic - not syncing: ?(.*)/;
/** Panics that only pass on that an exception was fatal; arm64's die() puts its own word before it ("Oops", "Oops - BUG", "Oops - bad mode"). */
const PASSED_ON =
  /^(?:(?:[^:]+: )?Fatal exception(?: in interrupt)?|Attempted to kill the idle task!|Aiee, killing interrupt handler!|Fatal machine check)$/;
const SYSRQ = /^(?:sysrq: )?(?:SysRq : )?Trigger a crash|^sysrq triggered crash/i;
/** Ends an event: what stands before it belongs to an older, survived one. */
const EVENT_END = /^---\[ end trace /;

/**
 * Finds the message in the log; undefined when nothing in it tells of a failure.
 * @param crashed the machine is known to have crashed: with a crash kernel loaded, an oops starts it at once and panic() prints nothing
 */
export function panicMessage(records: readonly LogRecord[], crashed = false): PanicMessage | undefined {
  const panicIndex = findLast(records, (line) => PANIC.test(line));
  if (panicIndex === undefined) {
    const last = findLast(records, (line) => REPORT_STARTS.some((start) => start.test(line)));
    if (last === undefined) return undefined;
    return message(records, eventStart(records, last), crashed, true);
  }
  const cause = PANIC.exec(firstMatch(records[panicIndex] as LogRecord, PANIC))?.[1] ?? "";
  const sysrq = sysrqBefore(records, panicIndex) || SYSRQ.test(cause);
  if (PASSED_ON.test(cause.trim())) {
    const report = findLast(records, (line) => REPORT_STARTS.some((start) => start.test(line)), panicIndex);
    // A report of the same event is at most some hundred lines (all CPUs' backtraces come after it).
    if (report !== undefined && panicIndex - report < 1000) return { ...message(records, eventStart(records, report), true, true), sysrq };
  }
  return { text: firstMatch(records[panicIndex] as LogRecord, PANIC), index: panicIndex, fatal: true, report: false, sysrq };
}

/** arm64 prints up to 20 lines (abort information, page tables) between the first line of a fault and its "Internal error:" line. */
const EVENT_LINES = 32;

/** The first line of the event that the report at `index` belongs to: a BUG: line comes before its Oops: line. */
function eventStart(records: readonly LogRecord[], index: number): number {
  let start = index;
  for (let i = index - 1; i >= 0 && index - i < EVENT_LINES; i--) {
    const text = (records[i] as LogRecord).text;
    if (EVENT_END.test(text) || PANIC.test(text)) break;
    if (REPORT_STARTS.some((pattern) => pattern.test(text))) start = i;
  }
  return start;
}

function message(records: readonly LogRecord[], index: number, fatal: boolean, report: boolean): PanicMessage {
  const record = records[index] as LogRecord;
  for (const start of REPORT_STARTS) {
    for (const line of record.text.split("\n")) {
      if (start.test(line)) return { text: line.trimEnd(), index, fatal, report, sysrq: sysrqBefore(records, index) };
    }
  }
  return { text: record.text.split("\n")[0] as string, index, fatal, report, sysrq: false };
}

function sysrqBefore(records: readonly LogRecord[], index: number): boolean {
  for (let i = index; i >= 0 && index - i < 32; i--) if (SYSRQ.test((records[i] as LogRecord).text)) return true;
  return false;
}

function firstMatch(record: LogRecord, pattern: RegExp): string {
  return record.text.split("\n").find((line) => pattern.test(line)) ?? record.text;
}

function findLast(records: readonly LogRecord[], test: (line: string) => boolean, before = records.length): number | undefined {
  for (let i = before - 1; i >= 0; i--) {
    const { facility, text } = records[i] as LogRecord;
    // What a process wrote to /dev/kmsg bears a facility of its own: it may quote the kernel.
    if (facility === 0 && text.split("\n").some(test)) return i;
  }
  return undefined;
}

/** CPU and task that the newest report names: `CPU: 1 UID: 0 PID: 214 Comm: sh …` (dump_stack_print_info, 3.10+). */
export interface NamedByLog {
  readonly cpu: number;
  readonly pid: number;
  readonly comm: string;
  readonly index: number;
}

/** The first such line at or after `from`: each report prints it once, near its top. */
export function taskNamedByLog(records: readonly LogRecord[], from: number): NamedByLog | undefined {
  for (let index = from; index < records.length && index < from + 200; index++) {
    for (const line of (records[index] as LogRecord).text.split("\n")) {
      // UID: came with 6.12 (d5e7a5ba1f11), the comm may hold spaces and ends before the taint.
      const found = /^CPU: (\d+) (?:UID: \d+ )?PID: (\d+) Comm: (.*?) (?:Kdump: loaded )?(?:Not tainted|Tainted|G\b|P\b)/.exec(line);
      if (found !== null) return { cpu: Number(found[1]), pid: Number(found[2]), comm: found[3] as string, index };
    }
  }
  return undefined;
}
