/**
 * Pages of slabs that a dump lacks. No dump level leaves kernel objects out, but a makedumpfile that does not know the kernel's page
 * structures may: seen with 1.7.6 and 1.7.8 on 7.2 and 7.3-rc7, where page.compound_head is called compound_info, so that a tail page is
 * judged by itself.
 *
 *   slab of 8 pages   head        tail 1                      tails 2 to 7
 *   page.mapping      (slab)      counters of a folio, -1     TAIL_MAPPING
 *                     kept        bit 0 set: "anonymous"      kept
 *                                 left out with user pages
 *
 * (include/linux/mm_types.h, struct folio; PAGE_MAPPING_ANON in include/linux/page-flags.h.)
 */
import { add, type VirtualAddress } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { Slabs } from "./slab.ts";

export interface SlabsLookedAt {
  readonly slabs: number;
  /** Those that lack a page. */
  readonly lacking: number;
}

/** Slabs looked at: a dump of this kind lacks pages of all large ones. */
const ENOUGH = 8;

/**
 * Looks at the slabs of several pages that hold some objects.
 * @param objects addresses of objects that are in use, such as tasks
 */
export function slabsLeftOut(kernel: Kernel, objects: Iterable<VirtualAddress>): SlabsLookedAt {
  const slabs = Slabs.of(kernel);
  const seen = new Set<VirtualAddress>();
  let lacking = 0;
  for (const object of objects) {
    if (seen.size >= ENOUGH) break;
    const slab = slabs?.slabOf(object);
    if (slab === undefined || slab.cache.pagesPerSlab < 2 || seen.has(slab.memory)) continue;
    seen.add(slab.memory);
    const pages = Array.from({ length: slab.cache.pagesPerSlab }, (_, i) => add(slab.memory, i * kernel.arch.pageSize));
    if (pages.some((page) => isLeftOut(kernel, page))) lacking++;
  }
  return { slabs: seen.size, lacking };
}

/** What to tell of a filtered dump that lacks kernel objects; undefined where it lacks none of those looked at. */
export function slabsLeftOutNote(kernel: Kernel, objects: Iterable<VirtualAddress>): string | undefined {
  if (!kernel.dump.partial) return undefined;
  const { slabs, lacking } = slabsLeftOut(kernel, objects);
  if (lacking === 0) return undefined;
  return (
    `pages of kernel objects were left out of this dump (of ${lacking} of ${slabs} slabs of tasks looked at), which no dump level asks for: ` +
    "the makedumpfile that wrote it does not know this kernel; a level without 8, such as -d 23, keeps them"
  );
}

function isLeftOut(kernel: Kernel, page: VirtualAddress): boolean {
  try {
    kernel.memory.u64(page);
    return false;
  } catch (error) {
    return error instanceof FaultError && error.reason === "excluded";
  }
}
