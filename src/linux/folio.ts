/**
 * How large a folio is: a head page and those behind it (include/linux/mm_types.h).
 *
 *   6.6+       low byte of folio._flags_1            (ebc1baf5c9b4; the flags word of the second page)
 *   6.1–6.5    folio._folio_order                    (bad6da64b4d3)
 *   before     page[1].compound_order
 */
import { add, type VirtualAddress } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { PageMap } from "./page.ts";

/** Orders of any machine: 16 GiB huge pages of 4 KiB pages. */
const MAX_ORDER = 22;

type OrderOf = (head: VirtualAddress) => number;

/** Pages of the folio whose head this is, as a power of two: 0 for a single page. An implausible order counts as 0. @throws FaultError */
export function folioOrder(kernel: Kernel, head: VirtualAddress): number {
  const { map, order, headBit } = kernel.memo(folioOrder, () => ({
    map: PageMap.of(kernel),
    order: orderReader(kernel),
    headBit: kernel.types.constant("PG_head"),
  }));
  if (map === undefined || order === undefined || headBit === undefined) return 0;
  if (((map.flags(head) >> headBit) & 1n) === 0n) return 0;
  const found = order(head);
  return found <= MAX_ORDER ? found : 0;
}

function orderReader(kernel: Kernel): OrderOf | undefined {
  const folio = kernel.types.tryStruct("folio");
  const own = folio?.tryField("_folio_order");
  if (own !== undefined) return (head) => own.number(head);
  const page = kernel.types.tryStruct("page");
  const old = page?.tryField("compound_order");
  if (page !== undefined && old !== undefined) return (head) => old.number(add(head, page.size));
  const flags = folio?.firstField("_flags_1.f", "_flags_1");
  return flags === undefined ? undefined : (head) => Number(flags.bigint(head) & 0xffn);
}
