/**
 * The call traces of a report, each under the line that names it. A trace that no line names (KMSAN and KCSAN print it right after their
 * head) is named "".
 *
 *   Call Trace:            ─► "Call Trace"
 *   Allocated by task 12:  ─► "Allocated", pid 12
 *   -> #1 (&lock){+.+.}:   ─► "-> #1 (&lock)"
 */
import type { VerdictFrame } from "../verdict.ts";
import { frameLine } from "./frame-line.ts";
import type { LogLine, LogReport } from "./report.ts";

type Trace = LogReport["traces"][number];

const NAMES: readonly { readonly pattern: RegExp; readonly name: (match: RegExpExecArray) => string }[] = [
  {
    pattern: /^\s*(?:Call [Tt]race|Backtrace|Stack trace|stack backtrace):?\s*(?:\(.*\))?\s*$|^Call Trace:|^Call trace:/,
    name: () => "Call Trace",
  },
  { pattern: /^(?:INFO: )?(Allocated|Freed)(?: by task (\d+))?(?:\/\S+)?(?: on cpu| in |:)/, name: (match) => match[1] ?? "" },
  {
    pattern:
      /^(Last potentially related work creation|Second to last potentially related work creation|Last call_rcu\(\)|Second to last call_rcu\(\)):/,
    name: (match) => match[1] ?? "",
  },
  { pattern: /^(Uninit was (?:stored to memory|created) at):/, name: (match) => match[1] ?? "" },
  { pattern: /^(Local variable .* created at):/, name: (match) => match[1] ?? "" },
  {
    pattern:
      /^(?:(?:write|read|assert no writes|assert no accesses|marked|read-write)\b.* (?:of \d+ bytes )?by (?:task \d+|interrupt).* on cpu \d+:)/,
    name: (match) => match[0].replace(/:$/, ""),
  },
  { pattern: /^(race at unknown origin).*:/, name: (match) => match[1] ?? "" },
  {
    pattern: /^(kfence-#?\S+) .*?\b(allocated|freed|rcu freeing) by task (\d+)/,
    name: (match) => (match[2] === "allocated" ? "Allocated" : "Freed"),
  },
  { pattern: /^(allocated|freed|rcu freeing) by task (\d+) on cpu/, name: (match) => (match[1] === "allocated" ? "Allocated" : "Freed") },
  { pattern: /^(-> #\d+ \(.*?\))/, name: (match) => match[1] ?? "" },
  { pattern: /^\s*(?:backtrace(?: \(crc [0-9a-f]+\))?):/, name: () => "Allocated" },
  { pattern: /^(page last (?:allocated|free))/, name: (match) => match[1] ?? "" },
  { pattern: /^(page_owner (?:free stack trace|tracks)|page has been allocated)/, name: (match) => match[1] ?? "" },
  { pattern: /^(NMI backtrace for cpu \d+)/, name: (match) => match[1] ?? "" },
  { pattern: /^(Preemption disabled at):/, name: (match) => match[1] ?? "" },
  { pattern: /^(hardirqs last|softirqs last|irq event stamp)/, name: () => "irq history" },
  {
    pattern:
      /(irq-safe|irq-unsafe|which lock already depends|which would create|to a \S+-irq-(?:un)?safe lock|existing dependency chain|\{\S+\} state was registered at|initial-?use\S* at|-W at|-R at|ON-[WR] at|INITIAL USE at)/,
    name: () => "lock history",
  },
  { pattern: /^stack backtrace:/, name: () => "stack backtrace" },
  {
    pattern: /^Memory state around|^The buggy address|^Showing all locks|^Modules linked in|^Last Breaking-Event-Address/,
    name: () => "after",
  },
];

/** At most this many traces and frames are kept: `sysrq t` in a log has thousands. */
const TRACES = 400;
const FRAMES = 2000;

export function tracesOf(lines: readonly LogLine[]): Trace[] {
  const traces: { name: string; frames: VerdictFrame[]; pid?: number; first: number }[] = [{ name: "", frames: [], first: 0 }];
  const callers = new Map<number, VerdictFrame>();
  for (const [index, { text }] of lines.entries()) {
    const named = /^\s*stack backtrace:/.test(text) ? { match: [] as unknown as RegExpExecArray, name: "stack backtrace" } : nameOf(text);
    if (named !== undefined) {
      const last = traces.at(-1);
      // "stack backtrace:", then the line of the CPU, then "Call Trace:": one trace.
      if (named.name === "Call Trace" && last?.name === "stack backtrace" && last.frames.length === 0) continue;
      if (traces.length >= TRACES) break;
      // On arm the modules come before the registers and the trace, which no line names.
      if (named.name === "after" && !traces.some(({ frames }) => frames.length > 0)) continue;
      const pid = /by task (\d+)/.exec(text)?.[1] ?? / pid=(\d+)/.exec(text)?.[1];
      // slub_debug: "Freed in f+0x1/0x2 age=3": who asked, whose frame the stack below may lack when it left by a jump.
      const [asked] = frameLine(` ${/^(?:INFO: )?(?:Allocated|Freed) in (\S+(?: \[\w+\])?) age=/.exec(text.trimStart())?.[1] ?? ""}`);
      if (asked !== undefined) callers.set(traces.length, asked);
      traces.push({ name: named.name, frames: [], first: index, ...(pid === undefined ? {} : { pid: Number(pid) }) });
      continue;
    }
    const trace = traces.at(-1);
    if (trace === undefined || trace.frames.length >= FRAMES) continue;
    // On arm no line names the trace that follows "Preemption disabled at:" and its one frame.
    if (trace.name === "Preemption disabled at" && /\((?:unwind|dump)_backtrace/.test(text)) {
      traces.push({ name: "Call Trace", frames: frameLine(text), first: index });
      continue;
    }
    const interrupted = interruptedAt(text, trace.frames.length);
    const frames = interrupted ?? frameLine(text);
    if (interrupted === undefined && trace.frames.length > 0 && !PRINTED_PC.test(text)) mistrustStarts(frames);
    // On arm a line tells the caller too, and the next line begins with it.
    if (frames.length === 2 && trace.frames.at(-1)?.function === frames[0]?.function) frames.shift();
    trace.frames.push(...frames);
  }
  for (const [at, asked] of callers) {
    const frames = traces[at]?.frames;
    if (frames?.some((each) => each.function === asked.function && each.offset === asked.offset) === false) frames.unshift(asked);
  }
  return traces.filter(({ frames, name }) => frames.length > 0 || name !== "").map(({ first: _, ...trace }) => trace);
}

/** Since 6.14 arm64 says which frames are the pc of registers. */
const PRINTED_PC = /\(P[A-Z]*\)\s*$/;

/**
 * A return address at the first byte of a function belongs to the function before it, whose last instruction is a call that never returns
 * (panic(), do_exit()). arm64 and others print it as it stands; x86 looks up the byte before (%pB).
 */
function mistrustStarts(frames: VerdictFrame[]): void {
  for (const [index, frame] of frames.entries()) if (frame.offset === 0 && frame.size !== 0) frames[index] = { ...frame, doubtful: true };
}

/** Registers inside a trace: the code below was interrupted there ("RIP: 0010:func+0x…"; user mode has another selector). */
function interruptedAt(text: string, frames: number): VerdictFrame[] | undefined {
  if (frames === 0) return undefined;
  const symbol = /^\s*RIP: 0010:(?:\[<[0-9a-f]+>\]\s*)*(\S.*)$/.exec(text)?.[1];
  return symbol === undefined ? undefined : frameLine(` ${symbol}`);
}

function nameOf(text: string): { name: string; match: RegExpExecArray } | undefined {
  const line = text.trimStart();
  for (const { pattern, name } of NAMES) {
    const match = pattern.exec(line);
    if (match !== null) return { name: name(match), match };
  }
  return undefined;
}
