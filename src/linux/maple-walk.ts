/**
 * Walks a maple tree to look at it: nodes and ranges with their positions, empty ranges included; every node is held against its
 * parent (lib/maple_tree.c), and a broken one is told and left out while the walk goes on. maple-tree.ts is for callers who need the
 * entries only.
 *
 *   maple_node.parent: address of the parent │ type and slot in the low byte; in the root the address of the maple_tree │ 1
 */
import { hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import { CorruptionError } from "../bytes/errors.ts";
import type { Memory } from "../kernel/address-space.ts";
import { isMapleNode, isMapleReserved, type MapleLayout, type MapleNode, mapleSlots, readMapleNode } from "./maple-tree.ts";

const MAX_DEPTH = 31;
const MAX_NODES = 1 << 22;
const MAXIMUM = (1n << 64n) - 1n;
const NODE_MASK = 0xffn;
/** MAPLE_RESERVED_RANGE: no node lies there. Words in slots of branches bear no tag. */
const RESERVED = 4096n;

export type MapleStep =
  | {
      readonly kind: "node";
      readonly node: MapleNode;
      /** enum maple_type. */
      readonly type: number;
      readonly parent: bigint;
      readonly depth: number;
      readonly first: bigint;
      readonly last: bigint;
    }
  | {
      readonly kind: "range";
      readonly first: bigint;
      readonly last: bigint;
      /** 0 for an empty range. */
      readonly entry: VirtualAddress;
      /** "root/0/1": the slots on the way down. */
      readonly path: string;
      readonly depth: number;
    };

/**
 * @param root the word in maple_tree.ma_root, or an encoded node
 * @param tree address of the maple_tree, where the root must point back; undefined for a node within
 */
export function* mapleWalk(
  memory: Memory,
  layout: MapleLayout,
  root: VirtualAddress,
  tree: VirtualAddress | undefined,
  problem: (problem: CorruptionError) => void,
): Generator<MapleStep, void, undefined> {
  const seen = new Set<bigint>();
  if (isMapleNode(root)) yield* walkNode(root, tree, 0n, MAXIMUM, "root", 0);
  else if (root !== 0n && !isMapleReserved(root)) yield { kind: "range", first: 0n, last: 0n, entry: root, path: "root", depth: 0 };

  function* walkNode(
    encoded: VirtualAddress,
    above: VirtualAddress | undefined,
    first: bigint,
    last: bigint,
    path: string,
    depth: number,
  ): Generator<MapleStep, void, undefined> {
    const address = virtual(encoded & ~NODE_MASK);
    const broken = (what: string) => problem(new CorruptionError("maple_node", what, address));
    const from = depth === 0 ? "" : `; ${path.replace(/^root/, "slot")} of ${hex16(above ?? 0n)} points here`;
    if (seen.has(address)) return broken(`it is reached twice${from}`);
    if (depth >= MAX_DEPTH || seen.size >= MAX_NODES) return broken(`deeper than ${MAX_DEPTH} levels, or too many nodes`);
    seen.add(address);
    const node = told(() => readMapleNode(memory, layout, encoded));
    if (node === undefined) return;
    const parent = node.view.getBigUint64(0, true);
    const back = depth === 0 ? parent & ~1n : parent & ~NODE_MASK;
    if (above !== undefined && back !== above)
      broken(`its parent is ${hex16(back)}${depth === 0 ? ` and not its tree ${hex16(above)}` : from}`);
    yield { kind: "node", node, type: Number((encoded >> 3n) & 0xfn), parent, depth, first, last };
    const slots = mapleSlots(node, first, last);
    for (let slot = 0; ; slot++) {
      const next = told(() => slots.next());
      if (next === undefined || next.done === true) return;
      const { first: low, last: high, entry } = next.value;
      const at = `${path}/${slot}`;
      if (node.leaf)
        yield { kind: "range", first: low, last: high, entry: isMapleReserved(entry) ? virtual(0n) : entry, path: at, depth: depth + 1 };
      else if (entry <= RESERVED) {
        if (entry !== 0n) broken(`slot ${slot} holds no node: ${hex16(entry)}`);
      } else yield* walkNode(entry, address, low, high, at, depth + 1);
    }
  }

  function told<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      problem(error);
      return undefined;
    }
  }
}
