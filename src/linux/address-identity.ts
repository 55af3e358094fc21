/**
 * What an address is, exhaustively: the one answer that `kmem ADDRESS`, `whatis ADDRESS`, annotated memory, search hits, the log's
 * addresses and diagnosis share.
 */
import type { PhysicalAddress, VirtualAddress } from "../bytes/address.ts";

/** The part of the address space that an address lies in, before anything is read. */
export type AddressRegion =
  | "null" // within the first page: a NULL pointer plus an offset
  | "error pointer" // -1 … -4095: ERR_PTR()
  | "poison" // list, slab, page or stack poison, also with a small offset
  | "non-canonical"
  | "user"
  | "linear map"
  | "vmalloc"
  | "modules"
  | "vmemmap"
  | "kernel image"
  | "per-CPU"
  | "fixed" // fixmap, cpu_entry_area, ESP fix-up stacks, EFI, KASAN shadow …: `regionName` tells which
  | "unknown";

/** One thing that the address is, or lies in. An address can be several at once: a field of a task is a slab object too. */
export type AddressRole =
  | { readonly kind: "symbol"; readonly name: string; readonly offset: number; readonly module?: string; readonly section?: string }
  | {
      readonly kind: "slab object";
      readonly cache: string;
      readonly cacheAddress: VirtualAddress;
      readonly object: VirtualAddress;
      readonly offset: number;
      readonly objectSize: number;
      readonly state: ObjectState;
    }
  | { readonly kind: "slab"; readonly cache: string; readonly cacheAddress: VirtualAddress; readonly page: VirtualAddress }
  | {
      readonly kind: "task stack" | "CPU stack";
      /** "irq", "NMI", "#DF" … of a CPU's stack. */
      readonly name?: string;
      readonly cpu?: number;
      readonly task?: { readonly address: VirtualAddress; readonly pid: number; readonly comm: string };
      readonly low: VirtualAddress;
      readonly high: VirtualAddress;
      readonly offset: number;
    }
  | {
      readonly kind: "task";
      readonly task: { readonly address: VirtualAddress; readonly pid: number; readonly comm: string };
      readonly offset: number;
    }
  | { readonly kind: "module"; readonly module: string; readonly section: string; readonly offset: number }
  | {
      readonly kind: "per-CPU variable";
      /** The variable; undefined in memory of alloc_percpu(). */
      readonly name?: string;
      readonly cpu: number;
      readonly offset: number;
      /** The __percpu pointer: the same for all CPUs. */
      readonly pointer: VirtualAddress;
      readonly module?: string;
    }
  | {
      readonly kind: "vmalloc area";
      readonly area: VirtualAddress;
      readonly start: VirtualAddress;
      readonly end: VirtualAddress;
      /** Who asked for it: "load_module+0x8ae". */
      readonly caller?: string;
      readonly flags: readonly string[];
      /** Given back by vfree() and not yet unmapped. */
      readonly freed?: true;
    }
  | { readonly kind: "struct page"; readonly pfn: number; readonly offset: number }
  | {
      readonly kind: "page";
      readonly pfn: number;
      readonly page: VirtualAddress;
      readonly flags: readonly string[];
      /** "free, order 3, zone DMA32", "anonymous", "file …", "huge page of 2 MiB", "page table", "reserved" … */
      readonly use: string;
      readonly order?: number;
    }
  | {
      readonly kind: "mapping";
      readonly task?: { readonly address: VirtualAddress; readonly pid: number; readonly comm: string };
      readonly vma: VirtualAddress;
      readonly start: VirtualAddress;
      /** Exclusive. */
      readonly end: VirtualAddress;
      readonly file?: string;
      readonly fileOffset?: bigint;
      readonly name?: string;
    }
  | { readonly kind: "poison"; readonly name: string; readonly meaning: string; readonly value: bigint; readonly offset: number }
  | {
      readonly kind: "error pointer";
      /** Positive. */
      readonly errno: number;
      /** "EINVAL"; undefined for a number without a name. */
      readonly name?: string;
    };

/** How the allocator sees an object. */
export interface ObjectState {
  readonly state: "allocated" | "free" | "unknown";
  /** Where a free object waits: "cpu 1 freelist", "slab freelist", "cpu 0 sheaf", "barn of node 0", "KFENCE". */
  readonly where?: string;
  /** Why the state is not known: an unreadable or broken freelist. */
  readonly reason?: string;
}

/** All that an address is. */
export interface AddressIdentity {
  readonly address: VirtualAddress;
  readonly region: AddressRegion;
  /** Name of a fixed region, or of the part of the image. */
  readonly regionName?: string;
  readonly physical?: PhysicalAddress;
  /** Why memory there cannot be read: excluded, truncated, unmapped, beyond the dump. */
  readonly unreadable?: string;
  /** The most telling first. */
  readonly roles: readonly AddressRole[];
}
