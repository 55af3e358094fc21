/**
 * Walks maple trees (lib/maple_tree.c, 6.1+): ranges of indices with one entry each; VMAs, interrupts and more live in them.
 *
 *   maple_tree.ma_root ──► entry, or an encoded node when (root & 3) == 2 and above 4096
 *   encoded node: bits 3–6 type, node = word & ~0xff (nodes are 256 bytes and aligned so); only the root's word carries the tag 2
 *
 *   maple_range_64 / leaf:  parent │ pivot[15] │ slot[16]                        (meta {end, gap} may lie in the last slot)
 *   maple_arange_64:        parent │ pivot[9]  │ slot[10] │ gap[10] │ meta
 *
 *   slot i holds what lies in (pivot[i-1], pivot[i]]; a pivot of 0 behind the first slot ends the node, its last slot reaching to the maximum.
 */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import { CorruptionError, FaultError } from "../bytes/errors.ts";
import type { Memory } from "../kernel/address-space.ts";
import type { Types } from "../kernel/types.ts";

/** MAPLE_HEIGHT_MAX. */
const MAX_DEPTH = 31;
/** Entries and nodes; below the most that a JavaScript Set can hold. */
const DEFAULT_LIMIT = 1 << 23;
const NODE_MASK = 0xffn;
/** MAPLE_RESERVED_RANGE: internal entries below it are not nodes (XA_ZERO_ENTRY among them). */
const RESERVED = 4096n;
const MAXIMUM = (1n << 64n) - 1n;

/** enum maple_type. */
const DENSE = 0;
/** maple_leaf_64 is 1. */
const RANGE = 2;
const ARANGE = 3;

export interface MapleEntry {
  /** First and last index of the range, both inclusive. */
  readonly first: bigint;
  readonly last: bigint;
  readonly entry: VirtualAddress;
}

export interface MapleLayout {
  readonly rangePivots: number;
  readonly rangePivotOffset: number;
  readonly rangeSlotOffset: number;
  readonly arangePivots: number;
  readonly arangePivotOffset: number;
  readonly arangeSlotOffset: number;
  readonly denseSlots: number;
  readonly denseSlotOffset: number;
  readonly nodeSize: number;
}

/** Layout from the dump's own types; undefined when this kernel has no maple trees. */
export function mapleLayout(types: Types): MapleLayout | undefined {
  const node = types.tryStruct("maple_node");
  const range = types.tryStruct("maple_range_64");
  const arange = types.tryStruct("maple_arange_64");
  if (node === undefined || range === undefined || arange === undefined) return undefined;
  const dense = node.tryField("slot");
  return {
    rangePivots: range.field("pivot").size / 8,
    rangePivotOffset: range.field("pivot").offset,
    rangeSlotOffset: range.field("slot").offset,
    arangePivots: arange.field("pivot").size / 8,
    arangePivotOffset: arange.field("pivot").offset,
    arangeSlotOffset: arange.field("slot").offset,
    denseSlots: (dense?.size ?? 0) / 8,
    denseSlotOffset: dense?.offset ?? 8,
    nodeSize: node.size,
  };
}

/**
 * Entries in index order, empty ranges left out.
 * @param root the word in maple_tree.ma_root, not its address
 * @throws CorruptionError at the node that breaks the tree; the entries before it have been yielded
 */
export function* mapleEntries(
  memory: Memory,
  layout: MapleLayout,
  root: VirtualAddress,
  limit = DEFAULT_LIMIT,
): Generator<MapleEntry, void, undefined> {
  if (root === 0n) return;
  if (!isMapleNode(root)) {
    if (!isMapleReserved(root)) yield { first: 0n, last: 0n, entry: root };
    return;
  }
  yield* walk(memory, layout, root, 0n, MAXIMUM, 0, { entries: limit, nodes: new Set(), limit });
}

/** The entry whose range holds `index`, reading one node a level. */
export function mapleFind(memory: Memory, layout: MapleLayout, root: VirtualAddress, index: bigint): MapleEntry | undefined {
  if (root === 0n) return undefined;
  if (!isMapleNode(root)) return index === 0n && !isMapleReserved(root) ? { first: 0n, last: 0n, entry: root } : undefined;
  let encoded = root;
  let min = 0n;
  let max = MAXIMUM;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    const node = readMapleNode(memory, layout, encoded);
    let found: MapleEntry | undefined;
    for (const slot of mapleSlots(node, min, max)) {
      if (index <= slot.last) {
        found = slot;
        break;
      }
    }
    if (found === undefined || index < found.first || found.entry === 0n) return undefined;
    if (node.leaf) return isMapleReserved(found.entry) ? undefined : found;
    encoded = found.entry;
    min = found.first;
    max = found.last;
  }
  throw new CorruptionError("maple_node", `deeper than ${MAX_DEPTH} levels`, virtual(encoded & ~NODE_MASK));
}

/** What bounds a walk: entries left to yield, and nodes seen, as a tree reaches each only once. */
interface Budget {
  entries: number;
  readonly nodes: Set<bigint>;
  readonly limit: number;
}

/** A node read whole. */
export interface MapleNode {
  readonly address: VirtualAddress;
  readonly leaf: boolean;
  readonly dense: boolean;
  readonly view: DataView;
  readonly pivots: number;
  readonly pivotOffset: number;
  readonly slotOffset: number;
}

/** True for a word that leads to a node. */
export function isMapleNode(entry: bigint): boolean {
  return (entry & 3n) === 2n && entry > RESERVED;
}

/** True for entries of the tree itself (XA_ZERO_ENTRY and others). */
export function isMapleReserved(entry: bigint): boolean {
  return (entry & 3n) === 2n && entry < RESERVED;
}

/** Reads the node that an encoded word leads to. Throws CorruptionError. */
export function readMapleNode(memory: Memory, layout: MapleLayout, encoded: VirtualAddress): MapleNode {
  const address = virtual(encoded & ~NODE_MASK);
  const type = Number((encoded >> 3n) & 0xfn);
  if (type > ARANGE) throw new CorruptionError("maple_node", `its type ${type} is not one that a tree holds`, address);
  let view: DataView;
  try {
    view = new DataView(memory.bytes(address, layout.nodeSize).buffer);
  } catch (error) {
    if (error instanceof FaultError) throw new CorruptionError("maple_node", `the node cannot be read (${error.reason})`, address, error);
    throw error;
  }
  if (type === DENSE)
    return { address, leaf: true, dense: true, view, pivots: layout.denseSlots - 1, pivotOffset: 0, slotOffset: layout.denseSlotOffset };
  if (type === ARANGE) {
    return {
      address,
      leaf: false,
      dense: false,
      view,
      pivots: layout.arangePivots,
      pivotOffset: layout.arangePivotOffset,
      slotOffset: layout.arangeSlotOffset,
    };
  }
  return {
    address,
    leaf: type !== RANGE,
    dense: false,
    view,
    pivots: layout.rangePivots,
    pivotOffset: layout.rangePivotOffset,
    slotOffset: layout.rangeSlotOffset,
  };
}

/** The node's slots with their ranges, up to the one that reaches the node's maximum. */
export function* mapleSlots(node: MapleNode, min: bigint, max: bigint): Generator<MapleEntry, void, undefined> {
  let first = min;
  for (let slot = 0; slot <= node.pivots; slot++) {
    let last = max;
    if (node.dense) {
      last = first;
    } else if (slot < node.pivots) {
      const pivot = node.view.getBigUint64(node.pivotOffset + slot * 8, true);
      // A zero pivot behind the first slot was never set: this slot is the last one (ma_data_end reads the same from the metadata).
      last = pivot === 0n && slot > 0 ? max : pivot;
    }
    if (last < first || last > max) throw new CorruptionError("maple_node", `pivot ${slot} leaves the node's range`, node.address);
    yield { first, last, entry: node.view.getBigUint64(node.slotOffset + slot * 8, true) as VirtualAddress };
    if (last === max) return;
    first = last + 1n;
  }
}

function* walk(
  memory: Memory,
  layout: MapleLayout,
  encoded: VirtualAddress,
  min: bigint,
  max: bigint,
  depth: number,
  budget: Budget,
): Generator<MapleEntry, void, undefined> {
  const node = readMapleNode(memory, layout, encoded);
  if (depth >= MAX_DEPTH) throw new CorruptionError("maple_node", `deeper than ${MAX_DEPTH} levels`, node.address);
  if (budget.nodes.has(node.address)) throw new CorruptionError("maple_node", "it is reached twice", node.address);
  if (budget.nodes.size >= budget.limit) throw new CorruptionError("maple_node", `more than ${budget.limit} nodes`, node.address);
  budget.nodes.add(node.address);
  for (const slot of mapleSlots(node, min, max)) {
    if (slot.entry === 0n) continue;
    if (node.leaf) {
      if (isMapleReserved(slot.entry)) continue;
      if (--budget.entries < 0) throw new CorruptionError("maple_node", "more entries than the limit", node.address);
      yield slot;
    } else {
      if (slot.entry <= RESERVED) throw new CorruptionError("maple_node", "a branch slot does not hold a node", node.address);
      yield* walk(memory, layout, slot.entry, slot.first, slot.last, depth + 1, budget);
    }
  }
}
