/**
 * `kmem -r`: root slab caches, each with the objects of its children summed up. Memory cgroups had caches of their own until 5.8
 * (9855609bde03); slab_root_caches lists the roots since 4.11 (510ded33e075).
 */
import { hex16, type VirtualAddress } from "../../bytes/address.ts";
import { UnsupportedError } from "../../bytes/errors.ts";
import type { SlabCache } from "../../linux/slab-cache.ts";
import { rootSlabCaches } from "../../linux/slab-roots.ts";
import { CACHE_HEADER, cacheLines, cacheRow, type IgnoredCache, type SlabCacheRow } from "./slab-format.ts";
import { IGNORE, selectSlabs } from "./slab-selection.ts";
import { defineView } from "./view.ts";

export interface SlabRoots {
  readonly names?: readonly { readonly address: VirtualAddress; readonly name: string }[];
  readonly roots: readonly ((SlabCacheRow & { readonly children: readonly SlabCacheRow[] }) | IgnoredCache)[];
  readonly problems: readonly string[];
}

export const slabRoots = defineView<SlabRoots>({
  options: [{ flag: "-r", help: "root slab caches, each with its children of memory cgroups (4.11 to 5.8)" }],
  modifiers: [IGNORE],
  synopsis: ["-r [slab | list] [-I slab[,slab…]]"],
  run({ kernel }, args) {
    const found = rootSlabCaches(kernel);
    if (found === undefined)
      throw new UnsupportedError("-r: this kernel has no root slab caches (slab_root_caches, 4.11 to 5.8): all are roots, see kmem -s");
    const { list, caches, ignored } = selectSlabs(kernel, args, "-r");
    const wanted = new Set(caches.map(({ address }: SlabCache) => address));
    const roots = found.roots.filter(({ root }) => args.operands[0] === undefined || list || wanted.has(root.address));
    if (list) return { names: roots.map(({ root: { address, name } }) => ({ address, name })), roots: [], problems: found.problems };
    const rows = roots.map(({ root, children }) => {
      if (ignored.has(root.name)) return { address: root.address, name: root.name, ignored: true as const };
      const own = cacheRow(kernel, root);
      const parts = children.map((child) => cacheRow(kernel, child));
      const sum = (pick: (row: SlabCacheRow) => number) => [own, ...parts].reduce((total, row) => total + pick(row), 0);
      return {
        ...own,
        allocated: sum((row) => row.allocated),
        active: sum((row) => row.active),
        total: sum((row) => row.total),
        slabs: sum((row) => row.slabs),
        problems: [own, ...parts].flatMap((row) => row.problems),
        children: parts,
      };
    });
    return { roots: rows, problems: found.problems };
  },
  *text({ names, roots, problems }) {
    for (const { address, name } of names ?? []) yield `${hex16(address)} ${name}`;
    if (names === undefined) yield CACHE_HEADER;
    for (const root of roots) yield* cacheLines(root);
    for (const problem of problems) yield `kmem: ${problem}`;
  },
});
