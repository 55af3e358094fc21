/**
 * The memory that an instruction touches: every operand's address from the registers.
 *
 *   mov %eax,0x8(%rbx)     rbx                     write of 4 bytes at rbx + 8
 *   push, call             rsp                     write of 8 bytes at rsp - 8
 *   rep movsb              rsi, rdi, rcx           read at rsi, write at rdi, up to rcx bytes on
 *   bts %rdx,(%rdi)        rdi, rdx                read and write of 8 bytes where bit rdx lies (bit-string.ts)
 *   ldp x1, x2, [x0], #16  x0                      read of 16 bytes at x0
 */
import type { DecodedInstruction, MemoryOperand, Operand } from "../../arch/disassembler.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { bitString } from "./bit-string.ts";
import { operandText } from "./operand-text.ts";

/** A register of an address and its value. */
export interface AddressPart {
  readonly register: string;
  readonly value: bigint;
}

export interface TouchedMemory {
  /** "0x8(%rbx)", "[x19, #8]", "push". */
  readonly text: string;
  readonly access: "read" | "write" | "readwrite";
  /** Bytes; 0 when not known. */
  readonly size: number;
  /** undefined when a register of it is not known. */
  readonly address: bigint | undefined;
  /** Bytes that the instruction may go on from there (string instructions). */
  readonly reach: number;
  readonly base?: AddressPart;
  /** `bits`: it counts bits of the words from the operand on. */
  readonly index?: AddressPart & { readonly scale: number; readonly bits?: true };
  readonly displacement: bigint;
  /** Added for the segment. */
  readonly segmentBase?: bigint;
  /** As it was decoded; absent for what the instruction touches without saying so. */
  readonly memory?: MemoryOperand;
  /** The instruction that it is an operand of, when that is not the one that faulted. */
  readonly pc?: bigint;
}

/** All memory that an instruction touches. */
export function touched(
  kernel: Kernel,
  instruction: DecodedInstruction,
  registers: ReadonlyMap<string, bigint>,
  cpu: number | undefined,
): readonly TouchedMemory[] {
  const found = instruction.operands.flatMap((operand: Operand) =>
    operand.kind === "memory" && operand.access !== "address" ? [computed(kernel, operand, registers, cpu)] : [],
  );
  const isString = kernel.arch.name === "x86_64" && /^(?:movs|stos|cmps|scas|lods|ins|outs)[bwlq]?$/.test(instruction.mnemonic);
  const count = isString && instruction.reads.includes("rcx") ? Number(registers.get("rcx") ?? 1n) : 1;
  const reaching =
    isString && count > 1 ? found.map((each) => ({ ...each, reach: Math.max(each.size, 1) * Math.min(count, 1 << 20) })) : found;
  if (kernel.arch.name !== "x86_64") return reaching;
  return [...reaching.map((each) => bitString(kernel, instruction, registers, each)), ...onStack(instruction, registers)];
}

export function computed(
  kernel: Kernel,
  memory: MemoryOperand,
  registers: ReadonlyMap<string, bigint>,
  cpu: number | undefined,
): TouchedMemory {
  const { displacement, size, access, scale, extend, segment } = memory;
  const base = memory.base === undefined ? undefined : part(registers, memory.base);
  const found = memory.index === undefined ? undefined : part(registers, memory.index);
  const extended =
    found === undefined || extend === undefined
      ? found?.value
      : extend === "sxtw"
        ? BigInt.asIntN(32, found.value)
        : BigInt.asUintN(32, found.value);
  const segmentBase =
    segment === "gs" ? (cpu === undefined ? undefined : kernel.perCpuOffsets[cpu]) : segment === undefined ? 0n : undefined;
  const complete =
    (memory.base === undefined || base !== undefined) && (memory.index === undefined || found !== undefined) && segmentBase !== undefined;
  const sum = (segmentBase ?? 0n) + (base?.value ?? 0n) + (extended ?? 0n) * BigInt(scale) + displacement;
  return {
    text: operandText(kernel.arch.name, memory),
    access: access === "write" || access === "readwrite" ? access : "read",
    size,
    address: complete ? BigInt.asUintN(64, sum) : undefined,
    reach: 0,
    ...(base === undefined ? {} : { base }),
    ...(found === undefined ? {} : { index: { ...found, scale } }),
    displacement,
    ...(segment === undefined || segmentBase === undefined ? {} : { segmentBase }),
    memory,
  };
}

export function part(registers: ReadonlyMap<string, bigint>, register: string): AddressPart | undefined {
  const value = registers.get(register);
  return value === undefined ? undefined : { register, value };
}

/** The stack words that x86-64 instructions touch without naming them (SDM volume 2: PUSH, POP, CALL, RET, LEAVE). */
function onStack({ mnemonic, flow }: DecodedInstruction, registers: ReadonlyMap<string, bigint>): readonly TouchedMemory[] {
  const pushes = /^push/.test(mnemonic) || flow === "call";
  const pops = /^pop/.test(mnemonic) || flow === "return";
  const register = mnemonic.startsWith("leave") ? "rbp" : pushes || pops ? "rsp" : undefined;
  const base = register === undefined ? undefined : part(registers, register);
  if (base === undefined || /popcnt/.test(mnemonic)) return [];
  const displacement = pushes ? -8n : 0n;
  const address = BigInt.asUintN(64, base.value + displacement);
  return [{ text: mnemonic, access: pushes ? "write" : "read", size: 8, address, reach: 0, base, displacement }];
}
