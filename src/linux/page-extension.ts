/**
 * struct page_ext: what debugging features keep of each page frame (mm/page_ext.c, include/linux/page_ext.h).
 *
 *   mem_section.page_ext + pfn × entry size ─► flags │ page_owner at page_owner_ops.offset │ …        SPARSEMEM
 *   pglist_data.node_page_ext + (pfn − first pfn of the node) × entry size                            else
 *
 * An entry has page_ext_size bytes (5.4, 5556cfe8d994), before sizeof(struct page_ext) + extra_mem.
 */
import { add, type Pfn, type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { memorySections, sectionSizeBits } from "./mem-section.ts";
import { memoryNodes } from "./zone.ts";

export interface PageExtensions {
  /** Bytes of an entry. */
  readonly size: number;
  /** Address of the frame's page_ext; undefined where there is none. */
  at(pfn: Pfn): VirtualAddress | undefined;
}

/** Set in mem_section.page_ext while its memory goes offline (6.1, b1d5488a2528). */
const INVALID = 1n;
const MAX_ENTRY = 1 << 16;

/** The table of this kernel, or one line saying why there is none. */
export function pageExtensions(kernel: Kernel): PageExtensions | string {
  return kernel.memo(pageExtensions, () => {
    const type = kernel.types.tryStruct("page_ext");
    if (type === undefined) return "this kernel keeps no extra data of pages (CONFIG_PAGE_EXTENSION)";
    const size = entrySize(kernel, type.size);
    if (size === undefined || size < type.size || size > MAX_ENTRY)
      return "the size of struct page_ext with what follows it is not known (page_ext_size)";
    const section = kernel.types.tryStruct("mem_section")?.tryField("page_ext");
    if (section !== undefined) {
      const shift = sectionSizeBits(kernel) - kernel.arch.pageShift;
      const bases = new Map<number, VirtualAddress>();
      for (const { number, address } of memorySections(kernel, () => undefined)) {
        const base = kernel.memory.tryU64(section.address(address));
        if (base !== undefined && (base & ~INVALID) !== 0n && (base & INVALID) === 0n) bases.set(number, virtual(base));
      }
      if (bases.size === 0) return "no page has extra data: nothing asked for it at boot (page_owner=on)";
      return {
        size,
        at: (pfn) => {
          const base = bases.get(Math.floor(pfn / 2 ** shift));
          return base === undefined ? undefined : add(base, BigInt(pfn) * BigInt(size));
        },
      };
    }
    const field = kernel.types.tryStruct("pglist_data")?.tryField("node_page_ext");
    if (field === undefined) return "neither mem_section nor pglist_data has the place of struct page_ext";
    const nodes = memoryNodes(kernel).nodes.flatMap(({ address, startPfn, spanned }) => {
      const base = kernel.memory.tryU64(field.address(address));
      // The table begins at a block of the largest order (MAX_ORDER_NR_PAGES, 2^10 pages).
      return base === undefined || base === 0n
        ? []
        : [{ base: virtual(base), first: startPfn - (startPfn % 1024), end: startPfn + spanned }];
    });
    return {
      size,
      at: (pfn) => {
        const node = nodes.find(({ first, end }) => pfn >= first && pfn < end);
        return node === undefined ? undefined : add(node.base, (pfn - node.first) * size);
      },
    };
  });
}

function entrySize(kernel: Kernel, plain: number): number | undefined {
  const read = (name: string) => {
    const symbol = kernel.tryAddress(name);
    return symbol === undefined ? undefined : kernel.memory.tryU64(symbol);
  };
  const whole = read("page_ext_size");
  if (whole !== undefined) return Number(whole);
  const extra = read("extra_mem");
  return extra === undefined ? undefined : plain + Number(extra);
}
