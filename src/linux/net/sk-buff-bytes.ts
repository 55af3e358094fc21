/**
 * The bytes of a sk_buff: its linear part, its page fragments, the packets of its frag_list with theirs. Whatever a damaged sk_buff claims,
 * no more than MAX_PACKET bytes are read.
 */
import { add, distance, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { CorruptionError, InquestError, UnsupportedError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { PageMap } from "../page.ts";
import { type Layout, MAX_PACKET, MAX_PIECES, readSkBuff, type SkBuff, skBuffFault, skbLayout } from "./sk-buff.ts";

/** Content of a packet. */
export interface PacketBytes {
  readonly bytes: Uint8Array;
  /** Why bytes at the end are missing. */
  readonly missing?: string;
}

/**
 * The content from an address within the linear part on (such as a header before `data`), with what lies in pages behind it.
 * @param from where to begin; `skb.data` when not given
 * @throws CorruptionError when the sk_buff's own numbers do not agree; FaultError when its linear part cannot be read
 */
export function skBuffBytes(kernel: Kernel, skb: SkBuff, from: VirtualAddress = skb.data): PacketBytes {
  const fault = skBuffFault(skb);
  if (fault !== undefined) throw new CorruptionError("sk_buff", fault, skb.address);
  if (distance(from, skb.head) < 0 || distance(skb.tail, from) < 0)
    throw new CorruptionError("sk_buff", "a header lies outside of its buffer", skb.address);
  const pieces: Uint8Array[] = [kernel.memory.bytes(from, distance(skb.tail, from))];
  let missing: string | undefined;
  try {
    const budget = { bytes: MAX_PACKET, pieces: MAX_PIECES };
    for (const piece of pagedBytes(kernel, skb, budget)) pieces.push(piece);
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    missing = error.message;
  }
  const bytes = joined(pieces);
  const paged = bytes.length - (pieces[0] as Uint8Array).length;
  if (missing === undefined && paged < skb.dataLength)
    missing = `${skb.dataLength - paged} of ${skb.dataLength} bytes in pages are not there`;
  return missing === undefined ? { bytes } : { bytes, missing };
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

interface Budget {
  bytes: number;
  pieces: number;
}

/** Fragments, then the packets of the frag_list with theirs. */
function* pagedBytes(kernel: Kernel, skb: SkBuff, budget: Budget): Generator<Uint8Array, void, undefined> {
  if (skb.dataLength === 0) return;
  const { shared } = skb;
  if (shared === undefined) throw new CorruptionError("sk_buff", "its skb_shared_info cannot be read", skb.address);
  const layout = skbLayout(kernel);
  if (shared.frags > layout.maxFrags) throw new CorruptionError("skb_shared_info", `${shared.frags} fragments`, shared.address);
  for (let i = 0; i < shared.frags; i++) {
    spend(budget, skb);
    yield fragBytes(kernel, layout, add(layout.frags.address(shared.address), i * layout.frag.size), budget);
  }
  const seen = new Set<bigint>();
  for (let at = shared.fragList; at !== 0n; at = kernel.memory.u64(at) as VirtualAddress) {
    if (seen.has(at)) throw new CorruptionError("sk_buff", "the frag_list runs in a circle", at);
    seen.add(at);
    spend(budget, skb);
    const part = readSkBuff(kernel, at);
    const fault = skBuffFault(part);
    if (fault !== undefined) throw new CorruptionError("sk_buff", fault, at);
    const linear = part.length - part.dataLength;
    take(budget, linear, at);
    yield kernel.memory.bytes(part.data, linear);
    yield* pagedBytes(kernel, part, budget);
  }
}

function spend(budget: Budget, skb: SkBuff): void {
  if (--budget.pieces < 0) throw new CorruptionError("sk_buff", `more than ${MAX_PIECES} pieces`, skb.address);
}

function take(budget: Budget, bytes: number, at: VirtualAddress): void {
  budget.bytes -= bytes;
  if (budget.bytes < 0) throw new CorruptionError("sk_buff", `a packet of more than ${MAX_PACKET} bytes`, at);
}

function fragBytes(kernel: Kernel, layout: Layout, frag: VirtualAddress, budget: Budget): Uint8Array {
  const page = layout.fragPage.pointer(frag);
  const length = layout.fragLength.number(frag);
  if ((page & 1n) !== 0n) throw new UnsupportedError("a fragment lies in the memory of a device (net_iov)");
  take(budget, length, frag);
  const map = PageMap.of(kernel);
  const pfn = map?.pfnOf(page);
  const base = pfn === undefined ? undefined : map?.linearAddress(pfn);
  if (base === undefined) throw new CorruptionError("skb_frag_t", `${page.toString(16)} is no struct page`, frag);
  // Pages of a fragment follow one another: it lies in one compound page.
  return kernel.memory.bytes(virtual(add(base, layout.fragOffset.number(frag))), length);
}
