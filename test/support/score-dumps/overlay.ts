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

/**
 * The dump with edits and without hidden pages. Closing it leaves the dump below open: many overlays share one.
 *
 * @param hidden whether the 4 KiB at this physical page number are to be missing; a page of the container is when all of them are
 */
export function overlaidDump(dump: Dump, edits: readonly Edit[], hidden?: (pfn4k: number) => boolean): Dump {
  const pages = new Map<number, Edit[]>();
  for (const edit of edits) {
    const first = pageNumber(edit.physical, Math.log2(dump.pageSize));
    const last = pageNumber(edit.physical + BigInt(edit.bytes.length - 1), Math.log2(dump.pageSize));
    for (let pfn = first; pfn <= last; pfn++) pages.set(pfn, [...(pages.get(pfn) ?? []), edit]);
  }
  const granules = dump.pageSize / 4096;
  const isHidden = (pfn: number): boolean => {
    if (hidden === undefined) return false;
    for (let i = 0; i < granules; i++) if (!hidden(pfn * granules + i)) return false;
    return true;
  };
  const seen: Partial<Record<keyof Dump, unknown>> = {
    partial: dump.partial || hidden !== undefined,
    // The file's plain bytes know nothing of edits.
    file: undefined,
    readPage(pfn: number, target: Uint8Array): PageFault | undefined {
      if (isHidden(pfn)) return EXCLUDED;
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
    close() {},
  };
  // Containers are classes with private state: what is not replaced is asked of the dump itself.
  return new Proxy(dump, {
    get: (target, key) => (key in seen ? seen[key as keyof Dump] : Reflect.get(target, key, target)),
    has: (target, key) => key !== "file" && key in target,
  });
}
