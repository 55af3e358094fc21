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
 * from the log; without it what the handler's frames still hold in recovered registers is taken for a witness by faulting-access.ts.
 */
import { ARM64_REGISTERS } from "../../arch/arm64-registers.ts";
import { type RegisterSet, RegisterSet as Registers } from "../../arch/registers.ts";
import { X86_64_REGISTERS } from "../../arch/x86-64-registers.ts";
import { hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { UnwoundStack } from "../../stack/frame.ts";
import { unwindTask } from "../../stack/unwind.ts";
import { subjectReport } from "../checks/subject-report.ts";
import type { EventKind } from "../subject/log-events.ts";
import { addressOfCode, type LogFacts } from "../subject/log-facts.ts";
import type { Subject } from "../subject/subject.ts";
import { arm64Syndrome, type ExceptionFacts, x86PageFault } from "./error-code.ts";
import { goneOn, proofOfGuess } from "./guess-proof.ts";
import { stackOfLog } from "./log-stack.ts";
import { type Candidate, choose } from "./stack-registers.ts";

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
