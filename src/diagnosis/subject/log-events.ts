/**
 * The abnormal events of a dump's log in their order: what each says it is, when, and which lines only go on with an event before.
 *
 *   list_del corruption. next->prev should be …       corruption    ◄ the first abnormal event
 *   kernel BUG at lib/list_debug.c:62!                assertion       the same report: the check that found it
 *   invalid opcode: 0000 [#1] PREEMPT SMP             (goes on)
 *   Kernel panic - not syncing: Fatal exception       panic           a consequence
 *
 * The heads are those that the kernel prints itself: arch/x86/mm/fault.c (show_fault_oops), arch/x86/kernel/traps.c, arch/x86/kernel/dumpstack.c,
 * arch/arm64/mm/fault.c (die_kernel_fault), arch/arm64/kernel/traps.c, kernel/panic.c, lib/bug.c, lib/list_debug.c, lib/refcount.c,
 * mm/slub.c (slab_bug), mm/kasan/report.c, mm/kfence/report.c, mm/page_alloc.c (bad_page), kernel/hung_task.c, kernel/watchdog.c,
 * kernel/rcu/tree_stall.h, kernel/workqueue.c, mm/oom_kill.c, arch/x86/kernel/cpu/mce, drivers/tty/sysrq.c. Reports found in other texts are
 * the business of ../log-report.
 */
import type { LogRecord } from "../../linux/log-record.ts";
import { headOf } from "../log-report/heads.ts";
import type { ReportFamily } from "../log-report/report.ts";

/** How an event bears on what came after it. */
export type EventFamily =
  /** An exception that the code was not prepared for. */
  | "fault"
  /** BUG(). */
  | "assertion"
  /** Memory was found damaged, or misused, before anything faulted. */
  | "corruption"
  | "warning"
  | "stall"
  | "memory"
  | "hardware"
  /** Somebody asked for it. */
  | "deliberate"
  | "panic";

export type EventKind =
  | "page fault"
  | "general protection"
  | "invalid opcode"
  | "divide error"
  | "stack segment"
  | "double fault"
  | "stack overflow"
  | "breakpoint"
  | "other exception"
  | "bug"
  | "warning"
  | "list"
  | "refcount"
  | "slub"
  | "kasan"
  | "kfence"
  | "kmsan"
  | "kcsan"
  | "ubsan"
  | "page state"
  | "stack canary"
  | "atomic"
  | "locking"
  | "hung task"
  | "soft lockup"
  | "hard lockup"
  | "rcu stall"
  | "workqueue"
  | "out of memory"
  | "machine check"
  | "sysrq"
  | "nmi"
  | "panic";

export interface LogEvent {
  readonly family: EventFamily;
  readonly kind: EventKind;
  /** The head line. */
  readonly text: string;
  /** Of its record in the log. */
  readonly index: number;
  /** Seconds since boot. */
  readonly time?: number;
  readonly caller?: string;
  /** Address that the head names. */
  readonly address?: bigint;
}

interface Head {
  readonly pattern: RegExp;
  readonly family: EventFamily;
  readonly kind: EventKind;
}

const head = (family: EventFamily, kind: EventKind, pattern: RegExp): Head => ({ family, kind, pattern });

/** In order: the first that matches a line decides. A group named `address` is the address that the event is about. */
const HEADS: readonly Head[] = [
  head("deliberate", "sysrq", /^(?:sysrq: )?(?:SysRq : )?Trigger a crash/i),
  // "NMI IOCK error" is a failure of the hardware.
  head("deliberate", "nmi", /^Kernel panic - not syncing: (?:An NMI occurred|NMI: Not continuing)/),
  head("fault", "stack overflow", /^BUG: (?:[A-Z]+ )?stack guard page was hit at/),
  head("fault", "stack overflow", /^(?:Insufficient stack space to handle exception!|kernel stack overflow)/),
  // Since 6.10 die() puts "Oops: " before all of them (x86).
  // 5.2+ (x86), before: "unable to handle kernel NULL pointer dereference at 0000000000000008".
  head(
    "fault",
    "page fault",
    /^BUG: (?:kernel NULL pointer dereference|unable to handle .*?)(?:, address: | at |: )(?:address: )?(?<address>[0-9a-f]{8,16})\b/,
  ),
  head("fault", "page fault", /^Unable to handle kernel .* at (?:virtual )?address (?<address>[0-9a-f]{16})/),
  head("fault", "page fault", /^kernel tried to execute NX-protected page|^unable to execute userspace code/),
  head("fault", "double fault", /^(?:PANIC: |traps: )?double fault/),
  head(
    "fault",
    "general protection",
    /^(?:Oops: )?general protection fault(?:, (?:probably|maybe) for (?:non-canonical )?address (?<address>0x[0-9a-f]+))?.*: [0-9a-f]{4}/,
  ),
  head("fault", "divide error", /^(?:Oops: )?divide error: /),
  head("fault", "stack segment", /^(?:Oops: )?(?:stack segment|kernel stack segment): /),
  head("fault", "invalid opcode", /^(?:invalid opcode|Internal error: Oops - (?:[Uu]ndefined instruction|BUG)): /),
  head("fault", "breakpoint", /^(?:Oops: )?int3: /),
  head(
    "fault",
    "other exception",
    /^(?:Oops: )?(?:alignment check|bounds|invalid TSS|segment not present|control protection|coprocessor segment overrun)[^:]*: [0-9a-f]{4}/,
  ),
  head("fault", "other exception", /^(?:Bad mode in |Internal error: |SError Interrupt on CPU|Unhandled (?:64-bit )?\w+ exception|Oops: )/),
  head("assertion", "bug", /^kernel BUG at /),
  head("corruption", "list", /^list_(?:add|del) (?:corruption|double add)|^list_add double add/),
  head("corruption", "refcount", /^refcount_t: /),
  head("corruption", "kasan", /^BUG: KASAN: .*? (?:in|at) /),
  head("corruption", "kfence", /^BUG: KFENCE: /),
  head("corruption", "kmsan", /^BUG: KMSAN: /),
  head("corruption", "kcsan", /^BUG: KCSAN: /),
  head("corruption", "ubsan", /^UBSAN: /),
  head("corruption", "page state", /^BUG: Bad (?:page|rss-counter|page map) /),
  head("corruption", "stack canary", /^Kernel panic - not syncing: stack-protector: /),
  // slab_bug(): "BUG <cache> (<taint>): <what>"; the cache's name holds no blank.
  head("corruption", "slub", /^BUG:? \S+ \((?:Tainted|Not tainted)[^)]*\): /),
  head(
    "warning",
    "atomic",
    /^BUG: (?:scheduling while atomic|sleeping function called|using (?:smp_processor_id|__this_cpu)|workqueue leaked)/,
  ),
  head(
    "warning",
    "locking",
    /^(?:WARNING: (?:possible (?:circular|recursive|irq)|inconsistent lock|bad unlock|suspicious RCU)|INFO: possible )/,
  ),
  head("stall", "soft lockup", /^(?:watchdog: )?(?:BUG: )?soft lockup/i),
  head("stall", "hard lockup", /^(?:NMI watchdog: |watchdog: )?(?:Watchdog detected hard LOCKUP|CPU\d+: Watchdog detected hard LOCKUP)/i),
  head("stall", "workqueue", /^BUG: workqueue lockup/),
  head("stall", "hung task", /^INFO: task .+ blocked for more than /),
  head("stall", "rcu stall", /^(?:INFO: )?rcu.*detected (?:expedited )?stalls?|^(?:INFO: )?rcu.*self-detected stall/),
  head("memory", "out of memory", /^.+ invoked oom-killer: |^Out of memory(?: and no killable|: Killed)/),
  head(
    "hardware",
    "machine check",
    // "Machine check events logged" tells of corrected ones, "recovery action …: Recovered" of pages that were replaced: neither is abnormal.
    /^mce: \[Hardware Error\]: CPU \d+: Machine Check|^Kernel panic - not syncing: (?:Fatal [Mm]achine check|Machine check|Fatal hardware error|NMI IOCK error|Asynchronous SError|Memory failure on page)|^Memory failure: .*: Failed|^\{\d+\}\[Hardware Error\]: event severity: (?:fatal|recoverable)|^EDAC [A-Za-z]+\d+: \d+ UE |^NMI: (?:PCI system error|IOCK error)/,
  ),
  head("warning", "warning", /^WARNING: (?:CPU: \d+|at |.*:\d+ at )/),
  head("panic", "panic", /^Kernel panic - not syncing: /),
];

const other = (family: EventFamily, kind: EventKind): Head => head(family, kind, /^/);
/**
 * The heads of ../log-report/heads.ts are the table of what begins a report, in any log; those above say more of the ones that dumps have
 * most, and what only a dump's log counts. What one knows and the other does not is an event by the family of the report.
 */
const BY_FAMILY: Readonly<Partial<Record<ReportFamily, Head>>> = {
  oops: other("fault", "other exception"),
  stack: other("fault", "stack overflow"),
  warning: other("warning", "warning"),
  refcount: other("corruption", "refcount"),
  list: other("corruption", "list"),
  kasan: other("corruption", "kasan"),
  kfence: other("corruption", "kfence"),
  kmsan: other("corruption", "kmsan"),
  kcsan: other("corruption", "kcsan"),
  ubsan: other("corruption", "ubsan"),
  slub: other("corruption", "slub"),
  "page-state": other("corruption", "page state"),
  lockdep: other("warning", "locking"),
  context: other("warning", "atomic"),
  "hung-task": other("stall", "hung task"),
  "soft-lockup": other("stall", "soft lockup"),
  "hard-lockup": other("stall", "hard lockup"),
  "rcu-stall": other("stall", "rcu stall"),
  "workqueue-lockup": other("stall", "workqueue"),
  oom: other("memory", "out of memory"),
  "machine-check": other("hardware", "machine check"),
};

/** A report's last line; what follows begins another. */
const END = /^---\[ end (?:trace|Kernel panic)/;
/** Lines in which one report goes on may lie this many records behind its head: memory dumps of slabs, all CPUs' stacks come between. */
const REPORT_LENGTH = 160;

/** Kinds that only go on with a report that is open: the exception with which BUG() and the checks enter the kernel's own handler. */
function goesOn(open: LogEvent, next: Head): boolean {
  switch (next.kind) {
    case "other exception":
      // "Oops: 0002 [#1]", "Internal error: Oops: 96000006" after the head that tells the address.
      return open.family === "fault" || open.family === "assertion";
    case "invalid opcode":
      return open.family === "assertion" || open.family === "corruption" || open.family === "warning";
    case "bug":
      return open.kind === "list" || open.kind === "slub" || open.kind === "page state";
    case "warning":
      // lib/refcount.c and lib/list_debug.c print their message before WARN's own line in some releases.
      return open.kind === "list" || open.kind === "refcount";
    case "page fault":
      return open.kind === "page fault";
    case "stack overflow":
      return open.kind === "stack overflow";
    default:
      return false;
  }
}

/** Events in the log's order. */
export function logEvents(records: readonly LogRecord[]): readonly LogEvent[] {
  const found: LogEvent[] = [];
  /** The report that is open, of each context that prints. */
  const open = new Map<string, LogEvent>();
  for (const [index, record] of records.entries()) {
    // What a process wrote to /dev/kmsg bears a facility of its own (devkmsg_write): it may quote the kernel, and is no report.
    if (record.facility !== 0) continue;
    const context = record.caller ?? "";
    for (const line of record.text.split("\n", 64)) {
      if (END.test(line)) open.delete(context);
      const { match, by } = matched(line);
      if (match === undefined || by === undefined) continue;
      const before = open.get(context);
      const address = match.groups?.address;
      const event: LogEvent = {
        family: by.family,
        kind: by.kind,
        text: line.trimEnd(),
        index,
        ...(record.nanoseconds === undefined ? {} : { time: Number(record.nanoseconds) / 1e9 }),
        ...(record.caller === undefined ? {} : { caller: record.caller }),
        ...(address === undefined ? {} : { address: BigInt(address.startsWith("0x") ? address : `0x${address}`) }),
      };
      if (before !== undefined && index - before.index < REPORT_LENGTH && goesOn(before, by)) continue;
      found.push(event);
      open.set(context, event);
    }
  }
  return found;
}

function matched(line: string): { readonly match?: RegExpExecArray; readonly by?: Head } {
  // Most lines begin with none of the words.
  if (line.length < 6) return {};
  for (const by of HEADS) {
    const match = by.pattern.exec(line);
    if (match !== null) return { match, by };
  }
  const report = headOf(line, true);
  const by = report === undefined || report.device === true ? undefined : BY_FAMILY[report.family];
  const match = by?.pattern.exec(line);
  return by === undefined || match === null || match === undefined ? {} : { match, by };
}
