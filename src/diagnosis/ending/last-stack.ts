/**
 * The stack on which the kernel gave up: who called panic(), from where, and with which message.
 *
 *   panic+0x118                            ◄ panicAt
 *   sysrq_handle_crash+0x16                ◄ callers[0]: asked for it
 *   __handle_sysrq+0x90                      callers[1] …
 *
 * The message comes from the log; where that is gone, the format lies in the kernel's own strings: it is panic()'s first argument, a constant
 * that the caller's code loads. Source: kernel/panic.c (panic, and vpanic since 6.17), arch/x86/kernel/nmi.c.
 */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { LogRecord } from "../../linux/log-record.ts";
import { readLog } from "../../linux/printk.ts";
import type { Task } from "../../linux/task.ts";
import type { StackFrame, UnwoundStack } from "../../stack/frame.ts";
import { unwindTask } from "../../stack/unwind.ts";
import { flowOf } from "../../type-flow/function-flow.ts";
import { machineOf } from "../../type-flow/machine.ts";
import type { DiagnosisContext } from "../context.ts";
import { plainName } from "../fault/words.ts";
import { callsPanic, provedByPanic } from "../subject/panic-proof.ts";
import { stoppedTask } from "../subject/stopped-task.ts";
import type { Evidence, VerdictFrame } from "../verdict.ts";
import { verdictStack } from "../verdict-stack.ts";

export interface LastStack {
  readonly task: Task;
  readonly cpu: number;
  readonly stack: UnwoundStack;
  /** Place of panic()'s frame in the stack, -1 when only its caller is there; undefined when neither is. */
  readonly panicAt: number | undefined;
  /** Frames outside of panic(), innermost first; all of the stack when panic() is not on it. */
  readonly callers: readonly StackFrame[];
}

const PANIC = /^(?:v?panic|nmi_panic|nmi_panic_self_stop)$/;

/** The panic task's stack; undefined when no task panicked or its stack cannot be read. Once per dump. */
export function lastStack(kernel: Kernel): LastStack | undefined {
  return kernel.memo(lastStack, () => {
    try {
      const found = stoppedTask(kernel);
      if (found === undefined || found.flag === "ACTIVE") return undefined;
      const stack = provedByPanic(kernel, unwindTask(kernel, found.task.address));
      const names = stack.frames.map(nameOf);
      let panicAt: number | undefined;
      for (const [at, name] of names.entries()) if (PANIC.test(name) && (panicAt === undefined || at - panicAt <= 2)) panicAt = at;
      const [first] = stack.frames;
      if (panicAt === undefined && first !== undefined && first.foundBy === "scan" && callsPanic(kernel, first)) panicAt = -1;
      return { task: found.task, cpu: found.cpu, stack, panicAt, callers: stack.frames.slice(panicAt === undefined ? 0 : panicAt + 1) };
    } catch (error) {
      if (error instanceof InquestError) return undefined;
      throw error;
    }
  });
}

/** Name in the source; "" where the pc is in no known code. */
export function nameOf({ function: name }: StackFrame): string {
  return plainName(name ?? "");
}

/** The first frame outside of panic() whose function matches, when the unwind proved it. */
export function callerNamed(last: LastStack | undefined, pattern: RegExp): StackFrame | undefined {
  return last?.callers.find((frame) => frame.certainty === "exact" && pattern.test(nameOf(frame)));
}

/** Records of the log; none where it cannot be read. */
export function logRecords(kernel: Kernel): readonly LogRecord[] {
  try {
    return readLog(kernel).records;
  } catch (error) {
    if (error instanceof InquestError) return [];
    throw error;
  }
}

export interface PanicText {
  /** Without "Kernel panic - not syncing: ". */
  readonly text: string;
  /** log: with its values; code: the format that was passed. */
  readonly from: "log" | "code";
  /** Of the format's string, when the code tells it. */
  readonly format?: bigint;
}

const SAID = /^Kernel panic - not syncing: ?(.*)/;

/** What panic() was called with. */
export function panicText(context: DiagnosisContext, last: LastStack | undefined): PanicText | undefined {
  const { kernel, subject } = context;
  // The subject's log may be known to be gone although some text is left: then it has no event.
  const records = subject.event === undefined && subject.after.length === 0 ? [] : logRecords(kernel);
  for (const { text } of [...records].reverse()) {
    const said = SAID.exec(text);
    if (said !== null) return { text: (said[1] ?? "").split("\n")[0] as string, from: "log" };
  }
  return last === undefined ? undefined : panicFormat(kernel, last);
}

/** The constant that the caller's code passes as the first argument. The machine's disassembler must have been loaded. */
function panicFormat(kernel: Kernel, { callers, panicAt }: LastStack): PanicText | undefined {
  const [caller] = callers;
  if (panicAt === undefined || caller === undefined || caller.kind !== "call") return undefined;
  try {
    const flow = flowOf(kernel, virtual(caller.pc - 1n));
    const machine = machineOf(kernel.arch.name);
    const before = [...flow.addresses].filter((address) => address < caller.pc).sort((a, b) => (a < b ? 1 : -1))[0];
    if (before === undefined) return undefined;
    const origin = flow.originOf(before, machine.arguments[0] ?? "");
    const at = origin.kind === "constant" ? origin.value : origin.kind === "address" && !origin.perCpu ? origin.address : undefined;
    const text = at === undefined ? undefined : kernel.memory.cString(virtual(at), 256);
    if (at === undefined || text === undefined || !/^[\x20-\x7e\n\t]{3,}$/.test(text)) return undefined;
    return { text: text.trim(), from: "code", format: at };
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

/** The stack for people, from panic() outwards, one frame marked. */
export function lastFrames(kernel: Kernel, { stack, panicAt = 0 }: LastStack, guilty: StackFrame | undefined): readonly VerdictFrame[] {
  const at = guilty === undefined ? -1 : stack.frames.indexOf(guilty);
  return verdictStack(kernel, stack, at < 0 ? undefined : at, Math.max(0, panicAt));
}

/** Place of a frame: function, module, and line where debug information has one. */
export function placeOfFrame(kernel: Kernel, frame: StackFrame): { function: string; module?: string; file?: string; line?: number } {
  const place = { function: nameOf(frame), ...(frame.module === undefined ? {} : { module: frame.module }) };
  try {
    const line = kernel.debugInfo.present ? kernel.debugInfo.line(virtual(frame.pc - 1n)) : undefined;
    return line === undefined ? place : { ...place, file: line.file, line: line.line };
  } catch (error) {
    if (error instanceof InquestError) return place;
    throw error;
  }
}

/** That a function stands on the stack: the word that holds the return address into it. */
export function frameEvidence(kernel: Kernel, last: LastStack, frame: StackFrame, claim: string): Evidence {
  const at = last.stack.frames.indexOf(frame);
  const inner = last.stack.frames[at - 1];
  const slots: VirtualAddress[] = [frame.sp, ...(inner === undefined ? [] : [virtual(inner.sp + 8n)])];
  const slot = slots.find((each) => kernel.memory.tryU64(each) === frame.pc);
  return {
    claim,
    command: last.task.pid === 0 ? `bt -c ${last.cpu}` : `bt ${last.task.pid}`,
    values: slot === undefined ? [] : [{ address: slot, value: frame.pc }],
  };
}
