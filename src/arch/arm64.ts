/**
 * The arm64 machine: where its kernel lies and how to reach its page tables.
 * Source: Documentation/arch/arm64/memory.rst, arch/arm64/kernel/vmcore_info.c, arch/arm64/include/asm/memory.h.
 *
 *   PAGE_OFFSET = −2^VA_BITS (5.4 and newer; before, −2^(VA_BITS−1)): linear map, virtual = physical − PHYS_OFFSET + PAGE_OFFSET
 *   kernel image: virtual = physical + kimage_voffset
 *   bit 55 selects the half; bits above the address may hold a tag or a pointer authentication code
 */
import { type PhysicalAddress, physical, signed, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError, FormatError } from "../bytes/errors.ts";
import type { PhysicalMemory } from "../dump/physical-memory.ts";
import type { VmcoreInfo } from "../dump/vmcoreinfo.ts";
import type { Architecture, PageTables } from "./architecture.ts";
import { Arm64PageTables, type Arm64Regime, arm64EntryFlags, arm64EntryPresent, arm64Output } from "./arm64-paging.ts";

export interface Arm64Setup {
  /** Physical address of swapper_pg_dir. */
  readonly root: PhysicalAddress;
  readonly regime: Arm64Regime;
  /** CONFIG_ARM64_VA_BITS: 52 also where the CPU runs with 48. */
  readonly configuredBits: number;
  /** Bits that the CPU translates: 64 − TCR_EL1.T1SZ. */
  readonly actualBits: number;
  readonly kimageVoffset: bigint | undefined;
  /** memstart_addr; negative values are wrapped, as VMCOREINFO prints them. */
  readonly physOffset: bigint | undefined;
  /** Bits of a kernel pointer that hold an authentication code; 0 when there are none. */
  readonly pacMask: bigint;
  readonly kaslrOffset: bigint | undefined;
  readonly file: string;
}

/**
 * Reads the set-up from VMCOREINFO. The regime: with 64 KiB pages tables are built for the configured VA_BITS even when the CPU runs
 * with 48 (head.S offsets TTBR1); with 4 and 16 KiB a 52-bit kernel on a CPU without LPA2 folds a level and runs with 48 (47 with
 * 16 KiB, 6.9 and newer), so T1SZ decides. Kernels before 5.9 have no TCR_EL1_T1SZ and run with VA_BITS.
 */
export function arm64SetupFromVmcoreinfo(info: VmcoreInfo, file: string): Arm64Setup {
  const top = info.symbol("swapper_pg_dir");
  const voffset = info.number("kimage_voffset");
  if (top === undefined) throw new FormatError(file, "VMCOREINFO has no SYMBOL(swapper_pg_dir): the page tables cannot be found");
  if (voffset === undefined)
    throw new FormatError(file, "VMCOREINFO has no NUMBER(kimage_voffset): the kernel's place in memory is unknown");
  const configuredBits = Number(info.number("VA_BITS") ?? 48n);
  const t1sz = info.number("TCR_EL1_T1SZ");
  const actualBits = t1sz === undefined ? configuredBits : 64 - Number(t1sz);
  const pageShift = Math.log2(info.pageSize ?? 4096);
  if (![12, 14, 16].includes(pageShift))
    throw new FormatError(file, `VMCOREINFO PAGESIZE is ${info.pageSize}; expected 4096, 16384 or 65536`);
  if (actualBits < 36 || actualBits > 52)
    throw new FormatError(file, `VMCOREINFO gives ${actualBits} bits of virtual address; expected 36 to 52`);
  const physOffset = info.number("PHYS_OFFSET");
  return {
    root: physical(top - voffset),
    regime: { pageShift, virtualBits: pageShift === 16 ? configuredBits : actualBits, lpa2: pageShift !== 16 && actualBits === 52 },
    configuredBits,
    actualBits,
    kimageVoffset: BigInt.asUintN(64, voffset),
    physOffset: physOffset === undefined ? undefined : BigInt.asUintN(64, physOffset),
    pacMask: BigInt.asUintN(64, info.number("KERNELPACMASK") ?? 0n),
    kaslrOffset: info.kernelOffset ?? 0n,
    file,
  };
}

export class Arm64 implements Architecture {
  readonly name = "aarch64";
  readonly pageSize: number;
  readonly pageShift: number;
  readonly virtualBits: number;
  readonly kernelStart: VirtualAddress;
  readonly physical: PhysicalMemory;
  readonly setup: Arm64Setup;
  readonly kaslrOffset: bigint | undefined;
  readonly kernelTables: PageTables;
  /** Bytes of a task's kernel stack: the opener sets it from the kernel's types or symbols when it is first wanted. */
  findThreadSize: () => number = () => 16384;
  #threadSize: number | undefined;
  #linearOffset: bigint | undefined | null = null;

  constructor(memory: PhysicalMemory, setup: Arm64Setup) {
    this.physical = memory;
    this.setup = setup;
    this.pageShift = setup.regime.pageShift;
    this.pageSize = 2 ** this.pageShift;
    this.virtualBits = setup.actualBits;
    this.kernelStart = virtual(-(1n << BigInt(Math.max(setup.configuredBits, setup.actualBits))));
    this.kaslrOffset = setup.kaslrOffset;
    this.kernelTables = this.pageTables(setup.root);
  }

  get threadSize(): number {
    this.#threadSize ??= this.findThreadSize();
    return this.#threadSize;
  }

  pageTables(root: PhysicalAddress): PageTables {
    return new Arm64PageTables(this.physical, root, this.setup.regime);
  }

  /** From PHYS_OFFSET and both places of PAGE_OFFSET, proved by translating the top table's linear address. */
  get linearOffset(): bigint | undefined {
    if (this.#linearOffset === null) this.#linearOffset = this.#findLinearOffset();
    return this.#linearOffset;
  }

  #findLinearOffset(): bigint | undefined {
    const { physOffset, configuredBits, actualBits, root } = this.setup;
    if (physOffset === undefined) return undefined;
    const bases = [configuredBits, actualBits, configuredBits - 1].map((bits) => BigInt.asUintN(64, -(1n << BigInt(bits)) - physOffset));
    // The top table itself, else (where its linear alias is unmapped) RAM that the dump knows of.
    const known = [root, ...this.physical.dump.ranges.slice(0, 8).map((range) => physical(range.start & -BigInt(this.pageSize)))];
    for (const address of known) {
      const offset = bases.find((candidate) => this.#maps(virtual(address + candidate), address));
      if (offset !== undefined) return offset;
    }
    return undefined;
  }

  #maps(from: VirtualAddress, to: PhysicalAddress): boolean {
    try {
      return this.kernelTables.translate(from) === to;
    } catch (error) {
      if (error instanceof FaultError) return false;
      throw error;
    }
  }

  toLinear(address: PhysicalAddress): VirtualAddress | undefined {
    const offset = this.linearOffset;
    return offset === undefined ? undefined : virtual(address + offset);
  }

  entryFlags(entry: bigint): readonly string[] {
    return arm64EntryFlags(entry);
  }

  entryFrame(entry: bigint): PhysicalAddress {
    return physical(arm64Output(this.setup.regime, entry, BigInt(this.pageShift)));
  }

  entryPresent(entry: bigint): boolean {
    return arm64EntryPresent(entry);
  }

  /** Bits above the address are set or cleared after bit 55, which the tag (TBI) and the authentication code leave alone. */
  stripPointer(address: bigint): VirtualAddress {
    const selector = (address >> 55n) & 1n;
    if (selector === 0n) return virtual(address & ((1n << 55n) - 1n));
    const pac = this.setup.pacMask === 0n ? 0xff00_0000_0000_0000n : this.setup.pacMask | 0xff00_0000_0000_0000n;
    return virtual(address | pac);
  }

  isKernelAddress(address: bigint): boolean {
    return signed(address) < 0n && BigInt.asUintN(64, address) >= this.kernelStart;
  }

  get facts(): readonly (readonly [string, string])[] {
    const hex = (value: bigint | undefined) => (value === undefined ? "unknown" : `0x${value.toString(16)}`);
    return [
      ["page table root", hex(this.setup.root)],
      ["page size", String(this.pageSize)],
      ["VA_BITS", String(this.setup.configuredBits)],
      ["VA_BITS actual", String(this.setup.actualBits)],
      ["LPA2", this.setup.regime.lpa2 ? "yes" : "no"],
      ["kimage_voffset", hex(this.setup.kimageVoffset)],
      ["PHYS_OFFSET", hex(this.setup.physOffset)],
      ["linear map offset", hex(this.linearOffset)],
      ["KERNELPACMASK", hex(this.setup.pacMask)],
      ["KASLR offset", hex(this.kaslrOffset)],
    ];
  }
}
