/**
 * Whether a fault has to do with a damaged free list: it lies in the slab allocator, which walked the list, or what it was at is an object
 * of the same cache. Otherwise the two are in one dump, which is no proof that one led to the other.
 */

import { virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import { Slabs } from "../../linux/slab.ts";
import { unwindTask } from "../../stack/unwind.ts";
import type { DiagnosisContext } from "../context.ts";

/** Functions of mm/slub.c and mm/slab_common.c that take from free lists and give to them (5.10 to 7.x). */
const ALLOCATOR =
  /^_{0,3}(?:kmem_cache_(?:alloc|free)|k[mvz]+alloc|kmalloc|kfree|kvfree|krealloc|slab_|do_slab_free|free_to_partial_list|free_from_partial|deactivate_slab|get_partial|get_from_|put_cpu_partial|unfreeze_partials|set_freepointer|alloc_from_pcs|free_to_pcs|refill_)/;
/** Frames of a stack without a fault that are looked at. */
const MAX_FRAMES = 16;

/** @param cache the name of the cache whose list is damaged */
export function metByFault(context: DiagnosisContext, cache: string): boolean {
  const { kernel, subject } = context;
  if (subject.event?.text.includes(cache) === true) return true;
  const fault = context.fault();
  if ("reason" in fault) return functionsOf(context).some((name) => ALLOCATOR.test(name));
  for (let level = 0; level <= fault.guiltyLevel; level++) if (ALLOCATOR.test(fault.activations.at(level)?.function ?? "")) return true;
  const { path, bad } = fault;
  const touched = [path?.address, bad?.value].filter((address) => address !== undefined);
  return touched.some((address) => Slabs.of(kernel)?.objectOf(virtual(address))?.cache === cache);
}

function functionsOf({ kernel, subject }: DiagnosisContext): string[] {
  if (subject.task === undefined) return [];
  try {
    return unwindTask(kernel, subject.task.address)
      .frames.slice(0, MAX_FRAMES)
      .flatMap(({ function: name }) => name ?? []);
  } catch (error) {
    if (error instanceof InquestError) return [];
    throw error;
  }
}
