/** A search through ranges of memory: physical ones chunk by chunk (on other threads too), virtual ones through the page tables. */
import { physical, virtual } from "../bytes/address.ts";
import type { FaultReason } from "../bytes/errors.ts";
import { blockScanner, type SearchPattern } from "../bytes/search-pattern.ts";
import type { UnreadPages } from "../dump/physical-scan.ts";
import { physicalSearch } from "../dump/physical-search.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { SearchRange } from "./search-ranges.ts";
import { virtualScan } from "./virtual-scan.ts";

export interface MemorySearchOptions {
  /** Names that the dump can be opened with again, for other threads. */
  readonly files?: readonly string[];
  /** Bytes of physical memory that are through, and all of them. */
  readonly progress?: (done: number, total: number) => void;
}

/** What was searched and could not be read; filled while the hits are walked. */
export interface Unread {
  /** Pages of the dump's size, of physical ranges. */
  readonly physical: UnreadPages;
  /** Pages of 4 KiB that page tables map. */
  readonly virtual: Map<FaultReason, number>;
}

/** Addresses of the hits, range by range, ascending in each. */
export function* memorySearch(
  kernel: Kernel,
  ranges: readonly SearchRange[],
  pattern: SearchPattern,
  unread: Unread,
  options: MemorySearchOptions = {},
): Generator<bigint, void, undefined> {
  const scanner = blockScanner(pattern);
  for (let i = 0; i < ranges.length; ) {
    const range = ranges[i] as SearchRange;
    if (range.kind === "virtual") {
      yield* virtualScan(kernel, range.memory, scanner, virtual(range.start), range.end, unread.virtual);
      i++;
      continue;
    }
    // Neighbours are searched together, so that other threads start once.
    const rest = ranges.findIndex((each, at) => at > i && each.kind !== "physical");
    const last = rest < 0 ? ranges.length : rest;
    const together = ranges.slice(i, last).filter((each) => each.kind === "physical");
    for (const hit of physicalSearch(kernel.dump, together, pattern, unread.physical, options)) {
      yield physical(BigInt(hit.address) + (together[hit.range]?.base ?? 0n));
    }
    i = last;
  }
}
