/** Memory node of a page frame (page_to_nid), by the ranges of the nodes: the place of its number in page flags is no datum of the dump. */
import type { Pfn } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type MemoryNode, memoryNodes } from "./zone.ts";

/** Number of the node; 0 where nodes cannot be told apart. */
export function nodeOfPfn(kernel: Kernel, pfn: Pfn): number {
  const nodes = kernel.memo(nodeOfPfn, () => readNodes(kernel));
  if (nodes.length < 2) return nodes[0]?.id ?? 0;
  // Ranges of nodes may nest: the smallest that holds the frame is its own.
  let best: MemoryNode | undefined;
  for (const node of nodes) {
    const within = pfn >= node.startPfn && pfn < node.startPfn + node.spanned;
    if (within && (best === undefined || node.spanned < best.spanned)) best = node;
  }
  return best?.id ?? 0;
}

function readNodes(kernel: Kernel): readonly MemoryNode[] {
  try {
    return memoryNodes(kernel).nodes;
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    return [];
  }
}
