/**
 * Finds kernel reports in a stream of bytes of any length and gives each when it is over.
 *
 *   chunks ─► AnchorSearch (bytes) ─► head? ──no──► on, nothing decoded
 *                                       │yes
 *                                       ▼
 *              lines, prefixes off ─► ReportAssembler, until all open reports are over
 */
import { AnchorSearch } from "./anchor-search.ts";
import { ANCHORS, headOf, wrapperOf } from "./heads.ts";
import { type PrefixedText, takePrefix } from "./line-prefix.ts";
import { LineWrap } from "./line-wrap.ts";
import type { LogLine, LogReport } from "./report.ts";
import { ReportAssembler } from "./report-assembler.ts";

/** Longer lines are cut: a log of zeroes or a binary file has no line ends. */
const LINE_LIMIT = 16 * 1024;
/** Bytes before a head in which the lines that belong to it are looked for. */
const LEAD_BYTES = 8 * 1024;
/** Kept of what was read: the line that is held may lie its whole length back. */
const CARRY = LEAD_BYTES + 2 * LINE_LIMIT;

/** A line that is read and not yet given on; `width`: of its last piece, `at`: offset in the input. */
interface HeldLine {
  readonly text: string;
  readonly width: number;
  readonly at: number;
  readonly number: number;
}

const decoder = new TextDecoder("utf-8");

export class ReportFinder {
  readonly #search = new AnchorSearch(ANCHORS);
  readonly #assembler = new ReportAssembler();
  #bytes: Uint8Array = new Uint8Array(0);
  /** Bytes of the input before #bytes[0]. */
  #base = 0;
  /** Where reading goes on, in #bytes. */
  #at = 0;
  /** Lines before #counted, and where counting stands. */
  #lines = 0;
  #counted = 0;
  /** The line read last: the next one may be the rest of it. */
  #held: HeldLine | undefined;
  readonly #wrap = new LineWrap();
  #wrapper: RegExp | undefined;

  /** Bytes given so far. */
  get consumed(): number {
    return this.#base + this.#at;
  }

  /** Takes the next bytes of the input; gives the reports that ended in them. */
  push(chunk: Uint8Array): LogReport[] {
    this.#append(chunk);
    this.#read(false);
    return this.#assembler.take();
  }

  /** The input is over: gives what was still open. */
  finish(): LogReport[] {
    this.#read(true);
    this.#release();
    return this.#assembler.finish();
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
      if (!this.#assembler.busy && this.#held === undefined) {
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

  #line(from: number, to: number): void {
    this.#count(from);
    const raw = cleaned(decoder.decode(this.#bytes.subarray(from, to)));
    const held = this.#held;
    if (held !== undefined) {
      const joined = this.#wrap.join(held.text, held.width, raw);
      if (joined !== undefined && joined.length < LINE_LIMIT) {
        this.#held = { ...held, text: joined, width: raw.length };
        return;
      }
      this.#release();
    }
    this.#held = { text: raw, width: raw.length, at: this.#base + from, number: this.#lines + 1 };
  }

  /** Gives the held line to the assembler: no other line belongs to it. */
  #release(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    const { number, at, text } = held;
    const dropped = text.includes("printk messages dropped");
    const lead = (context: string, most: number): LogLine[] => this.#lead(at - this.#base, number, context, most);
    for (const piece of takePrefix(this.#wrap.decoded(text)))
      this.#assembler.line({ number, offset: at, ...piece, text: this.#unwrapped(piece) }, lead, dropped);
  }

  /** Without what the wrapper of the last head put before its line. */
  #unwrapped({ text, stamped }: PrefixedText): string {
    if (stamped) return text;
    const head = headOf(text);
    const wrapper = head === undefined ? undefined : wrapperOf(text, head);
    if (wrapper !== undefined) this.#wrapper = wrapper;
    return this.#wrapper === undefined ? text : text.replace(this.#wrapper, "");
  }

  /** The last lines of the same context before the head. */
  #lead(from: number, number: number, context: string, most: number): LogLine[] {
    const lead: LogLine[] = [];
    let end = from - 1;
    for (let step = 0; step < 4 * most && end > 0 && lead.length < most; step++) {
      const start = this.#bytes.lastIndexOf(10, end - 1) + 1;
      if (from - start > LEAD_BYTES) break;
      if (end - start < LINE_LIMIT) {
        const text = decoder.decode(this.#bytes.subarray(start, end));
        const pieces = takePrefix(cleaned(text)).filter(({ caller, program }) => (caller ?? "") === context && program !== true);
        for (const { stamped: _, ...piece } of pieces.reverse()) {
          const bare = this.#wrapper === undefined ? piece.text : piece.text.replace(this.#wrapper, "");
          lead.unshift({ number: number - 1 - step, offset: this.#base + start, ...piece, text: bare });
        }
      }
      end = start - 1;
    }
    return lead;
  }
}

/** Without line ends of terminals, colours, what web pages make of "<" and of lines, and the JSON of container runtimes and journals. */
function cleaned(line: string): string {
  let text = line.endsWith("\r") ? line.slice(0, -1) : line;
  // `cat -v` shows what a terminal would not.
  if (text.includes("^")) text = text.replace(/\^M$/, "").replace(/\^\[\[[\d;]*[A-Za-z]/g, "");
  if (text.startsWith("{") && text.endsWith("}")) text = messageOf(text) ?? text;
  // Files that a crash left half written, and records of pstore.
  if (text.includes("\0")) text = text.replace(/\0+/g, "");
  if (text.includes("\x1b")) text = text.replace(/\x1b\[[\d;]*[A-Za-z]/g, "");
  if (text.includes("&"))
    text = text.replace(/&(lt|gt|amp|quot|#39);/g, (whole, name) => ({ lt: "<", gt: ">", amp: "&", quot: '"' })[name as string] ?? whole);
  // Pages that care for typography, and eat what looks like a tag: "EIP is at f+0×83/0xd7", "panic – not syncing", "[] f+0×19/0×39".
  if (/[×–—]/.test(text)) text = text.replace(/\b0×(?=[0-9a-f])/g, "0x").replace(/ [–—] /g, " - ");
  if (text.includes("<")) text = text.replace(/^\s*<(?:pre|code|p|div)>|<(?:br ?\/?|\/(?:pre|code|p|div))>\s*$/g, "");
  return text;
}

/** Docker's json-file says "log", `journalctl -o json` "MESSAGE" beside who wrote it, others "message" or "msg". */
function messageOf(json: string): string | undefined {
  let entry: Readonly<Record<string, unknown>>;
  try {
    entry = JSON.parse(json) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
  const message = [entry.log, entry.MESSAGE, entry.message, entry.msg].find((each) => typeof each === "string");
  if (message === undefined) return undefined;
  const writer = entry.SYSLOG_IDENTIFIER;
  const program = typeof writer === "string" && writer !== "kernel" ? `${writer}[1]: ` : "";
  return program + message.replace(/\r?\n$/, "");
}

/** All reports of a text that is in memory. */
export function reportsIn(text: string | Uint8Array): LogReport[] {
  const finder = new ReportFinder();
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  const reports = finder.push(bytes);
  return [...reports, ...finder.finish()].sort((a, b) => a.first.offset - b.first.offset);
}
