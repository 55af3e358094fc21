/**
 * A dump with other bytes in places: what a mutated dump is made of, without a file being written. Edits are of physical memory, so every
 * way to a byte (linear map, vmalloc, kernel image, user space) meets them.
 *
 *   dump ── readPage(pfn) ──► bytes of the file ── edits of this page ──► bytes that are seen
 *                                               └─ hidden pages ────────► "excluded", as makedumpfile leaves them out
 */
import { add, low32, pageNumber, type VirtualAddress } from "../../../src/bytes/address.ts";
import type { Dump, PageFault } from "../../../src/dump/dump.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";

/** Bytes in place of others. */
export interface Edit {
  /** Physical address of the first one. */
  readonly physical: bigint;
  readonly bytes: Uint8Array;
}

/** Other bytes for a virtual address of the kernel, page by page; throws FaultError where nothing is mapped. */
export function editsAt(kernel: Kernel, address: VirtualAddress, bytes: Uint8Array): readonly Edit[] {
  const edits: Edit[] = [];
  for (let done = 0; done < bytes.length; ) {
    const here = add(address, done);
    const count = Math.min(bytes.length - done, 4096 - (low32(here) & 4095));
    edits.push({ physical: kernel.memory.translate(here), bytes: bytes.subarray(done, done + count) });
    done += count;
  }
  return edits;
}

/** A word of 8 bytes, as editsAt() takes it. */
export function word(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
  return bytes;
}

/** A word of 4 bytes. */
export function half(value: bigint): Uint8Array {
  return word(value).slice(0, 4);
}

const EXCLUDED: PageFault = { reason: "excluded" };

/** The dump with edits. Closing it leaves the dump below open: many overlays share one. */
export function overlaidDump(dump: Dump, edits: readonly Edit[]): Dump {
  const pages = new Map<number, Edit[]>();
  for (const edit of edits) {
    const first = pageNumber(edit.physical, Math.log2(dump.pageSize));
    const last = pageNumber(edit.physical + BigInt(edit.bytes.length - 1), Math.log2(dump.pageSize));
    for (let pfn = first; pfn <= last; pfn++) pages.set(pfn, [...(pages.get(pfn) ?? []), edit]);
  }
  return replaced(dump, {
    readPage(pfn, target) {
      const fault = dump.readPage(pfn, target);
      if (fault !== undefined) return fault;
      const start = pfn * dump.pageSize;
      for (const { physical, bytes } of pages.get(pfn) ?? []) {
        const at = Number(physical) - start;
        const piece = bytes.subarray(Math.max(0, -at), Math.min(bytes.length, dump.pageSize - at));
        target.set(piece, Math.max(0, at));
      }
      return undefined;
    },
  });
}

const GRANULE = 4096;

/**
 * The dump in pages of 4 KiB, of which some are left out.
 *
 * @param hidden whether the 4 KiB at this physical page number are to be missing
 */
export function hollowDump(dump: Dump, hidden: (pfn: number) => boolean): Dump {
  const granules = dump.pageSize / GRANULE;
  const whole = new Uint8Array(dump.pageSize);
  let held = -1;
  return replaced(dump, {
    partial: true,
    pageSize: GRANULE,
    maxPfn: dump.maxPfn * granules,
    readPage(pfn, target) {
      if (hidden(pfn)) return EXCLUDED;
      const page = Math.floor(pfn / granules);
      if (page !== held) {
        held = -1;
        const fault = dump.readPage(page, whole);
        if (fault !== undefined) return fault;
        held = page;
      }
      const start = (pfn % granules) * GRANULE;
      target.set(whole.subarray(start, start + GRANULE));
      return undefined;
    },
  });
}

/** Containers are classes with private state: what is not replaced is asked of the dump itself. */
function replaced(dump: Dump, parts: Partial<Dump>): Dump {
  // The file's plain bytes know nothing of what was replaced.
  const seen: Partial<Record<keyof Dump, unknown>> = { ...parts, file: undefined, close() {} };
  return new Proxy(dump, {
    get: (target, key) => (key in seen ? seen[key as keyof Dump] : Reflect.get(target, key, target)),
    has: (target, key) => key !== "file" && key in target,
  });
}
