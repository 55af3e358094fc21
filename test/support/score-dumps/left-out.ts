/**
 * Which pages `makedumpfile -d 31` leaves out, worked out from the page structures of a full dump: page cache (2, 4), user pages (8), free
 * pages (16). Zero pages (1) are not stored, yet compressed formats tell of them, so they can be read. Behaviour as its manual page tells it; test/lab/score-dumps.test.ts holds this
 * against the program itself.
 *
 *   page ─┬─ buddy, order n ─────────────────────► 2^n free pages
 *         ├─ mapping bit 0, huge, offline ───────► user
 *         ├─ lru or swap cache, no mapping bit ──► cache
 *         └─ tail ───────────────────────────────► as its head
 */
import { add } from "../../../src/bytes/address.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import { PageMap, pageFlagBits } from "../../../src/linux/page.ts";
import { pageTypeReader } from "../../../src/linux/page-type.ts";

/** Page structures read at once. */
const PIECE = 512;

/** Test by number of a page of 4 KiB. */
export function leftOutByLevel31(kernel: Kernel): (pfn4k: number) => boolean {
  const perPage = kernel.arch.pageSize / 4096;
  const hidden = hiddenFrames(kernel);
  return (pfn) => hidden.has(Math.floor(pfn / perPage));
}

function hiddenFrames(kernel: Kernel): ReadonlySet<number> {
  const map = PageMap.of(kernel);
  const hidden = new Set<number>();
  if (map === undefined) return hidden;
  const bits = new Map(pageFlagBits(kernel).map(({ name, bit }) => [name, 1n << BigInt(bit)]));
  const cache = (bits.get("PG_lru") ?? 0n) | (bits.get("PG_swapcache") ?? 0n);
  const slab = bits.get("PG_slab") ?? 0n;
  const typeOf = pageTypeReader(kernel, map.page);
  const [flagsAt, mappingAt, orderAt, typeAt, headAt] = [
    ["flags.f", "flags"],
    ["mapping"],
    ["private"],
    ["page_type", "_mapcount"],
    ["compound_info", "compound_head"],
  ].map((names) => map.page.firstField(...names)?.offset ?? 0) as [number, number, number, number, number];
  let freeUntil = 0;
  let head = false;
  for (let first = 0; first < map.maxPfn; first += PIECE) {
    const start = map.pageOf(first);
    const bytes = start === undefined ? undefined : kernel.memory.tryBytes(start, PIECE * map.size);
    if (start === undefined || bytes === undefined) continue;
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < PIECE; i++) {
      const pfn = first + i;
      const at = i * map.size;
      if (pfn < freeUntil) {
        hidden.add(pfn);
        continue;
      }
      // A word of all ones is the ordinary page's: no kind, mapped by nobody.
      const word = view.getUint32(at + typeAt, true);
      const kind = word === 0xffff_ffff || word >>> 31 === 0 ? undefined : typeOf(add(start, at));
      if (kind === "buddy") {
        freeUntil = pfn + 2 ** Math.min(20, view.getUint32(at + orderAt, true));
        hidden.add(pfn);
        continue;
      }
      if ((view.getUint32(at + headAt, true) & 1) === 0) {
        const flags = view.getBigUint64(at + flagsAt, true);
        const mapping = view.getBigUint64(at + mappingAt, true);
        const isSlab = (flags & slab) !== 0n || kind === "slab";
        const isUser = (mapping & 1n) === 1n && mapping >> 57n === 0x7fn;
        const isCache = (flags & cache) !== 0n && kind === undefined;
        head = !isSlab && (isUser || isCache || kind === "hugetlb" || kind === "offline");
      }
      if (head) hidden.add(pfn);
    }
  }
  return hidden;
}
