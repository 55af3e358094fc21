/**
 * A virtual address space over physical memory: a translator (page tables) behind a small TLB, scalar reads straight from the page
 * cache, and byte reads that cross pages.
 *
 *   virtual ──TLB──► physical page ──page cache──► DataView
 */
import { low32, type PhysicalAddress, pageNumber, type VirtualAddress } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";
import type { PhysicalMemory } from "../dump/physical-memory.ts";

/** Translates one virtual address; throws FaultError when it is not mapped or a table cannot be read. */
export interface Translator {
  translate(address: VirtualAddress): PhysicalAddress;
}

/** Reads of a virtual address space. All multi-byte reads are little-endian, may be unaligned, and throw FaultError. */
export interface Memory {
  u8(address: VirtualAddress): number;
  u16(address: VirtualAddress): number;
  u32(address: VirtualAddress): number;
  u64(address: VirtualAddress): bigint;
  s8(address: VirtualAddress): number;
  s16(address: VirtualAddress): number;
  s32(address: VirtualAddress): number;
  s64(address: VirtualAddress): bigint;
  /** A fresh copy of `length` bytes. */
  bytes(address: VirtualAddress, length: number): Uint8Array;
  /** NUL-terminated string of at most `max` bytes, decoded as UTF-8; stops at the first unreadable page if anything was read before it. */
  cString(address: VirtualAddress, max?: number): string;
  /** Like the readers above, but undefined instead of a FaultError. */
  tryU32(address: VirtualAddress): number | undefined;
  tryU64(address: VirtualAddress): bigint | undefined;
  tryBytes(address: VirtualAddress, length: number): Uint8Array | undefined;
  translate(address: VirtualAddress): PhysicalAddress;
}

const TLB_SLOTS = 4096;
const utf8 = new TextDecoder("utf-8", { fatal: false });

export class AddressSpace implements Memory {
  readonly physical: PhysicalMemory;
  readonly translator: Translator;
  readonly #view: DataView;
  readonly #shift: number;
  readonly #mask: number;
  readonly #tags = new Float64Array(TLB_SLOTS).fill(-1);
  readonly #pfns = new Float64Array(TLB_SLOTS);

  /** Pages are those of the physical memory (`physical.pageSize`); a translation must hold for a whole such page. */
  constructor(physical: PhysicalMemory, translator: Translator) {
    this.physical = physical;
    this.translator = translator;
    this.#view = physical.view;
    this.#shift = physical.pageShift;
    this.#mask = physical.pageSize - 1;
  }

  translate(address: VirtualAddress): PhysicalAddress {
    return this.translator.translate(address);
  }

  #locate(address: VirtualAddress): number {
    const page = pageNumber(address, this.#shift);
    const entry = (page % TLB_SLOTS) | 0;
    let pfn: number;
    if (this.#tags[entry] === page) {
      pfn = this.#pfns[entry] as number;
    } else {
      pfn = pageNumber(this.translator.translate(address), this.#shift);
      this.#tags[entry] = page;
      this.#pfns[entry] = pfn;
    }
    const slot = this.physical.page(pfn);
    if (typeof slot !== "number") throw new FaultError(address, "virtual", slot.reason, slot.detail);
    return slot + (low32(address) & this.#mask);
  }

  /** True when `size` bytes at the address lie in one page. */
  #within(address: VirtualAddress, size: number): boolean {
    return (low32(address) & this.#mask) + size <= this.#mask + 1;
  }

  #crossing(address: VirtualAddress, size: number): DataView {
    return new DataView(this.bytes(address, size).buffer);
  }

  u8(address: VirtualAddress): number {
    return this.#view.getUint8(this.#locate(address));
  }

  u16(address: VirtualAddress): number {
    if (!this.#within(address, 2)) return this.#crossing(address, 2).getUint16(0, true);
    const at = this.#locate(address);
    return this.#view.getUint16(at, true);
  }

  u32(address: VirtualAddress): number {
    if (!this.#within(address, 4)) return this.#crossing(address, 4).getUint32(0, true);
    const at = this.#locate(address);
    return this.#view.getUint32(at, true);
  }

  u64(address: VirtualAddress): bigint {
    if (!this.#within(address, 8)) return this.#crossing(address, 8).getBigUint64(0, true);
    const at = this.#locate(address);
    return this.#view.getBigUint64(at, true);
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

  bytes(address: VirtualAddress, length: number): Uint8Array {
    const target = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const here = BigInt.asUintN(64, address + BigInt(done)) as VirtualAddress;
      const at = this.#locate(here);
      const count = Math.min(length - done, this.#mask + 1 - (low32(here) & this.#mask));
      target.set(new Uint8Array(this.#view.buffer, at, count), done);
      done += count;
    }
    return target;
  }

  cString(address: VirtualAddress, max = 4096): string {
    const collected: number[] = [];
    let here = address;
    while (collected.length < max) {
      let at: number;
      try {
        at = this.#locate(here);
      } catch (error) {
        if (collected.length > 0 && error instanceof FaultError) break;
        throw error;
      }
      const end = Math.min(at + (this.#mask + 1 - (low32(here) & this.#mask)), at + max - collected.length);
      const start = at;
      while (at < end) {
        const byte = this.#view.getUint8(at++);
        if (byte === 0) return utf8.decode(Uint8Array.from(collected));
        collected.push(byte);
      }
      here = BigInt.asUintN(64, here + BigInt(end - start)) as VirtualAddress;
    }
    return utf8.decode(Uint8Array.from(collected));
  }

  tryU32(address: VirtualAddress): number | undefined {
    try {
      return this.u32(address);
    } catch (error) {
      if (error instanceof FaultError) return undefined;
      throw error;
    }
  }

  tryU64(address: VirtualAddress): bigint | undefined {
    try {
      return this.u64(address);
    } catch (error) {
      if (error instanceof FaultError) return undefined;
      throw error;
    }
  }

  tryBytes(address: VirtualAddress, length: number): Uint8Array | undefined {
    try {
      return this.bytes(address, length);
    } catch (error) {
      if (error instanceof FaultError) return undefined;
      throw error;
    }
  }
}
