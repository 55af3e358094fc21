/**
 * Memory for a value that has none: a structure in registers, or put together from pieces. Its bytes appear at an address that no kernel
 * maps; every other address leads to the memory behind, so that pointers in the value can be followed.
 *
 *   00e1_0d57_0000_0000  b0 b1 b2 b3 ?? ?? b6 b7      ?? is kept nowhere: a FaultError "optimized out"
 *   elsewhere            the kernel's memory
 */
import { type PhysicalAddress, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";
import type { Memory } from "./address-space.ts";

/** Bytes of a value that are not known, from `start` to before `end`. */
export interface Hole {
  readonly start: number;
  readonly end: number;
  /** More than that it was optimized out. */
  readonly detail?: string | undefined;
}

/** Not canonical on x86-64 and no kernel or plain user address on arm64; nothing is ever mapped there. */
export const DETACHED = virtual(0x00e1_0d57_0000_0000n);

const utf8 = new TextDecoder("utf-8", { fatal: false });

export class DetachedMemory implements Memory {
  /** Memory that pointers in the value lead into. */
  readonly behind: Memory;
  readonly #bytes: Uint8Array;
  readonly #holes: readonly Hole[];

  constructor(behind: Memory, bytes: Uint8Array, holes: readonly Hole[] = []) {
    this.behind = behind;
    this.#bytes = bytes;
    this.#holes = holes;
  }

  bytes(address: VirtualAddress, length: number): Uint8Array {
    const at = this.#inside(address);
    if (at === undefined) return this.behind.bytes(address, length);
    if (!(length >= 0 && at + length <= this.#bytes.length)) throw new FaultError(address, "virtual", "unmapped");
    const hole = this.#holes.find(({ start, end }) => start < at + length && end > at);
    if (hole !== undefined && length > 0) throw new FaultError(address, "virtual", "optimized out", hole.detail);
    return this.#bytes.slice(at, at + length);
  }

  u8(address: VirtualAddress): number {
    return this.#view(address, 1)?.getUint8(0) ?? this.behind.u8(address);
  }

  u16(address: VirtualAddress): number {
    return this.#view(address, 2)?.getUint16(0, true) ?? this.behind.u16(address);
  }

  u32(address: VirtualAddress): number {
    return this.#view(address, 4)?.getUint32(0, true) ?? this.behind.u32(address);
  }

  u64(address: VirtualAddress): bigint {
    return this.#view(address, 8)?.getBigUint64(0, true) ?? this.behind.u64(address);
  }

  s8(address: VirtualAddress): number {
    return (this.u8(address) << 24) >> 24;
  }

  s16(address: VirtualAddress): number {
    return (this.u16(address) << 16) >> 16;
  }

  s32(address: VirtualAddress): number {
    return this.u32(address) | 0;
  }

  s64(address: VirtualAddress): bigint {
    return BigInt.asIntN(64, this.u64(address));
  }

  cString(address: VirtualAddress, max = 4096): string {
    const at = this.#inside(address);
    if (at === undefined) return this.behind.cString(address, max);
    const first = this.#holes.reduce((end, hole) => (hole.start > at ? Math.min(end, hole.start) : end), this.#bytes.length);
    const bytes = this.bytes(address, Math.max(1, Math.min(max, first - at)));
    const end = bytes.indexOf(0);
    return utf8.decode(end < 0 ? bytes : bytes.subarray(0, end));
  }

  tryU32(address: VirtualAddress): number | undefined {
    return attempt(() => this.u32(address));
  }

  tryU64(address: VirtualAddress): bigint | undefined {
    return attempt(() => this.u64(address));
  }

  tryBytes(address: VirtualAddress, length: number): Uint8Array | undefined {
    return attempt(() => this.bytes(address, length));
  }

  /** The value's own bytes have no place in physical memory. */
  translate(address: VirtualAddress): PhysicalAddress {
    if (this.#inside(address) !== undefined) throw new FaultError(address, "virtual", "unmapped");
    return this.behind.translate(address);
  }

  /** Offset in the value; undefined for an address outside it. */
  #inside(address: VirtualAddress): number | undefined {
    return address >= DETACHED && address < DETACHED + BigInt(this.#bytes.length) ? Number(address - DETACHED) : undefined;
  }

  #view(address: VirtualAddress, length: number): DataView | undefined {
    return this.#inside(address) === undefined ? undefined : new DataView(this.bytes(address, length).buffer);
  }
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof FaultError) return undefined;
    throw error;
  }
}
