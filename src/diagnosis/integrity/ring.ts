/**
 * Checks a circular list from both ends, so that a broken link does not hide what should be there.
 *
 *   head ⇄ a ⇄ n ─✗─► ?       m ⇄ c ⇄ head       forwards to n, backwards to m
 *
 *   m.prev is n                     n.next is damaged, and should lead to m
 *   n.next is m                     m.prev is damaged, and should lead to n
 *   n.next and m.prev are one b     b.prev and b.next are damaged, and should lead to n and to m
 *
 * A list that was being changed when the machine stopped looks broken too, but all its pointers lead to members of the list, or past one:
 * include/linux/list.h sets next->prev, new->next, new->prev, prev->next in this order, and __list_del() next->prev before prev->next. Such
 * links are not counted. Lists whose readers need no lock (list_add_rcu) obey the same rule.
 *
 * Where entries lie side by side (struct page, 64 bytes each) the damaged pointer of one leads to another member as a rule, too. What adds
 * and takes away writes both links of a neighbour's neighbour at most, so a pointer that leads to a member farther off, which its own
 * neighbours agree about, and that is one bit away from what it should be, is damage.
 */
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { pointerOf, singleBit, type Word, wordAt } from "./look.ts";

export interface BrokenLink {
  /** list_head that holds the damaged pointer. */
  readonly node: VirtualAddress;
  readonly link: "next" | "prev";
  readonly found: bigint;
  /** Undefined where both ways were lost. */
  readonly expected: bigint | undefined;
  /** Address of the word that proves it. */
  readonly witness: VirtualAddress | undefined;
}

export interface RingCheck {
  /** In order as far as they are reached forwards, then those that are reached backwards only. */
  readonly nodes: readonly VirtualAddress[];
  readonly broken: readonly BrokenLink[];
  /** All members are among the nodes: both ends meet. */
  readonly whole: boolean;
}

const NEXT = 0;
const PREV = 8;

/** @param limit nodes that are looked at from each end */
export function checkRing(kernel: Kernel, head: VirtualAddress, limit: number): RingCheck {
  const forward = walk(kernel, head, NEXT, PREV, limit);
  if (forward.closed) return { nodes: forward.nodes, broken: [], whole: true };
  const backward = walk(kernel, head, PREV, NEXT, limit);
  const seen = new Set<bigint>(forward.nodes);
  const nodes = [...forward.nodes, ...backward.nodes.filter((node) => !seen.has(node)).reverse()];
  const [next, prev] = [wordAt(kernel, forward.last), wordAt(kernel, add(backward.last, PREV))];
  const leadsTo = (word: Word, node: VirtualAddress): boolean => typeof word === "bigint" && pointerOf(kernel, word) === node;
  const meet = leadsTo(next, backward.last) || leadsTo(prev, forward.last) || (typeof next === "bigint" && next === prev);
  if (forward.limited || backward.limited) return { nodes, broken: [], whole: meet };
  // The one that both ends lead to, and that leads nowhere itself.
  if (typeof next === "bigint" && next === prev && next !== head && !nodes.includes(pointerOf(kernel, next)))
    nodes.splice(forward.nodes.length, 0, pointerOf(kernel, next));
  const members = new Set<bigint>([head, ...forward.nodes, ...backward.nodes]);
  return { nodes, broken: broken(kernel, head, forward, backward, members), whole: meet };
}

interface Walk {
  /** Without the head. */
  readonly nodes: readonly VirtualAddress[];
  /** It came back to the head. */
  readonly closed: boolean;
  readonly limited: boolean;
  /** The last node that was right, the head when none was. */
  readonly last: VirtualAddress;
}

function walk(kernel: Kernel, head: VirtualAddress, ahead: number, back: number, limit: number): Walk {
  const nodes: VirtualAddress[] = [];
  const seen = new Set<bigint>();
  let last = head;
  for (;;) {
    const word = wordAt(kernel, add(last, ahead));
    if (typeof word !== "bigint") return { nodes, closed: false, limited: true, last };
    const next = pointerOf(kernel, word);
    const link = wordAt(kernel, add(next, back));
    if (typeof link !== "bigint" || pointerOf(kernel, link) !== last) return { nodes, closed: false, limited: false, last };
    if (next === head) return { nodes, closed: true, limited: false, last };
    // Each link leads back, so a circle without the head cannot be; damage to the head alone can make one.
    if (nodes.length >= limit || seen.has(next)) return { nodes, closed: false, limited: true, last };
    seen.add(next);
    nodes.push(next);
    last = next;
  }
}

function broken(kernel: Kernel, head: VirtualAddress, forward: Walk, backward: Walk, members: ReadonlySet<bigint>): BrokenLink[] {
  const [n, m] = [forward.last, backward.last];
  const next = wordAt(kernel, n);
  const prev = wordAt(kernel, add(m, PREV));
  if (typeof next !== "bigint" || typeof prev !== "bigint") return [];
  const link = (
    node: VirtualAddress,
    which: "next" | "prev",
    expected: bigint | undefined,
    witness: VirtualAddress | undefined,
  ): BrokenLink[] => {
    const found = wordAt(kernel, add(node, which === "next" ? NEXT : PREV));
    if (typeof found !== "bigint") return [];
    if (members.has(pointerOf(kernel, found)) && (expected === undefined || !isFarOff(kernel, found, expected, which))) return [];
    return [{ node, link: which, found, expected, witness }];
  };
  const after = pointerOf(kernel, next);
  const before = pointerOf(kernel, prev);
  if (before === n && after !== m) return link(n, "next", m, add(m, PREV));
  if (after === m && before !== n) return link(m, "prev", n, n);
  if (after === before && after !== head) {
    const inner = virtual(after);
    // An entry that is just being added or taken away is told by the members it leads to.
    return [...link(inner, "next", m, add(m, PREV)), ...link(inner, "prev", n, n)];
  }
  // What was left out of the dump may be all right.
  if (wordAt(kernel, after) === "unknown" || wordAt(kernel, before) === "unknown") return [];
  return [...link(n, "next", undefined, undefined), ...link(m, "prev", undefined, undefined)];
}

/**
 * A member that no list operation leaves a link to: neither beside what should be there nor itself being moved, and one bit away from it.
 * list_del() in between leaves n.next at the entry whose own next is the expected one already, or m.prev at the entry before.
 */
function isFarOff(kernel: Kernel, found: bigint, expected: bigint, which: "next" | "prev"): boolean {
  if (singleBit(found, expected) === undefined) return false;
  const linked = (node: bigint, at: number): bigint | undefined => {
    const word = wordAt(kernel, add(virtual(node), at));
    return typeof word === "bigint" ? pointerOf(kernel, word) : undefined;
  };
  const member = pointerOf(kernel, found);
  const [ahead, behind] = [linked(member, NEXT), linked(member, PREV)];
  if (ahead === undefined || behind === undefined || ahead === expected || behind === expected) return false;
  if (linked(expected, which === "next" ? NEXT : PREV) === member) return false;
  return linked(ahead, PREV) === member && linked(behind, NEXT) === member;
}
