/**
 * Call traces as the kernel prints them, in /proc/PID/stack and on the console. Frames keep the kernel's order, innermost first.
 *
 *   [<0>] do_wait+0x1a5/0x2f0                                  /proc/PID/stack
 *   [    5.998433]  ? lab_fault_submit+0x7e/0x93 [lab_fault]   console; "?" marks what only lies on the stack
 *   [    5.998433] RIP: 0010:lab_fault_map_segment+0x85/0x93   the faulting instruction (x86-64)
 *   [    5.998433] pc : lab_fault_map_segment+0xb0/0xc8        the same (arm64)
 */

export interface TraceFrame {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  readonly module: string | undefined;
  /** False for entries the kernel itself marks with "?". */
  readonly reliable: boolean;
}

export interface PanicReport {
  /** What follows "Kernel panic - not syncing: ". Real kdump starts the crash kernel before this is printed. */
  readonly reason: string | undefined;
  /** The line that begins the report, e.g. "BUG: kernel NULL pointer dereference, address: 0000000000000008". */
  readonly headline: string | undefined;
  readonly cpu: number | undefined;
  readonly pid: number | undefined;
  readonly comm: string | undefined;
  /** Where the fault happened. */
  readonly instruction: TraceFrame | undefined;
  /** The first call trace: the one of the task or interrupt that died. */
  readonly trace: readonly TraceFrame[];
}

const FRAME = /(\? )?([A-Za-z_$.][\w$.]*)\+0x([0-9a-f]+)\/0x([0-9a-f]+)(?: \[([\w-]+)[^\]]*\])?/;

/** The frame a line names. */
export function parseFrame(line: string): TraceFrame | undefined {
  const match = FRAME.exec(line);
  if (match === null) return undefined;
  const [, questionable, name, offset, size, module] = match;
  return {
    name: name!,
    offset: Number.parseInt(offset!, 16),
    size: Number.parseInt(size!, 16),
    module,
    reliable: questionable === undefined,
  };
}

/** The frames of a /proc/PID/stack file. */
export function parseStack(text: string): TraceFrame[] {
  return text.split("\n").flatMap((line) => parseFrame(line) ?? []);
}

/** Console lines without their timestamps, up to where a crash kernel starts to speak. */
export function consoleLines(text: string): string[] {
  const lines = text.split(/\r?\n/).map((line) => line.replace(/^\[ *\d+\.\d+\](\[[^\]]*\])? ?/, ""));
  const boots = lines.flatMap((line, index) => (/^(Linux version |Booting Linux on physical CPU)/.test(line) ? [index] : []));
  const second = boots.find((index) => lines.slice(0, index).includes("LAB-TRIGGER"));
  return lines.slice(0, second);
}

/** The frames after a line, up to the first line that is neither a frame nor part of a trace's decoration. */
function traceAfter(lines: readonly string[], start: number): TraceFrame[] {
  const frames: TraceFrame[] = [];
  for (const line of lines.slice(start + 1)) {
    if (/^ *<\/?(TASK|IRQ|NMI|SOFTIRQ|#DF|ENTRY_TRAMPOLINE)>/.test(line)) continue;
    const frame = /^ ?(\? )?[A-Za-z_$.]/.test(line) && line.startsWith(" ") ? parseFrame(line) : undefined;
    if (frame !== undefined) frames.push(frame);
    else if (!/^(RIP|RSP|RAX|RDX|RBP|R1|R0|Code|CR2|FS|CS|DR|PKRU)/.test(line)) break;
  }
  return frames;
}

/** What the console says of the death. `after` is the text the report is looked for behind. */
export function parsePanicReport(text: string, after = "LAB-TRIGGER"): PanicReport {
  const all = consoleLines(text);
  const lines = all.slice(all.indexOf(after) + 1);
  const first = (pattern: RegExp) => lines.map((line) => pattern.exec(line)).find((match) => match !== null);
  const who = first(/^CPU: (\d+) (?:UID: \d+ )?PID: (\d+) Comm: (.*?) (?:Kdump: loaded )?(?:Not tainted|Tainted)/);
  const instruction = first(/^(?:RIP: 0010:|pc : )(.*)$/);
  const traceStart = lines.findIndex((line) => /^Call [Tt]race:/.test(line));
  const headline = first(
    /^(BUG: .*|Unable to handle .*|general protection fault.*|Oops:.*|kernel BUG at .*|Internal error: .*|INFO: task .*|watchdog: BUG: .*|double fault.*|Insufficient stack space.*)$/,
  );
  return {
    reason: first(/^Kernel panic - not syncing: (.*)$/)?.[1],
    headline: headline?.[1],
    cpu: who ? Number(who[1]) : undefined,
    pid: who ? Number(who[2]) : undefined,
    comm: who?.[3],
    instruction: instruction ? parseFrame(instruction[1]!) : undefined,
    trace: traceStart < 0 ? [] : traceAfter(lines, traceStart),
  };
}
