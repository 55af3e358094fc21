/**
 * What a register held at an instruction of a function, computed from the function's code: where on every way to it the value comes from
 * the same place. Nothing is guessed: another way, a call in between, memory that may have changed since, and there is no answer.
 *
 *   entry   mov 0x70(%rdi),%rdi        rdi at the jump = *(entry rdi + 0x70), read from saved registers of user mode, which stay
 *           jmp ksys_write
 */
import type { DecodedInstruction, MemoryOperand, Operand } from "../arch/disassembler.ts";
import type { RegisterFile } from "../arch/registers.ts";
import type { FunctionCode } from "./function-code.ts";

/** Registers that are looked at for one value. */
const MAX_REGISTERS = 64;

/** What is left of that for one question: sums have two registers, whose values may be sums. */
interface Budget {
  left: number;
}

export interface CodeWorld {
  readonly file: RegisterFile;
  /** Registers on entry; undefined when not known. */
  entryRegister(register: number): bigint | undefined;
  /** Memory that nothing has changed since; undefined for all other. */
  stableMemory(address: bigint, size: number): bigint | undefined;
  /** Where ways differ one of them is taken: for a result that proves itself. */
  readonly lenient?: boolean;
  /** The instruction's first four bytes. */
  word(address: bigint): number | undefined;
  /** Where the function stands now, and the registers it has there; undefined when it has left the stack. */
  readonly now: { readonly at: bigint; register(register: number): bigint | undefined } | undefined;
}

/** A register before the instruction at an address; undefined when it cannot be told. */
export function registerAt(
  code: FunctionCode,
  world: CodeWorld,
  register: number,
  at: bigint,
  budget: Budget = { left: MAX_REGISTERS },
): bigint | undefined {
  const { file, now } = world;
  if (budget.left-- <= 0) return undefined;
  const current = now?.register(register);
  if (now !== undefined && current !== undefined && code.keeps(file, register, at, now.at)) return current;
  const { writers, entry } = code.definitions(file, register, at) ?? { writers: [], entry: false };
  const [writer] = writers;
  if (writer === undefined) return entry ? world.entryRegister(register) : undefined;
  const one = !entry && writers.length === 1 ? writer : world.lenient === true ? nearest(writers, at) : undefined;
  if (one === undefined || one.flow === "call") return undefined;
  return result(code, world, one, file.names[register] ?? "", budget);
}

/**
 * What a register held on entry, by a copy that the function still has: `mov %rdi,%rbx` where rdi was not written before, and nothing else
 * gives rbx the value that it has now.
 */
export function entryCopy(code: FunctionCode, { file, now }: Pick<CodeWorld, "file" | "now">, register: number): bigint | undefined {
  if (now === undefined) return undefined;
  const name = file.names[register];
  for (const copy of file.calleeSaved) {
    const value = now.register(copy);
    const { writers, entry } = code.definitions(file, copy, now.at) ?? { writers: [], entry: true };
    const [move] = writers;
    if (value === undefined || entry || writers.length !== 1 || move === undefined || move.mnemonic !== "mov") continue;
    const [from, to] = [
      move.operands.find((each) => each.kind === "register" && each.full === name),
      move.operands.find((each) => each.kind === "register" && each.full === file.names[copy]),
    ];
    if (move.operands.length !== 2 || from?.kind !== "register" || to?.kind !== "register" || from.size !== 8 || to.size !== 8) continue;
    const source = code.definitions(file, register, move.address);
    if (source?.entry === true && source.writers.length === 0) return value;
  }
  return undefined;
}

/** The last of several before an address, which control falls through from as a rule. */
function nearest(writers: readonly DecodedInstruction[], at: bigint): DecodedInstruction | undefined {
  return writers
    .filter(({ address }) => address < at)
    .reduce<DecodedInstruction | undefined>((last, each) => (last === undefined || each.address > last.address ? each : last), undefined);
}

/** What an instruction wrote to a register. */
function result(code: FunctionCode, world: CodeWorld, instruction: DecodedInstruction, name: string, budget: Budget): bigint | undefined {
  const { mnemonic, operands, address } = instruction;
  if (mnemonic === "cltq") return extended(named(code, world, "rax", address, budget), 4, 8);
  const target = operands.find((each) => each.kind === "register" && each.full === name && each.access === "write");
  // Narrower writes leave the rest of the register as it was; those of four bytes clear it.
  if (target?.kind !== "register" || target.size < 4) return undefined;
  const sources = operands.filter((each) => each !== target);
  const [source, more] = sources;
  if (source === undefined) return undefined;
  if (more !== undefined) return sum(code, world, instruction, target.size, budget);
  if (mnemonic === "lea" && source.kind === "memory") {
    const at = addressOf(code, world, source, address, budget);
    return at === undefined ? undefined : BigInt.asUintN(target.size * 8, at);
  }
  if (mnemonic === "adrp" && source.kind === "target") return source.address;
  const value = operandValue(code, world, source, address, budget);
  if (value === undefined) return undefined;
  if (/^(movs[bwl][wlq]|movsxd?|sxtw|ldrsw|ldursw)$/.test(mnemonic)) return extended(value, sizeOfOperand(source), target.size);
  if (/^(movabs|mov[lq]?|movz[bw][lq]|ldu?r)$/.test(mnemonic)) return BigInt.asUintN(target.size * 8, value);
  return undefined;
}

/** arm64: add with an immediate, the second half of an address (adrp, add). The bit that shifts it by 12 is not in the operands. */
function sum(
  code: FunctionCode,
  world: CodeWorld,
  { mnemonic, operands, address }: DecodedInstruction,
  size: number,
  budget: Budget,
): bigint | undefined {
  const [, left, right, ...more] = operands;
  const word = world.word(address);
  if (mnemonic !== "add" || left?.kind !== "register" || right?.kind !== "immediate" || more.length > 0) return undefined;
  if (word === undefined || ((word >>> 22) & 1) !== 0) return undefined;
  const value = operandValue(code, world, left, address, budget);
  return value === undefined ? undefined : BigInt.asUintN(size * 8, value + right.value);
}

function named(code: FunctionCode, world: CodeWorld, name: string, at: bigint, budget: Budget): bigint | undefined {
  const register = world.file.names.indexOf(name);
  return register < 0 ? undefined : registerAt(code, world, register, at, budget);
}

/** An operand's value before the instruction at an address, cut to its width. */
export function operandValue(
  code: FunctionCode,
  world: CodeWorld,
  operand: Operand,
  at: bigint,
  budget: Budget = { left: MAX_REGISTERS },
): bigint | undefined {
  switch (operand.kind) {
    case "register": {
      const value = named(code, world, operand.full, at, budget);
      return value === undefined ? undefined : BigInt.asUintN(operand.size * 8, value);
    }
    case "immediate":
      return BigInt.asUintN(64, operand.value);
    case "memory": {
      const address = operand.size > 0 && operand.size <= 8 ? addressOf(code, world, operand, at, budget) : undefined;
      return address === undefined ? undefined : world.stableMemory(address, operand.size);
    }
    default:
      return undefined;
  }
}

function addressOf(code: FunctionCode, world: CodeWorld, operand: MemoryOperand, at: bigint, budget: Budget): bigint | undefined {
  if (operand.segment !== undefined || operand.writeback !== undefined) return undefined;
  // arm64 may extend the index from 32 bits, which operands do not tell.
  if (operand.index !== undefined && world.file.link !== undefined) return undefined;
  const base = operand.base === undefined ? 0n : named(code, world, operand.base, at, budget);
  const index = operand.index === undefined ? 0n : named(code, world, operand.index, at, budget);
  if (base === undefined || index === undefined) return undefined;
  return BigInt.asUintN(64, base + index * BigInt(operand.scale) + operand.displacement);
}

function sizeOfOperand(operand: Operand): number {
  return operand.kind === "register" || operand.kind === "memory" ? operand.size : 8;
}

function extended(value: bigint | undefined, from: number, to: number): bigint | undefined {
  return value === undefined ? undefined : BigInt.asUintN(to * 8, BigInt.asIntN(from * 8, value));
}
