/**
 * Walks a red-black tree to look at it: every rule is checked (include/linux/rbtree_types.h, lib/rbtree.c), a broken one is told at the
 * node that breaks it, and the walk goes on with what can still be reached. rbtree.ts is for callers who need the nodes only.
 *
 *   a child's parent is the node it came from            no red node has a red child; the top is black
 *   every way down to a leaf has as many black nodes     a node is reached once, and can be read
 *
 *   __rb_parent_color: parent address │ … │ bit 0: 0 red, 1 black
 */
import { hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import { CorruptionError, FaultError } from "../bytes/errors.ts";
import type { Memory } from "../kernel/address-space.ts";

const MAX_DEPTH = 128;
/** Below the most entries that a JavaScript Set can hold. */
const MAX_NODES = 1 << 23;
const BLACK = 1n;
const COLOUR_MASK = ~3n;

export interface RbtreeStep {
  readonly node: VirtualAddress;
  /** "root", "root/l/r": left and right from the top. */
  readonly path: string;
}

export interface RbtreeWalkOptions {
  /** Ascending; else each node before its left and right subtrees. */
  readonly inOrder?: boolean;
  /** The top is a node within a tree: it may be red, and has a parent. */
  readonly inner?: boolean;
  /** Told of every broken rule, before the nodes behind it. */
  readonly problem: (problem: CorruptionError) => void;
}

interface Visit {
  readonly node: VirtualAddress;
  readonly parent: VirtualAddress;
  readonly parentRed: boolean;
  /** Black nodes above. */
  readonly blacks: number;
  readonly depth: number;
  readonly path: string;
  /** In order: its left subtree is done. */
  readonly emit: boolean;
}

/** @param top address of the topmost node; 0 for an empty tree */
export function* rbtreeWalk(memory: Memory, top: VirtualAddress, options: RbtreeWalkOptions): Generator<RbtreeStep, void, undefined> {
  const { problem, inOrder = false, inner = false } = options;
  const seen = new Set<bigint>();
  const stack: Visit[] = [];
  const broken = (node: bigint, what: string) => problem(new CorruptionError("rb_node", what, node));
  let leafBlacks: number | undefined;
  let unbalanced = false;
  const root: Visit = { node: top, parent: virtual(0n), parentRed: false, blacks: 0, depth: 0, path: "root", emit: false };
  if (top !== 0n) stack.push(root);
  for (let visit = stack.pop(); visit !== undefined; visit = stack.pop()) {
    const { node, parent, path, depth } = visit;
    if (visit.emit) {
      yield { node, path };
      continue;
    }
    if (node === 0n) {
      leafBlacks ??= visit.blacks;
      // One wrong subtree makes every leaf in it wrong: the first tells enough.
      if (visit.blacks !== leafBlacks && !unbalanced)
        broken(parent, `${visit.blacks} black nodes lie above this leaf and ${leafBlacks} above others`);
      unbalanced ||= visit.blacks !== leafBlacks;
      continue;
    }
    if (depth >= MAX_DEPTH) {
      broken(node, `deeper than ${MAX_DEPTH} levels`);
      continue;
    }
    if (seen.has(node)) {
      broken(node, `it is reached twice, now from ${hex16(parent)}`);
      continue;
    }
    if (seen.size >= MAX_NODES) {
      broken(node, `more than ${MAX_NODES} nodes`);
      return;
    }
    seen.add(node);
    const words = readNode(memory, node);
    if (words instanceof FaultError) {
      broken(node, `the node cannot be read (${words.reason})${depth === 0 ? "" : `; ${hex16(parent)} points here`}`);
      continue;
    }
    const [colour, right, left] = words;
    const red = (colour & BLACK) === 0n;
    const back = colour & COLOUR_MASK;
    if (back !== parent && !(inner && depth === 0)) {
      const expected = depth === 0 ? "it is the top" : `${hex16(parent)} points here`;
      broken(node, `its parent is ${hex16(back)} where ${expected}`);
    }
    if (red && visit.parentRed) broken(node, `it is red as its parent ${hex16(parent)} is`);
    if (red && depth === 0 && !inner) broken(node, "it is the top and red");
    const below = { parent: node, parentRed: red, blacks: visit.blacks + (red ? 0 : 1), depth: depth + 1, emit: false };
    if (!inOrder) yield { node, path };
    stack.push({ ...below, node: virtual(right), path: `${path}/r` });
    if (inOrder) stack.push({ ...visit, emit: true });
    stack.push({ ...below, node: virtual(left), path: `${path}/l` });
  }
}

function readNode(memory: Memory, node: VirtualAddress): readonly [bigint, bigint, bigint] | FaultError {
  try {
    const view = new DataView(memory.bytes(node, 24).buffer);
    return [view.getBigUint64(0, true), view.getBigUint64(8, true), view.getBigUint64(16, true)];
  } catch (error) {
    if (error instanceof FaultError) return error;
    throw error;
  }
}
