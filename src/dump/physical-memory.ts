/**
 * Physical memory of a dump behind a page cache of constant size.
 *
 * Four-way set-associative: page frame → set by hash, four tags a set, replaced round robin. Tags are doubles in a typed array,
 * pages live in one slab, so the cost is the same for a dump of 64 MiB and of 64 TiB and nothing is allocated per page.
 *
 *   pfn ──hash──► set [tag tag tag tag] ──► slot ──► slab[slot * pageSize …]
 */
import { low32, type PhysicalAddress, pageNumber } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";
import type { Dump, PageFault } from "./dump.ts";

const WAYS = 4;

/** How excluded pages are answered: an error (the truth), or zeroes (`--zero-excluded`, as crash does on request). */
export interface PhysicalMemoryOptions {
  readonly zeroExcluded?: boolean;
  /** Size of the page cache in bytes; 16 MiB unless told. */
  readonly cacheBytes?: number;
}

export class PhysicalMemory {
  readonly dump: Dump;
  readonly pageSize: number;
  /** log2 of pageSize. */
  readonly pageShift: number;
  #zeroExcluded: boolean;
  /** The slab that slots point into; valid until the next read through this object. */
  readonly view: DataView;
  readonly #slab: Uint8Array;
  readonly #tags: Float64Array;
  readonly #victim: Uint8Array;
  readonly #setMask: number;
  readonly #offsetMask: number;
  #lastPfn = -1;
  #lastSlot = 0;

  constructor(dump: Dump, options: PhysicalMemoryOptions = {}) {
    this.dump = dump;
    this.pageSize = dump.pageSize;
    this.pageShift = Math.log2(dump.pageSize);
    this.#zeroExcluded = options.zeroExcluded ?? false;
    const pages = Math.max(64, Math.floor((options.cacheBytes ?? 16 << 20) / dump.pageSize));
    const sets = 2 ** Math.floor(Math.log2(pages / WAYS));
    const buffer = new ArrayBuffer(sets * WAYS * dump.pageSize);
    this.#slab = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.#tags = new Float64Array(sets * WAYS).fill(-1);
    this.#victim = new Uint8Array(sets);
    this.#setMask = sets - 1;
    this.#offsetMask = dump.pageSize - 1;
  }

  /** When true, pages that makedumpfile left out read as zeroes. */
  get zeroExcluded(): boolean {
    return this.#zeroExcluded;
  }

  set zeroExcluded(value: boolean) {
    if (value !== this.#zeroExcluded) this.forget();
    this.#zeroExcluded = value;
  }

  /** Empties the cache: the memory of a live kernel changes. */
  forget(): void {
    this.#tags.fill(-1);
    this.#lastPfn = -1;
  }

  /** Byte offset in `view` of the page `pfn` (in units of pageSize), or the reason why it cannot be read. */
  page(pfn: number): number | PageFault {
    if (pfn === this.#lastPfn) return this.#lastSlot;
    const set = (pfn ^ (pfn >>> 11)) & this.#setMask;
    const base = set * WAYS;
    for (let way = 0; way < WAYS; way++) {
      if (this.#tags[base + way] === pfn) {
        this.#lastPfn = pfn;
        this.#lastSlot = (base + way) * this.pageSize;
        return this.#lastSlot;
      }
    }
    const way = this.#victim[set] as number;
    const slot = base + way;
    const target = this.#slab.subarray(slot * this.pageSize, (slot + 1) * this.pageSize);
    this.#tags[slot] = -1;
    if (this.#lastSlot === slot * this.pageSize) this.#lastPfn = -1;
    const fault = this.dump.readPage(pfn, target);
    if (fault !== undefined) {
      if (!(fault.reason === "excluded" && this.#zeroExcluded)) return fault;
      target.fill(0);
    }
    this.#victim[set] = (way + 1) % WAYS;
    this.#tags[slot] = pfn;
    this.#lastPfn = pfn;
    this.#lastSlot = slot * this.pageSize;
    return this.#lastSlot;
  }

  /** Offset in `view` of one byte; throws FaultError. The page's remaining bytes follow it. */
  locate(address: PhysicalAddress): number {
    const slot = this.page(pageNumber(address, this.pageShift));
    if (typeof slot !== "number") throw new FaultError(address, "physical", slot.reason, slot.detail);
    return slot + (low32(address) & this.#offsetMask);
  }

  /** Bytes that are left in the page after (and with) this address. */
  bytesInPage(address: bigint): number {
    return this.pageSize - (low32(address) & this.#offsetMask);
  }

  /** 64-bit little-endian word; throws FaultError. */
  u64(address: PhysicalAddress): bigint {
    const at = this.locate(address);
    if ((at & this.#offsetMask) + 8 > this.pageSize) return this.#acrossPages(address, 8).getBigUint64(0, true);
    return this.view.getBigUint64(at, true);
  }

  /** 32-bit little-endian word; throws FaultError. */
  u32(address: PhysicalAddress): number {
    const at = this.locate(address);
    if ((at & this.#offsetMask) + 4 > this.pageSize) return this.#acrossPages(address, 4).getUint32(0, true);
    return this.view.getUint32(at, true);
  }

  /** Fills `target` from `address` on; throws FaultError at the first byte that cannot be read. */
  readInto(target: Uint8Array, address: PhysicalAddress): void {
    let done = 0;
    while (done < target.length) {
      const here = BigInt.asUintN(64, address + BigInt(done)) as PhysicalAddress;
      const at = this.locate(here);
      const count = Math.min(target.length - done, this.bytesInPage(here));
      target.set(this.#slab.subarray(at, at + count), done);
      done += count;
    }
  }

  /** A word that a page boundary cuts in two: damaged pointers need not be aligned. */
  #acrossPages(address: PhysicalAddress, size: 4 | 8): DataView {
    const bytes = new Uint8Array(size);
    this.readInto(bytes, address);
    return new DataView(bytes.buffer);
  }
}
