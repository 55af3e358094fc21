/**
 * Who refers to objects: one walk over all memory for many objects at once, and what each place is where their address was found. A place that
 * nobody uses any more proves nothing, and neither do the allocator's own notes and stacks, where old words stay.
 *
 *   object ◄── word ── in the object itself, in a free object, a free page, a stack, a page of a process or file: not held by it
 *                   ── in an object in use, in the kernel's data, in an area of vmalloc(): held
 */
import { type Pfn, type VirtualAddress, virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { PageUses } from "../../linux/page-use.ts";
import { type PointerTarget, pointersInto } from "../../linux/pointer-scan.ts";
import { type SlabObject, Slabs } from "../../linux/slab.ts";
import { slabObjectState } from "../../linux/slab-state.ts";
import { taskTable } from "../../linux/task.ts";
import { taskStack } from "../../stack/task-stack.ts";
import { guarded } from "../guarded.ts";

/** A place that holds an object. */
export interface Referrer {
  readonly physical: number;
  /** Address in the linear map, where the place has one; else its physical one. */
  readonly at: bigint;
  /** The slab object that the word lies in. */
  readonly object?: SlabObject;
}

export interface Referrers {
  /** Of each object, those that hold it. */
  readonly held: readonly (readonly Referrer[])[];
  /** All memory was looked at but for what the dump left out as free, of files or of processes. */
  readonly whole: boolean;
}

/** Caches that note where objects lie without using them: kmemleak's own list (mm/kmemleak.c). */
const NOTES = /^kmemleak_object$/;
const MAX_TASKS = 1 << 14;
/** More memory than this is not walked through. */
const MAX_MEMORY = 8n << 30n;

/** @param isNote objects whose words do not count (a vm_struct's own note of its area) */
export function referrersOf(
  kernel: Kernel,
  targets: readonly PointerTarget[],
  isNote: (place: SlabObject) => boolean = () => false,
  progress?: (done: number, total: number) => void,
): Referrers | undefined {
  const total = kernel.dump.ranges.reduce((sum, { start, end }) => sum + end - start, 0n);
  if (total > MAX_MEMORY) return undefined;
  const { hits, unread } = pointersInto(kernel, targets, progress);
  const held: Referrer[][] = targets.map(() => []);
  const stacks = stackFrames(kernel);
  for (const { target, physical } of hits) {
    const own = targets[target] as PointerTarget;
    const place = placeOf(kernel, physical, stacks);
    if (place === undefined) continue;
    const inside = place.at >= own.start && place.at < own.start + BigInt(own.size);
    if (inside || (place.object !== undefined && (NOTES.test(place.object.cache) || isNote(place.object)))) continue;
    (held[target] as Referrer[]).push(place);
  }
  return { held, whole: unread === 0 || kernel.dump.partial };
}

/** The place of a word when something may use it; undefined when nothing does. */
function placeOf(kernel: Kernel, physical: number, stacks: ReadonlySet<Pfn>): Referrer | undefined {
  const pfn = Math.floor(physical / kernel.arch.pageSize);
  if (stacks.has(pfn)) return undefined;
  const linear =
    kernel.arch.linearOffset === undefined ? undefined : virtual(BigInt.asUintN(64, kernel.arch.linearOffset + BigInt(physical)));
  const slab = linear === undefined ? undefined : Slabs.of(kernel)?.slabOf(linear);
  if (slab !== undefined && linear !== undefined) {
    const object = Slabs.of(kernel)?.objectOf(linear);
    // Between objects lie the allocator's own notes.
    if (object === undefined || object.offset < 0 || object.offset >= object.objectSize) return undefined;
    return slabObjectState(kernel, object)?.state === "free" ? undefined : { physical, at: linear, object };
  }
  const use = PageUses.of(kernel)?.use(pfn)?.use;
  if (use !== undefined && /^(?:free|anonymous|file |huge page|page table|poisoned|offline)/.test(use)) return undefined;
  return { physical, at: linear ?? BigInt(physical) };
}

/** Frames of the tasks' stacks: what stands below a stack pointer is old, and what is passed on is held for a moment only. */
export function stackFrames(kernel: Kernel): ReadonlySet<Pfn> {
  const found = new Set<Pfn>();
  const { pageSize } = kernel.arch;
  for (const { address } of (guarded(() => taskTable(kernel))?.tasks ?? []).slice(0, MAX_TASKS)) {
    const area = guarded(() => taskStack(kernel, address));
    if (area === undefined) continue;
    for (let at: bigint = area.start; at < area.end && found.size < MAX_TASKS * 16; at += BigInt(pageSize)) {
      const physical = guarded(() => kernel.memory.translate(at as VirtualAddress));
      if (physical !== undefined) found.add(Math.floor(Number(physical) / pageSize));
    }
  }
  return found;
}
