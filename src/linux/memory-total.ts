/**
 * How much RAM the machine had.
 *
 *   present   node_data[n]->node_present_pages (NUMA) or contig_page_data's: what the firmware gave, crash's MEMORY line
 *   managed   _totalram_pages: what the kernel had left to hand out, MemTotal of /proc/meminfo (totalram_pages before 5.0, ca79b0c211af)
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** CONFIG_NODES_SHIFT is at most 10. */
const MAX_NODES = 1024;

export interface MemoryTotal {
  /** Bytes of RAM present; from the dump's own ranges when the kernel's count cannot be reached. */
  readonly present: number;
  readonly presentSource: "nodes" | "dump";
  /** Bytes managed by the kernel; undefined when the symbol is missing. */
  readonly managed: number | undefined;
}

/** Reads both totals. */
export function memoryTotal(kernel: Kernel): MemoryTotal {
  return kernel.memo(memoryTotal, () => {
    const pages = presentPages(kernel);
    const total = kernel.tryAddress("_totalram_pages") ?? kernel.tryAddress("totalram_pages");
    const managed = total === undefined ? undefined : kernel.memory.tryU64(total);
    if (pages === undefined) {
      kernel.note("the kernel's count of its memory cannot be read: the memory's size is that of what the dump covers, which may be less");
    }
    const ranges = kernel.dump.ranges.reduce((sum, range) => sum + Number(range.end - range.start), 0);
    return {
      present: pages === undefined ? ranges : pages * kernel.arch.pageSize,
      presentSource: pages === undefined ? "dump" : "nodes",
      managed: managed === undefined ? undefined : Number(managed) * kernel.arch.pageSize,
    };
  });
}

function presentPages(kernel: Kernel): number | undefined {
  const field = kernel.types.tryStruct("pglist_data")?.tryField("node_present_pages");
  if (field === undefined) return undefined;
  const single = kernel.tryAddress("contig_page_data");
  if (single !== undefined) return readPages(kernel, field.address(single));
  const nodes = kernel.tryAddress("node_data");
  if (nodes === undefined) return undefined;
  const count = nodeCount(kernel);
  let pages: number | undefined;
  for (let node = 0; node < count; node++) {
    const pointer = kernel.memory.tryU64(add(nodes, node * 8));
    // Nodes without memory are NULL; the array is followed by other data when its length was only guessed.
    if (pointer === undefined || !kernel.arch.isKernelAddress(pointer)) continue;
    const here = readPages(kernel, field.address(virtual(pointer)));
    // Without one node's count the sum would be short.
    if (here === undefined) return undefined;
    pages = (pages ?? 0) + here;
  }
  return pages;
}

/** nr_node_ids counts up to the highest possible node (not a symbol when only one node can exist). */
function nodeCount(kernel: Kernel): number {
  const address = kernel.tryAddress("nr_node_ids");
  const count = address === undefined ? undefined : kernel.memory.tryU32(address);
  return count === undefined || count < 1 || count > MAX_NODES ? 1 : count;
}

function readPages(kernel: Kernel, address: VirtualAddress): number | undefined {
  const value = kernel.memory.tryU64(address);
  return value === undefined ? undefined : Number(value);
}
