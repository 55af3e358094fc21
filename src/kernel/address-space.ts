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
  /** Physical address behind it. Throws FaultError. */
  translate(address: VirtualAddress): PhysicalAddress;
}

/** Reads of a virtual address space. All multi-byte reads are little-endian, may be unaligned, and throw FaultError. */
export interface Memory {
  /** An unsigned byte. */
  u8(address: VirtualAddress): number;
  /** An unsigned number of 2 bytes. */
  u16(address: VirtualAddress): number;
  /** An unsigned number of 4 bytes. */
  u32(address: VirtualAddress): number;
  /** An unsigned number of 8 bytes. */
  u64(address: VirtualAddress): bigint;
  /** A signed byte. */
  s8(address: VirtualAddress): number;
  /** A signed number of 2 bytes. */
  s16(address: VirtualAddress): number;
  /** A signed number of 4 bytes. */
  s32(address: VirtualAddress): number;
  /** A signed number of 8 bytes. */
  s64(address: VirtualAddress): bigint;
  /** A fresh copy of `length` bytes; FaultError also for a length below 0 or beyond 1 GiB. */
  bytes(address: VirtualAddress, length: number): Uint8Array;
  /** NUL-terminated string of at most `max` bytes, decoded as UTF-8; stops at the first unreadable page if anything was read before it. */
  cString(address: VirtualAddress, max?: number): string;
  /** Like the readers above, but undefined instead of a FaultError. */
  tryU32(address: VirtualAddress): number | undefined;
  /** u64, or undefined where it cannot be read. */
  tryU64(address: VirtualAddress): bigint | undefined;
  /** bytes, or undefined where they cannot be read. */
  tryBytes(address: VirtualAddress, length: number): Uint8Array | undefined;
  /** Physical address behind it. Throws FaultError. */
  /** Physical address behind it. Throws FaultError. */
  translate(address: VirtualAddress): PhysicalAddress;
}

const TLB_SLOTS = 4096;
/** More than the largest table that is read in one piece (BTF, 256 MiB at most). */
const MAX_READ = 2 ** 30;
const GRANULE_SHIFT = 12;
const GRANULE_SIZE = 2 ** GRANULE_SHIFT;
const GRANULE_MASK = GRANULE_SIZE - 1;
const utf8 = new TextDecoder("utf-8", { fatal: false });

export class AddressSpace implements Memory {
  readonly physical: PhysicalMemory;
  readonly translator: Translator;
  readonly #space: "virtual" | "physical";
  readonly #view: DataView;
  /** Granules in a page of the dump; a power of two. */
  readonly #granules: number;
  readonly #tags = new Float64Array(TLB_SLOTS).fill(-1);
  readonly #pfns = new Float64Array(TLB_SLOTS);
  /** Bytes from the start of the dump's page to the granule. */
  readonly #offsets = new Uint32Array(TLB_SLOTS);

  /**
   * A translation holds for a granule of 4 KiB, the smallest kernel page. The dump's pages may be larger than the kernel's: QEMU
   * writes an arm64 KDUMP in blocks of 64 KiB whatever the kernel uses.
   *
   * @param space what faults call the addresses: "physical" where the translation is none
   */
  constructor(physical: PhysicalMemory, translator: Translator, space: "virtual" | "physical" = "virtual") {
    this.#space = space;
    this.physical = physical;
    this.translator = translator;
    this.#view = physical.view;
    this.#granules = physical.pageSize / GRANULE_SIZE;
  }

  translate(address: VirtualAddress): PhysicalAddress {
    return this.translator.translate(address);
  }

  #locate(address: VirtualAddress): number {
    const page = pageNumber(address, GRANULE_SHIFT);
    const entry = (page % TLB_SLOTS) | 0;
    if (this.#tags[entry] !== page) {
      const frame = pageNumber(this.translator.translate(address), GRANULE_SHIFT);
      const within = frame % this.#granules;
      this.#tags[entry] = page;
      this.#pfns[entry] = (frame - within) / this.#granules;
      this.#offsets[entry] = within * GRANULE_SIZE;
    }
    const slot = this.physical.page(this.#pfns[entry] as number);
    if (typeof slot !== "number") throw new FaultError(address, this.#space, slot.reason, slot.detail);
    return slot + (this.#offsets[entry] as number) + (low32(address) & GRANULE_MASK);
  }

  /** True when `size` bytes at the address lie in one page. */
  #within(address: VirtualAddress, size: number): boolean {
    return (low32(address) & GRANULE_MASK) + size <= GRANULE_MASK + 1;
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
    // The last guard before an allocation: a length that no reader can mean comes from a damaged structure.
    if (!(length >= 0 && length <= MAX_READ))
      throw new FaultError(address, "virtual", "corrupt", `a read of ${length} bytes was asked for`);
    const target = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const here = BigInt.asUintN(64, address + BigInt(done)) as VirtualAddress;
      const at = this.#locate(here);
      const count = Math.min(length - done, GRANULE_MASK + 1 - (low32(here) & GRANULE_MASK));
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
      const end = Math.min(at + (GRANULE_MASK + 1 - (low32(here) & GRANULE_MASK)), at + max - collected.length);
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
