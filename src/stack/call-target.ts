/**
 * Where an indirect call or jump led, recomputed from the function's code: the loads before it, over registers that the function still has
 * or was entered with.
 *
 *   mov 0x28(%rbx),%rax      rbx is unchanged since      ► rax = *(rbx + 0x28)
 *   mov 0x20(%rax),%rax                                  ► rax = *(rax + 0x20)
 *   call *%rax               (or a call of __x86_indirect_thunk_rax)
 *
 * Memory is taken as it is now, and where ways join one of them: the result is a guess, which means something only when it is the first
 * instruction of a function that the call can have led to.
 */
import { RIP, X86_64_REGISTERS } from "../arch/x86-64-registers.ts";
import { virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type CodeWorld, operandValue, registerAt } from "./code-values.ts";
import type { FunctionCode } from "./function-code.ts";

/** Thunks that jump to what a register holds (arch/x86/lib/retpoline.S): the register's name follows. */
const THUNKS = ["__x86_indirect_thunk_", "__x86_indirect_call_thunk_", "__x86_retpoline_"];

/**
 * The address that a call or jump went to, as far as it can be recomputed.
 * @param at address of the call or jump
 */
export function recomputedTarget(kernel: Kernel, code: FunctionCode, world: CodeWorld, at: bigint): bigint | undefined {
  const [operand] = code.at(at)?.operands ?? [];
  if (operand === undefined) return undefined;
  const lenient: CodeWorld = { ...world, lenient: true, stableMemory: (address, size) => wordAt(kernel, address, size) };
  if (operand.kind !== "target") return operandValue(code, lenient, operand, at);
  const thunk = thunkRegister(kernel, operand.address);
  return thunk === undefined ? operand.address : registerAt(code, lenient, world.file.names.indexOf(thunk), at);
}

function wordAt(kernel: Kernel, address: bigint, size: number): bigint | undefined {
  return kernel.memory.tryBytes(virtual(address), size)?.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** The thunks of all registers begin with a symbol of their own, but lie in one array, whose name comes first. */
function thunkRegister(kernel: Kernel, address: bigint): string | undefined {
  const thunks = kernel.memo(thunkRegister, () => {
    const registers = kernel.arch.name === "x86_64" ? X86_64_REGISTERS.names.slice(0, RIP) : [];
    return new Map(registers.flatMap((name) => THUNKS.map((thunk) => [kernel.tryAddress(`${thunk}${name}`), name] as const)));
  });
  return thunks.get(virtual(address));
}
