/** `slab owners`: who allocated the objects of slab caches or the pages, and who freed one; grouped by stack trace. */
import { hex16, physical, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError, LookupError, UnsupportedError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { ObjectState } from "../../linux/address-identity.ts";
import type { AllocationTrack } from "../../linux/allocation-track.ts";
import { PageMap } from "../../linux/page.ts";
import { pageOwner, pageOwnerLack } from "../../linux/page-owner.ts";
import { namedSlabCaches } from "../../linux/slab-aliases.ts";
import type { SlabCache } from "../../linux/slab-cache.ts";
import { slabCaches } from "../../linux/slab-caches.ts";
import {
  hasOwners,
  type ObjectTracks,
  type OwnerGroup,
  type Owners,
  objectTracks,
  pageOwners,
  slabOwners,
} from "../../linux/slab-owners.ts";
import type { StackAddresses } from "../../linux/stack-depot.ts";
import type { Session } from "../command.ts";
import { parseHex } from "../support/numbers.ts";

/** An entry of a stack trace. */
export interface StackEntry {
  readonly address: VirtualAddress;
  /** "kmem_cache_alloc+0x1b [module]"; absent where no symbol is near: code that was freed since. */
  readonly symbol?: string;
}

export interface ShownTrack extends Omit<AllocationTrack, "stack" | "caller"> {
  readonly stack: readonly StackEntry[];
  readonly caller?: StackEntry;
}

export interface ShownGroup extends Omit<OwnerGroup, "stack" | "lack"> {
  readonly lack?: string;
  readonly stack: readonly StackEntry[];
}

/** Many owners, grouped. */
export interface OwnersSummary {
  readonly kind: "groups";
  /** What was asked for: "lab_widget", "all slab caches with tracks", "pages". */
  readonly of: string;
  readonly what: "objects in use" | "free objects" | "blocks of pages";
  readonly count: number;
  readonly bytes: number;
  readonly groups: readonly ShownGroup[];
  /** Groups that were left out by -n. */
  readonly more: number;
  readonly untracked: number;
  readonly notes: readonly string[];
}

/** One object, or one page. */
export interface OwnerOfAddress {
  readonly kind: "address";
  readonly address: VirtualAddress;
  readonly object?: {
    readonly cache: string;
    readonly address: VirtualAddress;
    readonly offset: number;
    readonly index: number;
    readonly state: ObjectState;
    readonly allocated?: ShownTrack;
    readonly freed?: ShownTrack;
  };
  /** Owner of the block of pages, by page_owner. */
  readonly page?: {
    readonly pfn: number;
    readonly order: number;
    readonly allocated: boolean;
    readonly allocation: ShownTrack;
    readonly free?: ShownTrack;
  };
  readonly notes: readonly string[];
}

const NO_TRACKS =
  "this kernel noted no owners of slab objects: boot it with slub_debug=U (slab_debug=U), or slub_debug=U,CACHE for one cache, or build it with KASAN";

/** Groups of one cache, or of all that have tracks. @param limit most groups to give; 0 for all */
export function cacheOwners(session: Session, cache: string | undefined, which: "allocation" | "free", limit: number): OwnersSummary {
  const { kernel } = session;
  const all = slabCaches(kernel);
  const chosen = cache === undefined ? all.caches : namedSlabCaches(kernel, cache);
  if (all.caches.length === 0 && all.problems.length > 0) throw new LookupError(`slab: no slab cache can be read: ${all.problems[0]}`);
  if (cache !== undefined && chosen.length === 0) throw new LookupError(`slab: no slab cache named "${cache}"`);
  const tracked = chosen.filter((each: SlabCache) => hasOwners(kernel, each));
  if (tracked.length === 0)
    throw new UnsupportedError(
      cache === undefined ? NO_TRACKS : `slab: nobody noted who uses ${cache}: neither slub_debug=U nor KASAN was on for it`,
    );
  const owners = slabOwners(kernel, tracked, which, (done, total) => session.progress?.("reading tracks", done, total));
  return summary(kernel, owners, cache ?? "all slab caches with tracks", which === "free" ? "free objects" : "objects in use", limit);
}

/** Groups of all pages. */
export function ownersOfPages(session: Session, limit: number): OwnersSummary {
  const lack = pageOwnerLack(session.kernel);
  if (lack !== undefined) throw new UnsupportedError(`-p: ${lack}`);
  const owners = pageOwners(session.kernel, (done, total) => session.progress?.("reading page owners", done, total));
  return summary(session.kernel, owners, "pages", "blocks of pages", limit);
}

function summary(kernel: Kernel, owners: Owners, of: string, what: OwnersSummary["what"], limit: number): OwnersSummary {
  const { groups, untracked, notes } = owners;
  const shown = limit === 0 ? groups : groups.slice(0, limit);
  return {
    kind: "groups",
    of,
    what,
    count: groups.reduce((sum, group) => sum + group.count, 0),
    bytes: groups.reduce((sum, group) => sum + group.bytes, 0),
    groups: shown.map(({ lack, stack, ...rest }) => ({ ...rest, ...(lack === undefined ? {} : { lack }), stack: entries(kernel, stack) })),
    more: groups.length - shown.length,
    untracked,
    notes,
  };
}

/** What is remembered of the object and the page that an address lies in. */
export function ownerOf(kernel: Kernel, text: string): OwnerOfAddress {
  const value = parseHex(text);
  const address = kernel.arch.isKernelAddress(value) ? virtual(value) : kernel.arch.toLinear(physical(value));
  if (address === undefined) throw new UnsupportedError("slab: physical addresses need the linear map, which was not found in this dump");
  const tracks = objectTracks(kernel, address);
  const notes = [...(tracks?.notes ?? [])];
  const page = ownedPage(kernel, address, notes);
  if (tracks === undefined && page === undefined)
    throw new LookupError(`slab: ${hex16(address)} lies in no slab object, and ${pageOwnerLack(kernel) ?? "nobody is noted for its page"}`);
  return {
    kind: "address",
    address,
    ...(tracks === undefined ? {} : { object: shownObject(kernel, tracks) }),
    ...(page === undefined ? {} : { page }),
    notes,
  };
}

function shownObject(kernel: Kernel, { object, state, allocated, freed }: ObjectTracks): NonNullable<OwnerOfAddress["object"]> {
  return {
    cache: object.cache,
    address: object.object,
    offset: object.offset,
    index: object.index,
    state,
    ...(allocated === undefined ? {} : { allocated: shownTrack(kernel, allocated) }),
    ...(freed === undefined ? {} : { freed: shownTrack(kernel, freed) }),
  };
}

function ownedPage(kernel: Kernel, address: VirtualAddress, notes: string[]): OwnerOfAddress["page"] | undefined {
  const pfn = PageMap.of(kernel)?.linearPfn(address);
  if (pfn === undefined) return undefined;
  try {
    const owned = pageOwner(kernel, pfn);
    if (owned === undefined) return undefined;
    const { order, allocated, allocation, free } = owned;
    return {
      pfn,
      order,
      allocated,
      allocation: shownTrack(kernel, allocation),
      ...(free === undefined ? {} : { free: shownTrack(kernel, free) }),
    };
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    notes.push(`page_owner: ${error.message}`);
    return undefined;
  }
}

function shownTrack(kernel: Kernel, { stack, caller, ...rest }: AllocationTrack): ShownTrack {
  return { ...rest, ...(caller === undefined ? {} : { caller: entry(kernel, caller) }), stack: entries(kernel, stack) };
}

function entries(kernel: Kernel, stack: StackAddresses): StackEntry[] {
  return stack.map((address) => entry(kernel, address));
}

function entry(kernel: Kernel, address: VirtualAddress): StackEntry {
  const symbol = kernel.symbolize(address);
  return symbol === undefined || symbol === "" ? { address } : { address, symbol };
}

/** Lines of either form. */
export function* ownersText(result: OwnersSummary | OwnerOfAddress): Generator<string> {
  yield* result.kind === "groups" ? groupLines(result) : addressLines(result);
  for (const note of result.notes) yield `note: ${note}`;
}

function* groupLines({ of, what, count, bytes, groups, more, untracked }: OwnersSummary): Generator<string> {
  const stacks = groups.length + more;
  yield `${of}: ${count} ${count === 1 ? what.replace(/s\b/, "") : what}, ${size(bytes)}, by ${stacks} stack${stacks === 1 ? "" : "s"}${untracked === 0 ? "" : `; ${untracked} without a track`}`;
  for (const group of groups) {
    yield "";
    yield `${String(group.count).padStart(8)}  ${size(group.bytes)}  ${parts(group)}${pids(group)}${times(group.first, group.last)}`;
    if (group.lack !== undefined) yield `          ${group.lack}`;
    yield* stackLines(group.stack);
    yield `          such as ${group.examples.map(hex16).join(" ")}`;
  }
  if (more > 0) {
    yield "";
    yield `${more} more stacks: -n 0 shows all`;
  }
}

/** Caches, or orders of pages: the three that have most. */
function parts(group: ShownGroup): string {
  const named = group.parts.slice(0, 3).map(({ name, count }) => (group.parts.length === 1 ? name : `${name} (${count})`));
  return named.join(", ") + (group.parts.length > 3 ? ` and ${group.parts.length - 3} more` : "");
}

function pids({ pids: all, count }: ShownGroup): string {
  if (all.length === 0) return "";
  const named = all.slice(0, 3).map((each) => {
    const name = `${each.pid}${each.comm === undefined ? "" : ` "${each.comm}"`}`;
    return each.count === count ? name : `${name} (${each.count})`;
  });
  return `  pid ${named.join(", ")}${all.length > 3 ? " …" : ""}`;
}

function times(first: number | undefined, last: number | undefined): string {
  if (first === undefined || last === undefined) return "";
  return first === last ? `  at ${seconds(first)}` : `  at ${seconds(first)} to ${seconds(last)}`;
}

function seconds(time: number): string {
  return `${time.toFixed(3)} s`;
}

function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

function* stackLines(stack: readonly StackEntry[]): Generator<string> {
  for (const { address, symbol } of stack) yield `          ${symbol ?? `${hex16(address)} (no symbol: code freed since)`}`;
}

function* addressLines({ object, page }: OwnerOfAddress): Generator<string> {
  if (object !== undefined) {
    const { state, where, reason } = object.state;
    const detail = where === undefined ? (reason === undefined ? "" : ` (${reason})`) : ` (${where})`;
    yield `${hex16(object.address)}  object ${object.index} of its slab in ${object.cache}, ${object.offset < 0 ? `${-object.offset} bytes before it` : `+${object.offset}`}: ${state}${detail}`;
    if (object.allocated !== undefined) yield* trackLines("allocated", object.allocated);
    if (object.freed !== undefined) yield* trackLines(state === "free" ? "freed" : "freed before that", object.freed);
  }
  if (page !== undefined) {
    yield `page frame ${page.pfn}, order ${page.order}: ${page.allocated ? "in use" : "free"}`;
    yield* trackLines("allocated", page.allocation);
    if (page.free !== undefined) yield* trackLines(page.allocated ? "freed before that" : "freed", page.free);
  }
}

function* trackLines(what: string, track: ShownTrack): Generator<string> {
  const who = track.pid === undefined ? "" : ` by pid ${track.pid}${track.comm === undefined ? "" : ` "${track.comm}"`}`;
  const cpu = track.cpu === undefined ? "" : ` on CPU ${track.cpu}`;
  const time = track.time === undefined ? "" : ` at ${seconds(track.time)}`;
  yield `  ${what}${who}${cpu}${time}  (${track.source})`;
  if (track.lack !== undefined)
    yield `          ${track.lack}${track.caller === undefined ? "" : `; called from ${track.caller.symbol ?? hex16(track.caller.address)}`}`;
  yield* stackLines(track.stack);
}
