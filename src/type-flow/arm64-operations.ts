/** Operations of arm64 instructions (Arm ARM, C6.2): moves, loads and stores of one or two registers, address arithmetic. */
import type { DecodedInstruction, MemoryOperand, Operand } from "../arch/disassembler.ts";
import {
  complete,
  constant,
  controlOperation,
  type Effect,
  type Expression,
  type Operation,
  register,
  step,
  sum,
  UNKNOWN,
} from "./operation.ts";

/** One register out of memory; exclusive, acquiring and unprivileged forms too. */
const LOAD = /^ld(u?r|ar|apr|apur|lar|x?r|axr|tr)(s?[bhw])?$/;
const LOAD_PAIR = /^ldn?p$/;
const STORE = /^st(u?r|lr|llr|lur|tr)[bh]?$/;
const STORE_PAIR = /^stn?p$/;

export function arm64Operation(instruction: DecodedInstruction): Operation {
  const { mnemonic, operands } = instruction;
  const [first, second] = operands;
  const control = controlOperation(instruction, expressionOf);
  if (control !== undefined) return control;
  const memory = operands.find((operand) => operand.kind === "memory");
  if (memory !== undefined) return memoryOperation(instruction, memory);
  if (first?.kind !== "register" || first.access !== "write")
    return complete(/^(cmp|cmn|tst|ccm)/.test(mnemonic) ? "compare" : "other", instruction, []);
  const set = (kind: Operation["kind"], value: Expression) =>
    complete(kind, instruction, [{ kind: "register", to: first.full, width: first.size, value }]);
  if (second === undefined) return complete("other", instruction, []);
  if (/^(adrp?|ldr)$/.test(mnemonic) && second.kind === "target") {
    return mnemonic === "ldr" ? set("load", UNKNOWN) : set("address", constant(second.address));
  }
  if (mnemonic === "mov" || /^[su]xt[wbh]$/.test(mnemonic)) {
    const narrow = /^.xt([wbh])/.exec(mnemonic)?.[1];
    const size = narrow === undefined ? undefined : { w: 4, h: 2, b: 1 }[narrow];
    return set("move", second.kind === "register" && size !== undefined ? sized(second.full, size) : expressionOf(second));
  }
  if (mnemonic === "mrs" && second.kind === "system") return set("move", { kind: "system", name: second.name });
  const third = operands[2];
  if (third === undefined) return complete("other", instruction, []);
  if (/^adds?$/.test(mnemonic)) return set("arithmetic", sum(expressionOf(second), expressionOf(third)));
  if (/^subs?$/.test(mnemonic) && third.kind === "immediate") return set("arithmetic", sum(expressionOf(second), constant(-third.value)));
  if (mnemonic === "csel") return set("move", { kind: "either", left: expressionOf(second), right: expressionOf(third) });
  return complete("arithmetic", instruction, []);
}

function memoryOperation(instruction: DecodedInstruction, written: MemoryOperand): Operation {
  const { mnemonic, operands } = instruction;
  const registers = operands.filter((operand) => operand.kind === "register");
  const [first, second] = registers;
  const { base, writeback } = written;
  // The access is at the base after a change before it, which the displacement tells already.
  const memory: MemoryOperand = { ...written, writeback: undefined };
  const moved: Effect[] = [];
  if (base !== undefined && writeback === "pre") moved.push(step(base, written.displacement));
  if (base !== undefined && writeback === "post") {
    moved.push(written.step === undefined ? { kind: "register", to: base, width: 8, value: UNKNOWN } : step(base, written.step));
  }
  const half = written.size / 2;
  const upper: MemoryOperand = { ...memory, displacement: memory.displacement + BigInt(Math.trunc(half)), size: half };
  if (LOAD.test(mnemonic) && first !== undefined && isGeneral(first.full)) {
    return complete("load", instruction, [loaded(first, memory), ...moved]);
  }
  if (LOAD_PAIR.test(mnemonic) && first !== undefined && second !== undefined && isGeneral(first.full)) {
    return complete("load", instruction, [loaded(first, { ...memory, size: half }), loaded(second, upper), ...moved]);
  }
  if (STORE.test(mnemonic) && first !== undefined) {
    return complete("store", instruction, [stored(first, memory), ...moved]);
  }
  if (STORE_PAIR.test(mnemonic) && first !== undefined && second !== undefined) {
    return complete("store", instruction, [stored(first, { ...memory, size: half }), stored(second, upper), ...moved]);
  }
  const changed: Effect[] =
    written.access === "write" || written.access === "readwrite" ? [{ kind: "memory", memory, size: written.size, value: UNKNOWN }] : [];
  return complete("other", instruction, [...changed, ...moved]);
}

type RegisterOperand = Extract<Operand, { readonly kind: "register" }>;

function loaded(to: RegisterOperand, memory: MemoryOperand): Effect {
  return { kind: "register", to: to.full, width: to.size, value: { kind: "load", memory, size: memory.size } };
}

function stored(from: RegisterOperand, memory: MemoryOperand): Effect {
  return {
    kind: "memory",
    memory,
    size: memory.size,
    value: isGeneral(from.full) ? sized(from.full, Math.min(from.size, memory.size)) : UNKNOWN,
  };
}

function isGeneral(full: string): boolean {
  return /^(x\d|xzr|sp)/.test(full);
}

function sized(full: string, size: number): Expression {
  return full === "xzr" ? constant(0n) : register(full, size);
}

function expressionOf(operand: Operand): Expression {
  switch (operand.kind) {
    case "register":
      return operand.modifier === undefined ? sized(operand.full, operand.size) : UNKNOWN;
    case "immediate":
      return constant(operand.value);
    default:
      return UNKNOWN;
  }
}
