/** One instruction of the dump's code: that at an address, and that which ends where a return address is. */
import { type DecodedInstruction, disassemblerFor } from "../../arch/disassembler.ts";
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { flowOf } from "../../type-flow/function-flow.ts";

/** The instruction at an address; undefined when its bytes are not in the dump or are none. */
export function instructionAt(kernel: Kernel, pc: VirtualAddress): DecodedInstruction | undefined {
  const disassembler = disassemblerFor(kernel.arch.name);
  for (let length = disassembler.longest; length > 0; length -= disassembler.unit) {
    const bytes = kernel.memory.tryBytes(pc, length);
    if (bytes === undefined) continue;
    const found = disassembler.decode(bytes, pc);
    return found.valid ? found : undefined;
  }
  return undefined;
}

/** The instruction that ends where a return address is: the call. */
export function instructionBefore(kernel: Kernel, address: VirtualAddress): DecodedInstruction | undefined {
  const { unit, longest } = disassemblerFor(kernel.arch.name);
  if (unit === longest) return instructionAt(kernel, virtual(address - BigInt(unit)));
  try {
    const before = flowOf(kernel, virtual(address - 1n));
    const at = before.addresses.findLast((each) => each < address);
    const found = at === undefined ? undefined : instructionAt(kernel, at);
    if (found !== undefined && found.address + BigInt(found.size) === address) return found;
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
  }
  // Code that cannot be followed as a function: a call of any length that ends there.
  for (let size = 2; size <= 8; size++) {
    const found = instructionAt(kernel, virtual(address - BigInt(size)));
    if (found?.size === size && found.flow === "call") return found;
  }
  return undefined;
}
