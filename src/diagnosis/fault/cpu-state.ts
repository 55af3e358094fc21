/**
 * The CPU's registers at the fault: not those of the stop, which come later and lie further in.
 *
 *   delay_tsc ◄ where the CPU was stopped         panic ◄ oops_end ◄ page_fault_oops ◄ exc_page_fault ◄ asm_exc_page_fault
 *                                                                                     its pt_regs ─► lab_fault_map_segment+0x85
 *
 * Three sources, the first that is there, each held against the log where that still has the report:
 *   exception frame  pt_regs that the unwind crosses on the stack of the task that died
 *   crash note       with kdump the crash kernel was started with the registers of the fault (crash_kexec(regs), crash_setup_regs())
 *   log              what the kernel printed: when the task is gone (the oops was survived) or its stack cannot be read
 *
 * The error code and the fault address are kept in no place that outlives the handler: pt_regs holds -1 for the error code (the entry code
 * gives it to the handler as an argument), thread.cr2 and thread.fault_code are written for user mode's faults only. They are taken
 * from the log; without it what the handler's frames still hold in recovered registers is taken for a witness by operands.ts.
 */
import { ARM64_REGISTERS } from "../../arch/arm64-registers.ts";
import { type RegisterSet, RegisterSet as Registers } from "../../arch/registers.ts";
import { X86_64_REGISTERS } from "../../arch/x86-64-registers.ts";
import { hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { StackFrame, UnwoundStack } from "../../stack/frame.ts";
import { startOfRegisters } from "../../stack/start.ts";
import { unwindFrom, unwindTask } from "../../stack/unwind.ts";
import { subjectReport } from "../checks/subject-report.ts";
import type { EventKind } from "../subject/log-events.ts";
import { addressOfCode, type LogFacts } from "../subject/log-facts.ts";
import type { Subject } from "../subject/subject.ts";
import { arm64Syndrome, type ExceptionFacts, x86PageFault } from "./error-code.ts";
import { stackOfLog } from "./log-stack.ts";

/** One thing that was compared, and how it came out. */
export interface StateCheck {
  readonly what: string;
  readonly agrees: boolean;
}

export interface FaultState {
  readonly kind: EventKind;
  readonly source: "exception frame" | "crash note" | "log";
  readonly registers: RegisterSet;
  readonly pc: VirtualAddress;
  /** Where pt_regs lies. */
  readonly at?: VirtualAddress;
  /** The stack, and the place of the fault's frame in it; absent when the registers are the log's. */
  readonly stack?: UnwoundStack;
  readonly frame?: number;
  readonly errorCode?: bigint;
  /** What the error code says. */
  readonly exception?: ExceptionFacts;
  readonly address?: bigint;
  readonly checks: readonly StateCheck[];
  /** No check came out against it. */
  readonly consistent: boolean;
}

/** Entries of the exceptions that can be fatal, by all their names (arch/x86/entry/entry_64.S, arch/x86/include/asm/idtentry.h, arch/arm64/kernel/entry.S). */
const ENTRIES: readonly (readonly [RegExp, EventKind])[] = [
  [/^(?:asm_exc_|async_)?page_fault$/, "page fault"],
  [/^(?:asm_exc_)?general_protection$/, "general protection"],
  [/^(?:asm_exc_)?invalid_op$/, "invalid opcode"],
  [/^(?:asm_exc_)?divide_error$/, "divide error"],
  [/^(?:asm_exc_)?stack_segment$/, "stack segment"],
  [/^(?:asm_exc_)?double_fault$/, "double fault"],
  [/^(?:asm_exc_)?int3$/, "breakpoint"],
  [/^asm_exc_(?:control_protection|alignment_check|bounds|invalid_tss|segment_not_present)$/, "other exception"],
  [/^(?:el1_sync|el1h?_64_sync|el1t_64_sync)$/, "page fault"],
  [/^__bad_stack$/, "stack overflow"],
  [/^(?:el1_error|el1h_64_error)(?:_invalid)?$/, "machine check"],
];

/**
 * arm64's one entry tells all apart in C: what its handler went through does (arch/arm64/kernel/traps.c: do_undefinstr, do_el1_undef since
 * 6.2, 61d64a376ea8). BUG() is no such instruction, it comes as a breakpoint.
 */
const HANDLERS: readonly (readonly [RegExp, EventKind])[] = [[/^(?:do_undefinstr|do_el1_undef|el1_undef)(?:\.\w+)*$/, "invalid opcode"]];

/** The exception by its entry, where that is one for all by its handler. */
function kindOnStack(entry: StackFrame, handler: readonly StackFrame[]): EventKind | undefined {
  const known = ENTRIES.find(([pattern]) => pattern.test(entry.function ?? ""))?.[1];
  if (known !== "page fault") return known;
  return HANDLERS.find(([pattern]) => handler.some(({ function: name }) => pattern.test(name ?? "")))?.[1] ?? known;
}

/** Functions in which a handler has given up. */
const DYING =
  /^(?:oops_end|page_fault_oops|no_context|bad_area_nosemaphore|die|__die|__die_body|die_addr|die_kernel_fault|__do_kernel_fault|handle_stack_overflow|panic_bad_stack|handle_bad_stack|bad_mode|panic|crash_kexec|__crash_kexec|arm64_serror_panic|bug_handler|do_undefinstr|exc_double_fault)(?:\.\w+)*$/;

/** Functions that stop the CPU or ask for it: registers there are no fault's. */
const STOPPING =
  /^(?:panic|vpanic|crash_kexec|__crash_kexec|crash_save_cpu|machine_kexec|native_machine_crash_shutdown|delay_\w+|__const_udelay|__delay\w*|native_halt|sysrq_handle_crash|nmi_panic)(?:\.\w+)*$/;

const PANICKED = /^(?:v?panic|nmi_panic)(?:\.\w+)*$/;

interface Candidate {
  readonly frame: number;
  readonly source: "exception frame" | "crash note";
  readonly registers: RegisterSet;
  readonly at?: VirtualAddress;
  readonly kind: EventKind | undefined;
  /** Frames of its handler, from the stop to it. */
  readonly handler: readonly StackFrame[];
}

/** Why there is none, in words. */
export interface NoFaultState {
  readonly reason: string;
}

/**
 * The registers at the subject's fault. An answer whose checks do not agree is still given, with `consistent` false: nothing may be concluded
 * from its operands then.
 */
export function faultState(kernel: Kernel, subject: Subject): FaultState | NoFaultState {
  const { task, facts, event } = subject;
  const logged = addressOfCode(kernel, facts?.code);
  let stack: UnwoundStack | undefined;
  let reason = "the task of the fault is not in the dump";
  if (task !== undefined) {
    try {
      stack = unwindTask(kernel, task.address);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      reason = `the stack of task ${task.pid} cannot be read: ${error.message}`;
    }
  }
  if (stack !== undefined) {
    const found = choose(stack, logged, facts);
    if (found !== undefined) return stateOf(kernel, found, stack, subject, logged);
    reason = `no registers of a fault are on the stack of task ${task?.pid}`;
  }
  const { registers = new Map<string, bigint>() } = facts ?? {};
  if (event === undefined || logged === undefined || registers.size < 8) return { reason };
  return stateOfLog(kernel, subject, logged, registers, reason);
}

function candidates(stack: UnwoundStack): readonly Candidate[] {
  const found: Candidate[] = [];
  for (const [frame, { kind, foundBy, registers, function: name }] of stack.frames.entries()) {
    const entry = stack.frames[frame - 1];
    const exception = entry?.exception;
    if (kind === "interrupted" && entry !== undefined && exception !== undefined && !exception.user) {
      const handler = stack.frames.slice((found.at(-1)?.frame ?? -1) + 1, frame);
      found.push({
        frame,
        source: "exception frame",
        // A partial frame's other registers were live when it was pushed: the unwind carried them on.
        registers: exception.partial ? registers : exception.registers,
        at: exception.address,
        kind: kindOnStack(entry, handler),
        handler,
      });
    } else if (frame === 0 && kind === "interrupted" && foundBy === "registers" && !STOPPING.test(name ?? "")) {
      found.push({ frame, source: "crash note", registers, kind: undefined, handler: [] });
    }
  }
  return found;
}

/** The one that the log names; without the log the outermost exception whose handler gave up, else what the crash note holds. */
function choose(stack: UnwoundStack, logged: VirtualAddress | undefined, facts: LogFacts | undefined): Candidate | undefined {
  const all = candidates(stack);
  if (logged !== undefined) {
    const sp = facts?.registers.get("rsp") ?? facts?.registers.get("sp");
    const there = all.filter(({ registers }) => registers.pc === logged);
    const found = there.find(({ registers }) => sp === undefined || registers.sp === sp) ?? there.at(-1);
    if (found !== undefined) return found;
  }
  const dying = all.filter(({ kind, handler }) => kind !== undefined && handler.some(({ function: name }) => DYING.test(name ?? "")));
  if (dying.length > 0) return dying.at(-1);
  // A CPU that went through panic() was stopped there, whatever its registers are now.
  const stopped = stack.frames.some(({ function: name }) => PANICKED.test(name ?? ""));
  return stopped ? undefined : all.find(({ source }) => source === "crash note");
}

function stateOf(
  kernel: Kernel,
  candidate: Candidate,
  stack: UnwoundStack,
  { fault, event: subject, facts, task }: Subject,
  logged: VirtualAddress | undefined,
): FaultState {
  const { frame, source, registers, at, kind } = candidate;
  const event = fault ?? subject;
  const checks: StateCheck[] = [];
  const pc = virtual(registers.pc ?? 0n);
  if (logged !== undefined)
    checks.push({ what: `the log's place of the fault is ${hex16(logged)}, the registers' ${hex16(pc)}`, agrees: logged === pc });
  const witnesses = compareRegisters(registers, facts, checks);
  const proof = stack.frames[frame]?.certainty === "guessed" ? proofOfGuess(candidate, logged === pc ? witnesses : 0) : undefined;
  if (proof !== undefined) checks.push(proof);
  const told = event?.kind;
  // An exception of another kind than the log tells: a later one, on the way out of the first.
  const same = told === undefined || kind === undefined || sameKind(told, kind, event?.family);
  if (!same) checks.push({ what: `the log tells of ${told}, the handler on the stack is of ${kind}`, agrees: false });
  return {
    kind: kindOf(told, event?.family, kind),
    source,
    registers,
    pc,
    ...(at === undefined ? {} : { at }),
    stack: proof?.agrees === true ? goneOn(kernel, stack, candidate, task?.address) : stack,
    frame,
    ...errorFacts(kernel, facts, kindOf(told, event?.family, kind)),
    checks,
    consistent: checks.every(({ agrees }) => agrees),
  };
}

/**
 * Raw memory has no registers of the CPUs: the way to the stack of a task that was running is a guess. What it led to is proved by the log,
 * which names the same place and the same registers, or, with the log gone, by a handler on that way that gave up, and by pt_regs that lie
 * where the CPU put them: right below where their own stack pointer was (x86-64 aligns it to 16 first; arm64's entry code makes room there).
 * Exported for its test.
 */
export function proofOfGuess({ handler, at, registers }: Pick<Candidate, "handler" | "at" | "registers">, witnesses: number): StateCheck {
  if (witnesses >= MANY_REGISTERS) return { what: "the unwind guessed the way to them, and the log proves them", agrees: true };
  const gaveUp = handler.find(({ function: name }) => DYING.test(name ?? ""))?.function;
  const above = at === undefined || registers.sp === undefined ? undefined : (registers.sp & ~15n) - at;
  if (gaveUp !== undefined && above !== undefined && above >= MIN_PT_REGS && above <= MAX_PT_REGS)
    return {
      what: `the unwind guessed the way to them; it leads through ${gaveUp}, and they lie right below their stack pointer`,
      agrees: true,
    };
  return { what: "the way to the registers is a guess of the unwind", agrees: false };
}

/** Registers that the log must have in common with those of a guess. */
const MANY_REGISTERS = 8;
/** sizeof(struct pt_regs): 168 on x86-64; 288 to 336 on arm64, which 5.10 to 6.x have, in steps of 16. */
const MIN_PT_REGS = 168n;
const MAX_PT_REGS = 352n;

/** The same stack; outwards of registers that are proved nothing is a guess any more. */
function goneOn(kernel: Kernel, stack: UnwoundStack, { frame, registers }: Candidate, task: VirtualAddress | undefined): UnwoundStack {
  const way = unwindFrom(kernel, startOfRegisters(registers), task);
  const inner = stack.frames.slice(0, frame);
  return { ...way, frames: [...inner, ...way.frames.map((each, i) => ({ ...each, level: frame + i }))] };
}

function kindOf(told: EventKind | undefined, family: string | undefined, onStack: EventKind | undefined): EventKind {
  if (told === undefined) return onStack ?? "page fault";
  return family === "fault" && told !== "other exception" ? told : family === "fault" ? (onStack ?? told) : told;
}

function sameKind(told: EventKind, onStack: EventKind, family: string | undefined): boolean {
  if (told === onStack || family !== "fault") return true;
  // arm64 has one entry for all; x86-64 finds a stack overflow by a double fault or a page fault.
  if (told === "stack overflow" || told === "other exception") return true;
  return onStack === "page fault" && (told === "invalid opcode" || told === "breakpoint" || told === "general protection");
}

/** @returns registers that were compared and are the same; 0 when one differs */
function compareRegisters(registers: RegisterSet, facts: LogFacts | undefined, checks: StateCheck[]): number {
  if (facts === undefined || facts.registers.size === 0) return 0;
  const different: string[] = [];
  let compared = 0;
  for (const [name, value] of facts.registers) {
    const number = registers.file.names.indexOf(name);
    const mine = number < 0 ? undefined : registers.get(number);
    // Flags are printed in 32 bits.
    if (mine === undefined || name === "rflags" || name === "pstate") continue;
    compared++;
    if (mine !== value) different.push(`${name} ${hex16(mine)}, in the log ${hex16(value)}`);
  }
  if (compared === 0) return 0;
  const what =
    different.length === 0
      ? `${compared} registers are those of the log`
      : `registers differ from the log: ${different.slice(0, 3).join("; ")}`;
  checks.push({ what, agrees: different.length === 0 });
  return different.length === 0 ? compared : 0;
}

function errorFacts(kernel: Kernel, facts: LogFacts | undefined, kind: EventKind): Pick<FaultState, "errorCode" | "exception" | "address"> {
  const errorCode = facts?.errorCode;
  const isPage = kind === "page fault" || kind === "stack overflow";
  const exception =
    errorCode === undefined
      ? undefined
      : kernel.arch.name === "aarch64"
        ? arm64Syndrome(errorCode)
        : isPage && kind === "page fault"
          ? x86PageFault(errorCode)
          : undefined;
  // Beside a general protection fault stands what the kernel took for the address by decoding the instruction itself.
  const address = exception?.noAddress === true ? undefined : facts?.address;
  return {
    ...(errorCode === undefined ? {} : { errorCode }),
    ...(exception === undefined ? {} : { exception }),
    ...(address === undefined || !(isPage || kind === "general protection" || kernel.arch.name === "aarch64") ? {} : { address }),
  };
}

function stateOfLog(
  kernel: Kernel,
  { fault, event: subject, facts, after }: Subject,
  pc: VirtualAddress,
  logged: ReadonlyMap<string, bigint>,
  reason: string,
): FaultState {
  const file = kernel.arch.name === "aarch64" ? ARM64_REGISTERS : X86_64_REGISTERS;
  const registers = new Registers(file);
  for (const [name, value] of logged) {
    const number = file.names.indexOf(name);
    if (number >= 0) registers.set(number, value);
  }
  registers.set(file.pc, pc);
  const kind = (fault ?? subject)?.kind ?? "page fault";
  const trace = fault === undefined || fault === subject ? subjectReport({ kernel, subject: { event: subject, after } })?.trace : undefined;
  const stack = trace === undefined ? undefined : stackOfLog(kernel, pc, registers, trace);
  return {
    kind,
    source: "log",
    registers,
    pc,
    ...(stack === undefined ? {} : { stack, frame: 0 }),
    ...errorFacts(kernel, facts, kind),
    checks: [{ what: `only the log tells the registers: ${reason}`, agrees: true }],
    consistent: true,
  };
}
