/** `kmem -s`: the slab caches with their numbers of objects and slabs. */
import { hex16, type VirtualAddress } from "../../bytes/address.ts";
import type { SlabCache } from "../../linux/slab-cache.ts";
import type { Session } from "../command.ts";
import { CACHE_HEADER, cacheLines, cacheRow, type IgnoredCache, type SlabCacheRow, SlabListing, slabLines } from "./slab-format.ts";
import { IGNORE, selectSlabs } from "./slab-selection.ts";
import { defineView } from "./view.ts";

export interface SlabSummary {
  /** What is broken in the list of caches. */
  readonly problems: readonly string[];
  /** `kmem -s list`. */
  readonly names?: readonly { readonly address: VirtualAddress; readonly name: string }[];
  readonly caches?: Iterable<SlabCacheRow | IgnoredCache>;
  /** The slab that the address lies in, with the object or all of them. */
  readonly slab?: SlabListing;
}

export const slabSummary = defineView<SlabSummary>({
  options: [{ flag: "-s", help: "slab caches: objects in use and in all, slabs" }],
  modifiers: [IGNORE],
  synopsis: ["-s [slab | list | [-P] address] [-I slab[,slab…]]"],
  description: [
    "-s shows each slab cache: ALLOCATED counts the objects in use. Objects that a CPU or node keeps for itself (freelists, sheaves, array caches) are free; /proc/slabinfo counts them as active, and that number is in the JSON. With an address: the cache, the slab and the object that it lies in.",
  ],
  examples: [
    ["kmem -s", "all slab caches"],
    ["kmem -s dentry", "one of them"],
    ["kmem -s ffff888003a4c000", "the object an address lies in"],
  ],
  differences: [
    "-s and -S of a cache or address that does not exist say so.",
    "What is broken in a cache (a freelist with a wild pointer, a cut list, counters that disagree) stands below its row, and the numbers are as far as could be counted.",
  ],
  run(session, args) {
    const { list, caches, ignored, at, problems } = selectSlabs(session.kernel, args, "-s");
    if (list) return { problems, names: caches.map(({ address, name }) => ({ address, name })) };
    const slab = at === undefined ? {} : { slab: new SlabListing(session.kernel, at.slab, at.object?.index ?? true) };
    return { problems, caches: rows(session, caches, ignored), ...slab };
  },
  *text({ problems, names, caches, slab }) {
    for (const { address, name } of names ?? []) yield `${hex16(address)} ${name}`;
    if (caches !== undefined) yield CACHE_HEADER;
    for (const row of caches ?? []) yield* cacheLines(row);
    if (slab !== undefined) yield* slabLines(slab);
    for (const problem of problems) yield `kmem: ${problem}`;
  },
  api: (_, args) => (args.operands.length > 0 || args.has("-I") ? undefined : "return { caches: kernel.slabCaches() };"),
});

function* rows(session: Session, caches: readonly SlabCache[], ignored: ReadonlySet<string>): Generator<SlabCacheRow | IgnoredCache> {
  for (const [i, cache] of caches.entries()) {
    session.progress?.("counting slab objects", i, caches.length);
    const { address, name } = cache;
    yield ignored.has(name) ? { address, name, ignored: true } : cacheRow(session.kernel, cache);
  }
}
