/**
 * What an unwound stack is: frames from the innermost outwards, how each was found, and why the unwind ended.
 *
 *   level  0  panic                    found by its own registers
 *          1  sysrq_handle_crash       "orc"
 *          2  asm_exc_page_fault       exception: the registers saved below this frame
 *          3  faulting_function        kind "interrupted": its pc is the instruction itself, no return address
 *          …                           stop: "user mode"
 */
import type { RegisterSet } from "../arch/registers.ts";
import type { VirtualAddress } from "../bytes/address.ts";
import type { SourcePlace } from "../debug-info/debug-info.ts";

/** exact: follows from registers and unwind tables; guessed: a word on the stack that may be a return address. */
export type Certainty = "exact" | "guessed";

/**
 * start: where the saved registers of a sleeping task or a CPU lead; call: a return address; interrupted: the instruction at which an
 * exception or interrupt struck (also the start of a running CPU); inline: inlined into the frame below it.
 */
export type FrameKind = "start" | "call" | "interrupted" | "inline";

/** What led to a frame's pc. */
export type FoundBy =
  | "registers"
  | "call-frame information"
  | "orc"
  | "frame pointer"
  | "prologue"
  | "link register"
  | "exception frame"
  | "call through a bad pointer"
  | "scan";

/** Kinds of kernel stack. "unknown": none of those the dump's symbols lead to. */
export type StackKind =
  | "task"
  | "irq"
  | "softirq"
  | "nmi"
  | "stack fault"
  | "double fault"
  | "debug"
  | "machine check"
  | "vc"
  | "vc2"
  | "entry"
  | "overflow"
  | "sdei"
  | "efi"
  | "unknown";

/** A stretch of memory used as stack; end is exclusive. */
export interface StackArea {
  readonly kind: StackKind;
  readonly start: VirtualAddress;
  readonly end: VirtualAddress;
  /** Undefined for a task's stack. */
  readonly cpu: number | undefined;
}

/** Registers that an exception or a system call left on a stack. */
export interface ExceptionFrame {
  readonly address: VirtualAddress;
  readonly user: boolean;
  /** Only the part that the CPU pushed (ip, cs, flags, sp, ss) is there. */
  readonly partial: boolean;
  readonly registers: RegisterSet;
}

export interface StackFrame {
  readonly level: number;
  /** x86-64: the slot that holds the return address (the stack pointer for a frame that has none); arm64: the address of its own frame record. */
  readonly sp: VirtualAddress;
  /** Return address into the function, or the interrupted instruction. */
  readonly pc: VirtualAddress;
  /** Undefined when the pc is in no known code. */
  readonly function: string | undefined;
  /** pc minus the function's address. */
  readonly offset: number | undefined;
  readonly module: string | undefined;
  readonly kind: FrameKind;
  readonly certainty: Certainty;
  readonly foundBy: FoundBy;
  /** The stack the frame lies on. */
  readonly stack: StackArea;
  /** Registers as far as they are known in this frame; those of an inlined one are its physical frame's, which follows further out. */
  readonly registers: RegisterSet;
  /** Registers saved below this frame by the exception whose handler it is. */
  readonly exception: ExceptionFrame | undefined;
  /** Source line, where debug information has one and was asked (inlined-frames.ts). */
  readonly source?: SourcePlace | undefined;
}

/** Why an unwind ended. `complete`: the stack was followed to its natural end. */
export interface Stop {
  readonly complete: boolean;
  /** In words: "user mode", "end of the stack of a kernel thread", "ffff… is in no code the kernel knows". */
  readonly text: string;
}

export interface UnwoundStack {
  readonly frames: readonly StackFrame[];
  readonly stop: Stop;
  /** Registers of user mode: where the stack ends in it, or when the CPU was running there. */
  readonly user: UserRegisters | undefined;
}

export interface UserRegisters {
  /** Where they lie on the stack; undefined when they are the CPU's own. */
  readonly address: VirtualAddress | undefined;
  readonly registers: RegisterSet;
}
