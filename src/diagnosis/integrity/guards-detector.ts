/**
 * Guard bytes of slub_debug that were overwritten, which nobody had noticed yet: red zones around slab objects, and the poison of free ones.
 * Row 7 of the catalogue.
 *
 * Where nothing abnormal was reported all slabs that have such bytes are looked at. Behind a fault only those of the objects that the fault
 * had to do with, and red zones only: who walks a list of freed objects writes into their poison himself before he falls.
 */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type SlabPage, Slabs } from "../../linux/slab.ts";
import { slabCaches } from "../../linux/slab-caches.ts";
import { checkGuards, type GuardDamage, type GuardZone, hasGuards } from "../../linux/slab-guards.ts";
import type { DiagnosisContext } from "../context.ts";
import type { Detector } from "../detector.ts";
import { sourceOf } from "../fault/source-of.ts";
import { guardFindings } from "./guard-finding.ts";
import { isQuiet } from "./is-quiet.ts";

/** Slabs and frames that are looked at, where all are. */
const MAX_SLABS = 1 << 16;
const MAX_FRAMES = 1 << 22;
/** One object in so many may be damaged: where more are, this kernel fills them otherwise. */
const TOLERATED = 50;
const TOLERATED_MIN = 4;

export const guards: Detector = {
  name: "slab guards",
  classes: ["slab-redzone", "use-after-free"],
  needs: ["caches made with slub_debug=Z or P"],
  refutedBy: ["the object was being taken or given back", "the same is met in many objects: then this kernel fills them otherwise"],
  appliesTo: ({ subject }) => subject.event?.kind !== "slub",
  detect(context) {
    const { kernel } = context;
    if (kernel.types.lack !== undefined) return [];
    let objects = 0;
    const damage: GuardDamage[] = [];
    try {
      for (const slab of isQuiet(context) ? guardedSlabs(kernel) : slabsOfFault(context)) {
        const found = checkGuards(kernel, slab);
        objects += found.objects;
        damage.push(...found.damage);
      }
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
    const told = isQuiet(context) ? damage : damage.filter(({ zone }) => zone !== "poison");
    return guardFindings(kernel, believed(kernel, told, objects), objects);
  },
};

/** By zone: a rule that many objects break is none. */
function believed(kernel: Kernel, damage: readonly GuardDamage[], objects: number): GuardDamage[] {
  const most = Math.max(TOLERATED_MIN, objects / TOLERATED);
  const counts = new Map<GuardZone, number>();
  for (const { zone } of damage) counts.set(zone, (counts.get(zone) ?? 0) + 1);
  return damage.filter(({ zone }) => (counts.get(zone) ?? 0) <= most && (zone !== KMALLOC || fillsWhatWasNotAsked(kernel)));
}

const KMALLOC: GuardZone = "red zone of kmalloc";
/** Slabs that tell whether this kernel fills them. */
const SAMPLE = 64;

/** 6.1 keeps the size that was asked for, but fills nothing behind it: no type or symbol tells, the objects do. */
function fillsWhatWasNotAsked(kernel: Kernel): boolean {
  return kernel.memo(fillsWhatWasNotAsked, () => {
    let [slabs, objects, broken] = [0, 0, 0];
    for (const slab of guardedSlabs(kernel)) {
      if (!/kmalloc/.test(slab.cache.name)) continue;
      const found = checkGuards(kernel, slab);
      objects += found.objects;
      broken += found.damage.filter(({ zone }) => zone === KMALLOC).length;
      if (++slabs >= SAMPLE) break;
    }
    return broken <= Math.max(TOLERATED_MIN, objects / TOLERATED);
  });
}

function* guardedSlabs(kernel: Kernel): Generator<SlabPage> {
  const guarded = new Set(slabCaches(kernel).caches.flatMap((cache) => (hasGuards(kernel, cache) ? [cache.address] : [])));
  if (guarded.size === 0) return;
  let count = 0;
  for (const slab of Slabs.of(kernel)?.all() ?? []) {
    if (slab.pfn > MAX_FRAMES || count >= MAX_SLABS) return;
    if (!guarded.has(slab.cache.address)) continue;
    count++;
    yield slab;
  }
}

/** Of the bad value, of what was accessed, and of the memory that the bad value came from. */
function slabsOfFault(context: DiagnosisContext): SlabPage[] {
  const { kernel } = context;
  const fault = context.fault();
  if ("reason" in fault) return [];
  const addresses = [fault.bad?.value, fault.path?.address, fault.path?.object, sourceOf(fault)?.address];
  const found = new Map<VirtualAddress, SlabPage>();
  for (const address of addresses) {
    const slab = address === undefined || !kernel.arch.isKernelAddress(address) ? undefined : Slabs.of(kernel)?.slabOf(virtual(address));
    if (slab !== undefined) found.set(slab.page, slab);
  }
  return [...found.values()];
}
