/**
 * Link-time addresses as plain numbers, for tables of them: signed, so that ffffffff81000000 is −0x7f000000. Kernel addresses lie within
 * 2^53 of one end of the address space and are exact that way. What is not exact is no kernel address, and is NaN.
 */

/** A 64-bit address as a signed double; NaN when that is not exact. */
export function signedAddress(address: bigint): number {
  const value = Number(BigInt.asIntN(64, address));
  return Number.isSafeInteger(value) ? value : Number.NaN;
}

/** The same from its two halves, as DataView reads them: the upper one signed. */
export function signedAddressOf(high: number, low: number): number {
  const value = high * 0x1_0000_0000 + low;
  return Number.isSafeInteger(value) ? value : Number.NaN;
}

/** The 64-bit address of a signed double. */
export function unsignedAddress(address: number): bigint {
  return BigInt.asUintN(64, BigInt(address));
}
