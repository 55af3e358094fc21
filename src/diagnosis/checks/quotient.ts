/**
 * What x86-64 divides: rdx:rax, edx:eax, dx:ax or ax by the operand, with the sign (idiv) or without (div), cut off towards zero; a quotient
 * that the lower half does not hold is a divide error too (SDM volume 2, DIV and IDIV).
 *
 *   idiv %ecx       edx:eax = ffffffff:80000000, ecx = ffffffff       -2147483648 / -1 = 2147483648: 32 bits hold no more than 2147483647
 */

export interface Quotient {
  readonly dividend: bigint;
  /** As the instruction takes it. */
  readonly divisor: bigint;
  readonly quotient: bigint;
  readonly fits: boolean;
}

/** undefined when a register is not known, or the divisor is 0. @param size of the divisor in bytes */
export function quotientOf(mnemonic: string, size: number, registers: ReadonlyMap<string, bigint>, divisor: bigint): Quotient | undefined {
  const low = registers.get("rax");
  const high = size === 1 ? 0n : registers.get("rdx");
  if (low === undefined || high === undefined) return undefined;
  const bits = 8 * size;
  const whole = size === 1 ? low : (BigInt.asUintN(bits, high) << BigInt(bits)) | BigInt.asUintN(bits, low);
  const take = mnemonic.startsWith("i") ? BigInt.asIntN : BigInt.asUintN;
  const by = take(bits, divisor);
  if (by === 0n) return undefined;
  const dividend = take(2 * bits, whole);
  const quotient = dividend / by;
  return { dividend, divisor: by, quotient, fits: take(bits, quotient) === quotient };
}
