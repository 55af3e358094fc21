/**
 * What an instruction does, in a form that is the same for all machines: which registers and memory it writes, and with what. Only what
 * matters for following typed values is modelled; every other result is "unknown", never a guess.
 *
 *   mov 0x18(%rdi),%rbx       rbx ← load(8 bytes at rdi + 0x18)
 *   ldp x19, x20, [sp], #32   x19 ← load(sp), x20 ← load(sp + 8), sp ← sp + 32
 *   push %rbx                 store(rsp - 8) ← rbx, rsp ← rsp - 8
 *
 * All effects of one instruction happen at once, over the registers as they were before it.
 */
import type { DecodedInstruction, MemoryOperand, Operand } from "../arch/disassembler.ts";

export type OperationKind =
  | "move"
  | "load"
  | "store"
  | "address"
  | "arithmetic"
  | "compare"
  | "branch"
  | "conditional"
  | "call"
  | "return"
  | "push"
  | "pop"
  | "trap"
  | "other";

/** A value as an instruction computes it. Registers are named by their full names. */
export type Expression =
  /** `extend`: how it became wider than `size` bytes; absent when it is not. */
  | { readonly kind: "register"; readonly name: string; readonly size: number }
  | { readonly kind: "constant"; readonly value: bigint }
  | { readonly kind: "load"; readonly memory: MemoryOperand; readonly size: number }
  /** The address of the operand, not its content. */
  | { readonly kind: "address"; readonly memory: MemoryOperand }
  | { readonly kind: "sum"; readonly left: Expression; readonly right: Expression }
  /** A conditional move. */
  | { readonly kind: "either"; readonly left: Expression; readonly right: Expression }
  /** arm64: a system register. */
  | { readonly kind: "system"; readonly name: string }
  | { readonly kind: "unknown" };

export type Effect =
  /** `width`: bytes written; the rest of the register is cleared when it is 4, kept when it is less. */
  | { readonly kind: "register"; readonly to: string; readonly width: number; readonly value: Expression }
  | { readonly kind: "memory"; readonly memory: MemoryOperand; readonly size: number; readonly value: Expression };

export interface Operation {
  readonly kind: OperationKind;
  readonly effects: readonly Effect[];
  /** Call or jump: what holds the target, when it is not in the instruction. */
  readonly through?: Expression;
}

/** Makes operations of one machine's instructions. */
export type OperationReader = (instruction: DecodedInstruction) => Operation;

export const UNKNOWN: Expression = { kind: "unknown" };

export function constant(value: bigint): Expression {
  return { kind: "constant", value: BigInt.asUintN(64, value) };
}

export function register(name: string, size = 8): Expression {
  return { kind: "register", name, size };
}

export function sum(left: Expression, right: Expression): Expression {
  return { kind: "sum", left, right };
}

/** A register that is changed by a constant. */
export function step(name: string, by: bigint): Effect {
  return { kind: "register", to: name, width: 8, value: sum(register(name), constant(by)) };
}

/** Memory at a register and a displacement. */
export function memoryAt(base: string, displacement: bigint, size: number): MemoryOperand {
  return {
    kind: "memory",
    segment: undefined,
    base,
    index: undefined,
    scale: 1,
    displacement,
    size,
    access: "read",
    writeback: undefined,
  };
}

/** The effects, and unknown ones for registers that the instruction writes besides. */
export function complete(
  kind: OperationKind,
  instruction: DecodedInstruction,
  effects: readonly Effect[],
  through?: Expression,
): Operation {
  const known = new Set(effects.map((effect) => (effect.kind === "register" ? effect.to : "")));
  const others = instruction.writes
    .filter((name) => !known.has(name))
    .map((to): Effect => ({ kind: "register", to, width: 8, value: UNKNOWN }));
  return { kind, effects: [...effects, ...others], ...(through === undefined ? {} : { through }) };
}

/** What a call, a jump, a return or a trap is, on every machine alike; undefined for an instruction that goes on to the next. */
export function controlOperation(instruction: DecodedInstruction, expressionOf: (operand: Operand) => Expression): Operation | undefined {
  const [first] = instruction.operands;
  const through = () => (first === undefined || first.kind === "target" ? {} : { through: expressionOf(first) });
  switch (instruction.flow) {
    case "call":
      return { kind: "call", effects: [], ...through() };
    case "jump":
      return { kind: "branch", effects: [], ...through() };
    case "conditional":
      return complete("conditional", instruction, []);
    case "return":
      return { kind: "return", effects: [] };
    case "trap":
      return complete("trap", instruction, []);
    default:
      return undefined;
  }
}
