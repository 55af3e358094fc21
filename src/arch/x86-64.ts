/**
 * The x86-64 machine: where its kernel lies and how to reach its page tables.
 * Source: Documentation/arch/x86/x86_64/mm.rst, arch/x86/kernel/machine_kexec_64.c (arch_crash_save_vmcoreinfo).
 *
 *   ffffffff80000000  kernel image mapping (__START_KERNEL_map): physical = virtual − __START_KERNEL_map + phys_base
 *   ffff888000000000  linear map (ff11000000000000 with five levels), moved by KASLR: page_offset_base
 */
import { type PhysicalAddress, physical, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError, FormatError } from "../bytes/errors.ts";
import type { PhysicalMemory } from "../dump/physical-memory.ts";
import type { VmcoreInfo } from "../dump/vmcoreinfo.ts";
import type { Architecture, PageTables } from "./architecture.ts";
import { frameOf, X86PageTables, x86EntryFlags, x86EntryPresent } from "./x86-64-paging.ts";

/** __START_KERNEL_map: the kernel image is mapped in the top 2 GiB. */
export const START_KERNEL_MAP = 0xffff_ffff_8000_0000n;
/** Bases of the linear map of kernels that do not move it: 4.20 and newer, older, then the same with five levels. */
const LINEAR_BASES = [0xffff_8880_0000_0000n, 0xffff_8800_0000_0000n, 0xff11_0000_0000_0000n, 0xff10_0000_0000_0000n];

/** What is known before anything can be read through page tables. */
export interface X86Setup {
  readonly root: PhysicalAddress;
  readonly fiveLevels: boolean;
  readonly encryptionMask: bigint;
  readonly kaslrOffset: bigint | undefined;
}

/** Reads the set-up from VMCOREINFO; throws FormatError when a needed key is missing. */
export function x86SetupFromVmcoreinfo(info: VmcoreInfo, file: string, physBase: bigint | undefined): X86Setup {
  const top = info.symbol("swapper_pg_dir") ?? info.symbol("init_top_pgt") ?? info.symbol("init_level4_pgt");
  const base = info.number("phys_base") ?? physBase;
  if (top === undefined) throw new FormatError(file, "VMCOREINFO has no SYMBOL(swapper_pg_dir): the page tables cannot be found");
  if (base === undefined) throw new FormatError(file, "VMCOREINFO has no NUMBER(phys_base): the kernel's place in memory is unknown");
  return {
    root: physical(top - START_KERNEL_MAP + base),
    fiveLevels: (info.number("pgtable_l5_enabled") ?? 0n) !== 0n,
    encryptionMask: info.number("sme_mask") ?? 0n,
    kaslrOffset: info.kernelOffset ?? 0n,
  };
}

/**
 * The set-up from a CPU's control registers. CR3's low 12 bits are the PCID; with page-table isolation bit 12 selects the user half of
 * a pair of tables, so the kernel's is the even one (arch/x86/mm/pti.c).
 */
export function x86SetupFromRegisters(cr3: bigint, cr4: bigint, isolation: boolean): X86Setup {
  const root = BigInt.asUintN(64, cr3 & 0x000f_ffff_ffff_f000n & ~(isolation ? 0x1000n : 0n));
  return { root: physical(root), fiveLevels: (cr4 & (1n << 12n)) !== 0n, encryptionMask: 0n, kaslrOffset: undefined };
}

export class X86_64 implements Architecture {
  readonly name = "x86_64";
  readonly pageSize = 4096;
  readonly pageShift = 12;
  readonly virtualBits: number;
  readonly kernelStart: VirtualAddress;
  readonly physical: PhysicalMemory;
  readonly setup: X86Setup;
  /** Set by the opener where it is learnt later than the page tables. */
  kaslrOffset: bigint | undefined;
  readonly kernelTables: PageTables;
  /** Bytes of a task's kernel stack: the opener sets it from the kernel's types or symbols when it is first wanted. */
  findThreadSize: () => number = () => 16384;
  #threadSize: number | undefined;
  /** Set by the opener once `page_offset_base` can be looked up; see linearOffset. */
  pageOffsetBase: (() => bigint | undefined) | undefined;
  #linearOffset: bigint | undefined | null = null;

  constructor(memory: PhysicalMemory, setup: X86Setup) {
    this.physical = memory;
    this.setup = setup;
    this.virtualBits = setup.fiveLevels ? 57 : 48;
    this.kernelStart = virtual(-(1n << BigInt(this.virtualBits - 1)));
    this.kaslrOffset = setup.kaslrOffset;
    this.kernelTables = this.pageTables(setup.root);
  }

  get threadSize(): number {
    this.#threadSize ??= this.findThreadSize();
    return this.#threadSize;
  }

  pageTables(root: PhysicalAddress): PageTables {
    return new X86PageTables(this.physical, root, this.setup.fiveLevels, this.setup.encryptionMask);
  }

  /** page_offset_base when the kernel has the variable, else the documented bases, each proved by translating the top table's own address. */
  get linearOffset(): bigint | undefined {
    if (this.#linearOffset === null) this.#linearOffset = this.#findLinearOffset();
    return this.#linearOffset;
  }

  #findLinearOffset(): bigint | undefined {
    const declared = this.pageOffsetBase?.();
    for (const base of declared === undefined ? LINEAR_BASES : [declared, ...LINEAR_BASES]) {
      try {
        if (this.kernelTables.translate(virtual(base + this.setup.root)) === this.setup.root) return base;
      } catch (error) {
        if (!(error instanceof FaultError)) throw error;
      }
    }
    return undefined;
  }

  toLinear(address: PhysicalAddress): VirtualAddress | undefined {
    const offset = this.linearOffset;
    return offset === undefined ? undefined : virtual(address + offset);
  }

  entryFlags(entry: bigint): readonly string[] {
    return x86EntryFlags(entry);
  }

  entryFrame(entry: bigint): PhysicalAddress {
    return physical(frameOf(entry, this.setup.encryptionMask));
  }

  entryPresent(entry: bigint): boolean {
    return x86EntryPresent(entry);
  }

  stripPointer(address: bigint): VirtualAddress {
    return virtual(address);
  }

  isKernelAddress(address: bigint): boolean {
    return BigInt.asUintN(64, address) >= this.kernelStart;
  }

  get facts(): readonly (readonly [string, string])[] {
    return [
      ["page table root", `0x${this.setup.root.toString(16)}`],
      ["paging levels", this.setup.fiveLevels ? "5" : "4"],
      ["sme_mask", `0x${this.setup.encryptionMask.toString(16)}`],
      ["KASLR offset", this.kaslrOffset === undefined ? "unknown" : `0x${this.kaslrOffset.toString(16)}`],
      ["page_offset_base", this.linearOffset === undefined ? "unknown" : `0x${this.linearOffset.toString(16)}`],
      ["kernel image mapping", `0x${START_KERNEL_MAP.toString(16)}`],
    ];
  }
}
