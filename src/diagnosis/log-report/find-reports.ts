/**
 * Finds kernel reports in a stream of bytes of any length and gives each when it is over.
 *
 *   chunks ─► AnchorSearch (bytes) ─► head? ──no──► on, nothing decoded
 *                                       │yes
 *                                       ▼
 *              lines, each to the report of its own context (caller id, else the console) until all open reports are over
 *
 * A context is what CONFIG_PRINTK_CALLER prints: "T123" a task, "C1" a CPU in interrupt. Without it everything is one console, and a
 * report into which another one falls is damaged: both are given, the first with the reason.
 */

import { AnchorSearch } from "./anchor-search.ts";
import { frameLine } from "./frame-line.ts";
import { ANCHORS, type Head, headOf } from "./heads.ts";
import { takePrefix } from "./line-prefix.ts";
import { parseReport } from "./parse-report.ts";
import type { LogLine, LogReport, ReportFamily } from "./report.ts";

/** Longer lines are cut: a log of zeroes or a binary file has no line ends. */
const LINE_LIMIT = 16 * 1024;
const REPORT_LIMIT = 6000;
/** Lines that no report prints, after which one is over. */
const IDLE_LIMIT = 40;
const SILENCE_SECONDS = 120;
/** How many lines before a head belong to it (text of WARN() before 6.x, "KASAN: null-ptr-deref in range"). */
const LEAD_LINES = 8;
/** Without its head, a report begins with the trace before the first line that is known. */
const HEADLESS_LINES = 60;
const CARRY = 8 * 1024;
const OPEN_LIMIT = 64;

/** A report that is still being read. */
export interface OpenReport {
  readonly family: ReportFamily;
  readonly head: string;
  readonly lead: readonly LogLine[];
  readonly lines: LogLine[];
  readonly damage: Set<string>;
  readonly context: string;
  readonly stamped: boolean;
  frames: number;
  idle: number;
  ended: boolean;
  panicked: boolean;
  allCpus: boolean;
}

const decoder = new TextDecoder("utf-8");
const END_OF_PANIC = /---\[ end Kernel panic|^Rebooting in \d+ seconds|^Kernel Offset: |^SMP: stopping secondary CPUs/;
const END_OF_TRACE = /---\[ end trace/;
const RULE = /^={20,}$/;
const OWN_WORDS =
  /^(?:\s|$|(?:\\x0a)?[0-9a-f]{4,16}[: ]|\\x0a|\[|#|<\/?[A-Z#_]+>|[A-Za-z0-9]{2,4}\s*: |[A-Z0-9]{2,9}:|x\d+\s*:|r\d+\s*:|CPU|Call|Code|Modules|Hardware|Workqueue|Tainted|Comm|PGD|Oops|task|page|raw|flags|Memory|Allocated|Freed|Last|The|located|which|Object|Read|Write|INFO|Showing|NMI|Sending|rcu|Mem|Node|DMA|Normal|pstate|pc |lr |sp |epc|NIP|LR|GPR|CFAR|Krnl|Exception|stack|Internal|Uninit|Local|Bytes|ESR|EC|SET|EA|FSC|Data|ISV|swapper|user|Free|Stack|backtrace|hex|comm|other|but|and|the|-> |-{3,}|\*|irq|hardirqs|softirqs|value|Reported|read |write |kfence|allocated|freed|Dumping|Kernel|BUG|WARNING|general|kasan|KASAN|to |Possible|possible)/;
const DROPPED = "lines are missing: the kernel dropped messages";
const STALLS: ReadonlySet<ReportFamily> = new Set(["rcu-stall", "soft-lockup", "hard-lockup", "hung-task", "workqueue-lockup"]);

export class ReportFinder {
  readonly #search = new AnchorSearch(ANCHORS);
  #bytes: Uint8Array = new Uint8Array(0);
  /** Bytes of the input before #bytes[0]. */
  #base = 0;
  /** Where reading goes on, in #bytes. */
  #at = 0;
  /** Lines before #counted, and where counting stands. */
  #lines = 0;
  #counted = 0;
  readonly #open = new Map<string, OpenReport>();
  #last: OpenReport | undefined;
  #done: LogReport[] = [];
  /** The line being read says that lines before it were lost. */
  #dropped = false;

  /** Bytes given so far. */
  get consumed(): number {
    return this.#base + this.#at;
  }

  /** Takes the next bytes of the input; gives the reports that ended in them. */
  push(chunk: Uint8Array): LogReport[] {
    this.#append(chunk);
    this.#read(false);
    return this.#take();
  }

  /** The input is over: gives what was still open. */
  finish(): LogReport[] {
    this.#read(true);
    for (const report of [...this.#open.values()]) this.#close(report, report.ended ? undefined : "end");
    return this.#take();
  }

  #take(): LogReport[] {
    const reports = this.#done;
    this.#done = [];
    return reports.sort((a, b) => a.first.offset - b.first.offset);
  }

  #append(chunk: Uint8Array): void {
    const keep = Math.max(0, this.#at - CARRY);
    this.#count(keep);
    const rest = this.#bytes.subarray(keep);
    const joined = new Uint8Array(rest.length + chunk.length);
    joined.set(rest);
    joined.set(chunk, rest.length);
    this.#bytes = joined;
    this.#base += keep;
    this.#at -= keep;
    this.#counted -= keep;
  }

  /** Counts the line ends before `to`. */
  #count(to: number): void {
    const bytes = this.#bytes;
    let lines = 0;
    for (let at = this.#counted; at < to; at++) if (bytes[at] === 10) lines++;
    this.#lines += lines;
    this.#counted = Math.max(to, this.#counted);
  }

  #read(last: boolean): void {
    const bytes = this.#bytes;
    for (;;) {
      if (this.#open.size === 0) {
        const anchor = this.#search.find(bytes, Math.max(0, this.#at - 1));
        if (anchor < 0) {
          // An anchor may lie across the end; the line it stands in must be whole.
          const lineStart = bytes.lastIndexOf(10) + 1;
          this.#at = Math.max(this.#at, last ? bytes.length : Math.max(lineStart, bytes.length - LINE_LIMIT));
          return;
        }
        this.#at = Math.max(this.#at, bytes.lastIndexOf(10, bytes[anchor] === 10 ? anchor : anchor) + 1);
      }
      const end = bytes.indexOf(10, this.#at);
      if (end < 0 && !last && bytes.length - this.#at < LINE_LIMIT) return;
      if (this.#at >= bytes.length) return;
      const stop = Math.min(end < 0 ? bytes.length : end, this.#at + LINE_LIMIT);
      this.#line(this.#at, stop);
      this.#at = stop === end ? stop + 1 : stop;
    }
  }

  #decode(from: number, to: number): LogLine[] {
    this.#count(from);
    let text = decoder.decode(this.#bytes.subarray(from, to));
    this.#dropped = text.includes("printk messages dropped");
    if (this.#dropped) for (const report of this.#open.values()) report.damage.add(DROPPED);
    if (text.endsWith("\r")) text = text.slice(0, -1);
    if (text.includes("\x1b")) text = text.replace(/\x1b\[[\d;]*[A-Za-z]/g, "");
    if (text.includes("&"))
      text = text.replace(/&(lt|gt|amp|quot|#39);/g, (whole, name) => ({ lt: "<", gt: ">", amp: "&", quot: '"' })[name as string] ?? whole);
    return takePrefix(text).map(({ stamped, ...piece }) => ({ number: this.#lines + 1, offset: this.#base + from, stamped, ...piece }));
  }

  #line(from: number, to: number): void {
    for (const line of this.#decode(from, to)) this.#piece(line as LogLine & { stamped: boolean }, from);
  }

  #piece(line: LogLine & { stamped: boolean }, from: number): void {
    const head = headOf(line.text);
    const context = line.caller ?? (line.stamped || this.#last === undefined ? "" : this.#last.context);
    const current = this.#open.get(context);
    if (head !== undefined && !this.#continues(head, current, line)) {
      // A panic is told by the task that is dying; its report may be open in another context (IRQ against task).
      if (current !== undefined) this.#close(current, isWhole(current) ? undefined : "interrupted");
      else if (this.#open.size >= OPEN_LIMIT) for (const open of [...this.#open.values()]) this.#close(open, undefined);
      this.#start(head, line, context, from);
      return;
    }
    const report = current ?? this.#stallOf(context);
    if (report === undefined) return;
    if (head?.family === "panic") report.panicked = true;
    this.#add(report, line);
    this.#last = report;
  }

  /** The head goes on with the open report: the second line of the same event. */
  #continues(head: Head, current: OpenReport | undefined, line: LogLine): boolean {
    if (current === undefined) return false;
    if (head.family === "panic" || head.headless === true) return true;
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
    if (head.family === "oops" && current.context !== "" && current.frames === 0 && current.family !== "panic" && !current.ended)
      return true;
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

  #start(head: Head, line: LogLine, context: string, from: number): void {
    const lead = this.#lead(from, context, head.headless === true ? HEADLESS_LINES : LEAD_LINES);
    const report: OpenReport = {
      family: head.family,
      head: line.text.trim(),
      lead,
      lines: head.headless === true ? [...lead] : [],
      damage: new Set(head.headless === true ? ["its head is missing"] : []),
      context,
      stamped: line.time !== undefined,
      frames: 0,
      idle: 0,
      ended: false,
      panicked: head.family === "panic",
      allCpus: false,
    };
    if (this.#dropped) report.damage.add(DROPPED);
    this.#open.set(context, report);
    this.#last = report;
    this.#add(report, line);
  }

  /** The last lines of the same context before the head. */
  #lead(from: number, context: string, most: number): LogLine[] {
    const lead: LogLine[] = [];
    let end = from - 1;
    for (let step = 0; step < 4 * most && end > 0 && lead.length < most; step++) {
      const start = this.#bytes.lastIndexOf(10, end - 1) + 1;
      if (end - start < LINE_LIMIT) {
        const text = decoder.decode(this.#bytes.subarray(start, end));
        const pieces = takePrefix(text).filter(({ caller }) => (caller ?? "") === context);
        for (const { stamped: _, ...piece } of pieces.reverse())
          lead.unshift({ number: this.#lines - step, offset: this.#base + start, ...piece });
      }
      end = start - 1;
    }
    const cut = lead.findLastIndex(({ text }) => END_OF_TRACE.test(text) || RULE.test(text));
    return lead.slice(cut + 1);
  }

  #add(report: OpenReport, line: LogLine & { stamped?: boolean }): void {
    const previous = report.lines.at(-1);
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
  return (
    frameLine(tail).length === 0 || /entry_SYSCALL|ret_from_fork|entry_INT80|el0_|ret_to_user|secondary_startup|ret_from_kernel/.test(tail)
  );
}

/** All reports of a text that is in memory. */
export function reportsIn(text: string | Uint8Array): LogReport[] {
  const finder = new ReportFinder();
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  const reports = finder.push(bytes);
  return [...reports, ...finder.finish()];
}
