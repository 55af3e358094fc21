/**
 * Walks XArrays (lib/xarray.c, 4.20+), which are also what an IDR and a radix tree are made of since then.
 *
 *   xarray.xa_head ──► entry                 entry & 3:  0 pointer   2 internal   x1 value (entry >> 1)
 *                  └─► xa_node { shift, offset, count, …, slots[64] }      a node when internal and above 4096
 *                        index bits [shift+5 … shift] choose the slot; sibling entries (internal, below 256) repeat their leader
 *
 * Kernels before 4.20 keep `struct radix_tree_node` with internal pointers marked by bit 0 (RADIX_TREE_INTERNAL_NODE, 4.6 … 4.19).
 */
import { add, type VirtualAddress } from "../bytes/address.ts";
import { CorruptionError, FaultError } from "../bytes/errors.ts";
import type { Memory } from "../kernel/address-space.ts";
import type { Types } from "../kernel/types.ts";

/** 64-bit indices in steps of at least 4 bits. */
const MAX_DEPTH = 16;
/** Entries and nodes; below the most that a JavaScript Set can hold. */
const DEFAULT_LIMIT = 1 << 23;

/** What bounds a walk: entries left to yield, and nodes seen, as a tree reaches each only once. */
interface Budget {
  entries: number;
  readonly nodes: Set<bigint>;
  readonly limit: number;
}

export interface XarrayEntry {
  /** Position in the array (for a multi-index entry its first one). Exact below 2^53. */
  readonly index: number;
  /** The stored word: a pointer, or a value entry (bit 0 set). */
  readonly entry: VirtualAddress;
}

/** Layout of a node in this kernel; `undefined` when the dump knows neither node type. */
export interface XarrayLayout {
  readonly slots: number;
  readonly slotsOffset: number;
  readonly shiftOffset: number;
  readonly offsetOffset: number;
  /** How a pointer to a node is told from an item. */
  readonly isNode: (entry: bigint) => boolean;
  readonly nodeTag: bigint;
  readonly isSkipped: (entry: bigint) => boolean;
}

/** Layout from the dump's own types. */
export function xarrayLayout(types: Types): XarrayLayout | undefined {
  const modern = types.tryStruct("xa_node");
  const node = modern ?? types.tryStruct("radix_tree_node");
  const slots = node?.tryField("slots");
  const shift = node?.tryField("shift");
  const offset = node?.tryField("offset");
  if (slots === undefined || shift === undefined || offset === undefined) return undefined;
  return {
    slots: slots.size / 8,
    slotsOffset: slots.offset,
    shiftOffset: shift.offset,
    offsetOffset: offset.offset,
    nodeTag: modern === undefined ? 1n : 2n,
    isNode: modern === undefined ? (entry) => (entry & 3n) === 1n : (entry) => (entry & 3n) === 2n && entry > 4096n,
    // NULL, a sibling, XA_ZERO_ENTRY (1030) or XA_RETRY_ENTRY (1026): all internal and small.
    isSkipped: modern === undefined ? (entry) => entry === 0n : (entry) => entry === 0n || ((entry & 3n) === 2n && entry <= 4096n),
  };
}

/**
 * Entries in index order.
 * @param head the word in xarray.xa_head (radix_tree_root.rnode before 4.20), not its address
 * @throws CorruptionError at the node that breaks the tree; the entries before it have been yielded
 */
export function* xarrayEntries(
  memory: Memory,
  layout: XarrayLayout,
  head: VirtualAddress,
  limit = DEFAULT_LIMIT,
): Generator<XarrayEntry, void, undefined> {
  if (!layout.isNode(head)) {
    if (!layout.isSkipped(head)) yield { index: 0, entry: head };
    return;
  }
  const budget: Budget = { entries: limit, nodes: new Set(), limit };
  yield* nodeEntries(memory, layout, head, 0, undefined, 0, budget);
}

function* nodeEntries(
  memory: Memory,
  layout: XarrayLayout,
  tagged: VirtualAddress,
  base: number,
  parentShift: number | undefined,
  depth: number,
  budget: Budget,
): Generator<XarrayEntry, void, undefined> {
  const node = add(tagged, -layout.nodeTag);
  if (depth >= MAX_DEPTH) throw new CorruptionError("xa_node", `deeper than ${MAX_DEPTH} levels`, node);
  if (budget.nodes.has(node)) throw new CorruptionError("xa_node", "it is reached twice", node);
  if (budget.nodes.size >= budget.limit) throw new CorruptionError("xa_node", `more than ${budget.limit} nodes`, node);
  budget.nodes.add(node);
  let shift: number;
  let words: DataView;
  try {
    shift = memory.u8(add(node, layout.shiftOffset));
    words = new DataView(memory.bytes(add(node, layout.slotsOffset), layout.slots * 8).buffer);
  } catch (error) {
    if (error instanceof FaultError) throw new CorruptionError("xa_node", `the node cannot be read (${error.reason})`, node);
    throw error;
  }
  if (parentShift !== undefined && shift >= parentShift) {
    throw new CorruptionError("xa_node", `its shift ${shift} is not below its parent's ${parentShift}`, node);
  }
  const step = 2 ** shift;
  for (let slot = 0; slot < layout.slots; slot++) {
    const entry = words.getBigUint64(slot * 8, true) as VirtualAddress;
    if (entry === 0n) continue;
    const index = base + slot * step;
    if (layout.isNode(entry)) {
      // A leaf node (shift 0) cannot hold nodes; the retry and zero entries below 4096 were told apart by isNode.
      if (shift === 0) throw new CorruptionError("xa_node", "a leaf node points at another node", node);
      yield* nodeEntries(memory, layout, entry, index, shift, depth + 1, budget);
    } else if (!layout.isSkipped(entry)) {
      if (--budget.entries < 0) throw new CorruptionError("xa_node", "more entries than the limit", node);
      yield { index, entry };
    }
  }
}
