/** A kernel of one instruction and a piece of memory that can be read: what the operands' tests look at. */
import { virtual } from "../../../bytes/address.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { SparseMemory, smallKernel } from "../../../kernel/testing/small-kernel.ts";

/** Where the code lies. */
export const PC = virtual(0xffff_ffff_8100_0000n);
/** Memory that can be read. */
export const GOOD = 0xffff_8880_0000_1000n;

/** A machine with an instruction, given in hexadecimal. */
export function kernelOf(machine: "x86_64" | "aarch64", code: string): Kernel {
  const memory = new SparseMemory();
  const bytes = Uint8Array.from(code.replaceAll(" ", "").match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  memory.write(PC, Uint8Array.of(...bytes, ...new Uint8Array(32).fill(0x90)));
  memory.write(GOOD, new Uint8Array(64));
  const kernel = smallKernel({ memory, perCpuOffsets: [0n, 0xffff_8880_0f00_0000n] });
  Object.assign(kernel.arch, {
    name: machine,
    virtualBits: 48,
    stripPointer: (address: bigint) => (machine === "aarch64" ? BigInt.asUintN(64, BigInt.asIntN(56, address)) : address),
  });
  return kernel;
}
