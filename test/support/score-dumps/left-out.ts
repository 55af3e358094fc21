/**
 * Which pages `makedumpfile -d 31` leaves out, worked out from the page structures of a full dump: zero pages (1), page cache (2, 4), user
 * pages (8), free pages (16). Behaviour as its manual page tells it; test/lab/score-dumps.test.ts holds this against the program itself.
 *
 *   page ─┬─ buddy, order n ────────────► 2^n free pages
 *         ├─ mapping bit 0, huge ───────► user
 *         ├─ lru or swap cache, no mapping bit ─► cache
 *         └─ all bytes zero ────────────► zero
 */

import { InquestError } from "../../../src/bytes/errors.ts";
import type { Dump } from "../../../src/dump/dump.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import { PageMap, pageFlagBits } from "../../../src/linux/page.ts";
import { pageTypeReader } from "../../../src/linux/page-type.ts";

/** Test by number of a page of 4 KiB. */
export function leftOutByLevel31(kernel: Kernel): (pfn4k: number) => boolean {
  const perPage = kernel.arch.pageSize / 4096;
  const byStructure = hiddenFrames(kernel);
  const known = new Map<number, boolean>();
  return (pfn) => {
    let hidden = known.get(pfn);
    if (hidden === undefined) {
      hidden = byStructure.has(Math.floor(pfn / perPage)) || isZero(kernel.dump, pfn);
      known.set(pfn, hidden);
    }
    return hidden;
  };
}

/** Frames that their page structures tell to leave out. */
function hiddenFrames(kernel: Kernel): ReadonlySet<number> {
  const map = PageMap.of(kernel);
  const hidden = new Set<number>();
  if (map === undefined) return hidden;
  const bits = new Map(pageFlagBits(kernel).map(({ name, bit }) => [name, 1n << BigInt(bit)]));
  const cache = (bits.get("PG_lru") ?? 0n) | (bits.get("PG_swapcache") ?? 0n);
  const mapping = map.page.field("mapping");
  const type = pageTypeReader(kernel, map.page);
  const order = map.page.field("private");
  const slab = bits.get("PG_slab") ?? 0n;
  const folioOrder = kernel.types.tryStruct("folio")?.tryField("_folio_order");
  for (let pfn = 0; pfn < map.maxPfn; pfn++) {
    const page = map.pageOf(pfn);
    if (page === undefined) continue;
    try {
      const flags = map.flags(page);
      const kind = type(page);
      if (kind === "buddy") {
        const size = 2 ** Math.min(20, order.number(page));
        for (let i = 0; i < size; i++) hidden.add(pfn + i);
        pfn += size - 1;
        continue;
      }
      if ((flags & slab) !== 0n || kind === "slab") continue;
      const anonymous = (mapping.bigint(page) & 1n) === 1n && map.compoundHead(page) === page;
      const isCache = (flags & cache) !== 0n && kind === undefined;
      if (!(anonymous && isUserMapping(mapping.pointer(page))) && !isCache && kind !== "hugetlb" && kind !== "offline") continue;
      hidden.add(pfn);
      // A large folio goes as one.
      const next = map.pageOf(pfn + 1);
      if (folioOrder === undefined || next === undefined || map.compoundHead(next) !== page) continue;
      for (let i = 1; i < 512 && map.compoundHead(map.pageOf(pfn + i) ?? page) === page && map.pageOf(pfn + i) !== page; i++)
        hidden.add(pfn + i);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
  }
  return hidden;
}

/** A pointer to an anon_vma with bits 0 and 1 for what it is; other words share the place. */
function isUserMapping(mapping: bigint): boolean {
  return mapping >> 47n === 0x1ffffn || mapping >> 48n === 0xffffn;
}

function isZero(dump: Dump, pfn4k: number): boolean {
  const granules = dump.pageSize / 4096;
  const page = new Uint8Array(dump.pageSize);
  if (dump.readPage(Math.floor(pfn4k / granules), page) !== undefined) return false;
  const start = (pfn4k % granules) * 4096;
  return page.subarray(start, start + 4096).every((byte) => byte === 0);
}
