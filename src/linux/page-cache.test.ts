import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { cachedPage, cachedPages } from "./page-cache.ts";
import { PagedKernel } from "./testing/paged-kernel.ts";

const NODE = { shift: [0, "u8"], offset: [1, "u8"], count: [2, "u8"], slots: [8, "bytes512"] } as const;
const PAGES = {
  page: { flags: [0, "u64"], compound_head: [8, "u64"], mapping: [24, "u64"], index: [32, "u64"], $size: [64, ""] },
  folio: { flags: [0, "u64"], _flags_1: [64, "u64"] },
  xarray: { xa_head: [0, "u64"] },
  xa_node: NODE,
  address_space: { i_pages: [0, "xarray"], nrpages: [8, "u64"] },
} as const;
const HEAD = 6n;
const MAPPING = 0xffff_8880_0001_0000n;
const ROOT = 0xffff_8880_0001_1000n;
const LEAF = 0xffff_8880_0001_2000n;

/** A cache of two levels: the root's first slot is LEAF, which holds indices 0 to 63; the root covers 0 to 4095. */
function cache(): PagedKernel {
  const fake = new PagedKernel(PAGES, { pageflags: { PG_head: HEAD } });
  for (const at of [MAPPING, ROOT, LEAF]) fake.memory.write(at, new Uint8Array(1024));
  fake.memory.put64(MAPPING, ROOT | 2n);
  fake.memory.put8(ROOT, 6);
  fake.memory.put64(ROOT + 8n, LEAF | 2n);
  return fake;
}

/** Makes the page of a frame the head of a folio. */
function fold(fake: PagedKernel, frame: number, order: number): bigint {
  fake.memory.put64(fake.page(frame), 1n << HEAD);
  fake.memory.put64(fake.page(frame + 1), BigInt(order));
  return fake.page(frame);
}

const slot = (node: bigint, index: number): bigint => node + 8n + BigInt(index * 8);

describe("cachedPages", () => {
  test("single pages, a folio of four with siblings, a shadow entry, a folio as large as a node", () => {
    const fake = cache();
    fake.memory.put64(slot(LEAF, 1), fake.page(100));
    fake.memory.put64(slot(LEAF, 4), fold(fake, 40, 2));
    for (const sibling of [5, 6, 7]) fake.memory.put64(slot(LEAF, sibling), (4n << 2n) | 2n);
    fake.memory.put64(slot(LEAF, 9), 0x1235n);
    fake.memory.put64(slot(ROOT, 2), fold(fake, 128, 6));
    const found = [...cachedPages(fake.kernel, virtual(MAPPING))];
    expect(found.map(({ index }) => index)).toEqual([1, 4, 5, 6, 7, ...Array.from({ length: 64 }, (_, i) => 128 + i)]);
    expect(found.slice(0, 3).map(({ page, folio }) => [page, folio])).toEqual([
      [fake.page(100), fake.page(100)],
      [fake.page(40), fake.page(40)],
      [fake.page(41), fake.page(40)],
    ]);
    expect(found.at(-1)?.page).toBe(fake.page(191));
  });

  test("before multi-index entries the head stands in every slot of its folio", () => {
    const fake = cache();
    for (let i = 8; i < 12; i++) fake.memory.put64(slot(LEAF, i), fold(fake, 40, 2));
    expect([...cachedPages(fake.kernel, virtual(MAPPING))].map(({ index, page }) => [index, page])).toEqual(
      [0, 1, 2, 3].map((i) => [8 + i, fake.page(40 + i)]),
    );
  });

  test("a folio whose structure is gone counts as one page", () => {
    const fake = cache();
    fake.memory.put64(slot(LEAF, 3), 0xffff_ffff_dead_0000n);
    expect([...cachedPages(fake.kernel, virtual(MAPPING))]).toHaveLength(1);
  });
});

describe("cachedPage", () => {
  test("finds the page of an index, within folios and through siblings", () => {
    const fake = cache();
    const at = (index: number) => cachedPage(fake.kernel, virtual(MAPPING), index);
    fake.memory.put64(slot(LEAF, 4), fold(fake, 40, 2));
    for (const sibling of [5, 6, 7]) fake.memory.put64(slot(LEAF, sibling), (4n << 2n) | 2n);
    fake.memory.put64(slot(LEAF, 9), 0x1235n);
    fake.memory.put64(slot(ROOT, 2), fold(fake, 128, 6));
    expect([at(4), at(6)]).toEqual([fake.page(40), fake.page(42)]);
    expect(at(128 + 17)).toBe(fake.page(145));
    for (const nothing of [0, 9, 64, 4096, 2 ** 40]) expect(at(nothing)).toBeUndefined();
  });

  test("one page alone stands in the root", () => {
    const fake = cache();
    fake.memory.put64(MAPPING, fake.page(7));
    expect(cachedPage(fake.kernel, virtual(MAPPING), 0)).toBe(fake.page(7));
    expect(cachedPage(fake.kernel, virtual(MAPPING), 1)).toBeUndefined();
  });

  test("a node that points at itself is told", () => {
    const fake = cache();
    fake.memory.put64(slot(ROOT, 0), ROOT | 2n);
    expect(() => cachedPage(fake.kernel, virtual(MAPPING), 1)).toThrow(/shift 6 is not below/);
  });
});
