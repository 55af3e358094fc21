/**
 * The CPU was led to where no code is: by which call, through what, or by a return.
 *
 *   call *0x18(%rbx)           through the memory at rbx + 0x18
 *   blr x1                     through the register
 *   call __x86_indirect_…      through the register of the thunk
 *   ret                        no call leads there: the return address itself was wrong
 *
 * What faulted is not the instruction that led there but the fetch: the registers are those behind the call.
 */
import type { DecodedInstruction } from "../../arch/disassembler.ts";
import { hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Activation } from "./activation.ts";
import { untagged } from "./address-form.ts";
import type { FaultState, StateCheck } from "./cpu-state.ts";
import type { FaultingAccess } from "./faulting-access.ts";
import { instructionAt, instructionBefore } from "./instruction-at.ts";
import { type AddressPart, computed, part, type TouchedMemory } from "./operands.ts";

/** Nothing changes registers between a call and the first fetch behind it but the link register and the stack pointer. */
export function fetch(kernel: Kernel, state: FaultState, caller: Activation | undefined): FaultingAccess {
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
export function throughOf(
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
