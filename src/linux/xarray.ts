/**
 * Walks XArrays (lib/xarray.c, 4.20+), which are also what an IDR and a radix tree are made of since then.
 *
 *   xarray.xa_head ──► entry                 entry & 3:  0 pointer   2 internal   x1 value (entry >> 1)
 *                  └─► xa_node { shift, offset, count, …, slots[64] }      a node when internal and above 4096
 *                        index bits [shift+5 … shift] choose the slot; sibling entries (internal, below 256) repeat their leader
 *
 * Before 4.20 struct radix_tree_node (lib/radix-tree.c):
 *   4.7–4.19  shift as now; pointers to nodes have bit 0 set (RADIX_TREE_INTERNAL_NODE); a sibling points into its own node's slots
 *   3.15–4.6  path: offset in the parent and, in its low 12 bits, the height; only the root's pointer has bit 0 set
 *   before    height: 1 for a leaf node, whose slots hold items; only the root's pointer has bit 0 set (RADIX_TREE_INDIRECT_PTR)
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

/** Layout of a node in this kernel. */
export interface XarrayLayout {
  readonly slots: number;
  readonly slotsOffset: number;
  /** Bits of the index below those that choose one of the node's slots. */
  readonly shiftOf: (memory: Memory, node: VirtualAddress) => number;
  /** Is the root's word a pointer to a node? */
  readonly isNode: (entry: bigint) => boolean;
  /** Is a word in a slot of a node with that shift? */
  readonly isChild: (entry: bigint, shift: number) => boolean;
  /** What marks a pointer to a node in the root's word, and in a slot. */
  readonly nodeTag: bigint;
  readonly childTag: bigint;
  readonly isSkipped: (entry: bigint) => boolean;
}

/** RADIX_TREE_HEIGHT_MASK of 64-bit machines: heights are at most 11. */
const HEIGHT_MASK = 0xfff;

/** Layout from the dump's own types; undefined when it knows neither node type. */
export function xarrayLayout(types: Types): XarrayLayout | undefined {
  const modern = types.tryStruct("xa_node");
  const node = modern ?? types.tryStruct("radix_tree_node");
  const slots = node?.tryField("slots");
  const shift = node?.tryField("shift");
  const height = node?.firstField("height", "path");
  if (slots === undefined) return undefined;
  const shape = { slots: slots.size / 8, slotsOffset: slots.offset };
  if (modern !== undefined && shift !== undefined) {
    const isNode = (entry: bigint) => (entry & 3n) === 2n && entry > 4096n;
    return {
      ...shape,
      shiftOf: (memory, at) => memory.u8(add(at, shift.offset)),
      isNode,
      // A leaf node cannot hold nodes; the walk tells when one seems to.
      isChild: isNode,
      nodeTag: 2n,
      childTag: 2n,
      // NULL, a sibling, XA_ZERO_ENTRY (1030) or XA_RETRY_ENTRY (1026): all internal and small.
      isSkipped: (entry) => entry === 0n || ((entry & 3n) === 2n && entry <= 4096n),
    };
  }
  const radix = { ...shape, isNode: (entry: bigint) => (entry & 3n) === 1n, nodeTag: 1n, isSkipped: (entry: bigint) => entry === 0n };
  if (shift !== undefined)
    return { ...radix, shiftOf: (memory, at) => memory.u8(add(at, shift.offset)), isChild: radix.isNode, childTag: 1n };
  if (height === undefined) return undefined;
  const bits = Math.log2(shape.slots);
  return {
    ...radix,
    shiftOf: (memory, at) => Math.max(0, ((memory.u32(add(at, height.offset)) & HEIGHT_MASK) - 1) * bits),
    isChild: (_entry, above) => above > 0,
    childTag: 0n,
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
  yield* nodeEntries(memory, layout, add(head, -layout.nodeTag), 0, undefined, 0, budget);
}

function* nodeEntries(
  memory: Memory,
  layout: XarrayLayout,
  node: VirtualAddress,
  base: number,
  parentShift: number | undefined,
  depth: number,
  budget: Budget,
): Generator<XarrayEntry, void, undefined> {
  if (depth >= MAX_DEPTH) throw new CorruptionError("xa_node", `deeper than ${MAX_DEPTH} levels`, node);
  if (budget.nodes.has(node)) throw new CorruptionError("xa_node", "it is reached twice", node);
  if (budget.nodes.size >= budget.limit) throw new CorruptionError("xa_node", `more than ${budget.limit} nodes`, node);
  budget.nodes.add(node);
  let shift: number;
  let words: DataView;
  try {
    shift = layout.shiftOf(memory, node);
    words = new DataView(memory.bytes(add(node, layout.slotsOffset), layout.slots * 8).buffer);
  } catch (error) {
    if (error instanceof FaultError) throw new CorruptionError("xa_node", `the node cannot be read (${error.reason})`, node, error);
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
    if (layout.isChild(entry, shift)) {
      const child = add(entry, -layout.childTag);
      if (isWithin(child, add(node, layout.slotsOffset), layout.slots * 8)) continue;
      if (shift === 0) throw new CorruptionError("xa_node", "a leaf node points at another node", node);
      yield* nodeEntries(memory, layout, child, index, shift, depth + 1, budget);
    } else if (!layout.isSkipped(entry)) {
      if (--budget.entries < 0) throw new CorruptionError("xa_node", "more entries than the limit", node);
      yield { index, entry };
    }
  }
}

/** A sibling of before 4.20 points at its leader's slot. */
function isWithin(address: VirtualAddress, start: VirtualAddress, length: number): boolean {
  return address >= start && address < start + BigInt(length);
}

/** XA_CHUNK_SIZE << 2: internal entries below are siblings. */
const SIBLINGS = 256n;

/**
 * The entry at an index, which a multi-index entry is for all of its indices; undefined where there is none.
 * @param head as for xarrayEntries
 * @throws CorruptionError for a node that breaks the tree, FaultError for one that cannot be read
 */
export function xarrayLoad(memory: Memory, layout: XarrayLayout, head: VirtualAddress, index: number): VirtualAddress | undefined {
  if (!layout.isNode(head)) return index === 0 && !layout.isSkipped(head) ? head : undefined;
  let node = add(head, -layout.nodeTag);
  let above = Number.POSITIVE_INFINITY;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    const shift = layout.shiftOf(memory, node);
    if (shift >= above) throw new CorruptionError("xa_node", `its shift ${shift} is not below its parent's ${above}`, node);
    const position = Math.floor(index / 2 ** shift);
    if (depth === 0 && position >= layout.slots) return undefined;
    const slots = add(node, layout.slotsOffset);
    let entry = memory.u64(add(slots, (position % layout.slots) * 8)) as VirtualAddress;
    if (layout.childTag === 2n && (entry & 3n) === 2n && entry < SIBLINGS)
      entry = memory.u64(add(slots, Number(entry >> 2n) * 8)) as VirtualAddress;
    else if (layout.childTag !== 2n && isWithin(add(entry, -layout.childTag), slots, layout.slots * 8))
      entry = memory.u64(add(entry, -layout.childTag)) as VirtualAddress;
    if (entry === 0n) return undefined;
    if (!layout.isChild(entry, shift)) return layout.isSkipped(entry) ? undefined : entry;
    if (shift === 0) throw new CorruptionError("xa_node", "a leaf node points at another node", node);
    above = shift;
    node = add(entry, -layout.childTag);
  }
  throw new CorruptionError("xa_node", `deeper than ${MAX_DEPTH} levels`, node);
}
