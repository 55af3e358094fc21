/**
 * What one instruction means for saved registers: its effects on the stack pointer, the frame pointer and the watched registers, and where
 * control goes from it. Each machine decodes its own (x86-64-register-saves.ts, arm64-register-saves.ts).
 */

/** What an instruction does to the stack and to registers, as far as that matters here. Several may follow from one instruction. */
export type Effect =
  /** sp += bytes. */
  | { readonly kind: "sp add"; readonly bytes: number }
  /** sp = fp + offset. */
  | { readonly kind: "sp from fp"; readonly offset: number }
  | { readonly kind: "sp unknown" }
  /** fp = sp + offset. */
  | { readonly kind: "fp from sp"; readonly offset: number }
  /** A register stored at base + offset. */
  | { readonly kind: "store" | "load"; readonly register: number; readonly base: "sp" | "fp"; readonly offset: number }
  /** Another value in a register. */
  | { readonly kind: "write"; readonly register: number };

/**
 * Where control goes: on, on or to the target, to the target, into a function and on when that returns, back to the caller or to a place that
 * is computed, or nowhere (a report of a bug, what is no code).
 */
export type Way = "on" | "branch" | "jump" | "call" | "return" | "out";

/** An instruction as the flow sees it. */
export interface FlowInstruction {
  readonly size: number;
  readonly way: Way;
  /** Of branch, jump and call, by offset in the code. */
  readonly target: number;
  readonly effects: readonly Effect[];
}

/** What is different on each machine. */
export interface FlowMachine {
  /** CFA minus sp at a function's first instruction. */
  readonly entryDepth: number;
  /** Registers to watch, by DWARF number; the frame pointer is one. */
  readonly watched: readonly number[];
  readonly frameRegister: number;
  /** The instruction at an offset; undefined for what is none. */
  decode(code: Uint8Array, offset: number): FlowInstruction | undefined;
}
