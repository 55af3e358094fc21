/**
 * The page cache of a file: struct address_space (include/linux/fs.h), mm/filemap.c.
 *
 *   inode.i_mapping ─► address_space { host, nrpages, i_pages | page_tree }     i_pages: an xarray, 4.17 to 4.19 a radix tree (b93b016313b3)
 *     index ─► folio: head of 2^order pages; one entry for all of them, or, before 5.17 or so, its head in each of the slots
 *              value: what is left of a page that was evicted (shadow), a place in swap (tmpfs), a DAX frame
 */
import { add, type VirtualAddress } from "../bytes/address.ts";
import { FaultError, UnsupportedError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { folioOrder } from "./folio.ts";
import { PageMap } from "./page.ts";
import { type XarrayLayout, xarrayEntries, xarrayLayout, xarrayLoad } from "./xarray.ts";

export interface CachedPage {
  /** Position in the file, in pages. */
  readonly index: number;
  readonly page: VirtualAddress;
  /** Head of the folio; the page itself for single pages. */
  readonly folio: VirtualAddress;
}

interface Cache {
  readonly layout: XarrayLayout;
  readonly head: VirtualAddress;
}

/** Pages that a mapping says it holds; entries that are no pages are not counted. @throws FaultError */
export function cachedPageCount(kernel: Kernel, mapping: VirtualAddress): number {
  return kernel.types.struct("address_space").field("nrpages").number(mapping);
}

/** struct address_space of an inode, 0 for none. @throws FaultError */
export function inodeMapping(kernel: Kernel, inode: VirtualAddress): VirtualAddress {
  return kernel.types.struct("inode").field("i_mapping").pointer(inode);
}

/** The cached pages in the order of the file, as they are pulled. @throws CorruptionError where the tree breaks, after what came before */
export function* cachedPages(kernel: Kernel, mapping: VirtualAddress): Generator<CachedPage, void, undefined> {
  const { layout, head } = cacheOf(kernel, mapping);
  let next = 0;
  for (const { index, entry } of xarrayEntries(kernel.memory, layout, head)) {
    // A value: shadow, swap or DAX entry.
    if ((entry & 3n) !== 0n) continue;
    for (const page of folioPages(kernel, index, entry)) {
      if (page.index < next) continue;
      next = page.index + 1;
      yield page;
    }
  }
}

/** The cached page at a position of the file; undefined when it is not cached. @throws InquestError */
export function cachedPage(kernel: Kernel, mapping: VirtualAddress, index: number): VirtualAddress | undefined {
  const { layout, head } = cacheOf(kernel, mapping);
  const entry = xarrayLoad(kernel.memory, layout, head, index);
  if (entry === undefined || (entry & 3n) !== 0n) return undefined;
  return pageOfFolio(kernel, index, entry);
}

function cacheOf(kernel: Kernel, mapping: VirtualAddress): Cache {
  const struct = kernel.types.struct("address_space");
  const layout = xarrayLayout(kernel.types);
  const root = struct.firstField("i_pages.xa_head", "i_pages.rnode", "page_tree.rnode");
  if (layout === undefined || root === undefined)
    throw new UnsupportedError("the page cache of this kernel is not known: its types lack i_pages");
  return { layout, head: root.pointer(mapping) };
}

/** The pages of the folio that an entry names. */
function* folioPages(kernel: Kernel, index: number, entry: VirtualAddress): Generator<CachedPage> {
  const size = PageMap.of(kernel)?.size ?? 0;
  const count = size === 0 ? 1 : pagesOf(kernel, entry);
  const first = index - (index % count);
  for (let i = 0; i < count; i++) yield { index: first + i, page: add(entry, i * size), folio: entry };
}

function pageOfFolio(kernel: Kernel, index: number, entry: VirtualAddress): VirtualAddress {
  const size = PageMap.of(kernel)?.size ?? 0;
  return add(entry, (index % pagesOf(kernel, entry)) * size);
}

/** 1 for a page whose structure cannot be read: it is listed all the same. */
function pagesOf(kernel: Kernel, folio: VirtualAddress): number {
  try {
    return 2 ** folioOrder(kernel, folio);
  } catch (error) {
    if (error instanceof FaultError) return 1;
    throw error;
  }
}
