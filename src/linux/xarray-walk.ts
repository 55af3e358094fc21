/**
 * Walks an XArray, or a radix tree of a kernel before 4.20, to look at it: positions are kept, every node is held against its parent
 * (lib/xarray.c, lib/radix-tree.c), and a broken one is told and left out while the walk goes on. xarray.ts is for callers who need
 * the entries only.
 *
 *   node.parent is the node above        node.offset is its slot there
 *   node.shift falls by a level          node.count is the number of slots in use
 */
import { add, hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import { CorruptionError, FaultError } from "../bytes/errors.ts";
import type { Memory } from "../kernel/address-space.ts";
import type { Types } from "../kernel/types.ts";
import { type XarrayLayout, xarrayLayout } from "./xarray.ts";

const MAX_DEPTH = 16;
const MAX_NODES = 1 << 22;

export interface XarrayStep {
  readonly index: bigint;
  readonly entry: VirtualAddress;
  /** "root/2/0": the slots on the way down. */
  readonly path: string;
}

/** Offsets of what a node says of itself; undefined for members that this kernel's nodes do not have. */
export interface XarrayWalkLayout extends XarrayLayout {
  readonly structure: string;
  readonly offsetOffset: number | undefined;
  readonly parentOffset: number | undefined;
  readonly countOffset: number | undefined;
}

/** Layout from the dump's own types; undefined when it knows neither kind of node. */
export function xarrayWalkLayout(types: Types): XarrayWalkLayout | undefined {
  const layout = xarrayLayout(types);
  // xa_node since 4.20, radix_tree_node before.
  const struct = types.tryStruct("xa_node") ?? types.tryStruct("radix_tree_node");
  if (layout === undefined || struct === undefined) return undefined;
  return {
    ...layout,
    structure: struct.name,
    // Before 4.7 the offset shared a word with the height (path); there it is not checked.
    offsetOffset: struct.tryField("offset")?.offset,
    parentOffset: struct.tryField("parent")?.offset,
    countOffset: struct.tryField("count")?.offset,
  };
}

interface Place {
  readonly node: VirtualAddress;
  readonly base: bigint;
  readonly path: string;
  readonly depth: number;
  readonly parent: { readonly node: VirtualAddress; readonly shift: number; readonly slot: number } | undefined;
}

/** @param head the word in xarray.xa_head (radix_tree_root.rnode before 4.20), or a node's address with the tag of nodes */
export function* xarrayWalk(
  memory: Memory,
  layout: XarrayWalkLayout,
  head: VirtualAddress,
  problem: (problem: CorruptionError) => void,
): Generator<XarrayStep, void, undefined> {
  if (layout.isNode(head))
    yield* walkNode(new Set(), { node: add(head, -layout.nodeTag), base: 0n, path: "root", depth: 0, parent: undefined });
  else if (!layout.isSkipped(head)) yield { index: 0n, entry: head, path: "root" };

  function* walkNode(seen: Set<bigint>, place: Place): Generator<XarrayStep, void, undefined> {
    const { node } = place;
    const broken = (what: string) => problem(new CorruptionError(layout.structure, what, node));
    const from = place.parent === undefined ? "" : `; slot ${place.parent.slot} of ${hex16(place.parent.node)} points here`;
    if (seen.has(node)) return broken(`it is reached twice${from}`);
    if (place.depth >= MAX_DEPTH || seen.size >= MAX_NODES) return broken(`deeper than ${MAX_DEPTH} levels, or too many nodes`);
    seen.add(node);
    const data = readNode(memory, layout, node);
    if (data instanceof FaultError) return broken(`the node cannot be read (${data.reason})${from}`);
    const { shift, slots } = data;
    if (place.parent !== undefined) {
      const { parent } = place;
      if (data.parent !== undefined && data.parent !== parent.node) broken(`its parent is ${hex16(data.parent)}${from}`);
      if (data.offset !== undefined && data.offset !== parent.slot) broken(`its offset is ${data.offset}${from}`);
      if (shift >= parent.shift) return broken(`its shift ${shift} is not below its parent's ${parent.shift}`);
    }
    if (shift > 60) return broken(`its shift is ${shift}`);
    const used = slots.filter((entry) => entry !== 0n).length;
    if (data.count !== undefined && data.count !== used) broken(`its count is ${data.count} and ${used} slots are in use`);
    for (const [slot, entry] of slots.entries()) {
      if (entry === 0n) continue;
      const base = place.base + (BigInt(slot) << BigInt(shift));
      const path = `${place.path}/${slot}`;
      const child = add(entry, -layout.childTag);
      if (!layout.isChild(entry, shift)) {
        if (!layout.isSkipped(entry)) yield { index: base, entry, path };
      } else if (child >= node && child < add(node, layout.slotsOffset + layout.slots * 8)) {
        // 4.7 to 4.19: a sibling points at its leader's slot in the same node.
      } else if (shift === 0) {
        broken(`slot ${slot} of a leaf node points at another node, ${hex16(child)}`);
      } else {
        yield* walkNode(seen, { node: child, base, path, depth: place.depth + 1, parent: { node, shift, slot } });
      }
    }
  }
}

interface NodeData {
  readonly shift: number;
  readonly offset: number | undefined;
  readonly count: number | undefined;
  readonly parent: bigint | undefined;
  readonly slots: readonly VirtualAddress[];
}

function readNode(memory: Memory, layout: XarrayWalkLayout, node: VirtualAddress): NodeData | FaultError {
  try {
    const view = new DataView(memory.bytes(add(node, layout.slotsOffset), layout.slots * 8).buffer);
    return {
      shift: layout.shiftOf(memory, node),
      offset: layout.offsetOffset === undefined ? undefined : memory.u8(add(node, layout.offsetOffset)),
      count: layout.countOffset === undefined ? undefined : memory.u8(add(node, layout.countOffset)),
      parent: layout.parentOffset === undefined ? undefined : memory.u64(add(node, layout.parentOffset)),
      slots: Array.from({ length: layout.slots }, (_, slot) => virtual(view.getBigUint64(slot * 8, true))),
    };
  } catch (error) {
    if (error instanceof FaultError) return error;
    throw error;
  }
}
