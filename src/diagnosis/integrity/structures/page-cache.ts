/**
 * The tree of a file's pages: lib/xarray.c, include/linux/xarray.h.
 *
 *   inode.i_data.i_pages.xa_head ─► xa_node { array, parent, slots[] } ─► xa_node ─► …      a node's address has 2 in its low bits
 *
 *   array is the xarray, parent the node above, NULL at the top
 */
import { add, type VirtualAddress, virtual } from "../../../bytes/address.ts";
import { pointerOf, wordAt } from "../look.ts";
import type { Survey } from "../survey.ts";

/** Nodes of one file that are looked at. */
const MAX_NODES = 256;
/** XA_CHUNK_SIZE is 64, 16 with CONFIG_BASE_SMALL: the array's own length tells, no more than these are looked at. */
const MOST_SLOTS = 64;
const INTERNAL = 2n;
/** Smaller ones are siblings, retries and the like. */
const SMALLEST_NODE = 4096n;

export function surveyPageCache(survey: Survey, inode: VirtualAddress): void {
  const { kernel } = survey;
  const tree = survey.field("inode", "i_data.i_pages");
  const head = survey.field("inode", "i_data.i_pages.xa_head");
  const slots = survey.field("xa_node", "slots");
  if (tree === undefined || head === undefined || slots === undefined) return;
  const array = tree.address(inode);
  const first = nodeOf(wordAt(kernel, head.address(inode)));
  const queue: { readonly node: bigint; readonly above: bigint }[] = first === undefined ? [] : [{ node: first, above: 0n }];
  for (let i = 0; i < queue.length && i < MAX_NODES; i++) {
    const { node, above } = queue[i] as { node: bigint; above: bigint };
    const at = pointerOf(kernel, node);
    const plain = typeof wordAt(kernel, at) === "bigint";
    if (!plain || !survey.visit("xa_node", at)) continue;
    survey.pointer("xa_node", "array", at, "xarray", { value: array, what: "it is a node of the file's tree of pages" });
    survey.pointer("xa_node", "parent", at, "xa_node", {
      value: above,
      what: above === 0n ? "it is the top of the tree" : "the node above leads to it",
    });
    for (let slot = 0; slot < Math.min(slots.size / 8, MOST_SLOTS); slot++) {
      const inner = nodeOf(wordAt(kernel, add(slots.address(at), slot * 8)));
      if (inner !== undefined) queue.push({ node: inner, above: virtual(at) });
    }
  }
}

/** xa_is_node() and xa_to_node(). */
function nodeOf(entry: ReturnType<typeof wordAt>): bigint | undefined {
  return typeof entry === "bigint" && (entry & 3n) === INTERNAL && entry > SMALLEST_NODE && entry < 0xffff_ffff_ffff_f000n
    ? entry - INTERNAL
    : undefined;
}
