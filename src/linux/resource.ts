/**
 * The tree of I/O ports and of physical addresses that somebody has claimed (kernel/resource.c): ioport_resource and iomem_resource, each
 * { start, end, name, parent, sibling, child }. /proc/ioports and /proc/iomem show the same without the roots.
 */
import { hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";

const MAX_RESOURCES = 1 << 20;
const MAX_NAME = 256;

export interface Resource {
  readonly address: VirtualAddress;
  readonly start: bigint;
  /** Inclusive. */
  readonly end: bigint;
  /** "" when it has none. */
  readonly name: string;
  /** 0 for the root. */
  readonly depth: number;
}

export interface ResourceTree {
  readonly resources: readonly Resource[];
  /** Where the tree breaks. */
  readonly notes: readonly string[];
}

/** All of a tree, parents before children. @param root address of the root resource */
export function resourceTree(kernel: Kernel, root: VirtualAddress): ResourceTree {
  const struct = kernel.types.struct("resource");
  const [start, end, name] = [struct.field("start"), struct.field("end"), struct.field("name")];
  const [sibling, child, parent] = [struct.field("sibling"), struct.field("child"), struct.field("parent")];
  const resources: Resource[] = [];
  const notes: string[] = [];
  const seen = new Set<bigint>();
  const todo: { readonly address: VirtualAddress; readonly depth: number; readonly parent: bigint }[] = [
    { address: root, depth: 0, parent: 0n },
  ];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { address, depth } = next;
    if (seen.has(address)) {
      notes.push(`the resource at ${hex16(address)} is reached twice: the tree runs in a circle`);
      continue;
    }
    if (resources.length >= MAX_RESOURCES) {
      notes.push(`more than ${MAX_RESOURCES} resources`);
      break;
    }
    seen.add(address);
    try {
      resources.push({
        address,
        start: start.pointer(address),
        end: end.pointer(address),
        name: nameOf(kernel, name.pointer(address)),
        depth,
      });
      if (depth > 0 && parent.pointer(address) !== next.parent)
        notes.push(`the resource at ${hex16(address)} names another parent than the one it hangs under`);
      const [beside, below] = [sibling.pointer(address), child.pointer(address)];
      // The child is taken first: what is pushed last.
      if (beside !== 0n && depth > 0) todo.push({ address: beside, depth, parent: next.parent });
      if (below !== 0n) todo.push({ address: below, depth: depth + 1, parent: address });
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      notes.push(`the resource at ${hex16(address)} cannot be read, nor what follows it: ${error.message}`);
    }
  }
  return { resources, notes };
}

function nameOf(kernel: Kernel, pointer: bigint): string {
  if (pointer === 0n) return "";
  try {
    return kernel.memory.cString(virtual(pointer), MAX_NAME);
  } catch (error) {
    if (error instanceof InquestError) return "(unreadable)";
    throw error;
  }
}
