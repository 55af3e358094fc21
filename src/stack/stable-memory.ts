/**
 * Memory that is in the dump as it was when the functions on the stack were entered: the registers that user mode left on the stack, which
 * only a debugger changes as long as the system call goes on, and the kernel's read-only data.
 */
import { virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { UnwoundStack } from "./frame.ts";

/** A little-endian word of up to 8 bytes; undefined where the memory may have changed, or cannot be read. */
export function stableWord(kernel: Kernel, stack: UnwoundStack, address: bigint, size: number): bigint | undefined {
  if (!isStable(kernel, stack, address, size)) return undefined;
  const bytes = kernel.memory.tryBytes(virtual(address), size);
  return bytes?.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

export function isStable(kernel: Kernel, { user }: UnwoundStack, address: bigint, size: number): boolean {
  const { start, end, saved } = kernel.memo(isStable, () => ({
    start: kernel.tryAddress("__start_rodata"),
    end: kernel.tryAddress("__end_rodata"),
    saved: kernel.types.tryStruct("pt_regs")?.size,
  }));
  if (start !== undefined && end !== undefined && address >= start && address + BigInt(size) <= end) return true;
  const base = user?.address;
  if (base === undefined || saved === undefined) return false;
  const offset = Number(BigInt.asIntN(64, address - base));
  return offset >= 0 && offset + size <= saved;
}
