/**
 * Whom an indirect call called, recomputed from the caller's instructions: the loads that led to the call, over the registers that the
 * caller still has.
 *
 *   mov 0x28(%rbx),%rax      rbx is the caller's, unchanged since      ► rax = *(rbx + 0x28)
 *   mov 0x20(%rax),%rax                                                ► rax = *(rax + 0x20)
 *   call *%rax               (or a call of __x86_indirect_thunk_rax)   ► the function
 *
 * The instructions are taken in the order of their addresses, whatever jumps lie between, and memory as it is now: the result is a guess
 * that means something only when it is the first instruction of a function that the call can have led to.
 */
import { type DecodedInstruction, type Disassembler, disassemblerFor, type MemoryOperand, type Operand } from "../arch/disassembler.ts";
import { RIP, X86_64_REGISTERS } from "../arch/x86-64-registers.ts";
import { virtual } from "../bytes/address.ts";
import { FaultError, UnsupportedError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { FrameEvaluation } from "./frame-evaluation.ts";

/** Code before the call that is looked at: further back the registers mean something else. */
const MAX_BYTES = 192;
const MAX_LOADS = 8;
/** Thunks that jump to what a register holds (arch/x86/lib/retpoline.S): the register's name follows. */
const THUNKS = ["__x86_indirect_thunk_", "__x86_indirect_call_thunk_", "__x86_retpoline_"];

/** The address that the call behind a frame's return address went to, as far as that can be recomputed. */
export function recomputedTarget(caller: FrameEvaluation): bigint | undefined {
  const disassembler = loadedDisassembler(caller);
  if (disassembler === undefined) return undefined;
  const code = instructionsBefore(caller, disassembler);
  const call = code.at(-1);
  if (call?.flow !== "call") return undefined;
  const [operand] = call.operands;
  const known = new KnownValues(caller, code);
  try {
    switch (operand?.kind) {
      case "register":
        return known.register(operand.full, code.length - 1, 0);
      case "memory":
        return known.memory(operand, code.length - 1, 0);
      case "target": {
        const thunk = thunkRegister(caller.kernel, operand.address);
        return thunk === undefined ? operand.address : known.register(thunk, code.length - 1, 0);
      }
      default:
        return undefined;
    }
  } catch (error) {
    if (error instanceof FaultError) return undefined;
    throw error;
  }
}

/** The thunks of all registers begin with a symbol of their own, but lie in one array, whose name comes first. */
function thunkRegister(kernel: Kernel, address: bigint): string | undefined {
  const thunks = kernel.memo(thunkRegister, () => {
    const registers = kernel.arch.name === "x86_64" ? X86_64_REGISTERS.names.slice(0, RIP) : [];
    return new Map(registers.flatMap((name) => THUNKS.map((thunk) => [kernel.tryAddress(`${thunk}${name}`), name] as const)));
  });
  return thunks.get(virtual(address));
}

function loadedDisassembler({ kernel }: FrameEvaluation): Disassembler | undefined {
  try {
    return disassemblerFor(kernel.arch.name);
  } catch (error) {
    if (error instanceof UnsupportedError) return undefined;
    throw error;
  }
}

/** Instructions up to and with the call, from the beginning of a source line not far before it: lines begin at instructions. */
function instructionsBefore({ kernel, place }: FrameEvaluation, disassembler: Disassembler): readonly DecodedInstruction[] {
  const { described, frame, function: fn } = place;
  const end = BigInt.asUintN(64, frame.pc - described.bias);
  const inside = fn.ranges.find(({ low, high }) => end > low && end <= high);
  if (inside === undefined) return [];
  const low = end - BigInt(MAX_BYTES) > inside.low ? end - BigInt(MAX_BYTES) : inside.low;
  let start = low === inside.low ? low : undefined;
  for (const { range } of start === undefined ? described.info.lines({ low, high: end }) : []) {
    if (range.low >= low && range.low < end) {
      start = range.low;
      break;
    }
  }
  const bytes = start === undefined ? undefined : kernel.memory.tryBytes(kernel.debugInfo.runtime(described, start), Number(end - start));
  if (start === undefined || bytes === undefined) return [];
  const code: DecodedInstruction[] = [];
  for (let at = 0; at < bytes.length; ) {
    const decoded = disassembler.decode(bytes.subarray(at), kernel.debugInfo.runtime(described, start + BigInt(at)));
    code.push(decoded);
    at += Math.max(1, decoded.size);
  }
  // The call ends where it returns to; anything else was decoded from the middle of an instruction.
  const last = code.at(-1);
  return last !== undefined && virtual(last.address + BigInt(last.size)) === frame.pc ? code : [];
}

class KnownValues {
  readonly #frame: FrameEvaluation;
  readonly #code: readonly DecodedInstruction[];

  constructor(frame: FrameEvaluation, code: readonly DecodedInstruction[]) {
    this.#frame = frame;
    this.#code = code;
  }

  /** What a register held before an instruction. */
  register(name: string, before: number, depth: number): bigint | undefined {
    if (depth > MAX_LOADS) return undefined;
    const { file } = this.#frame.place.frame.registers;
    const call = this.#code.length - 1;
    const changed = this.#code.slice(before, call).some(({ writes }) => writes.includes(name));
    const now = changed ? undefined : this.#frame.register(file.names.indexOf(name));
    if (now !== undefined) return now;
    for (let at = before - 1; at >= 0; at--) {
      const instruction = this.#code[at] as DecodedInstruction;
      // A call leaves nothing in the registers it does not preserve.
      if (instruction.flow === "call" && !file.calleeSaved.includes(file.names.indexOf(name))) return undefined;
      if (instruction.writes.includes(name)) return this.#result(instruction, name, at, depth + 1);
    }
    return undefined;
  }

  /** The word that a memory operand reads. */
  memory(operand: MemoryOperand, before: number, depth: number): bigint | undefined {
    const address = this.#address(operand, before, depth);
    return address === undefined ? undefined : this.#frame.kernel.memory.u64(virtual(address));
  }

  #address(operand: MemoryOperand, before: number, depth: number): bigint | undefined {
    if (operand.segment !== undefined || operand.writeback === "pre") return undefined;
    const base = operand.base === undefined ? 0n : this.register(operand.base, before, depth);
    const index = operand.index === undefined ? 0n : this.register(operand.index, before, depth);
    if (base === undefined || index === undefined) return undefined;
    return BigInt.asUintN(64, base + index * BigInt(operand.scale) + operand.displacement);
  }

  /** What a plain move, load or lea wrote to a register of full width; undefined for every other instruction. */
  #result({ mnemonic, operands }: DecodedInstruction, name: string, at: number, depth: number): bigint | undefined {
    if (operands.length !== 2) return undefined;
    const target = operands.find((each) => each.kind === "register" && each.full === name && each.access === "write");
    const source = operands.find((each) => each !== target);
    if (target === undefined || target.kind !== "register" || target.size !== 8 || source === undefined) return undefined;
    if (mnemonic === "mov" || mnemonic === "movabs" || mnemonic === "ldr") return this.#moved(source, at, depth);
    return mnemonic === "lea" && source.kind === "memory" ? this.#address(source, at, depth) : undefined;
  }

  #moved(source: Operand, at: number, depth: number): bigint | undefined {
    switch (source.kind) {
      case "register":
        return source.size === 8 ? this.register(source.full, at, depth) : undefined;
      case "immediate":
        return BigInt.asUintN(64, source.value);
      case "memory":
        return this.memory(source, at, depth);
      default:
        return undefined;
    }
  }
}
