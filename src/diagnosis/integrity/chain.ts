/**
 * Checks lists that end with NULL and whose nodes point back at the pointer that names them (hlist, hlist_bl, hlist_nulls):
 *
 *   head.first ─► n ─next─► s ─► NULL        n.pprev is &head.first, s.pprev is &n.next
 *
 * Bit 0 of the head of an hlist_bl is a lock, bit 0 of a next of hlist_nulls says that the chain ends. Lists that change while they are read
 * (hlist_add_head_rcu, hlist_del_rcu): a pprev may still name a pointer that names the node too, or named it before.
 */
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Field } from "../../kernel/field.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { poisonOf } from "../../linux/poison.ts";
import { pointerOf, singleBit, textOver, wordAt } from "./look.ts";

export interface BrokenPointer {
  /** The damaged word. */
  readonly address: VirtualAddress;
  readonly found: bigint;
  readonly expected: bigint | undefined;
  /** Address of the word that proves it. */
  readonly witness: VirtualAddress | undefined;
  /** Node that the word is of; undefined for the head. */
  readonly node: VirtualAddress | undefined;
  readonly member: string;
}

const PPREV = 8;
const TOP_BIT = 63n;

function plainNext(kernel: Kernel, word: bigint): VirtualAddress | undefined {
  // The end of a hlist_nulls chain is an odd number.
  return word === 0n || (word & 1n) !== 0n ? undefined : pointerOf(kernel, word);
}

/** The neighbour one bit away that names `link` as its pprev, when there is exactly one. */
function nearNode(kernel: Kernel, found: bigint, link: VirtualAddress): VirtualAddress | undefined {
  let only: VirtualAddress | undefined;
  for (let bit = 0n; bit <= TOP_BIT; bit++) {
    const other = BigInt.asUintN(64, found ^ (1n << bit));
    const back = (other & 7n) === 0n && kernel.arch.isKernelAddress(other) ? wordAt(kernel, other + BigInt(PPREV)) : undefined;
    if (typeof back !== "bigint" || pointerOf(kernel, back) !== link) continue;
    if (only !== undefined) return undefined;
    only = pointerOf(kernel, other);
  }
  return only;
}

/** One link: the pointer at `link` and the node it names. */
function checkLink(
  kernel: Kernel,
  link: VirtualAddress,
  from: VirtualAddress | undefined,
  word: bigint,
  next: VirtualAddress,
): BrokenPointer | undefined {
  const back = wordAt(kernel, add(next, PPREV));
  if (back === "unknown") return undefined;
  const backwards = typeof back === "bigint" ? pointerOf(kernel, back) : undefined;
  if (backwards === link) return undefined;
  const near = nearNode(kernel, word, link);
  if (near !== undefined) return { address: link, found: word, expected: near, witness: add(near, PPREV), node: from, member: "next" };
  if (typeof back !== "bigint" || backwards === undefined)
    return { address: link, found: word, expected: undefined, witness: undefined, node: from, member: "next" };
  // Being changed: the old pointer still names the node.
  const named = wordAt(kernel, backwards);
  if (
    named === "unknown" ||
    (typeof named === "bigint" && (pointerOf(kernel, named & ~1n) === next || pointerOf(kernel, named & ~1n) === from))
  )
    return undefined;
  if (singleBit(back, link) !== undefined || poisonOf(back)?.offset === 0 || typeof named !== "bigint")
    return { address: add(next, PPREV), found: back, expected: link, witness: link, node: next, member: "pprev" };
  return undefined;
}

/** A whole chain. @param limit nodes that are looked at */
export function checkChain(
  kernel: Kernel,
  head: VirtualAddress,
  limit: number,
): { readonly nodes: readonly VirtualAddress[]; readonly broken: readonly BrokenPointer[] } {
  const nodes: VirtualAddress[] = [];
  const seen = new Set<bigint>();
  let link = head;
  let from: VirtualAddress | undefined;
  for (;;) {
    const word = wordAt(kernel, link);
    if (typeof word !== "bigint") return { nodes, broken: [] };
    const next = plainNext(kernel, from === undefined ? word & ~1n : word);
    if (next === undefined || nodes.length >= limit || seen.has(next)) return { nodes, broken: [] };
    const broken = checkLink(kernel, link, from, word, next);
    if (broken !== undefined) return { nodes, broken: [broken] };
    seen.add(next);
    nodes.push(next);
    from = next;
    link = next;
  }
}

/** A node whose head is not known: the pointers on both sides of it. */
export function checkNode(kernel: Kernel, node: VirtualAddress): BrokenPointer | undefined {
  const next = wordAt(kernel, node);
  const back = wordAt(kernel, add(node, PPREV));
  // Not hashed, or as hlist_del() leaves it, or faked (hlist_add_fake).
  if (typeof next !== "bigint" || typeof back !== "bigint" || back === 0n || back === add(node, 0) || poisonOf(back) !== undefined)
    return undefined;
  const link = pointerOf(kernel, back);
  const named = wordAt(kernel, link);
  if (named === "unknown") return undefined;
  if (named === "nowhere" || pointerOf(kernel, named & ~1n) !== node) {
    let only: VirtualAddress | undefined;
    for (let bit = 0n; bit <= TOP_BIT; bit++) {
      const other = BigInt.asUintN(64, back ^ (1n << bit));
      const word = (other & 7n) === 0n && kernel.arch.isKernelAddress(other) ? wordAt(kernel, other) : undefined;
      if (typeof word !== "bigint" || pointerOf(kernel, word & ~1n) !== node) continue;
      if (only !== undefined) return undefined;
      only = pointerOf(kernel, other);
    }
    // Text over both words leaves nobody who leads back.
    const isText = only === undefined && named === "nowhere" && textOver(kernel, add(node, PPREV)) !== undefined;
    if (only === undefined && !isText) return undefined;
    return { address: add(node, PPREV), found: back, expected: only, witness: only, node, member: "pprev" };
  }
  const following = plainNext(kernel, next);
  return following === undefined ? undefined : checkLink(kernel, node, node, next, following);
}

/** Objects in a double chain without a head: next of one leads to an object whose prev leads back. */
export function checkNeighbour(kernel: Kernel, object: VirtualAddress, next: Field, prev: Field): BrokenPointer | undefined {
  const word = wordAt(kernel, next.address(object));
  if (typeof word !== "bigint" || word === 0n) return undefined;
  const back = wordAt(kernel, prev.address(pointerOf(kernel, word)));
  if (back === "unknown" || (typeof back === "bigint" && pointerOf(kernel, back) === object)) return undefined;
  const found: VirtualAddress[] = [];
  for (let bit = 0n; bit <= TOP_BIT; bit++) {
    const other = virtual(BigInt.asUintN(64, word ^ (1n << bit)));
    const named = (other & 7n) === 0n && kernel.arch.isKernelAddress(other) ? wordAt(kernel, prev.address(other)) : undefined;
    if (typeof named === "bigint" && pointerOf(kernel, named) === object) found.push(other);
  }
  const [only] = found;
  const place = { address: next.address(object), found: word, node: object, member: next.path };
  if (only !== undefined && found.length === 1) return { ...place, expected: only, witness: prev.address(only) };
  return back === "nowhere" ? { ...place, expected: undefined, witness: undefined } : undefined;
}
