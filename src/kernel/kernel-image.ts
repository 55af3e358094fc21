/**
 * Extent of the kernel image in virtual memory, found by walking the page tables: no symbol is needed. The image has holes (sections
 * are aligned to 2 MiB on x86-64, freed init sections are unmapped on arm64), so it ends only where nothing is mapped for a long way.
 *
 *   ffffffff80000000 … │ text │ rodata │ · hole · │ data bss │ ……… nothing ………
 */

import type { PageTables } from "../arch/architecture.ts";
import { add, alignDown, pageNumber, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";
import type { PhysicalMemory } from "../dump/physical-memory.ts";

/** A hole of this size ends the image. */
const MAX_HOLE = 16 << 20;
/** No kernel image is larger (KERNEL_IMAGE_SIZE is 1 GiB on x86-64 with KASLR). */
const MAX_IMAGE = 1 << 30;
const STEP = 2 << 20;

/** A readable piece of the image. `bytes` is only valid until the next piece is asked for. */
export interface ImageChunk {
  readonly address: VirtualAddress;
  readonly bytes: Uint8Array;
}

/**
 * Pieces of at most 2 MiB of what is mapped from `start` on, in order; pages that the dump lacks end a piece.
 * @param start an address in the image, e.g. `_stext`; rounded down to 4 KiB
 */
export function* imageChunks(tables: PageTables, memory: PhysicalMemory, start: VirtualAddress): Iterable<ImageChunk> {
  const size = memory.pageSize;
  const buffer = new Uint8Array(STEP);
  let length = 0;
  let from = start;
  let here = alignDown(start, BigInt(size));
  let hole = 0;
  const end = here + BigInt(MAX_IMAGE);
  while (hole < MAX_HOLE && here < end && here >= start - BigInt(size)) {
    const slot = readable(tables, memory, here);
    if (slot === undefined) {
      if (length > 0) yield { address: from, bytes: buffer.subarray(0, length) };
      length = 0;
      const skip = missingSize(tables, here, size);
      hole += skip;
      here = add(alignDown(here, BigInt(skip)), skip);
      continue;
    }
    hole = 0;
    if (length === 0) from = here;
    buffer.set(new Uint8Array(memory.view.buffer, slot, size), length);
    length += size;
    here = add(here, size);
    if (length === STEP) {
      yield { address: from, bytes: buffer };
      length = 0;
    }
  }
  if (length > 0) yield { address: from, bytes: buffer.subarray(0, length) };
}

function readable(tables: PageTables, memory: PhysicalMemory, address: VirtualAddress): number | undefined {
  try {
    const slot = memory.page(pageNumber(tables.translate(address), memory.pageShift));
    return typeof slot === "number" ? slot : undefined;
  } catch (error) {
    if (error instanceof FaultError) return undefined;
    throw error;
  }
}

/** How far to skip where nothing is mapped: a whole PMD's reach when the PMD entry is missing. */
function missingSize(tables: PageTables, address: VirtualAddress, pageSize: number): number {
  const walk = tables.walk(address);
  const last = walk.steps.at(-1)?.level;
  return walk.physical !== undefined || last === "PTE" || last === undefined ? pageSize : STEP;
}

/** First mapped address at or above `from`, below `to`, searched in steps of `align` (where KASLR may put the image); undefined when none. */
export function firstMapped(tables: PageTables, from: bigint, to: bigint, align: number): VirtualAddress | undefined {
  for (let here = from; here < to; here += BigInt(align)) {
    try {
      tables.translate(virtual(here));
      return virtual(here);
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
    }
  }
  return undefined;
}
