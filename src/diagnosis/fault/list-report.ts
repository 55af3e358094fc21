/**
 * What the checks of lists print (lib/list_debug.c, all releases since 2.6.18), and what of it can be read again in the dump.
 *
 *   list_del corruption. next->prev should be E, but was X. (next=N)      N->prev was overwritten with X
 *   list_add corruption. prev->next should be next (N), but was X. (prev=P)
 *   list_del corruption, E->next is LIST_POISON1 (dead000000000100)       E was taken off before
 *   list_add double add: new=E, prev=P, next=N
 */
import { add, virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";

export interface ListReport {
  readonly operation: "add" | "del";
  readonly what: "neighbour" | "poison" | "null" | "double add";
  /** The entry that was to be added or taken off; undefined where the message leaves it out. */
  readonly entry: bigint | undefined;
  /** The node whose pointer is wrong, and which pointer. */
  readonly node: bigint;
  readonly link: "next" | "prev";
  readonly expected: bigint | undefined;
  readonly was: bigint | undefined;
}

const hex = (text: string | undefined): bigint | undefined => (text === undefined ? undefined : BigInt(`0x${text.replace(/^0x/, "")}`));

/**
 * @param read a link of a node in the dump: until 5.17 the report of list_del() does not say where the neighbour lies, which the entry that
 * was refused still leads to
 */
export function listReport(text: string, read?: (node: bigint, link: "next" | "prev") => bigint | undefined): ListReport | undefined {
  const del =
    /^list_del corruption[.,] (next|prev)->(prev|next) should be ([0-9a-f]+), but was ([0-9a-f]+)(?:\.? \((?:next|prev)=([0-9a-f]+)\))?/.exec(
      text,
    );
  if (del !== null) {
    const entry = hex(del[3]);
    const node = hex(del[5]) ?? (entry === undefined ? undefined : read?.(entry, del[1] as "next" | "prev"));
    if (node === undefined) return undefined;
    return { operation: "del", what: "neighbour", entry, node, link: del[2] as "next" | "prev", expected: entry, was: hex(del[4]) };
  }
  const added =
    /^list_add corruption\. (next|prev)->(prev|next) should be (?:next|prev) \(([0-9a-f]+)\), but was ([0-9a-f]+)\.? \((?:next|prev)=([0-9a-f]+)\)/.exec(
      text,
    );
  if (added !== null) {
    return {
      operation: "add",
      what: "neighbour",
      entry: undefined,
      node: hex(added[5]) as bigint,
      link: added[2] as "next" | "prev",
      expected: hex(added[3]),
      was: hex(added[4]),
    };
  }
  const own = /^list_(del|add) corruption[.,] ([0-9a-f]+)->(next|prev) is (?:(NULL)|LIST_POISON[12] \(([0-9a-f]+)\))/.exec(text);
  if (own !== null) {
    const node = hex(own[2]) as bigint;
    const was = own[4] === undefined ? hex(own[5]) : 0n;
    return {
      operation: own[1] as "add" | "del",
      what: own[4] === undefined ? "poison" : "null",
      entry: node,
      node,
      link: own[3] as "next" | "prev",
      expected: undefined,
      was,
    };
  }
  const double = /^list_add double add: new=([0-9a-f]+), prev=([0-9a-f]+), next=([0-9a-f]+)/.exec(text);
  if (double === null) return undefined;
  const [entry, prev, next] = double.slice(1).map(hex) as [bigint, bigint, bigint];
  // It stands behind, or before, the place where it was to be added.
  const [node, link] = entry === next ? ([prev, "next"] as const) : ([next, "prev"] as const);
  return { operation: "add", what: "double add", entry, node, link, expected: undefined, was: entry };
}

/** struct list_head: next at 0, prev at 8. */
export function linkAddress(node: bigint, link: "next" | "prev") {
  return add(virtual(node), link === "next" ? 0 : 8);
}

export function readLink(kernel: Kernel, node: bigint, link: "next" | "prev"): bigint | undefined {
  return kernel.memory.tryU64(linkAddress(node, link));
}

export interface RingCheck {
  /** Nodes whose two neighbours point back at them. */
  readonly sound: number;
  /** Nodes with a link that leads elsewhere. */
  readonly broken: readonly { readonly node: bigint; readonly link: "next" | "prev"; readonly value: bigint | undefined }[];
  readonly walked: number;
}

const MAX_NODES = 4096;

/** Walks the ring from a node forwards, and says which nodes' links do not agree. A list that readers of RCU walk may lack only `prev`. */
export function checkRing(kernel: Kernel, from: bigint): RingCheck {
  const broken: { node: bigint; link: "next" | "prev"; value: bigint | undefined }[] = [];
  const seen = new Set<bigint>();
  let node = from;
  let sound = 0;
  while (!seen.has(node) && seen.size < MAX_NODES) {
    seen.add(node);
    const next = readLink(kernel, node, "next");
    if (next === undefined || !kernel.arch.isKernelAddress(next)) {
      broken.push({ node, link: "next", value: next });
      break;
    }
    const back = readLink(kernel, next, "prev");
    if (back === node) sound++;
    else broken.push({ node: next, link: "prev", value: back });
    node = next;
  }
  return { sound, broken: broken.slice(0, 8), walked: seen.size };
}
