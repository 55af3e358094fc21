/**
 * What every container format turns into: physical memory by page, notes, VMCOREINFO, and what is known to be missing.
 *
 *   bytes (ByteSource) → probe → open → Dump → PhysicalMemory (page cache, scalar reads)
 */
import type { ByteSource } from "../bytes/byte-source.ts";
import type { FaultReason } from "../bytes/errors.ts";

/** Architectures named by the container's header. Only x86_64 and aarch64 can be analysed; the others can be named in errors. */
export type Machine =
  | "x86_64"
  | "aarch64"
  | "i386"
  | "arm"
  | "ppc64"
  | "ppc"
  | "s390x"
  | "s390"
  | "riscv64"
  | "loongarch64"
  | "mips"
  | "sparc64"
  | "ia64"
  | "alpha"
  | "unknown";

/** One ELF note. `data` is the descriptor's bytes. */
export interface Note {
  readonly name: string;
  readonly type: number;
  readonly data: Uint8Array;
}

/** A range of physical memory that the dump claims to describe; end is exclusive. Addresses are bytes. */
export interface MemoryRange {
  readonly start: bigint;
  readonly end: bigint;
}

/** A range that maps virtual to physical addresses, where the container knows one (ELF PT_LOAD with p_vaddr). */
export interface VirtualRange {
  readonly virtual: bigint;
  readonly physical: bigint;
  readonly size: bigint;
}

/** Facts of the container for `help -D` and the banner: label and value, in display order. */
export type HeaderFact = readonly [label: string, value: string];

/** Host's utsname as recorded by the KDUMP header; empty strings when not given. */
export interface Utsname {
  readonly sysname: string;
  readonly nodename: string;
  readonly release: string;
  readonly version: string;
  readonly machine: string;
  readonly domainname: string;
}

/** Why a page could not be had; `undefined` stands for success. */
export type PageFault = { readonly reason: FaultReason; readonly detail?: string };

/** An opened dump container. Pages are numbered in units of `pageSize`. */
export interface Dump {
  /** Short name for people: "ELF core", "KDUMP compressed, version 6", "raw RAM image", "LiME", … with "flattened" or "split" where true. */
  readonly format: string;
  /** Files it was opened from, in the order they were given. */
  readonly files: readonly string[];
  readonly machine: Machine;
  readonly littleEndian: boolean;
  /** Page size of the container in bytes: the kernel's for KDUMP, 4096 otherwise. A power of two, 4096 … 65536. */
  readonly pageSize: number;
  /** One above the highest page frame that the container can describe. */
  readonly maxPfn: number;
  /**
   * Decodes page `pfn` into `target` (exactly pageSize bytes). Returns undefined on success, else why not. Never throws for bad
   * dump contents. Holes inside a page (an ELF segment ending within it) are zero-filled when any part of the page is present.
   */
  readPage(pfn: number, target: Uint8Array): PageFault | undefined;
  /** RAM as far as the container knows it, sorted, not overlapping. */
  readonly ranges: readonly MemoryRange[];
  /** PT_LOAD virtual mappings with a usable p_vaddr, in file order; empty for other formats. */
  readonly virtualRanges: readonly VirtualRange[];
  readonly notes: readonly Note[];
  /** Text of the VMCOREINFO note, when the container carries one. */
  readonly vmcoreinfo: string | undefined;
  readonly utsname: Utsname | undefined;
  /** Time recorded in the header in seconds since 1970; undefined when none. */
  readonly timestamp: number | undefined;
  /** makedumpfile's dump level, when the header has it. */
  readonly dumpLevel: number | undefined;
  /** phys_base of the KDUMP sub header (x86-64). */
  readonly physBase: bigint | undefined;
  /** Pages were left out on purpose (dump level, or p_filesz < p_memsz). */
  readonly partial: boolean;
  /** The writer said it did not finish (ENOSPC), or the file is shorter than its own tables say. */
  readonly incomplete: boolean;
  /** What a user must know: "the file ends 3,120 bytes before …", "makedumpfile erased …". One line each. */
  readonly warnings: readonly string[];
  /** makedumpfile's list of erased symbols, when there is one. */
  readonly eraseInfo: string | undefined;
  /** All fields of the header for `help -D`. */
  readonly facts: readonly HeaderFact[];
  /** The file itself, where an offset in it stands for plain bytes (ELF); absent for compressed containers. */
  readonly file?: ByteSource;
  /** True for /proc/kcore: memory may change while it is read. */
  readonly live: boolean;
  /** Closes the files. Nothing can be read afterwards. */
  close(): void;
}
