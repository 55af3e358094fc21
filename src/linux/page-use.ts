/**
 * What a page frame is used for, in words: free in a block of an order, slab, page table, anonymous, of a file, huge, reserved.
 * Source: mm/page_alloc.c (free blocks), include/linux/page-flags.h, include/linux/mm_types.h.
 *
 *   free block of order n      │ head: PageBuddy, private = n │ page │ … │        2^n pages; only the head is marked
 *   mapping                    bits 0–1: 0 address_space, 1 anon_vma, 2 movable, 3 KSM
 *
 * A page within a free block has nothing of its own to tell it: the head of each order that could hold it is asked.
 */
import { type Pfn, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError, InquestError } from "../bytes/errors.ts";
import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { freePlaceOf } from "./buddy.ts";
import { inodeName } from "./inode-name.ts";
import { PageMap, pageFlagBits } from "./page.ts";
import { type PageTypeReader, pageTypeReader } from "./page-type.ts";

/** A free block of the buddy allocator. */
export interface FreeBlock {
  readonly head: Pfn;
  readonly order: number;
}

export interface PageUse {
  readonly page: VirtualAddress;
  readonly flags: readonly string[];
  /** One phrase: "free, order 3", "anonymous", "file /bin/sh (inode 12 on vda1)" … */
  readonly use: string;
  /** Order of the free block or compound page; undefined for a single page. */
  readonly order?: number;
  readonly freeBlock?: FreeBlock;
}

/** MAX_PAGE_ORDER is 10 on x86-64, up to 13 on arm64 with large pages; a gigantic page has 18. */
const MAX_FREE_ORDER = 13;
const MAX_ORDER = 20;

export class PageUses {
  readonly #kernel: Kernel;
  readonly #map: PageMap;
  readonly #type: PageTypeReader;
  readonly #private: Field | undefined;
  readonly #mapping: Field | undefined;
  readonly #count: Field | undefined;
  readonly #flag: (name: string) => bigint;

  private constructor(kernel: Kernel, map: PageMap) {
    this.#kernel = kernel;
    this.#map = map;
    this.#type = pageTypeReader(kernel, map.page);
    this.#private = map.page.tryField("private");
    this.#mapping = map.page.tryField("mapping");
    this.#count = map.page.firstField("_refcount.counter", "_count.counter");
    const bits = pageFlagBits(kernel);
    this.#flag = (name) => {
      const bit = bits.find((each) => each.name === name)?.bit;
      return bit === undefined ? 0n : 1n << BigInt(bit);
    };
  }

  /** undefined when the kernel has no page structures that can be found. */
  static of(kernel: Kernel): PageUses | undefined {
    return kernel.memo(PageUses, () => {
      const map = PageMap.of(kernel);
      return map === undefined ? undefined : new PageUses(kernel, map);
    });
  }

  /**
   * The use of a frame; undefined when it has no page structure, or it cannot be read. With `lists` free pages are looked up in the
   * allocator's lists, which are read once: that tells the zone, and pages that a CPU keeps for itself.
   */
  use(pfn: Pfn, lists = false): PageUse | undefined {
    const page = pfn < this.#map.maxPfn ? this.#map.pageOf(pfn) : undefined;
    if (page === undefined) return undefined;
    try {
      const found = this.#use(pfn, page);
      return lists && found.use.startsWith("free") ? { ...found, ...this.#listed(pfn) } : found;
    } catch (error) {
      if (error instanceof FaultError) return undefined;
      throw error;
    }
  }

  #listed(pfn: Pfn): Partial<PageUse> {
    try {
      const place = freePlaceOf(this.#kernel, pfn);
      if (place === undefined) return {};
      const { order, zone, cpu } = place;
      const kept = cpu === undefined ? "" : `, kept by CPU ${cpu}`;
      return { use: `free, order ${order}, zone ${zone.name}${kept}`, order };
    } catch (error) {
      if (error instanceof InquestError) return {};
      throw error;
    }
  }

  /** The free block that a frame lies in. Throws FaultError only for the frame's own page structure. */
  freeBlock(pfn: Pfn): FreeBlock | undefined {
    for (let order = 0; order <= MAX_FREE_ORDER; order++) {
      const head = pfn - (pfn % 2 ** order);
      const page = this.#map.pageOf(head);
      if (page === undefined) return undefined;
      try {
        if (this.#type(page) !== "buddy") continue;
        const own = this.#private?.number(page) ?? 0;
        if (own >= order && own <= MAX_FREE_ORDER) return { head, order: own };
      } catch (error) {
        // The heads of larger blocks lie in other pages of the map, which need not be in the dump.
        if (!(error instanceof FaultError) || order === 0) throw error;
      }
    }
    return undefined;
  }

  #use(pfn: Pfn, page: VirtualAddress): PageUse {
    const word = this.#map.flags(page);
    const flags = this.#map.flagNames(word);
    const told = { page, flags };
    const head = this.#map.compoundHead(page);
    const headPfn = head === page ? pfn : this.#map.pfnOf(head);
    if (headPfn === undefined || headPfn > pfn || pfn - headPfn > 2 ** MAX_ORDER) {
      return { ...told, use: "unknown: its compound_head leads nowhere" };
    }
    const headFlags = head === page ? word : this.#map.flags(head);
    const has = (name: string) => (headFlags & this.#flag(name)) !== 0n;
    const type = this.#type(head);
    // An allocated page is referenced: nothing free needs be looked for.
    const free = head === page && (this.#count?.number(page) ?? 0) === 0 ? this.freeBlock(pfn) : undefined;
    if (free !== undefined) return { ...told, use: `free, order ${free.order}`, order: free.order, freeBlock: free };
    const order = head !== page || has("PG_head") ? this.#orderOf(head) : undefined;
    const compound = order === undefined ? {} : { order };
    const use = type === "slab" || has("PG_slab") ? "slab" : this.#described(head, type, has, order);
    return { ...told, use, ...compound };
  }

  #described(head: VirtualAddress, type: string | undefined, has: (name: string) => boolean, order: number | undefined): string {
    if (has("PG_hwpoison")) return "poisoned: the hardware reported an error in it";
    if (type === "hugetlb") return `huge page${this.#size(order)}`;
    if (type === "table") return "page table";
    if (type !== undefined && type !== "buddy") return PAGE_TYPES[type] ?? type;
    if (has("PG_reserved")) return "reserved";
    const mapping = this.#mapping?.pointer(head) ?? 0n;
    const kind = mapping & 3n;
    const size = order === undefined ? "" : `, part of ${2 ** order} pages`;
    if (this.#kernel.arch.isKernelAddress(mapping)) {
      if (kind === 1n) return `anonymous${has("PG_swapcache") ? ", in the swap cache" : ""}${size}`;
      if (kind === 3n) return `anonymous, shared by KSM${size}`;
      if (kind === 2n) return "movable kernel page";
      return `${this.#fileOf(virtual(mapping))}${size}`;
    }
    const count = this.#count?.number(head) ?? 0;
    if (count === 0) return "free, kept by a CPU or on its way, or not in use";
    return `allocated by the kernel${size}`;
  }

  #fileOf(mapping: VirtualAddress): string {
    const host = this.#kernel.types.tryStruct("address_space")?.tryField("host");
    const inode = host?.pointer(mapping) ?? virtual(0n);
    if (inode === 0n) return "of an address_space without inode";
    return `file ${inodeName(this.#kernel, inode)}`;
  }

  #orderOf(head: VirtualAddress): number | undefined {
    const { types } = this.#kernel;
    const size = this.#map.size;
    // In the second page: the low byte of folio._flags_1 since 6.6 (ebc1baf5c9b4), folio._folio_order 6.1–6.5, page.compound_order before.
    const folio = types.tryStruct("folio");
    const low = folio?.firstField("_flags_1.f", "_flags_1");
    const order =
      folio?.tryField("_folio_order")?.number(head) ??
      this.#map.page.tryField("compound_order")?.number(virtual(head + BigInt(size))) ??
      (low === undefined ? undefined : Number(low.bigint(head) & 0xffn));
    return order === undefined || order < 1 || order > MAX_ORDER ? undefined : order;
  }

  #size(order: number | undefined): string {
    if (order === undefined) return "";
    const bytes = this.#kernel.arch.pageSize * 2 ** order;
    return bytes >= 1 << 30
      ? ` of ${bytes / (1 << 30)} GiB`
      : bytes >= 1 << 20
        ? ` of ${bytes / (1 << 20)} MiB`
        : ` of ${bytes / 1024} KiB`;
  }
}

const PAGE_TYPES: Readonly<Record<string, string>> = {
  offline: "offline: taken out by a balloon or hot-plug",
  guard: "guard page of debug_pagealloc",
  zsmalloc: "zsmalloc",
  unaccepted: "unaccepted memory of an encrypted guest",
  large_kmalloc: "large kmalloc()",
};
