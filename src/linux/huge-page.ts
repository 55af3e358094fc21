/**
 * Pools of huge pages: hstates[hugetlb_max_hstate], one a size. Source: mm/hugetlb.c, include/linux/hugetlb.h.
 * A kernel without CONFIG_HUGETLB_PAGE has none.
 */
import { add, type VirtualAddress } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** One pool; all counts in huge pages. */
export interface HugePagePool {
  readonly address: VirtualAddress;
  /** "hugepages-2048kB". */
  readonly name: string;
  /** Pages of the base size in one huge page are 2^order. */
  readonly order: number;
  readonly total: number;
  readonly free: number;
  readonly reserved: number;
  readonly surplus: number;
}

/** HUGE_MAX_HSTATE is 5 at most. */
const MAX_POOLS = 16;

/** The pools in the kernel's order; empty without hugetlb. Throws LookupError when this dump does not name them. */
export function hugePagePools(kernel: Kernel): readonly HugePagePool[] {
  const hstate = kernel.types.tryStruct("hstate");
  if (hstate === undefined || hstate.tryField("nr_huge_pages") === undefined) {
    if (kernel.types.lack !== undefined) throw kernel.types.lack;
    return [];
  }
  const first = kernel.tryAddress("hstates");
  const counter = kernel.tryAddress("hugetlb_max_hstate");
  if (first === undefined || counter === undefined) throw kernel.unknownSymbol("hstates", []);
  const count = Math.min(MAX_POOLS, kernel.memory.u32(counter));
  const fields = {
    order: hstate.field("order"),
    total: hstate.field("nr_huge_pages"),
    free: hstate.field("free_huge_pages"),
    reserved: hstate.field("resv_huge_pages"),
    surplus: hstate.field("surplus_huge_pages"),
    name: hstate.field("name"),
  };
  return Array.from({ length: count }, (_, i) => {
    const address = add(first, i * hstate.size);
    return {
      address,
      name: fields.name.string(address),
      order: fields.order.number(address),
      total: fields.total.number(address),
      free: fields.free.number(address),
      reserved: fields.reserved.number(address),
      surplus: fields.surplus.number(address),
    };
  });
}
