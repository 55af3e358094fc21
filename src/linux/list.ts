/**
 * Walks the kernel's linked lists (include/linux/list.h, include/linux/llist.h) in memory that may be damaged.
 *
 *   list_head   head ⇄ node ⇄ node ⇄ head            circular, next at +0, prev at +8
 *   hlist_head  first → node → node → NULL           next at +0, pprev at +8 points back at the pointer that names the node
 *   llist_head  first → node → NULL                  next at +0
 *
 * Each walk yields what it finds and throws a CorruptionError at the node where the list stops being a list, so the caller keeps what
 * came before. Cycles are found with Brent's method: constant memory, at most three times the nodes.
 */
import { add, hex16, type VirtualAddress } from "../bytes/address.ts";
import { CorruptionError, FaultError } from "../bytes/errors.ts";
import type { Memory } from "../kernel/address-space.ts";

/** More nodes than any sane list has: 2^24 nodes of 16 bytes are 256 MiB of heads alone. */
const DEFAULT_LIMIT = 1 << 24;

export interface ListOptions {
  /** Most nodes to yield; reaching it is a CorruptionError. */
  readonly limit?: number;
  /** Walk by prev instead of next. */
  readonly reverse?: boolean;
  /**
   * Check that each node points back at the one before (default). Lists that were being changed when the kernel died, or whose nodes
   * are removed under RCU, may break this and still be walkable: pass false for those.
   */
  readonly checkBackLinks?: boolean;
}

/** Nodes of a circular list, the head left out. The address is that of the embedded list_head. */
export function* listNodes(memory: Memory, head: VirtualAddress, options: ListOptions = {}): Generator<VirtualAddress, void, undefined> {
  const forward = options.reverse === true ? 8 : 0;
  const check = options.checkBackLinks ?? true;
  const limit = options.limit ?? DEFAULT_LIMIT;
  const cycle = new CycleDetector(head);
  let previous = head;
  let node = readLink(memory, "list_head", head, forward);
  for (let count = 0; node !== head; count++) {
    if (node === 0n)
      throw new CorruptionError("list_head", `a ${forward === 0 ? "next" : "prev"} pointer is NULL in a circular list`, previous);
    if (count >= limit)
      throw new CorruptionError("list_head", `more than ${limit} nodes without coming back to the head ${hex16(head)}`, previous);
    if (cycle.repeats(node))
      throw new CorruptionError("list_head", `the list runs in a circle that does not hold its head ${hex16(head)}`, node);
    if (check) {
      const back = readLink(memory, "list_head", node, 8 - forward, previous);
      if (back !== previous) {
        throw new CorruptionError(
          "list_head",
          `${forward === 0 ? "prev" : "next"} is ${hex16(back)} where ${hex16(previous)} points here`,
          node,
        );
      }
    }
    yield node;
    previous = node;
    node = readLink(memory, "list_head", node, forward);
  }
}

/** Nodes of an hlist, from the address of its head. */
export function* hlistNodes(memory: Memory, head: VirtualAddress, options: ListOptions = {}): Generator<VirtualAddress, void, undefined> {
  yield* singly(memory, "hlist_node", head, options, options.checkBackLinks ?? true);
}

/** Nodes of a lock-less list (llist_head), newest first. */
export function* llistNodes(memory: Memory, head: VirtualAddress, options: ListOptions = {}): Generator<VirtualAddress, void, undefined> {
  yield* singly(memory, "llist_node", head, options, false);
}

function* singly(
  memory: Memory,
  structure: string,
  head: VirtualAddress,
  options: ListOptions,
  check: boolean,
): Generator<VirtualAddress, void, undefined> {
  const limit = options.limit ?? DEFAULT_LIMIT;
  const cycle = new CycleDetector(head);
  let link = head;
  let node = readLink(memory, structure, link, 0);
  for (let count = 0; node !== 0n; count++) {
    if (count >= limit) throw new CorruptionError(structure, `more than ${limit} nodes`, link);
    if (cycle.repeats(node)) throw new CorruptionError(structure, "the list runs in a circle", node);
    if (check) {
      const back = readLink(memory, structure, node, 8, link);
      if (back !== link) throw new CorruptionError(structure, `pprev is ${hex16(back)} where ${hex16(link)} points here`, node);
    }
    yield node;
    link = node;
    node = readLink(memory, structure, node, 0);
  }
}

/** Brent: remembers one node and moves it up at every power of two; meeting it again means a circle. */
class CycleDetector {
  #mark: bigint;
  #steps = 0;
  #power = 1;

  constructor(first: bigint) {
    this.#mark = first;
  }

  repeats(node: bigint): boolean {
    if (node === this.#mark) return true;
    if (++this.#steps === this.#power) {
      this.#mark = node;
      this.#steps = 0;
      this.#power *= 2;
    }
    return false;
  }
}

/** A pointer of a node; a node that cannot be read is a broken list, told with the node that led there. */
function readLink(memory: Memory, structure: string, node: VirtualAddress, offset: number, from?: VirtualAddress): VirtualAddress {
  try {
    return memory.u64(add(node, offset)) as VirtualAddress;
  } catch (error) {
    if (!(error instanceof FaultError)) throw error;
    const origin = from === undefined ? "" : `, reached from ${hex16(from)}`;
    throw new CorruptionError(
      structure,
      `the node cannot be read (${error.reason}${error.detail === undefined ? "" : `: ${error.detail}`})${origin}`,
      node,
      error,
    );
  }
}
