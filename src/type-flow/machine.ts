/**
 * Calling conventions: which registers carry parameters and results, and which a call leaves as they were. System V AMD64 psABI 3.2;
 * Procedure Call Standard for the Arm 64-bit Architecture, 6.
 */
import { ARM64_REGISTERS } from "../arch/arm64-registers.ts";
import { X86_64_REGISTERS } from "../arch/x86-64-registers.ts";
import { arm64Operation } from "./arm64-operations.ts";
import type { OperationReader } from "./operation.ts";
import { x8664Operation } from "./x86-64-operations.ts";

export interface Machine {
  readonly operation: OperationReader;
  /** By DWARF's numbers. */
  readonly names: readonly string[];
  /** General registers by their full names. */
  readonly registers: readonly string[];
  readonly arguments: readonly string[];
  readonly result: string;
  /** Where the caller wants a large structure that the function returns; also one of the arguments on x86-64. */
  readonly resultAddress: string;
  /** A structure of more than 16 bytes is passed as its address (arm64), or on the stack (x86-64). */
  readonly largeByAddress: boolean;
  readonly stackPointer: string;
  /** Of the stack pointer on entry, from the canonical frame address. */
  readonly entryOffset: number;
  /** Left as they were by a call. */
  readonly preserved: ReadonlySet<string>;
  /** Bytes that the instruction at the start of a traced function may follow (endbr64; bti, mov x9, x30). */
  readonly tracerOffset: number;
}

const X86_64: Machine = {
  operation: x8664Operation,
  names: X86_64_REGISTERS.names,
  registers: ["rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"],
  arguments: ["rdi", "rsi", "rdx", "rcx", "r8", "r9"],
  result: "rax",
  resultAddress: "rdi",
  largeByAddress: false,
  stackPointer: "rsp",
  entryOffset: -8,
  preserved: new Set(["rbx", "rbp", "rsp", "r12", "r13", "r14", "r15"]),
  tracerOffset: 4,
};

const ARM64: Machine = {
  operation: arm64Operation,
  names: ARM64_REGISTERS.names,
  registers: [...Array.from({ length: 31 }, (_, i) => `x${i}`), "sp"],
  arguments: Array.from({ length: 8 }, (_, i) => `x${i}`),
  result: "x0",
  resultAddress: "x8",
  largeByAddress: true,
  stackPointer: "sp",
  entryOffset: 0,
  preserved: new Set([...Array.from({ length: 11 }, (_, i) => `x${19 + i}`), "sp"]),
  tracerOffset: 8,
};

/** @param name of the architecture, as `Architecture.name` */
export function machineOf(name: "x86_64" | "aarch64"): Machine {
  return name === "x86_64" ? X86_64 : ARM64;
}
