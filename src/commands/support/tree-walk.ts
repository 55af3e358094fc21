/** Walks of `tree`: from options and start to a sequence of entries, nodes and told damage, in one shape for all kinds of trees. */
import { add, hex16, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { type CorruptionError, UnsupportedError, UsageError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { mapleLayout } from "../../linux/maple-tree.ts";
import { type MapleStep, mapleWalk } from "../../linux/maple-walk.ts";
import { rbtreeWalk } from "../../linux/rbtree-walk.ts";
import { xarrayWalk, xarrayWalkLayout } from "../../linux/xarray-walk.ts";
import { mapleNodeText, mapleTreeText, rangeText } from "./maple-text.ts";
import { explained } from "./spaces.ts";

export type TreeKind = "rbtree" | "radix" | "xarray" | "maple";
export const TREE_KINDS: readonly TreeKind[] = ["rbtree", "radix", "xarray", "maple"];

/** One thing that a walk comes to. */
export type TreeStep =
  | {
      readonly kind: "entry";
      readonly address: VirtualAddress;
      /** Where in the tree: "root/l/r", or the slots on the way down. */
      readonly path: string;
      /** Of an array; for a maple tree the number of the entry, from 1. */
      readonly index?: bigint;
      /** maple -v: its range, and how deep it lies. */
      readonly range?: { readonly first: bigint; readonly last: bigint; readonly depth: number };
    }
  /** maple -v: what a node or an empty range is. */
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "problem"; readonly problem: CorruptionError };

export interface TreePlan {
  readonly type: TreeKind;
  /** Address of the root, or of a node with `isNode`. */
  readonly start: VirtualAddress;
  readonly isNode: boolean;
  readonly inOrder: boolean;
  /** maple: nodes and empty ranges too. */
  readonly verbose: boolean;
}

/** Throws FaultError when the root cannot be read, UnsupportedError when this kernel has no trees of that kind. */
export function treeSteps(kernel: Kernel, plan: TreePlan): () => Generator<TreeStep> {
  switch (plan.type) {
    case "rbtree":
      return rbtreeSteps(kernel, plan);
    case "radix":
    case "xarray":
      return xarraySteps(kernel, plan);
    case "maple":
      return mapleSteps(kernel, plan);
  }
}

/** Problems come between the steps, where they were found. */
function* interleaved<T>(
  walk: (problem: (found: CorruptionError) => void) => Iterable<T>,
  step: (found: T) => Iterable<TreeStep>,
): Generator<TreeStep> {
  const problems: CorruptionError[] = [];
  for (const found of walk((problem) => problems.push(problem))) {
    for (const problem of problems.splice(0)) yield { kind: "problem", problem };
    yield* step(found);
  }
  for (const problem of problems) yield { kind: "problem", problem };
}

function rbtreeSteps(kernel: Kernel, { start, isNode, inOrder }: TreePlan): () => Generator<TreeStep> {
  const { memory } = kernel;
  // struct rb_root { struct rb_node *rb_node; }, also the first member of rb_root_cached.
  const word = explained(kernel, () => memory.u64(start));
  const top = isNode ? start : virtual(word);
  return () =>
    interleaved(
      (problem) => rbtreeWalk(memory, top, { inOrder, inner: isNode, problem }),
      ({ node, path }) => [{ kind: "entry", address: node, path }],
    );
}

function xarraySteps(kernel: Kernel, { start, isNode, type }: TreePlan): () => Generator<TreeStep> {
  const { memory, types } = kernel;
  const layout = xarrayWalkLayout(types);
  // xarray.xa_head since 4.20; radix_tree_root.rnode before, when an xarray was not yet.
  const head = types.tryStruct("xarray")?.tryField("xa_head") ?? types.tryStruct("radix_tree_root")?.firstField("xa_head", "rnode");
  if (layout === undefined || head === undefined)
    throw types.lack ?? new UnsupportedError(`this kernel's types know no ${type === "radix" ? "radix trees" : "XArrays"}`);
  const word = explained(kernel, () => (isNode ? memory.u64(start) && virtual(start | layout.nodeTag) : head.pointer(start)));
  return () =>
    interleaved(
      (problem) => xarrayWalk(memory, layout, virtual(word), problem),
      ({ entry, index, path }) => [{ kind: "entry", address: entry, path, index }],
    );
}

function mapleSteps(kernel: Kernel, { start, isNode, verbose }: TreePlan): () => Generator<TreeStep> {
  const { memory, types } = kernel;
  const layout = mapleLayout(types);
  const tree = types.tryStruct("maple_tree");
  const rootField = tree?.tryField("ma_root");
  if (layout === undefined || tree === undefined || rootField === undefined)
    throw types.lack ?? new UnsupportedError("this kernel has no maple trees (they came with 6.1)");
  if (isNode && (start & 0xffn) === 0n)
    throw new UsageError(`-N wants a node of a maple tree as a slot or ma_root holds it: the low byte of ${hex16(start)} has its type`);
  // The walk takes words with the root's tag.
  const root = isNode ? virtual((start & ~7n) | 2n) : explained(kernel, () => rootField.pointer(start));
  return function* () {
    if (verbose && !isNode) for (const text of [mapleTreeText(tree, start, root), ""]) yield { kind: "text", text };
    let count = 0n;
    yield* interleaved<MapleStep>(
      (problem) => mapleWalk(memory, layout, root, isNode ? undefined : start, problem),
      (step): TreeStep[] => {
        if (step.kind === "node") return verbose ? [{ kind: "text", text: mapleNodeText(step) }] : [];
        const { first, last, entry, path, depth } = step;
        if (entry !== 0n) return [{ kind: "entry", address: entry, path, index: ++count, range: { first, last, depth } }];
        return verbose ? [{ kind: "text", text: `${"  ".repeat(depth)}${rangeText(first, last)}: 0` }] : [];
      },
    );
  };
}

/** Address of the structure that holds a node. */
export function holder(address: VirtualAddress, offset: number): VirtualAddress {
  return add(address, -offset);
}
