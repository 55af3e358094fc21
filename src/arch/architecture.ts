/**
 * What differs between machines, as one interface: address translation, kernel layout, registers. One implementation a file.
 */
import type { PhysicalAddress, VirtualAddress } from "../bytes/address.ts";

/** One step of a page walk, for `vtop`. */
export interface WalkStep {
  /** "PGD", "P4D", "PUD", "PMD", "PTE". */
  readonly level: string;
  /** Physical address of the entry. */
  readonly entryAddress: PhysicalAddress;
  readonly entry: bigint;
}

/** A page walk, complete or ended early. */
export interface Walk {
  readonly steps: readonly WalkStep[];
  /** Result; undefined when not mapped. */
  readonly physical: PhysicalAddress | undefined;
  /** Size of the page found, in bytes. */
  readonly pageSize: number | undefined;
  /** Why the walk ended early, in words. */
  readonly reason: string | undefined;
}

/** Page tables of one address space. */
export interface PageTables {
  /** Throws FaultError (unmapped, or a table that cannot be read). */
  translate(address: VirtualAddress): PhysicalAddress;
  walk(address: VirtualAddress): Walk;
}

export interface Architecture {
  readonly name: "x86_64" | "aarch64";
  /** Kernel page size in bytes. */
  readonly pageSize: number;
  readonly pageShift: number;
  /** Bits of a virtual address. */
  readonly virtualBits: number;
  /** Kernel's linear mapping: virtual = physical + linearOffset (wrapped); undefined when it could not be found. */
  readonly linearOffset: bigint | undefined;
  /** First virtual address of the kernel half. */
  readonly kernelStart: VirtualAddress;
  /** Bytes of a task's kernel stack. */
  readonly threadSize: number;
  /** Slide of KASLR in bytes (0 when off); undefined when unknown. */
  readonly kaslrOffset: bigint | undefined;
  /** Facts for `mach` and `help -m`: label, value. */
  readonly facts: readonly (readonly [string, string])[];
  /** The kernel's own page tables (swapper_pg_dir). */
  readonly kernelTables: PageTables;
  /** Page tables with this root (physical address of the top table); user ones for a task's mm. */
  pageTables(root: PhysicalAddress): PageTables;
  /** Names of the flag bits that are set in a leaf entry, crash's words: PRESENT, RW, USER, … */
  entryFlags(entry: bigint): readonly string[];
  /** Physical page that a leaf entry names. */
  entryFrame(entry: bigint): PhysicalAddress;
  /** True when the entry maps a page: it is present, or kept from user mode only (PROT_NONE). */
  entryPresent(entry: bigint): boolean;
  /** Makes an address canonical: removes pointer authentication codes and tags (arm64); the identity on x86-64. */
  stripPointer(address: bigint): VirtualAddress;
  /** True for addresses in the kernel half. */
  isKernelAddress(address: bigint): boolean;
  /** linear-map address of a physical one; undefined when the linear map is not known. */
  toLinear(address: PhysicalAddress): VirtualAddress | undefined;
}
