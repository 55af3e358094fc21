/**
 * What one function's instructions touch and where their values come from: the answers that `dis -a` shows and that diagnosis stands on.
 *
 *   const flow = flowOf(kernel, address);
 *   flow.at(pc)?.operands            struct file.private_data through parameter "file"
 *   flow.originOf(pc, "rbx")         rbx = tun = load of file->private_data at tun_chr_ioctl+0x12
 *
 * The machine's disassembler must have been loaded before (loadDisassembler).
 */
import type { DecodedInstruction, MemoryOperand } from "../arch/disassembler.ts";
import type { VirtualAddress } from "../bytes/address.ts";
import type { CType, FunctionType } from "../debug-info/c-type.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { controlFlowOf } from "./control-flow.ts";
import type { GivenShapes } from "./flow-input.ts";
import { type FunctionRange, mainPart } from "./function-extent.ts";
import { KernelFunctionFlow } from "./kernel-function-flow.ts";
import type { Origin } from "./origin.ts";

/** What a memory operand touches. Absent members are not known. */
export interface OperandFact {
  readonly memory: MemoryOperand;
  /** In C, with names where they are known: "sk->sk_socket", "per_cpu(runqueues).nr_running". */
  readonly text?: string;
  /** Tag of the structure that the base points to: "struct sock". */
  readonly container?: string;
  /** Path of the member in it; several of a union joined with "|". */
  readonly member?: string;
  /** Bytes from the start of the member, when the access begins within it. */
  readonly leftover?: number;
  /** Type of what is read or written whole. */
  readonly type?: CType;
  /** Offset from the start of the structure that the base points to. */
  readonly offset?: number;
  /** Variable of the kernel. */
  readonly variable?: string;
  /** Its address: an absolute one, or the one of the per-CPU section with `perCpu`. */
  readonly address?: bigint;
  readonly perCpu?: true;
  /** Where the base's value came from. */
  readonly origin?: Origin;
  /** A local of the debug information that lies there on the stack. */
  readonly local?: string;
}

/** What a register holds before an instruction. */
export interface RegisterFact {
  readonly register: string;
  /** Type of the value: `struct sock *`. With `offset`, that of the pointer to the structure's start. */
  readonly type?: CType;
  /** Bytes from where such a pointer leads: the address of a member. */
  readonly offset?: number;
  readonly constant?: bigint;
  /** Name of the variable that the register holds, by debug information. */
  readonly variable?: string;
}

/** What an instruction calls. */
export interface CallFact {
  readonly name?: string;
  readonly module?: string;
  readonly type?: FunctionType;
  /** For a call through a pointer: where that came from. */
  readonly origin?: Origin;
}

export interface InstructionFacts {
  readonly instruction: DecodedInstruction;
  /** Memory operands, in the text's order. */
  readonly operands: readonly OperandFact[];
  /** Registers of which something is known, by their full names. */
  readonly registers: ReadonlyMap<string, RegisterFact>;
  readonly call?: CallFact;
  /** Values of constants that it holds or computes, which may be addresses. */
  readonly constants: readonly bigint[];
  /** False for code that no way from the function's start leads to. */
  readonly reached: boolean;
}

export interface FunctionFlow {
  readonly name: string;
  readonly module: string | undefined;
  /** The main part, then the unlikely part if it has one. */
  readonly parts: readonly FunctionRange[];
  /** The prototype, where it is known and holds for what the compiler made of the function. */
  readonly type: FunctionType | undefined;
  /** Addresses of all instructions. */
  readonly addresses: readonly VirtualAddress[];
  /** What is known before the instruction at an address; undefined when none starts there. */
  at(pc: bigint): InstructionFacts | undefined;
  /** The memory operands of an instruction in words: "reads file->private_data"; undefined when nothing can be said. */
  describe(pc: bigint): string | undefined;
  /** Where a register's value, or that of a stack slot by its distance from the canonical frame address, came from. */
  originOf(pc: bigint, where: string | { readonly slot: number }): Origin;
  /** The stack pointer before an instruction, from the canonical frame address; undefined where it is not followed. */
  stackAt(pc: bigint): number | undefined;
  /** The instructions that ran just before one, the nearest first: back to where ways meet, so that no others can have. */
  wayTo(pc: bigint): readonly DecodedInstruction[];
  /** The same function with more known of some values than its code says. Not kept. */
  given(shapes: GivenShapes): FunctionFlow;
}

/** Functions that are kept. */
const MAX_KEPT = 64;

/**
 * Follows the function that holds an address. Answers are kept.
 * @throws LookupError outside of functions, FaultError where the code is missing, UnsupportedError for functions beyond reason
 */
export function flowOf(kernel: Kernel, address: VirtualAddress): FunctionFlow {
  const kept = kernel.memo(flowOf, () => new Map<bigint, FunctionFlow>());
  const { start } = mainPart(kernel, address);
  const known = kept.get(start);
  if (known !== undefined) return known;
  const flow = controlFlowOf(kernel, address);
  const made = new KernelFunctionFlow(kernel, flow);
  const [oldest] = kept.keys();
  if (kept.size >= MAX_KEPT && oldest !== undefined) kept.delete(oldest);
  kept.set(start, made);
  return made;
}
