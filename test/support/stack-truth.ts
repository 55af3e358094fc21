/**
 * What the guest said of its stacks: /proc/PID/stack of every task before it died, and the call trace of its death in the log.
 *
 *   /proc/PID/stack   [<0>] do_wait+0x60/0x110            without scheduler functions (stack_trace_consume_entry_nosched)
 *   the log           " vfs_write+0xf8/0x440" | " ? stale+0x1/0x2" | "RIP: 0010:fault+0x4/0x9" | "pc : …" | " name+0x1/0x2 (P)"
 */
import { readFileSync } from "node:fs";
import type { Truth } from "../../lab/truth.ts";

/** "name+0x12", without the function's size and the module. */
export type Place = string;

export interface TaskTruth {
  readonly pid: number;
  readonly frames: readonly Place[];
  /** Context switches when the stack was recorded; undefined when /proc/PID/status was not. */
  readonly switches: number | undefined;
}

/** Stacks of all threads that the guest recorded. */
export function stacksOf(truth: Truth): TaskTruth[] {
  const processOf = new Map(truth.tasks().map((task) => [task.tid, task.tgid]));
  return [...truth.stacks()].map(([pid, frames]) => ({
    pid,
    frames: frames.map(({ name, offset }) => `${name}+0x${offset.toString(16)}`),
    switches: switchesOf(truth, pid, processOf.get(pid) ?? pid),
  }));
}

function switchesOf(truth: Truth, pid: number, process: number): number | undefined {
  const status = truth.files.read(pid === process ? `proc/${pid}/status` : `proc/${process}/task/${pid}/status`);
  const counts = [...(status ?? "").matchAll(/^(?:non)?voluntary_ctxt_switches:\s*(\d+)/gm)];
  return counts.length === 2 ? counts.reduce((sum, match) => sum + Number(match[1]), 0) : undefined;
}

/** Frames of the report that the kernel died of, outermost last, without those marked "?"; interrupted instructions are among them. */
export function panicTrace(consolePath: string): Place[] {
  const lines = readFileSync(consolePath, "utf8")
    .split("\n")
    .map((line) => line.replace(/^\[ *\d+\.\d+\](?:\[[^\]]*\])? ?/, "").trimEnd());
  // Behind this the crash kernel speaks.
  const died = lines.findIndex((line) => /Starting crashdump kernel|end Kernel panic/.test(line));
  const restarted = lines.findIndex((line, i) => i > 0 && /^(Linux version|Booting Linux)/.test(line) && i > lines.length / 4);
  const end = died >= 0 ? died : restarted > 0 ? restarted : lines.length;
  const panic = lines.findIndex((line) => /^Kernel panic - not syncing/.test(line));
  const heads = lines.flatMap((line, i) => (/^Call [Tt]race:/.test(line) && i < end ? [i] : []));
  const head = (panic >= 0 ? heads.find((i) => i > panic) : undefined) ?? heads.at(-1);
  if (head === undefined) return [];
  const frames: Place[] = [];
  // x86 prints the interrupted instruction above the trace; arm64 begins the trace with it.
  const rip = lines.slice(Math.max(0, head - 25), head).findLast((line) => /^(RIP: 0010:|Kernel panic|Call [Tt]race:)/.test(line));
  const start = rip === undefined ? null : /^RIP: 0010:([\w.$]+\+0x[0-9a-f]+)\//.exec(rip);
  if (start !== null && !(panic >= 0 && head > panic)) frames.push(start[1] as string);
  for (const line of lines.slice(head + 1, end)) {
    const inner = /^RIP: 0010:([\w.$]+\+0x[0-9a-f]+)\//.exec(line);
    if (inner !== null) frames.push(inner[1] as string);
    if (/^(Modules linked in|Code: [0-9a-f]{8} |---\[|Kernel Offset|SMP: |RIP: 0033|Bye!)/.test(line)) break;
    const entry = /^ ([\w.$]+\+0x[0-9a-f]+)\/0x[0-9a-f]+/.exec(line);
    if (entry !== null) frames.push(entry[1] as string);
  }
  return frames;
}
