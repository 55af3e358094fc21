/**
 * What is known of the verdict's object beside its name: whose it was before, and that its cache's name may not be its own.
 *
 *   The object was allocated by asoc_new+0x22 [assocs], task 1, at 3.1 s, and freed by asoc_put+0x31 [assocs], task 1, at 4.2 s.
 *   The slab cache ext4_fc_dentry_update is shared with lab_widget: caches of one size were merged, and bear the first one's name.
 */
import { hex16, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { aliasesOf } from "../../linux/slab-aliases.ts";
import { findSlabCaches } from "../../linux/slab-caches.ts";
import { objectTracks } from "../../linux/slab-owners.ts";
import { tracksOf } from "../checks/tracks.ts";
import type { FaultCase } from "../fault/fault-case.ts";
import { sourceObject } from "../fault/words.ts";
import type { Verdict } from "../verdict.ts";
import { listed, sentence } from "./words.ts";

/** Names that are told. */
const MAX_ALIASES = 3;

export interface ObjectTold {
  readonly lines: readonly string[];
  /** Why nobody knows who had the object: no tracks are kept. */
  readonly untracked?: string;
}

/** The object that a pointer to nowhere was read from: the next thing to look at. */
export function sourceTold(fault: FaultCase | undefined, { object }: Verdict): readonly string[] {
  if (fault === undefined || (object?.address !== undefined && fault.kernel.arch.isKernelAddress(object.address))) return [];
  const source = sourceObject(fault);
  if (source?.address === undefined || source.cache === undefined) return [];
  const what = source.type === undefined ? "object" : source.type;
  const state = source.state === undefined ? "" : `, ${source.state}`;
  return [sentence(`the ${what} that it was read from lies at ${hex16(virtual(source.address))}: slab cache ${source.cache}${state}`)];
}

/** @param told what the story says already */
export function objectTold(kernel: Kernel, { object }: Verdict, told: string): ObjectTold {
  if (object?.address === undefined || object.cache === undefined || !kernel.arch.isKernelAddress(object.address)) return { lines: [] };
  try {
    const { allocated, freed } = tracksOf(kernel, object.address);
    const tracks = [allocated, freed].flatMap((track) => (track === undefined || told.includes(track.text) ? [] : [track.text]));
    const owners = tracks.length === 0 ? [] : [sentence(`the object was ${listed(tracks)}`)];
    const none = allocated === undefined && freed === undefined && !/\b(?:allocated|freed) by\b/.test(told);
    const lack = none ? objectTracks(kernel, virtual(object.address))?.notes[0] : undefined;
    return { lines: [...owners, ...sharedCache(kernel, object.cache, told)], ...(lack === undefined ? {} : { untracked: lack }) };
  } catch (error) {
    if (error instanceof InquestError) return { lines: [] };
    throw error;
  }
}

/** Merged caches bear the name of the first: at 3 in the morning that is a riddle. */
function sharedCache(kernel: Kernel, name: string, told: string): readonly string[] {
  if (/^(?:kmalloc|dma-kmalloc)-/.test(name)) return [];
  const [cache] = findSlabCaches(kernel, name);
  const others = cache === undefined ? [] : aliasesOf(kernel, cache.address).filter((other) => !other.startsWith(":"));
  if (others.length === 0 || told.includes("were merged")) return [];
  const shown =
    others.length <= MAX_ALIASES ? listed(others) : `${others.slice(0, MAX_ALIASES).join(", ")} and ${others.length - MAX_ALIASES} more`;
  return [sentence(`the slab cache ${name} also serves ${shown}: caches of one size were merged, so its name says nothing of the object`)];
}
