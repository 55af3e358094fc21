/**
 * Lines → reports: which line begins one, which goes on with it, when it is over, and what damaged it.
 *
 *   line ─► head? ─► its context's open report goes on, or a new one begins
 *             │no
 *             ▼
 *           the open report of the line's own context ─► over when its end is printed, or nothing of its own comes any more
 *
 * A context is what CONFIG_PRINTK_CALLER prints: "T123" a task, "C1" a CPU in interrupt. Without it everything is one console, and a
 * report into which another one falls is damaged: both are given, the first with the reason.
 */
import { frameLine } from "./frame-line.ts";
import { type Head, headOf } from "./heads.ts";
import { HEADLESS, type OpenReport } from "./open-report.ts";
import { parseReport } from "./parse-report.ts";
import type { LogLine, LogReport, ReportFamily } from "./report.ts";
import { isStackBottom } from "./waiting-frames.ts";

const REPORT_LIMIT = 6000;
/** Lines that no report prints, after which one is over. */
const IDLE_LIMIT = 40;
const SILENCE_SECONDS = 120;
/** How many lines before a head belong to it (text of WARN() before 6.x, "KASAN: null-ptr-deref in range"). */
const LEAD_LINES = 8;
/** Without its head, a report begins with the trace before the first line that is known. */
const HEADLESS_LINES = 60;
const OPEN_LIMIT = 64;

/** A line as the assembler takes it; `stamped`: a time of the kernel stood before it; `program`: a program wrote it. */
export type StampedLine = LogLine & { readonly stamped: boolean; readonly program?: true };
/** Gives up to `most` lines of a context before the line being read, the oldest first. */
export type LeadOf = (context: string, most: number) => readonly LogLine[];

const END_OF_PANIC = /---\[ end Kernel panic|^Rebooting in \d+ seconds|^Kernel Offset: |^SMP: stopping secondary CPUs/;
const END_OF_TRACE = /---\[ end trace/;
const RULE = /^={20,}$/;
const OWN_WORDS =
  /^(?:\s|$|(?:\\x0a)?[0-9a-f]{4,16}[: ]|\\x0a|\[|#|<\/?[A-Z#_]+>|[A-Za-z0-9]{2,4}\s*: |[A-Z0-9]{2,9}:|x\d+\s*:|r\d+\s*:|CPU|Call|Code|Modules|Hardware|Workqueue|Tainted|Comm|PGD|Oops|task|page|raw|flags|Memory|Allocated|Freed|Last|The|located|which|Object|Read|Write|INFO|Showing|NMI|Sending|rcu|Mem|Node|DMA|Normal|pstate|pc |lr |sp |epc|NIP|LR|GPR|CFAR|Krnl|Exception|stack|Internal|Uninit|Local|Bytes|ESR|EC|SET|EA|FSC|Data|ISV|swapper|user|Free|Stack|backtrace|hex|comm|other|but|and|the|-> |-{3,}|\*|irq|hardirqs|softirqs|value|Reported|read |write |kfence|allocated|freed|Dumping|Kernel|BUG|WARNING|general|kasan|KASAN|to |Possible|possible)/;
const DROPPED = "lines are missing: the kernel dropped messages";
const STALLS: ReadonlySet<ReportFamily> = new Set(["rcu-stall", "soft-lockup", "hard-lockup", "hung-task", "workqueue-lockup"]);

export class ReportAssembler {
  readonly #open = new Map<string, OpenReport>();
  #last: OpenReport | undefined;
  #done: LogReport[] = [];

  /** Whether a report is open, so that every line counts. */
  get busy(): boolean {
    return this.#open.size > 0;
  }

  /** The reports that are over, in the order of their heads; each is given once. */
  take(): LogReport[] {
    const reports = this.#done;
    this.#done = [];
    return reports.sort((a, b) => a.first.offset - b.first.offset);
  }

  /** The input is over: what was still open is cut off, unless it had said its end. */
  finish(): LogReport[] {
    for (const report of [...this.#open.values()]) this.#close(report, report.ended ? undefined : "end");
    return this.take();
  }

  /** `dropped`: the line tells that messages before it were lost. */
  line(line: StampedLine, leadOf: LeadOf, dropped = false): void {
    if (dropped) for (const report of this.#open.values()) report.damage.add(DROPPED);
    if (line.program === true) {
      // Programs go on logging while the kernel reports, and long after it.
      for (const report of [...this.#open.values()]) if (++report.idle > IDLE_LIMIT) this.#close(report, undefined);
      return;
    }
    const head = headOf(line.text, line.stamped);
    const context = line.caller ?? (line.stamped || this.#last === undefined ? "" : this.#last.context);
    const current = this.#open.get(context);
    const [only, second] = current?.lines ?? [];
    const again =
      only !== undefined && second === undefined && only.time !== undefined && only.time === line.time && only.text === line.text;
    if (head !== undefined && !again && !this.#continues(head, current, line)) {
      // A panic is told by the task that is dying; its report may be open in another context (IRQ against task).
      if (current !== undefined) this.#close(current, isWhole(current) ? undefined : "interrupted");
      else if (this.#open.size >= OPEN_LIMIT) for (const open of [...this.#open.values()]) this.#close(open, undefined);
      this.#start(head, line, context, leadOf, dropped);
      return;
    }
    const report = current ?? this.#stallOf(context);
    if (report === undefined) return;
    if (head?.family === "panic") report.panicked = true;
    else if (head !== undefined && report.preface && report.family === "other") report.family = head.family;
    this.#add(report, line);
    this.#last = report;
  }

  /** The head goes on with the open report: the second line of the same event. */
  #continues(head: Head, current: OpenReport | undefined, line: LogLine): boolean {
    if (current === undefined) return false;
    if (head.family === "panic" || head.headless === true || head.within?.includes(current.family) === true) return true;
    // Symbolised: the head once for each inlined function, the physical one last.
    if (head.family === current.family && current.lines.length < 8 && current.lines.every(({ text }) => /\[inline\]$/.test(text)))
      return true;
    // One line that fell into a trace does not end it; the BUG() or WARNING that follows it will.
    if (
      (head.family === "list" || head.family === "refcount") &&
      current.family !== head.family &&
      current.frames > 0 &&
      !isWhole(current)
    ) {
      current.damage.add("lines of another CPU or task are mixed in");
      return true;
    }
    // The same task faults while it prints: what it says then tells where it was.
    if (head.family === "oops" && current.frames === 0 && current.family !== "panic" && !current.ended) {
      // A lock's checker that dies of the lock it prints has said one line (kernel/locking/spinlock_debug.c).
      const checker = current.family === "lockdep" && / on CPU#\d+/.test(current.head);
      const first = current.lines.slice(1, 3).some(({ text }) => headOf(text)?.family === "oops");
      if (current.context !== "" || (checker && (current.lines.length < 3 || first))) return true;
    }
    if (head.follows === undefined || !head.follows.includes(current.family)) return false;
    const previous = current.lines.at(-1);
    const near = previous?.time === undefined || line.time === undefined || line.time - previous.time < 5;
    return near && current.frames === 0 && !current.ended;
  }

  /** A stall that asked other CPUs for their stacks takes the lines they print in interrupt. */
  #stallOf(context: string): OpenReport | undefined {
    if (!context.startsWith("C")) return undefined;
    for (const report of this.#open.values()) if (report.allCpus) return report;
    return undefined;
  }

  #start(head: Head, line: StampedLine, context: string, leadOf: LeadOf, dropped: boolean): void {
    const before = leadOf(context, head.headless === true ? HEADLESS_LINES : LEAD_LINES);
    const cut = before.findLastIndex(({ text }) => END_OF_TRACE.test(text) || RULE.test(text));
    // What slub_debug found stands before its rule (6.16 and stable releases).
    const lead = before.slice(/^\[[\w ]+ overwritten\] 0x/.test(before[cut - 1]?.text ?? "") ? cut - 1 : cut + 1);
    const report: OpenReport = {
      family: head.family,
      preface: head.stamped === true,
      head: line.text.trim(),
      lead,
      lines: head.headless === true ? [...lead] : [],
      damage: new Set(head.headless === true ? [HEADLESS] : []),
      context,
      stamped: line.time !== undefined,
      frames: 0,
      idle: 0,
      doubled: false,
      ended: false,
      panicked: head.family === "panic",
      allCpus: false,
    };
    if (dropped) report.damage.add(DROPPED);
    this.#open.set(context, report);
    this.#last = report;
    this.#add(report, line);
  }

  #add(report: OpenReport, line: LogLine & { readonly stamped?: boolean }): void {
    const previous = report.lines.at(-1);
    if (previous?.time !== undefined && previous.time === line.time && previous.text === line.text) {
      report.doubled ||= report.lines.length === 1;
      // A caller that comes twice at the same microsecond is a recursion, unless all lines do.
      if (report.doubled) return;
    }
    if (previous?.time !== undefined && line.time !== undefined && line.time - previous.time > SILENCE_SECONDS) {
      this.#close(report, undefined);
      return;
    }
    const { stamped: _, ...kept } = line;
    const frames = frameLine(line.text);
    if (frames.length === 0 && previous !== undefined && report.stamped && line.time === undefined && line.text.length > 0) {
      // A wrapped line: the rest of the one before.
      const joined = previous.text + line.text;
      if (previous.text.length >= 60 && frameLine(previous.text).length === 0 && frameLine(joined).length > 0) {
        report.lines[report.lines.length - 1] = { ...previous, text: joined };
        report.frames++;
        return;
      }
    }
    const own = frames.length > 0 || OWN_WORDS.test(line.text);
    if (report.ended && !own) {
      this.#close(report, undefined);
      return;
    }
    report.lines.push(kept);
    report.frames += frames.filter(({ doubtful }) => doubtful !== true).length;
    report.idle = own ? 0 : report.idle + 1;
    if (/^Sending NMI from CPU|NMI backtrace for cpu|^Task dump for CPU/.test(line.text) && STALLS.has(report.family))
      report.allCpus = true;
    if (END_OF_TRACE.test(line.text)) report.ended = true;
    const closed =
      (END_OF_PANIC.test(line.text) && report.panicked) ||
      (RULE.test(line.text) && report.lines.length > 6 && report.frames > 0 && !report.panicked && report.family !== "lockdep") ||
      report.idle > IDLE_LIMIT ||
      report.lines.length >= REPORT_LIMIT;
    if (closed) this.#close(report, undefined);
  }

  #close(report: OpenReport, why: "interrupted" | "end" | undefined): void {
    if (this.#open.get(report.context) === report) this.#open.delete(report.context);
    if (this.#last === report) this.#last = undefined;
    if (why === "interrupted") report.damage.add("another report begins inside it");
    if (report.lines.length > 0) this.#done.push(parseReport(report, why === "end"));
  }
}

/** It has said all it had to say; what follows is another event. */
function isWhole(report: OpenReport): boolean {
  if (report.ended || report.panicked) return true;
  // These end in a line of "=".
  if (["kasan", "kmsan", "kcsan", "kfence"].includes(report.family)) return false;
  if (report.frames === 0) return false;
  const tail = report.lines.at(-1)?.text ?? "";
  // In the middle of a trace the last line is one of its frames.
  const last = frameLine(tail).at(-1);
  return last === undefined || isStackBottom(last.function ?? "");
}
