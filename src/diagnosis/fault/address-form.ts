/**
 * What the machine makes of an address's upper bits: tags that arm64 leaves out (top byte ignore), the sign extension that x86-64 demands.
 */
import type { Kernel } from "../../kernel/kernel.ts";

/** Tags of arm64 are no part of the place: the fault address register may leave them out, and what is reported extends bit 55. */
export function untagged(kernel: Kernel, address: bigint): bigint {
  return kernel.arch.name === "aarch64" ? BigInt.asUintN(64, BigInt.asIntN(56, address)) : address;
}

export function isCanonical(kernel: Kernel, address: bigint): boolean {
  const bits = kernel.arch.virtualBits;
  return BigInt.asUintN(64, BigInt.asIntN(bits, address)) === address;
}
