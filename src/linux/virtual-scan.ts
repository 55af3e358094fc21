/** A pattern looked for in virtual memory: page by page through the page tables; runs of pages that can be read are scanned at once. */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError, type FaultReason } from "../bytes/errors.ts";
import type { BlockScanner } from "../bytes/search-pattern.ts";
import type { AddressSpace } from "../kernel/address-space.ts";
import type { Kernel } from "../kernel/kernel.ts";

const PAGE = 4096;
/** Pages that are scanned at once. */
const BLOCK_PAGES = 64;
/** Unmapped pages in a row after which the walk is asked how large the hole is. */
const PATIENCE = 4;

/** Hits from `start` to before `end`, ascending. @param unread counts pages that are mapped and not in the dump, by reason */
export function* virtualScan(
  kernel: Kernel,
  memory: AddressSpace,
  scanner: BlockScanner,
  start: VirtualAddress,
  end: bigint,
  unread: Map<FaultReason, number>,
): Generator<VirtualAddress, void, undefined> {
  const front = Math.ceil(scanner.overlap / 8) * 8;
  const buffer = new Uint8Array(front + BLOCK_PAGES * PAGE);
  let blockStart = virtual(start & -BigInt(PAGE));
  let filled = 0;
  let kept = false;
  let missed = 0;
  const limit = end + BigInt(scanner.overlap);
  const flush = (): VirtualAddress[] => {
    if (!kept) buffer.fill(0, 0, front);
    const offsets: number[] = [];
    if (filled > 0) scanner.scan(buffer, front, filled, offsets);
    const hits = offsets.map((offset) => add(blockStart, offset - front)).filter((at) => at >= start && at < end);
    buffer.copyWithin(0, filled, filled + front);
    kept = filled > 0;
    blockStart = add(blockStart, filled);
    filled = 0;
    return hits;
  };
  for (let page: bigint = blockStart; page < limit; ) {
    try {
      buffer.set(memory.bytes(virtual(page), PAGE), front + filled);
      filled += PAGE;
      missed = 0;
      page += BigInt(PAGE);
      if (filled === BLOCK_PAGES * PAGE) yield* flush();
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      if (filled > 0) yield* flush();
      if (error.reason !== "unmapped" && page < end) unread.set(error.reason, (unread.get(error.reason) ?? 0) + 1);
      missed = error.reason === "unmapped" ? missed + 1 : 0;
      page += missed > PATIENCE && memory === kernel.memory ? hole(kernel, virtual(page)) : BigInt(PAGE);
      blockStart = virtual(page);
      kept = false;
    }
  }
  yield* flush();
}

/** Bytes from the address to the end of what the entry that maps nothing would map. */
function hole(kernel: Kernel, address: VirtualAddress): bigint {
  const { pageShift, kernelTables } = kernel.arch;
  const level = kernelTables.walk(address).steps.at(-1)?.level;
  const below = level === "PMD" ? 1 : level === "PUD" ? 2 : 0;
  const size = 1n << BigInt(pageShift + below * (pageShift - 3));
  return size - (address & (size - 1n));
}
