/**
 * The memory that the faulting instruction touched: every operand's address from the registers at the fault, and which of them made the
 * fault. Procedure P1 of the reference on diagnosis.
 *
 *   mov %eax,0x8(%rbx)     rbx = 0                 write of 4 bytes at 0x8            ◄ holds the fault address 0x8
 *   push, call             rsp                     write of 8 bytes at rsp - 8
 *   rep movsb              rsi, rdi, rcx           read at rsi, write at rdi, up to rcx bytes on
 *   ldp x1, x2, [x0], #16  x0                      read of 16 bytes at x0
 *   call *%rax, blr x1     the target is 0: not the instruction faulted but the fetch of what it led to
 *
 * x86-64 general protection has no address: it is the operand that is not canonical. No operand that fits means that these are not the
 * registers of the fault, or that the kernel emulated something: then nothing is guessed.
 */
import type { DecodedInstruction, MemoryOperand, Operand } from "../../arch/disassembler.ts";
import { hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type Activation, instructionAt, instructionBefore } from "./activation.ts";
import type { FaultState, StateCheck } from "./cpu-state.ts";

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
  readonly index?: AddressPart & { readonly scale: number };
  readonly displacement: bigint;
  /** Added for the segment. */
  readonly segmentBase?: bigint;
  /** As it was decoded; absent for what the instruction touches without saying so. */
  readonly memory?: MemoryOperand;
  /** The instruction that it is an operand of, when that is not the one that faulted. */
  readonly pc?: bigint;
}

export type FaultingAccess =
  | {
      readonly kind: "memory";
      readonly instruction: DecodedInstruction;
      readonly all: readonly TouchedMemory[];
      readonly culprit: TouchedMemory;
      /** The fault address: told by the CPU, or of the operand. */
      readonly address: bigint;
      /** What faulted was KASAN's look at this shadow of the address, before the access. */
      readonly shadow?: bigint;
      readonly checks: readonly StateCheck[];
    }
  /** The CPU was led to where no code is: by `call`, the instruction before the return address. */
  | {
      readonly kind: "fetch";
      readonly target: bigint;
      readonly call: DecodedInstruction | undefined;
      /** Where the call took its target from; absent for a direct call, or a return. */
      readonly through?: TouchedMemory | { readonly register: string; readonly value: bigint };
      /** Not a call but a return, to an address that was no return address. */
      readonly returned?: true;
      readonly checks: readonly StateCheck[];
    }
  /** BUG(), a failed check: the instruction traps by itself. */
  | { readonly kind: "trap"; readonly instruction: DecodedInstruction; readonly checks: readonly StateCheck[] }
  | { readonly kind: "unknown"; readonly reason: string; readonly all: readonly TouchedMemory[]; readonly checks: readonly StateCheck[] };

const unknown = (reason: string, all: readonly TouchedMemory[] = [], checks: readonly StateCheck[] = []): FaultingAccess => ({
  kind: "unknown",
  reason,
  all,
  checks,
});

/**
 * The register that a thunk of indirect calls goes to (arch/x86/lib/retpoline.S). Its name may be that of the array of all thunks, so the code
 * is asked: `jmp *%rax`, or `mov %rax,(%rsp)` behind the call that traps speculation.
 */
function thunkRegister(kernel: Kernel, target: VirtualAddress): string | undefined {
  let pc = target;
  for (let i = 0; i < 10; i++) {
    const instruction = instructionAt(kernel, pc);
    const [first, second] = instruction?.operands ?? [];
    if (instruction === undefined) return undefined;
    if (instruction.flow === "jump" && first?.kind === "register") return first.full;
    if (/^movq?$/.test(instruction.mnemonic) && first?.kind === "register" && second?.kind === "memory" && second.base === "rsp")
      return first.full;
    pc = virtual(pc + BigInt(instruction.size));
  }
  return undefined;
}

/** What the fault was, from the state of the CPU. @param cpu for per-CPU addresses */
export function faultingAccess(
  kernel: Kernel,
  state: FaultState,
  fault: Activation,
  caller: Activation | undefined,
  cpu: number | undefined,
): FaultingAccess {
  const { pc, address, exception, kind } = state;
  if (!state.consistent) {
    const against = state.checks.filter(({ agrees }) => !agrees).map(({ what }) => what);
    return unknown(`the registers are not certainly those of the fault: ${against.join("; ")}`);
  }
  const isFetch = exception?.access === "execute" || (kind === "page fault" && address === pc) || !kernel.arch.isKernelAddress(pc);
  if (isFetch) return fetch(kernel, state, caller);
  const instruction = instructionAt(kernel, pc);
  if (instruction === undefined) return unknown(`the instruction at ${hex16(pc)} is not in the dump`);
  if (instruction.flow === "trap" || kind === "invalid opcode") return { kind: "trap", instruction, checks: [] };
  const all = touched(kernel, instruction, fault.registers, cpu);
  if (kind === "general protection") return nonCanonical(kernel, state, instruction, all, fault);
  if (address === undefined) return withoutAddress(kernel, state, instruction, all);
  const culprit = all.find((each) => holds(kernel, each, address));
  if (culprit === undefined) {
    const told = all.map((each) => `${each.text} = ${each.address === undefined ? "?" : hex16(each.address)}`).join(", ");
    return unknown(`no operand of ${instruction.mnemonic} holds the fault address ${hex16(address)}${told === "" ? "" : `: ${told}`}`, all);
  }
  const checks: StateCheck[] = [
    { what: `${culprit.text} is ${hex16(culprit.address ?? 0n)}, which holds the fault address ${hex16(address)}`, agrees: true },
  ];
  const wanted = exception?.access;
  if (wanted === "read" || wanted === "write") {
    const agrees = culprit.access === "readwrite" || culprit.access === wanted;
    checks.push({ what: `the error code says ${wanted}, the operand is for ${culprit.access}`, agrees });
    if (!agrees)
      return unknown(`the error code says ${wanted}, but ${instruction.mnemonic} uses ${culprit.text} for ${culprit.access}`, all, checks);
  }
  return { kind: "memory", instruction, all, culprit, address, checks };
}

function holds(kernel: Kernel, { address, size, reach }: TouchedMemory, fault: bigint): boolean {
  if (address === undefined) return false;
  const at = BigInt.asUintN(64, untagged(kernel, fault) - untagged(kernel, address));
  return at < BigInt(Math.max(size, reach, 1));
}

/** Tags of arm64 are no part of the place: the fault address register may leave them out, and what is reported extends bit 55. */
function untagged(kernel: Kernel, address: bigint): bigint {
  return kernel.arch.name === "aarch64" ? BigInt.asUintN(64, BigInt.asIntN(56, address)) : address;
}

function isCanonical(kernel: Kernel, address: bigint): boolean {
  const bits = kernel.arch.virtualBits;
  return BigInt.asUintN(64, BigInt.asIntN(bits, address)) === address;
}

function nonCanonical(
  kernel: Kernel,
  { address }: FaultState,
  instruction: DecodedInstruction,
  all: readonly TouchedMemory[],
  fault: Activation,
): FaultingAccess {
  const bad = all.filter((each) => each.address !== undefined && !isCanonical(kernel, each.address));
  const culprit = bad.find((each) => each.address === address) ?? bad[0];
  if (culprit?.address !== undefined) {
    const checks: StateCheck[] = [{ what: `${culprit.text} is ${hex16(culprit.address)}, which is not canonical`, agrees: true }];
    // Until 5.11 the kernel left the displacement out (get_kernel_gp_address() of arch/x86/kernel/traps.c did not decode it).
    const plain = BigInt.asUintN(64, culprit.address - culprit.displacement);
    if (address !== undefined)
      checks.push({ what: `the kernel took ${hex16(address)} for the address`, agrees: address === culprit.address || address === plain });
    return { kind: "memory", instruction, all, culprit, address: culprit.address, checks };
  }
  if (instruction.flow === "return") {
    const sp = fault.registers.get("rsp");
    const target = sp === undefined ? undefined : kernel.memory.tryU64(virtual(sp));
    if (target !== undefined && !isCanonical(kernel, target)) {
      const checks: StateCheck[] = [{ what: `the return address ${hex16(target)} is not canonical`, agrees: true }];
      return { kind: "fetch", target, call: instruction, returned: true, checks };
    }
  }
  // A jump to an address that is not canonical faults where it starts from.
  const through = throughOf(kernel, instruction, fault.registers);
  const target =
    through === undefined
      ? undefined
      : "value" in through
        ? through.value
        : through.address === undefined
          ? undefined
          : kernel.memory.tryU64(virtual(through.address));
  if (through !== undefined && target !== undefined && !isCanonical(kernel, target)) {
    return {
      kind: "fetch",
      target,
      call: instruction,
      through,
      checks: [{ what: `the target ${hex16(target)} is not canonical`, agrees: true }],
    };
  }
  return unknown(
    `all operands of ${instruction.mnemonic} are canonical: the protection fault has another cause (a segment, a machine register, an alignment)`,
    all,
  );
}

/** The log is gone: the only operand that cannot have worked is the culprit, or the one that the handler's frames still hold. */
function withoutAddress(
  kernel: Kernel,
  { stack, frame }: FaultState,
  instruction: DecodedInstruction,
  all: readonly TouchedMemory[],
): FaultingAccess {
  const bad = all.filter((each) => each.address !== undefined && !readable(kernel, each.address));
  const [culprit] = bad;
  if (culprit?.address === undefined)
    return unknown("the fault address is not known, and every operand of the instruction can be read", all);
  const { address } = culprit;
  const handler = (stack?.frames ?? []).slice(0, frame ?? 0);
  const witness = handler.find(({ registers }) => registers.file.calleeSaved.some((register) => registers.get(register) === address));
  const checks: StateCheck[] = [
    { what: `of ${all.length} operands only ${culprit.text} = ${hex16(address)} cannot be read`, agrees: bad.length === 1 },
  ];
  if (witness !== undefined)
    checks.push({ what: `${witness.function ?? hex16(witness.pc)}, which handled it, kept ${hex16(address)}`, agrees: true });
  if (bad.length > 1 && witness === undefined)
    return unknown("the fault address is not known, and several operands cannot be read", all, checks);
  return { kind: "memory", instruction, all, culprit, address, checks };
}

function readable(kernel: Kernel, address: bigint): boolean {
  return kernel.arch.isKernelAddress(address) && kernel.memory.tryBytes(virtual(address), 1) !== undefined;
}

/** Nothing changes registers between a call and the first fetch behind it but the link register and the stack pointer. */
function fetch(kernel: Kernel, state: FaultState, caller: Activation | undefined): FaultingAccess {
  const { pc, registers } = state;
  const jumped = caller?.byJump === true ? instructionAt(kernel, caller.pc) : undefined;
  const call = jumped ?? (caller === undefined ? undefined : instructionBefore(kernel, returnAddress(state, caller) ?? virtual(0n)));
  const checks: StateCheck[] = [];
  const returned = isReturn(kernel, state) ? (true as const) : undefined;
  if (returned || call === undefined || (call.flow !== "call" && call !== jumped)) {
    const what = returned ? "a return led there: its address lay where the stack pointer came from" : "no call instruction leads there";
    return {
      kind: "fetch",
      target: pc,
      call: undefined,
      ...(returned === undefined ? {} : { returned }),
      checks: [{ what, agrees: true }],
    };
  }
  const known = new Map<string, bigint>();
  for (const name of registers.file.names) {
    const value = registers.get(registers.file.names.indexOf(name));
    // The callee's view: the call pushed its return address, or wrote it to x30.
    if (value !== undefined && name !== "x30") known.set(name, name === "rsp" ? BigInt.asUintN(64, value + 8n) : value);
  }
  const through = throughOf(kernel, call, known);
  // The function that it names went on to there, and nothing is left of it.
  if (through === undefined)
    return {
      kind: "fetch",
      target: pc,
      call: undefined,
      checks: [{ what: "the last call that is known led to another function", agrees: true }],
    };
  const target =
    "value" in through ? through.value : through.address === undefined ? undefined : kernel.memory.tryU64(virtual(through.address));
  const agrees = target !== undefined && untagged(kernel, target) === untagged(kernel, pc);
  if (target !== undefined) checks.push({ what: `the call's target is ${hex16(target)}, the fetch was at ${hex16(pc)}`, agrees });
  return { kind: "fetch", target: agrees ? target : pc, call, through, checks };
}

/**
 * The CPU came there by a return. On arm64 the link register is where it went: a call would have put its own return address there. On x86-64
 * a call leaves its return address where the stack pointer is, for a jump behind a call too; the word below the stack pointer, which the
 * return took, was written over by the exception itself.
 */
function isReturn(kernel: Kernel, { pc, registers }: FaultState): boolean {
  const { sp } = registers;
  if (kernel.arch.name === "aarch64") {
    const link = registers.get(registers.file.names.indexOf("x30"));
    return link !== undefined && untagged(kernel, link) === untagged(kernel, pc);
  }
  const above = sp === undefined ? undefined : kernel.memory.tryU64(virtual(sp));
  if (above === undefined) return false;
  const before = kernel.arch.isKernelAddress(above) ? instructionBefore(kernel, virtual(above)) : undefined;
  return before?.flow !== "call";
}

function returnAddress({ stack }: FaultState, { frame }: Activation): VirtualAddress | undefined {
  return frame === undefined ? undefined : stack?.frames[frame]?.pc;
}

/** What an indirect call or jump takes its target from. */
function throughOf(
  kernel: Kernel,
  call: DecodedInstruction,
  registers: ReadonlyMap<string, bigint>,
): TouchedMemory | AddressPart | undefined {
  for (const operand of call.operands) {
    if (operand.kind === "memory") return computed(kernel, operand, registers, undefined);
    if (operand.kind === "register") return part(registers, operand.full);
    if (operand.kind === "target") {
      const name = kernel.symbols.byAddress(operand.address)?.symbol.name;
      const register = name?.startsWith("__x86_indirect_") === true ? thunkRegister(kernel, operand.address) : undefined;
      return register === undefined ? undefined : part(registers, register);
    }
  }
  return undefined;
}

function part(registers: ReadonlyMap<string, bigint>, register: string): AddressPart | undefined {
  const value = registers.get(register);
  return value === undefined ? undefined : { register, value };
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
  return kernel.arch.name === "x86_64" ? [...reaching, ...onStack(instruction, registers)] : reaching;
}

function computed(kernel: Kernel, memory: MemoryOperand, registers: ReadonlyMap<string, bigint>, cpu: number | undefined): TouchedMemory {
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

/** The operand as binutils writes it. */
export function operandText(
  machine: string,
  { segment, base, index, scale, displacement, writeback, step, extend }: MemoryOperand,
): string {
  const hex = (value: bigint) => (value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`);
  if (machine === "aarch64") {
    const shift =
      extend !== undefined ? `, ${extend}${scale > 1 ? ` #${Math.log2(scale)}` : ""}` : scale > 1 ? `, lsl #${Math.log2(scale)}` : "";
    const inner = index !== undefined ? `, ${index}${shift}` : displacement === 0n ? "" : `, #${displacement}`;
    return `[${base ?? hex(displacement)}${base === undefined ? "" : inner}]${writeback === "pre" ? "!" : writeback === "post" ? `, #${step ?? 0n}` : ""}`;
  }
  const prefix = segment === undefined ? "" : `%${segment}:`;
  if (base === undefined && index === undefined) return `${prefix}${hex(BigInt.asUintN(64, displacement))}`;
  const offset = displacement === 0n ? "" : hex(displacement);
  return `${prefix}${offset}(${base === undefined ? "" : `%${base}`}${index === undefined ? "" : `,%${index},${scale}`})`;
}
