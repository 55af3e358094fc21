/**
 * Checks the pointers of a red-black tree (include/linux/rbtree_types.h): a child's parent is the node that leads to it.
 *
 *   root.rb_node ─► n ─ rb_left ─► l        l.__rb_parent_color & ~3 is n, the root's own parent is NULL
 *
 * A tree that is being turned (lib/rbtree.c, __rb_rotate_set_parents, __rb_insert) has for a moment a child whose parent is another node of
 * the same tree: that is not counted. Nor is what cannot be told apart: damage is told where one bit gives the right child, or where the
 * word leads nowhere.
 */
import { add, type VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { poisonOf } from "../../linux/poison.ts";
import type { BrokenPointer } from "./chain.ts";
import { pointerOf, singleBit, textOver, wordAt } from "./look.ts";

const RIGHT = 8;
const LEFT = 16;
const WORDS = [
  [0, "__rb_parent_color"],
  [RIGHT, "rb_right"],
  [LEFT, "rb_left"],
] as const;
const COLOUR = 3n;
const TOP_BIT = 63n;

interface Link {
  /** Address of the pointer. */
  readonly at: VirtualAddress;
  readonly parent: VirtualAddress | undefined;
  readonly member: string;
}

/** @param root address of the struct rb_root */
export function checkTree(
  kernel: Kernel,
  root: VirtualAddress,
  limit: number,
): { readonly nodes: readonly VirtualAddress[]; readonly broken: readonly BrokenPointer[] } {
  const nodes: VirtualAddress[] = [];
  const suspects: BrokenPointer[] = [];
  const seen = new Set<bigint>();
  const links: Link[] = [{ at: root, parent: undefined, member: "rb_node" }];
  for (let link = links.pop(); link !== undefined && nodes.length < limit; link = links.pop()) {
    const word = wordAt(kernel, link.at);
    if (typeof word !== "bigint" || word === 0n) continue;
    const node = pointerOf(kernel, word);
    if (seen.has(node)) continue;
    const broken = checkChild(kernel, link, word, node);
    if (broken === "unknown") continue;
    let goOn: VirtualAddress | undefined = node;
    if (broken !== undefined) {
      suspects.push(broken);
      goOn = broken.member.endsWith("__rb_parent_color")
        ? node
        : broken.expected === undefined
          ? undefined
          : pointerOf(kernel, broken.expected);
    }
    if (goOn === undefined || seen.has(goOn)) continue;
    seen.add(goOn);
    nodes.push(goOn);
    links.push({ at: add(goOn, RIGHT), parent: goOn, member: "rb_right" }, { at: add(goOn, LEFT), parent: goOn, member: "rb_left" });
  }
  // A parent that is another node of the tree: the tree was being turned.
  const broken = suspects.filter(
    ({ member, found }) => !(member.endsWith("__rb_parent_color") && seen.has(pointerOf(kernel, found & ~COLOUR))),
  );
  return { nodes, broken };
}

function checkChild(
  kernel: Kernel,
  { at, parent, member }: Link,
  word: bigint,
  node: VirtualAddress,
): BrokenPointer | "unknown" | undefined {
  const above = parent ?? 0n;
  const back = (node & 7n) === 0n ? wordAt(kernel, node) : "nowhere";
  if (back === "unknown") return "unknown";
  if (typeof back === "bigint" && parentOf(kernel, back) === above) return undefined;
  const flipped = typeof back === "bigint" && singleBit(back, above | (back & COLOUR)) !== undefined && childLooksRight(kernel, node);
  const other = parent === undefined ? undefined : wordAt(kernel, add(parent, member === "rb_left" ? RIGHT : LEFT));
  const near = flipped ? undefined : nearChild(kernel, word, above, other);
  if (near !== undefined) return { address: at, found: word, expected: near, witness: near, node: parent, member };
  for (const [offset, name] of WORDS) {
    const own = wordAt(kernel, add(node, offset));
    // The node is where it should be and was written over.
    if (typeof own === "bigint" && (textOver(kernel, add(node, offset)) !== undefined || poisonOf(own)?.offset === 0))
      return { address: add(node, offset), found: own, expected: undefined, witness: undefined, node, member: name };
  }
  if (typeof back !== "bigint") return { address: at, found: word, expected: undefined, witness: undefined, node: parent, member };
  // The colour is not known, so it is taken as it is.
  const expected = above | (back & COLOUR);
  const isFlip = singleBit(back, expected) !== undefined;
  if (isFlip || !kernel.arch.isKernelAddress(parentOf(kernel, back)) || wordAt(kernel, parentOf(kernel, back)) === "nowhere")
    return childLooksRight(kernel, node)
      ? { address: node, found: back, expected, witness: at, node, member: "__rb_parent_color" }
      : { address: at, found: word, expected: undefined, witness: undefined, node: parent, member };
  return "unknown";
}

function parentOf(kernel: Kernel, word: bigint): bigint {
  const plain = word & ~COLOUR;
  return plain === 0n ? 0n : pointerOf(kernel, plain);
}

/** Its own children name it as their parent. */
function childLooksRight(kernel: Kernel, node: VirtualAddress): boolean {
  return [RIGHT, LEFT].every((offset) => {
    const child = wordAt(kernel, add(node, offset));
    if (child === 0n) return true;
    const back = typeof child === "bigint" && (child & 7n) === 0n ? wordAt(kernel, child) : undefined;
    return typeof back === "bigint" && parentOf(kernel, back) === node;
  });
}

/** The node one bit away whose parent is the right one, when there is exactly one; the parent's other child is none. A root's parent is NULL, which proves too little. */
function nearChild(kernel: Kernel, found: bigint, parent: bigint, sibling: unknown): VirtualAddress | undefined {
  if (parent === 0n) return undefined;
  let only: VirtualAddress | undefined;
  for (let bit = 0n; bit <= TOP_BIT; bit++) {
    const other = BigInt.asUintN(64, found ^ (1n << bit));
    const back = other !== sibling && (other & 7n) === 0n && kernel.arch.isKernelAddress(other) ? wordAt(kernel, other) : undefined;
    if (typeof back !== "bigint" || parentOf(kernel, back) !== parent) continue;
    if (only !== undefined) return undefined;
    only = pointerOf(kernel, other);
  }
  return only;
}
