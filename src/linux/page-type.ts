/**
 * What kind of page a struct page says it is, where it is none that is mapped by user page tables: page_type shares _mapcount's place.
 * Source: include/linux/page-flags.h.
 *
 *   6.12+      page_type >> 24 is one of enum pagetype: PGTY_buddy 0xf0, PGTY_table 0xf2 …                   (4ffca5a96678)
 *   6.10–6.11  a type is a bit that is *clear* under a base of ones: enum pagetype, PG_buddy …             (46df8e73a4a3)
 *   4.18–6.9   the same with macros: PG_buddy 0x80; PG_table 0x200, 0x400 before 5.11 (PG_kmemcg was 0x200 until 18b2db3b0385)
 */
import type { VirtualAddress } from "../bytes/address.ts";
import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Struct } from "../kernel/types.ts";

/** Kinds in the words of the kernel, without prefix: "buddy", "table", "offline", "guard", "hugetlb", "slab", "zsmalloc" … */
export type PageTypeReader = (page: VirtualAddress) => string | undefined;

/** PAGE_TYPE_BASE of the forms with clear bits. */
const BASE = 0xf000_0000;

/** Reader of a page's kind; it throws FaultError, and answers undefined for a page without one. */
export function pageTypeReader(kernel: Kernel, page: Struct): PageTypeReader {
  const field = page.tryField("page_type");
  if (field === undefined) return () => undefined;
  const enumeration = kernel.types.find("enum", "pagetype", { modules: false });
  const constants = enumeration?.kind === "enum" ? enumeration.enumerators : [];
  const newest = constants.filter(({ name }) => name.startsWith("PGTY_") && name !== "PGTY_mapcount_underflow");
  if (newest.length > 0) {
    const names = new Map(newest.map(({ name, value }) => [Number(value & 0xffn), name.slice(5)]));
    return (at) => names.get(word(field, at) >>> 24);
  }
  const bits = constants
    .filter(({ name, value }) => name.startsWith("PG_") && value > 0n)
    .map(({ name, value }): [number, string] => [Number(BigInt.asUintN(32, value)), name.slice(3)]);
  const known = bits.length > 0 ? bits : macros(kernel);
  const base = Number(BigInt.asUintN(32, kernel.types.constant("PAGE_TYPE_BASE") ?? BigInt(BASE)));
  return (at) => {
    const value = word(field, at);
    // A page mapped by n page tables has n − 1 there, an unmapped one all ones.
    if (value === 0xffff_ffff || value >>> 31 === 0) return undefined;
    return known.find(([bit]) => (value & (base | bit)) >>> 0 === base)?.[1];
  };
}

function word(field: Field, page: VirtualAddress): number {
  return field.number(page) >>> 0;
}

/** Bits of the macros. VMCOREINFO has those of free pages as the value that the whole word then has. */
function macros({ types, vmcoreinfo }: Kernel): [number, string][] {
  const free = vmcoreinfo?.number("PAGE_BUDDY_MAPCOUNT_VALUE");
  const buddy = free === undefined ? 0x80 : Number(BigInt.asUintN(32, ~free));
  // page_memcg_data_flags came in the release that gave PG_kmemcg up.
  const modern = types.constant("MEMCG_DATA_KMEM") !== undefined || types.constant("MEMCG_DATA_OBJCGS") !== undefined;
  return [
    [buddy, "buddy"],
    [0x100, "offline"],
    [modern ? 0x200 : 0x400, "table"],
    [modern ? 0x400 : 0x800, "guard"],
  ];
}
