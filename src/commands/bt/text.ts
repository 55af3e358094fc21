/**
 * crash's layout of stacks.
 *
 *   PID: 1        TASK: ff1100000399c000  CPU: 1    COMMAND: "init"
 *    #0 [ff493b7b00013ac0] delay_tsc at ffffffff975c3643
 *    #9 [ff493b7b00013f50] entry_SYSCALL_64_after_hwframe at ffffffff97800126
 *       RIP: 000000000047b7a0  RSP: 00007ffd22983438  RFLAGS: 00000202
 */
import { hex16 } from "../../bytes/address.ts";
import type { StackKind } from "../../stack/frame.ts";
import { arm64Registers } from "./arm64-text.ts";
import type { BtFrame, BtRegisters, BtStack, BtTask, BtText, BtView, BtWord } from "./result.ts";
import { variableLines } from "./variables.ts";
import { x86Registers } from "./x86-64-text.ts";

/** crash's names of the stacks that a trace leaves. */
const SEPARATORS: Record<StackKind, string> = {
  task: "process stack",
  irq: "IRQ stack",
  softirq: "soft IRQ stack",
  nmi: "NMI exception stack",
  "stack fault": "STACKFAULT exception stack",
  "double fault": "DOUBLEFAULT exception stack",
  debug: "DEBUG exception stack",
  "machine check": "MCE exception stack",
  vc: "VC exception stack",
  vc2: "VC2 exception stack",
  entry: "entry trampoline stack",
  overflow: "OVERFLOW stack",
  sdei: "SDEI stack",
  efi: "EFI stack",
  unknown: "unknown stack",
};

/** Name of a stack in headings and separators. */
export function stackName(kind: StackKind): string {
  return SEPARATORS[kind];
}

export function taskHeader({ pid, address, cpu, comm }: BtTask): string {
  return `PID: ${String(pid).padEnd(7)}  TASK: ${hex16(address)}  CPU: ${String(cpu).padEnd(3)}  COMMAND: "${comm}"`;
}

export function* stackText(stack: BtStack, view: BtView, radix: 10 | 16): Iterable<string> {
  const base = view.radix ?? radix;
  if (stack.task !== null) yield taskHeader(stack.task);
  if (stack.raw !== undefined) {
    yield* wordRows(stack.raw, view, base, "");
    return;
  }
  if (stack.text !== undefined) {
    yield* textRows(stack.text, stack.frames[0], view, base);
    if (stack.userRegisters !== undefined) yield* registersText(stack.userRegisters, view, base);
    return;
  }
  if (stack.exceptionFrames !== undefined) {
    yield* exceptionFrameText(stack.exceptionFrames, view, base);
    return;
  }
  if (stack.registers !== undefined) {
    if (stack.registers.user) yield `    (${stack.stop})`;
    yield* registersText(stack.registers, view, base);
  }
  let stopSaid = stack.complete;
  for (let i = 0; i < stack.frames.length; i++) {
    const frame = stack.frames[i] as BtFrame;
    if (!stopSaid && frame.certainty === "guessed" && frame.foundBy === "scan") {
      yield `    (${stack.stop}; guessed from here on)`;
      stopSaid = true;
    }
    yield frameLine(frame, view, base);
    if (frame.source !== undefined) yield `    ${frame.source.file}: ${frame.source.line}`;
    if (view.registers && frame.kind !== "inline") yield* savedRegisters(frame, view);
    if (frame.variables !== undefined) yield* variableLines(frame.variables, base);
    if (frame.words !== undefined) yield* wordRows(frame.words, view, base, "    ");
    if (frame.exception !== undefined) yield* registersText(frame.exception, view, base);
    const next = stack.frames[i + 1];
    if (frame.interruptedLost === true) {
      const missing = next?.foundBy === "link register" ? "the next frame is guessed from x30" : "the frame it belonged to is missing here";
      yield `    (the CPU had just taken an exception: the interrupted pc is not in the dump, and ${missing})`;
    }
    if (next !== undefined && next.stack !== frame.stack) yield `--- <${SEPARATORS[frame.stack]}> ---`;
  }
  if (!stopSaid) yield `    (${stack.stop})`;
}

function frameLine(frame: BtFrame, view: BtView, radix: 10 | 16): string {
  const level = `${frame.level < 10 ? " " : ""}#${frame.level}`;
  const doubt = frame.certainty === "guessed" ? "? " : "";
  const name = frame.function === null ? "(unknown)" : named(frame.function, frame.offset, view.offsets, radix);
  const module = frame.module === null ? "" : ` [${frame.module}]`;
  const inlined = frame.kind === "inline" ? " (inlined)" : "";
  return `${level} [${frame.sp.toString(16).padStart(8)}] ${doubt}${name} at ${frame.pc.toString(16)}${module}${inlined}`;
}

/** Registers that calls preserve, and the stack pointer: four a line. */
const SAVED = {
  x86_64: ["rsp", "rbp", "rbx", "r12", "r13", "r14", "r15"],
  aarch64: ["sp", "x29", "x28", "x27", "x26", "x25", "x24", "x23", "x22", "x21", "x20", "x19"],
};

function* savedRegisters({ registers }: BtFrame, { machine }: BtView): Iterable<string> {
  const known = SAVED[machine].flatMap((name) => {
    const value = registers[name];
    return value === undefined ? [] : [`${name.toUpperCase().padStart(3)}: ${hex16(value)}`];
  });
  for (let i = 0; i < known.length; i += 4) yield `    ${known.slice(i, i + 4).join("  ")}`;
}

/** "schedule" or, with offsets, "schedule+69" (0x45 with radix 16). */
export function named(name: string, offset: number | null, offsets: boolean, radix: 10 | 16): string {
  if (!offsets || offset === null || offset === 0) return name;
  return `${name}+${radix === 16 ? `0x${offset.toString(16)}` : offset}`;
}

function registersText(registers: BtRegisters, view: BtView, radix: 10 | 16): Iterable<string> {
  const place = (place: { readonly function: string | null; readonly offset: number | null } | undefined) =>
    place === undefined || place.function === null ? "unknown or invalid address" : named(place.function, place.offset, true, radix);
  return view.machine === "x86_64" ? x86Registers(registers, place) : arm64Registers(registers, place);
}

/** Two words a line, each 16 wide; a name takes the place of its number. */
function* wordRows(words: readonly BtWord[], view: BtView, radix: 10 | 16, indent: string): Iterable<string> {
  const gap = indent === "" ? "  " : " ";
  if (view.notes === true) {
    for (const word of words) yield `${indent}${hex16(word.address)}:${gap}${noted(word)}`;
    return;
  }
  for (let i = 0; i < words.length; i += 2) {
    let line = `${indent}${hex16((words[i] as BtWord).address)}:${gap}`;
    for (const word of words.slice(i, i + 2)) line += `${wordLabel(word, view, radix).padEnd(16)} `;
    yield line;
  }
}

function noted({ value, note }: BtWord): string {
  if (value === null) return "(unreadable)";
  return note === undefined ? hex16(value) : `${hex16(value)}  ${note}`;
}

function wordLabel(word: BtWord, view: BtView, radix: 10 | 16): string {
  if (word.value === null) return "(unreadable)";
  if (word.symbol !== undefined) return named(word.symbol.name, word.symbol.offset, true, radix);
  if (word.cache !== undefined) return view.slabAddresses ? `[${word.value.toString(16)}:${word.cache}]` : `[${word.cache}]`;
  return hex16(word.value);
}

function* textRows(rows: readonly BtText[], start: BtFrame | undefined, view: BtView, radix: 10 | 16): Iterable<string> {
  if (start !== undefined && start.function !== null) {
    yield `              START: ${named(start.function, start.offset, view.offsets, radix)} at ${start.pc.toString(16)}`;
  }
  for (const row of rows) {
    const module = row.module === null ? "" : ` [${row.module}]`;
    yield `  [${hex16(row.address)}] ${named(row.function, row.offset, view.offsets, radix)} at ${row.pc.toString(16)}${module}`;
  }
}

/** bt -e, -E. */
export function* exceptionFrameText(frames: readonly BtRegisters[], view: BtView, radix: 10 | 16): Iterable<string> {
  for (const frame of frames) {
    yield "";
    yield `  ${frame.user ? "USER" : "KERNEL"}-MODE EXCEPTION FRAME AT: ${frame.address === null ? "(registers)" : frame.address.toString(16)}`;
    yield* registersText(frame, view, radix);
  }
  if (frames.length === 0) yield "(no exception frames found)";
}
