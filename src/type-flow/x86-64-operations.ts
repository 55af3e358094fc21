/**
 * Operations of x86-64 instructions: moves, address arithmetic, the stack. Intel SDM volume 2; operands come in AT&T's order, the
 * destination last.
 */
import type { DecodedInstruction, Operand } from "../arch/disassembler.ts";
import {
  complete,
  constant,
  controlOperation,
  type Effect,
  type Expression,
  memoryAt,
  type Operation,
  register,
  step,
  sum,
  UNKNOWN,
} from "./operation.ts";

const MOVE = /^mov(abs)?[bwlq]?$/;
const EXTEND = /^mov([sz][bw][wlq]|slq|sxd)$/;

export function x8664Operation(instruction: DecodedInstruction): Operation {
  const { mnemonic, operands } = instruction;
  const [first, second] = operands;
  // The callee of x86-64 pops the return address: after a call rsp is what it was.
  const control = controlOperation(instruction, expressionOf);
  if (control !== undefined) return control;
  if (/^push[lq]?$/.test(mnemonic) && first !== undefined) {
    const store: Effect = { kind: "memory", memory: memoryAt("rsp", -8n, 8), size: 8, value: expressionOf(first) };
    return { kind: "push", effects: [store, step("rsp", -8n)] };
  }
  // local_irq_save() and what gives it back, patched in for the calls of paravirt_ops.
  if (/^pushfq?$/.test(mnemonic)) {
    const store: Effect = { kind: "memory", memory: memoryAt("rsp", -8n, 8), size: 8, value: UNKNOWN };
    return { kind: "push", effects: [store, step("rsp", -8n)] };
  }
  if (/^popfq?$/.test(mnemonic)) return complete("pop", instruction, [step("rsp", 8n)]);
  if (/^pop[lq]?$/.test(mnemonic) && first?.kind === "register") {
    return complete("pop", instruction, [
      { kind: "register", to: first.full, width: 8, value: { kind: "load", memory: memoryAt("rsp", 0n, 8), size: 8 } },
      step("rsp", 8n),
    ]);
  }
  if (/^leaveq?$/.test(mnemonic)) {
    return complete("pop", instruction, [
      { kind: "register", to: "rsp", width: 8, value: sum(register("rbp"), constant(8n)) },
      { kind: "register", to: "rbp", width: 8, value: { kind: "load", memory: memoryAt("rbp", 0n, 8), size: 8 } },
    ]);
  }
  if (first !== undefined && second !== undefined && operands.length === 2) return twoOperands(instruction, first, second);
  if (first !== undefined && operands.length === 1) {
    const by = /^inc[lq]?$/.test(mnemonic) ? 1n : /^dec[lq]?$/.test(mnemonic) ? -1n : undefined;
    if (by !== undefined && first.kind === "register" && first.size === 8)
      return complete("arithmetic", instruction, [step(first.full, by)]);
  }
  return complete("other", instruction, changedMemory(operands));
}

function twoOperands(instruction: DecodedInstruction, source: Operand, target: Operand): Operation {
  const { mnemonic, operands } = instruction;
  if (/^(cmp|test|bt)[bwlq]?$/.test(mnemonic)) return complete("compare", instruction, []);
  if (MOVE.test(mnemonic) || EXTEND.test(mnemonic)) {
    const value = expressionOf(source);
    if (target.kind === "memory") {
      return { kind: "store", effects: [{ kind: "memory", memory: target, size: target.size, value }] };
    }
    if (target.kind === "register") {
      const kind = source.kind === "memory" ? "load" : "move";
      return complete(kind, instruction, [{ kind: "register", to: target.full, width: target.size, value }]);
    }
  }
  if (target.kind === "register" && /^lea[lq]?$/.test(mnemonic) && source.kind === "memory") {
    const value: Expression = { kind: "address", memory: source };
    return complete("address", instruction, [{ kind: "register", to: target.full, width: target.size, value }]);
  }
  if (target.kind === "register" && target.size >= 4) {
    const same = source.kind === "register" && source.name === target.name;
    if (same && /^(xor|sub)[lq]?$/.test(mnemonic)) {
      return complete("move", instruction, [{ kind: "register", to: target.full, width: 8, value: constant(0n) }]);
    }
    if (/^cmov/.test(mnemonic)) {
      const value: Expression = { kind: "either", left: register(target.full, target.size), right: expressionOf(source) };
      return complete("move", instruction, [{ kind: "register", to: target.full, width: target.size, value }]);
    }
    if (/^add[lq]?$/.test(mnemonic)) {
      const value = sum(register(target.full, target.size), expressionOf(source));
      return complete("arithmetic", instruction, [{ kind: "register", to: target.full, width: target.size, value }]);
    }
    if (/^sub[lq]?$/.test(mnemonic) && source.kind === "immediate") {
      const value = sum(register(target.full, target.size), constant(-source.value));
      return complete("arithmetic", instruction, [{ kind: "register", to: target.full, width: target.size, value }]);
    }
  }
  return complete("other", instruction, changedMemory(operands));
}

function changedMemory(operands: readonly Operand[]): Effect[] {
  return operands.flatMap((operand): Effect[] =>
    operand.kind === "memory" && (operand.access === "write" || operand.access === "readwrite")
      ? [{ kind: "memory", memory: operand, size: operand.size, value: UNKNOWN }]
      : [],
  );
}

function expressionOf(operand: Operand): Expression {
  switch (operand.kind) {
    case "register":
      // ah, bh, ch and dh are no lower part.
      return /^[abcd]h$/.test(operand.name) ? UNKNOWN : register(operand.full, operand.size);
    case "immediate":
      return constant(operand.value);
    case "memory":
      return { kind: "load", memory: operand, size: operand.size };
    default:
      return UNKNOWN;
  }
}
