/**
 * NUMA node of a page: a field of page.flags (include/linux/page-flags-layout.h), with SPARSEMEM_VMEMMAP the topmost.
 *
 *   flags   | node (NODES_SHIFT bits) | zone | … | flags |
 *
 * NODES_SHIFT is a macro. The list of zones that every node keeps has room for all zones of all nodes and one more.
 */
import type { VirtualAddress } from "../bytes/address.ts";
import { sizeOf, strip } from "../debug-info/c-type.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { PageMap } from "./page.ts";

/** Node of the page whose structure this is; 0 where the kernel has one only or does not tell. @throws FaultError */
export function pageNode(kernel: Kernel, page: VirtualAddress): number {
  const bits = kernel.memo(pageNode, () => nodeBits(kernel));
  const map = PageMap.of(kernel);
  return map === undefined || bits === 0 ? 0 : Number(map.flags(page) >> BigInt(64 - bits));
}

function nodeBits(kernel: Kernel): number {
  const list = kernel.types.tryStruct("zonelist")?.tryField("_zonerefs");
  const zones = kernel.types.constant("__MAX_NR_ZONES");
  if (list === undefined || zones === undefined || zones === 0n) return 0;
  const array = strip(list.type);
  if (array.kind !== "array" || sizeOf(array.element) === 0) return 0;
  const bits = Math.log2((array.length - 1) / Number(zones));
  return Number.isInteger(bits) && bits >= 0 && bits <= 16 ? bits : 0;
}
