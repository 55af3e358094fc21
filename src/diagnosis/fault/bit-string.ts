/**
 * x86-64: bt, bts, btr and btc with a bit number in a register go as far from their operand as the number says, in words of the register's
 * size and with its sign (SDM volume 2, "Bit(BitBase, BitOffset)"); set_bit(), test_and_clear_bit() and their like are made of them.
 *
 *   lock bts %rdx,0x18(%rdi)      rdx = 0xffffffff           touches 8 bytes at rdi + 0x18 + 0x1ffffff8
 */
import type { DecodedInstruction } from "../../arch/disassembler.ts";
import { virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { TouchedMemory } from "./operands.ts";

const BIT_INSTRUCTION = /(?:^|\s)bt[src]?[wlq]?$/;

/** The memory that holds the bit; what was given where the instruction is none of these. */
export function bitString(
  kernel: Kernel,
  { mnemonic, operands }: DecodedInstruction,
  registers: ReadonlyMap<string, bigint>,
  touched: TouchedMemory,
): TouchedMemory {
  const number = operands.find(({ kind }) => kind === "register");
  if (!BIT_INSTRUCTION.test(mnemonic) || number?.kind !== "register" || touched.address === undefined) return touched;
  const held = registers.get(number.full);
  // What cannot be said is not known; the place of bit 0 is not it.
  if (held === undefined) return { ...touched, address: undefined };
  const { size } = number;
  const bit = BigInt.asIntN(8 * size, held);
  const away = (bit >> BigInt(Math.log2(8 * size))) * BigInt(size);
  if (away === 0n) return touched;
  const address = BigInt.asUintN(64, touched.address + away);
  // A number is an index where the bitmap is there; where it is not, it only leads to another word of what is not there.
  const isThere = kernel.arch.isKernelAddress(touched.address) && kernel.memory.tryBytes(virtual(touched.address), 1) !== undefined;
  return isThere && touched.index === undefined
    ? { ...touched, address, size, index: { register: number.full, value: BigInt.asUintN(64, bit), scale: 1, bits: true } }
    : { ...touched, address, size, displacement: touched.displacement + away };
}
