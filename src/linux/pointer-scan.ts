/**
 * Which words of memory lead into given ranges: one walk over the dump's pages for all ranges together.
 *
 *   word = high half │ low half        the high halves of the ranges are few: nearly every word is passed over after one comparison
 *                      └ page ─► ranges that have a part of this page
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";

export interface PointerTarget {
  readonly start: VirtualAddress;
  readonly size: number;
}

export interface PointerHit {
  /** Number of the range. */
  readonly target: number;
  /** Where the word lies. */
  readonly physical: number;
}

export interface PointerScan {
  readonly hits: readonly PointerHit[];
  /** Bytes of memory that were looked at, and that could not be read. */
  readonly looked: number;
  readonly unread: number;
}

const PAGE_BITS = 12;
/** Words that are told of one range. */
const MOST = 64;
/** Pages between two words on how far it is. */
const TICK = 1 << 12;

/** @param progress bytes that are through, and all; may throw to stop it */
export function pointersInto(
  kernel: Kernel,
  targets: readonly PointerTarget[],
  progress?: (done: number, total: number) => void,
): PointerScan {
  const { dump } = kernel;
  const index = indexOf(targets);
  const counts = new Uint32Array(targets.length);
  const hits: PointerHit[] = [];
  const buffer = new ArrayBuffer(dump.pageSize);
  // Every machine that runs this is little-endian, as those are whose dumps it reads.
  const [bytes, words] = [new Uint8Array(buffer), new Uint32Array(buffer)];
  const total = dump.ranges.reduce((sum, { start, end }) => sum + Number(end - start), 0);
  let [looked, unread, pages] = [0, 0, 0];
  for (const { start, end } of dump.ranges) {
    const last = Math.ceil(Number(end) / dump.pageSize);
    for (let pfn = Math.floor(Number(start) / dump.pageSize); pfn < last; pfn++) {
      if (++pages % TICK === 0) progress?.(looked + unread, total);
      if (dump.readPage(pfn, bytes) !== undefined) {
        unread += dump.pageSize;
        continue;
      }
      looked += dump.pageSize;
      for (let i = 1; i < words.length; i += 2) {
        const inHigh = index.get(words[i] as number);
        if (inHigh === undefined) continue;
        const low = words[i - 1] as number;
        for (const target of inHigh.get(low >>> PAGE_BITS) ?? []) {
          const word = virtual((BigInt(words[i] as number) << 32n) | BigInt(low));
          const { start: first, size } = targets[target] as PointerTarget;
          if (word < first || word >= add(first, size)) continue;
          const known = counts[target] ?? 0;
          counts[target] = known + 1;
          if (known < MOST) hits.push({ target, physical: pfn * dump.pageSize + (i - 1) * 4 });
        }
      }
    }
  }
  return { hits, looked, unread };
}

/** High half ─► page in the low half ─► ranges. */
function indexOf(targets: readonly PointerTarget[]): ReadonlyMap<number, ReadonlyMap<number, readonly number[]>> {
  const index = new Map<number, Map<number, number[]>>();
  for (const [number, { start, size }] of targets.entries()) {
    const from = start >> BigInt(PAGE_BITS);
    const to = add(start, Math.max(1, size) - 1) >> BigInt(PAGE_BITS);
    for (let page = from; page <= to; page++) {
      const high = Number(page >> BigInt(32 - PAGE_BITS));
      const low = Number(page & BigInt((1 << (32 - PAGE_BITS)) - 1));
      const inHigh = index.get(high) ?? new Map<number, number[]>();
      index.set(high, inHigh);
      inHigh.set(low, [...(inHigh.get(low) ?? []), number]);
    }
  }
  return index;
}
