/**
 * Walks red-black trees (include/linux/rbtree_types.h) in order.
 *
 *   struct rb_root { struct rb_node *rb_node; }                        rb_root_cached: the same first, then rb_leftmost
 *   struct rb_node { unsigned long __rb_parent_color; struct rb_node *rb_right, *rb_left; }     +0, +8, +16
 *
 * The walk keeps its own stack and does not trust the parent pointers; it checks them (a child's parent is the node it came from).
 * A tree of 2^64 nodes is at most 128 high, so a deeper path is corruption, and so is a node that is reached twice.
 */
import { add, hex16, type VirtualAddress } from "../bytes/address.ts";
import { CorruptionError, FaultError } from "../bytes/errors.ts";
import type { Memory } from "../kernel/address-space.ts";

const MAX_DEPTH = 128;
const COLOR_MASK = ~3n;
/** Below the most entries that a JavaScript Set can hold. */
const DEFAULT_LIMIT = 1 << 23;

/**
 * Nodes of the tree in ascending order; the address is that of the embedded rb_node.
 * @param root address of the rb_root
 * @throws CorruptionError at the node where the tree stops being one; what came before has been yielded
 */
export function* rbtreeNodes(memory: Memory, root: VirtualAddress, limit = DEFAULT_LIMIT): Generator<VirtualAddress, void, undefined> {
  const stack: VirtualAddress[] = [];
  const seen = new Set<bigint>();
  let parent = 0n as VirtualAddress;
  let node = memory.u64(root) as VirtualAddress;
  while (node !== 0n || stack.length > 0) {
    while (node !== 0n) {
      if (stack.length >= MAX_DEPTH)
        throw new CorruptionError("rb_node", `deeper than ${MAX_DEPTH} levels: the tree runs in a circle`, node);
      const back = read(memory, node, 0) & COLOR_MASK;
      if (seen.has(node)) throw new CorruptionError("rb_node", "it is reached twice", node);
      if (seen.size >= limit) throw new CorruptionError("rb_node", `more than ${limit} nodes`, node);
      seen.add(node);
      if (back !== parent) throw new CorruptionError("rb_node", `its parent is ${hex16(back)} where ${hex16(parent)} points here`, node);
      stack.push(node);
      parent = node;
      node = read(memory, node, 16);
    }
    const here = stack.pop() as VirtualAddress;
    yield here;
    parent = here;
    node = read(memory, here, 8);
  }
}

function read(memory: Memory, node: VirtualAddress, offset: number): VirtualAddress {
  try {
    return memory.u64(add(node, offset)) as VirtualAddress;
  } catch (error) {
    if (error instanceof FaultError) throw new CorruptionError("rb_node", `the node cannot be read (${error.reason})`, node, error);
    throw error;
  }
}
