/** Reads of memory as scripts make them: any bigint is an address. */

/**
 * One space of addresses: the kernel's, a process's, or physical memory. Multi-byte reads are little-endian and may be unaligned. All but
 * the `try…` ones throw a FaultError that says why the address cannot be read: left out of the dump, not mapped, no memory there.
 */
export interface ScriptMemory {
  /** An unsigned byte. */
  u8(address: bigint): number;
  /** An unsigned number of 2 bytes. */
  u16(address: bigint): number;
  /** An unsigned number of 4 bytes. */
  u32(address: bigint): number;
  /** An unsigned number of 8 bytes. */
  u64(address: bigint): bigint;
  /** A signed byte. */
  s8(address: bigint): number;
  /** A signed number of 2 bytes. */
  s16(address: bigint): number;
  /** A signed number of 4 bytes. */
  s32(address: bigint): number;
  /** A signed number of 8 bytes. */
  s64(address: bigint): bigint;
  /** A fresh copy of `length` bytes, 1 GiB at most. */
  bytes(address: bigint, length: number): Uint8Array;
  /** Text up to its NUL, at most `max` (4096) bytes, as UTF-8. */
  cString(address: bigint, max?: number): string;
  /** u32, or undefined where it cannot be read. */
  tryU32(address: bigint): number | undefined;
  /** u64, or undefined where it cannot be read. */
  tryU64(address: bigint): bigint | undefined;
  /** bytes, or undefined where they cannot be read. */
  tryBytes(address: bigint, length: number): Uint8Array | undefined;
  /** Physical address behind it. */
  translate(address: bigint): bigint;
}
