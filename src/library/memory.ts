/** Reads of memory as scripts make them: any bigint is an address. */

/**
 * One space of addresses: the kernel's, a process's, or physical memory. Multi-byte reads are little-endian and may be unaligned. All but
 * the `try…` ones throw a FaultError that says why the address cannot be read: left out of the dump, not mapped, no memory there.
 */
export interface ScriptMemory {
  u8(address: bigint): number;
  u16(address: bigint): number;
  u32(address: bigint): number;
  u64(address: bigint): bigint;
  s8(address: bigint): number;
  s16(address: bigint): number;
  s32(address: bigint): number;
  s64(address: bigint): bigint;
  /** A fresh copy of `length` bytes, 1 GiB at most. */
  bytes(address: bigint, length: number): Uint8Array;
  /** Text up to its NUL, at most `max` (4096) bytes, as UTF-8. */
  cString(address: bigint, max?: number): string;
  tryU32(address: bigint): number | undefined;
  tryU64(address: bigint): bigint | undefined;
  tryBytes(address: bigint, length: number): Uint8Array | undefined;
  /** Physical address behind it. */
  translate(address: bigint): bigint;
}
