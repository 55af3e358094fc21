/**
 * struct page: from a page frame to its descriptor and back, compound pages, flags.
 * Source: include/linux/mmzone.h (mem_section), include/asm-generic/memory_model.h, include/linux/page-flags.h.
 *
 *   mem_section[root] ─► { section_mem_map, … } × (page size / 16)        section_mem_map = (page of the section's first pfn − pfn) | flags
 *
 * With SPARSEMEM_VMEMMAP (every kernel of both machines) all sections hold the same value: the page of pfn 0, so
 *   page(pfn) = vmemmap + pfn × sizeof(struct page).
 */
import { add, type Pfn, type PhysicalAddress, pageNumber, physical, type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Struct } from "../kernel/types.ts";
import { Sections } from "./section-table.ts";

/** A mask in compound_info covers pages of at most this many bytes of page structures; real pointers are farther from the top. */
const MAX_MASK = 1n << 32n;

export class PageMap {
  readonly kernel: Kernel;
  readonly page: Struct;
  /** Bytes of a struct page. */
  readonly size: number;
  readonly #shift: number;
  readonly #maxPfn: number;
  readonly #base: VirtualAddress | undefined;
  readonly #sections: Sections | undefined;
  readonly #head: Field | undefined;
  readonly #oldHead: OldHead | undefined;
  readonly #flags: Field;

  private constructor(kernel: Kernel, page: Struct, flags: Field) {
    this.kernel = kernel;
    this.page = page;
    this.size = page.size;
    this.#shift = kernel.arch.pageShift;
    this.#maxPfn = Math.ceil((kernel.dump.maxPfn * kernel.dump.pageSize) / kernel.arch.pageSize);
    this.#flags = flags;
    // compound_info: 7.1 (d50569612c29); compound_head: 4.4 (1d798ca3f164).
    this.#head = page.firstField("compound_info", "compound_head");
    this.#oldHead = this.#head === undefined ? oldHead(kernel, page) : undefined;
    this.#sections = Sections.of(kernel);
    this.#base = this.#sections?.commonBase() ?? vmemmapOf(kernel);
  }

  /** The map of this kernel; undefined when it has no type information or the page structures cannot be found. */
  static of(kernel: Kernel): PageMap | undefined {
    return kernel.memo(PageMap, () => {
      const page = kernel.types.tryStruct("page");
      // flags is a memdesc_flags_t since 6.18 (53fbef56e07d), of one unsigned long.
      const flags = page?.firstField("flags.f", "flags");
      if (page === undefined || flags === undefined || page.size === 0) return undefined;
      const map = new PageMap(kernel, page, flags);
      return map.#base === undefined && map.#sections === undefined ? undefined : map;
    });
  }

  /** One above the highest frame that the dump can describe. */
  get maxPfn(): Pfn {
    return this.#maxPfn;
  }

  /** Address of the frame's struct page (pfn_to_page); undefined when the section has none. It may still be unreadable. */
  pageOf(pfn: Pfn): VirtualAddress | undefined {
    const base = this.#base ?? this.#sections?.base(pfn);
    return base === undefined ? undefined : add(base, BigInt(pfn) * BigInt(this.size));
  }

  /** Bytes from the start of the struct page that an address would lie in; undefined where the map has no common base. */
  offsetInPage(address: VirtualAddress): number | undefined {
    if (this.#base === undefined || this.size === 0) return undefined;
    return Number(BigInt.asUintN(64, address - this.#base) % BigInt(this.size));
  }

  /** Frame of a struct page (page_to_pfn); undefined when the address is not that of one. */
  pfnOf(page: VirtualAddress): Pfn | undefined {
    if (this.#base === undefined) return this.#sections?.pfnOf(page, this.size);
    const distance = BigInt.asUintN(64, page - this.#base);
    const size = BigInt(this.size);
    if (distance % size !== 0n) return undefined;
    const pfn = Number(distance / size);
    return pfn < this.#maxPfn ? pfn : undefined;
  }

  /** Frame behind an address of the linear map (virt_to_pfn); undefined for all others. */
  linearPfn(address: VirtualAddress): Pfn | undefined {
    const { arch } = this.kernel;
    const offset = arch.linearOffset;
    if (offset === undefined || !arch.isKernelAddress(address)) return undefined;
    const pfn = pageNumber(BigInt.asUintN(64, address - offset), this.#shift);
    return pfn < this.#maxPfn ? pfn : undefined;
  }

  /** First byte of the frame in the linear map (page_address). */
  linearAddress(pfn: Pfn): VirtualAddress | undefined {
    return this.kernel.arch.toLinear(this.physicalOf(pfn));
  }

  physicalOf(pfn: Pfn): PhysicalAddress {
    return physical(BigInt(pfn) << BigInt(this.#shift));
  }

  /**
   * Head of the compound page that this page belongs to; the page itself when it is none or a head. A tail has bit 0 set: the rest is
   * the head's address, or, since 7.1 where vmemmap of huge pages is shared (8c846c879e22), a mask that makes the head of any tail. A
   * mask is a run of ones from the top, which no page address is. Throws FaultError.
   */
  compoundHead(page: VirtualAddress): VirtualAddress {
    if (this.#head === undefined) {
      const old = this.#oldHead;
      return old === undefined || (this.flags(page) & old.tail) !== old.tail ? page : old.first.pointer(page);
    }
    const info = this.#head.pointer(page);
    if ((info & 1n) === 0n) return page;
    const value = info & ~1n;
    const run = BigInt.asUintN(64, -value);
    return run !== 0n && run <= MAX_MASK && (run & (run - 1n)) === 0n ? virtual(page & value) : virtual(value);
  }

  /** The flags word: flags in the low bits, zone, node and section above. Throws FaultError. */
  flags(page: VirtualAddress): bigint {
    return BigInt.asUintN(64, this.#flags.bigint(page));
  }

  /** Names of the set flags as the kernel prints them: "locked", "lru", …; of several names of one bit, the first. */
  flagNames(flags: bigint): readonly string[] {
    return pageFlagBits(this.kernel)
      .filter(({ bit }) => ((flags >> BigInt(bit)) & 1n) === 1n)
      .map(({ name }) => name.slice(3));
  }
}

/** How a tail page names its head before 4.4: page.first_page, valid when all bits of `tail` are set in its flags. */
interface OldHead {
  readonly first: Field;
  readonly tail: bigint;
}

/** PG_tail of its own on 64-bit machines (CONFIG_PAGEFLAGS_EXTENDED), else PG_compound together with PG_reclaim. */
function oldHead(kernel: Kernel, page: Struct): OldHead | undefined {
  const first = page.tryField("first_page");
  const [own, compound, reclaim] = ["PG_tail", "PG_compound", "PG_reclaim"].map((name) => kernel.types.constant(name));
  const tail =
    own !== undefined ? 1n << own : compound !== undefined && reclaim !== undefined ? (1n << compound) | (1n << reclaim) : undefined;
  return first === undefined || tail === undefined ? undefined : { first, tail };
}

/** One bit of page flags with its name in C. */
export interface PageFlagBit {
  readonly name: string;
  readonly bit: number;
}

/** enum pageflags up to __NR_PAGEFLAGS; behind it come other names of the same bits. */
export function pageFlagBits(kernel: Kernel): readonly PageFlagBit[] {
  return kernel.memo(pageFlagBits, () => {
    const found = kernel.types.find("enum", "pageflags", { modules: false });
    if (found === undefined || found.kind !== "enum") return [];
    const end = found.enumerators.findIndex(({ name }) => name === "__NR_PAGEFLAGS");
    const own = end < 0 ? found.enumerators : found.enumerators.slice(0, end);
    return own.filter(({ name, value }) => name.startsWith("PG_") && value < 64n).map(({ name, value }) => ({ name, bit: Number(value) }));
  });
}

/** What a struct page says of its frame. */
export interface PageInfo {
  readonly page: VirtualAddress;
  readonly physical: PhysicalAddress;
  /** As it stands in the structure: for slab and tail pages other fields share its place. */
  readonly mapping: bigint;
  readonly index: bigint;
  readonly count: number;
  readonly flags: bigint;
  readonly flagNames: readonly string[];
}

/** Reads the frame's struct page; undefined when there is none. Throws FaultError when it cannot be read. */
export function readPage(kernel: Kernel, pfn: Pfn): PageInfo | undefined {
  const map = PageMap.of(kernel);
  const page = map?.pageOf(pfn);
  if (map === undefined || page === undefined) return undefined;
  const flags = map.flags(page);
  return {
    page,
    physical: map.physicalOf(pfn),
    mapping: map.page.tryField("mapping")?.pointer(page) ?? 0n,
    // __folio_index since 6.16 (acc53a0b4c15).
    index: map.page.firstField("__folio_index", "index")?.pointer(page) ?? 0n,
    // _refcount since 4.6 (0139aa7b7fa1).
    count: map.page.firstField("_refcount.counter", "_count.counter")?.number(page) ?? 0,
    flags,
    flagNames: map.flagNames(flags),
  };
}

/** Page of pfn 0 as the kernel names it, for dumps whose mem_section cannot be read. */
function vmemmapOf(kernel: Kernel): VirtualAddress | undefined {
  // VMCOREINFO gives the value of vmemmap (5.9 on arm64, 6.9 everywhere); x86-64 keeps it in vmemmap_base.
  const value = kernel.vmcoreinfo?.symbol("vmemmap");
  if (value !== undefined) return virtual(value);
  const base = kernel.tryAddress("vmemmap_base");
  const read = base === undefined ? undefined : kernel.memory.tryU64(base);
  return read === undefined ? undefined : virtual(read);
}
