import { describe, expect, it } from "vitest";
import { virtual } from "../bytes/address.ts";
import { PageMap, readPage } from "./page.ts";
import { FRAMES, LINEAR, PagedKernel, VMEMMAP } from "./testing/paged-kernel.ts";

const PAGE = {
  page: {
    flags: [0, "u64"],
    compound_head: [8, "u64"],
    mapping: [24, "u64"],
    index: [32, "u64"],
    _refcount: [52, "counter"],
    $size: [64, ""],
  },
  counter: { counter: [0, "s32"] },
} as const;
const NEW_PAGE = {
  page: { flags: [0, "memdesc"], compound_info: [8, "u64"], __folio_index: [32, "u64"], $size: [64, ""] },
  memdesc: { f: [0, "u64"] },
} as const;
const FLAGS = { pageflags: { PG_locked: 0n, PG_lru: 5n, PG_head: 6n, __NR_PAGEFLAGS: 7n, PG_swapcache: 5n } };
const SECTION = { mem_section: { section_mem_map: [0, "u64"], usage: [8, "u64"] } } as const;

function map(kernel: PagedKernel): PageMap {
  const found = PageMap.of(kernel.kernel);
  if (found === undefined) throw new Error("no page map");
  return found;
}

describe("compound pages before 4.4", () => {
  const OLD = {
    page: { flags: [0, "u64"], first_page: [48, "u64"], _count: [28, "counter"], $size: [64, ""] },
    counter: PAGE.counter,
  } as const;

  it.each([
    ["PG_tail", { PG_locked: 0n, PG_reclaim: 17n, PG_tail: 15n }, 1n << 15n],
    ["PG_compound and PG_reclaim", { PG_locked: 0n, PG_compound: 14n, PG_reclaim: 17n }, (1n << 14n) | (1n << 17n)],
  ] as const)("tails are marked by %s and name the first page", (_name, pageflags, tail) => {
    const kernel = new PagedKernel(OLD, { pageflags });
    for (const frame of [4, 5]) kernel.memory.put64(kernel.page(frame) + 48n, kernel.page(3));
    kernel.memory.put64(kernel.page(4), tail | 1n);
    // The same word means another thing in a page that is no tail.
    kernel.memory.put64(kernel.page(5), 1n << 17n);
    kernel.memory.put32(kernel.page(5) + 28n, 7);
    const pages = map(kernel);
    expect(pages.compoundHead(virtual(kernel.page(4)))).toBe(kernel.page(3));
    expect(pages.compoundHead(virtual(kernel.page(5)))).toBe(kernel.page(5));
    expect(readPage(kernel.kernel, 5)).toMatchObject({ count: 7 });
  });
});

describe("PageMap", () => {
  it("goes from frames to structures and back", () => {
    const pages = map(new PagedKernel(PAGE, FLAGS));
    expect(pages.pageOf(3)).toBe(VMEMMAP + 3n * 64n);
    expect(pages.pfnOf(virtual(VMEMMAP + 3n * 64n))).toBe(3);
    expect(pages.pfnOf(virtual(VMEMMAP + 3n * 64n + 8n))).toBeUndefined();
    expect(pages.pfnOf(virtual(VMEMMAP + BigInt(FRAMES) * 64n))).toBeUndefined();
    expect(pages.linearPfn(virtual(LINEAR + 0x3fffn))).toBe(3);
    expect(pages.linearPfn(virtual(LINEAR + BigInt(FRAMES) * 4096n))).toBeUndefined();
    expect(pages.linearPfn(virtual(0x3000n))).toBeUndefined();
    expect(pages.linearAddress(3)).toBe(LINEAR + 0x3000n);
  });

  it("prefers the sections' common base to everything else", () => {
    const kernel = new PagedKernel({ ...PAGE, ...SECTION }, FLAGS);
    kernel.vmcoreinfoValues.set("SYMBOL(mem_section)", LINEAR + 0x10000n);
    kernel.vmcoreinfoValues.set("NUMBER(SECTION_SIZE_BITS)", 15n);
    kernel.memory.put64(LINEAR + 0x10000n, LINEAR + 0x20000n);
    for (let section = 0; section < FRAMES / 8; section++)
      kernel.memory.put64(LINEAR + 0x20000n + BigInt(section) * 16n, (VMEMMAP + 0x1000n) | 0xfn);
    expect(map(kernel).pageOf(1)).toBe(VMEMMAP + 0x1000n + 64n);
  });

  it.each([
    ["the array itself (before 4.15)", 4096],
    ["a pointer to it", 8],
  ] as const)("finds the sections by the symbol, which is %s", (_name, size) => {
    const kernel = new PagedKernel({ ...PAGE, ...SECTION }, FLAGS);
    kernel.vmcoreinfoValues.clear();
    kernel.vmcoreinfoValues.set("NUMBER(SECTION_SIZE_BITS)", 15n);
    const variable = virtual(LINEAR + 0x10000n);
    kernel.symbol("mem_section", variable);
    Object.defineProperty(kernel, "symbols", { value: { byName: () => ({ address: variable, size }) } });
    const array = size === 8 ? LINEAR + 0x18000n : variable;
    if (array !== variable) kernel.memory.put64(variable, array);
    kernel.memory.put64(array, LINEAR + 0x20000n);
    for (let section = 0; section < FRAMES / 8; section++) kernel.memory.put64(LINEAR + 0x20000n + BigInt(section) * 16n, VMEMMAP | 3n);
    expect(map(kernel).pageOf(1)).toBe(VMEMMAP + 64n);
  });

  it("looks each section up when they differ, and knows absent ones", () => {
    const kernel = new PagedKernel({ ...PAGE, ...SECTION }, FLAGS);
    kernel.vmcoreinfoValues.clear();
    kernel.vmcoreinfoValues.set("SYMBOL(mem_section)", LINEAR + 0x10000n);
    kernel.vmcoreinfoValues.set("NUMBER(SECTION_SIZE_BITS)", 15n);
    kernel.memory.put64(LINEAR + 0x10000n, LINEAR + 0x20000n);
    kernel.memory.put64(LINEAR + 0x20000n, VMEMMAP | 3n);
    kernel.memory.put64(LINEAR + 0x20010n, (VMEMMAP + 0x100000n) | 3n);
    kernel.memory.put64(LINEAR + 0x20020n, 0n);
    const pages = map(kernel);
    expect(pages.pageOf(7)).toBe(VMEMMAP + 7n * 64n);
    expect(pages.pageOf(8)).toBe(VMEMMAP + 0x100000n + 8n * 64n);
    expect(pages.pageOf(16)).toBeUndefined();
    expect(pages.pfnOf(virtual(VMEMMAP + 0x100000n + 8n * 64n))).toBe(8);
  });

  it("finds the head of a compound page by pointer and, since 7.1, by mask", () => {
    const old = new PagedKernel(PAGE, FLAGS);
    old.memory.put64(old.page(5) + 8n, old.page(4) | 1n);
    expect(map(old).compoundHead(virtual(old.page(5)))).toBe(old.page(4));
    expect(map(old).compoundHead(virtual(old.page(4)))).toBe(old.page(4));
    const fresh = new PagedKernel(NEW_PAGE, FLAGS);
    fresh.memory.put64(fresh.page(13) + 8n, 0xffff_ffff_ffff_fe00n | 1n);
    fresh.memory.put64(fresh.page(22) + 8n, fresh.page(20) | 1n);
    expect(map(fresh).compoundHead(virtual(fresh.page(13)))).toBe(fresh.page(8));
    expect(map(fresh).compoundHead(virtual(fresh.page(22)))).toBe(fresh.page(20));
  });

  it("names flags by their first name", () => {
    expect(map(new PagedKernel(PAGE, FLAGS)).flagNames(0x61n)).toEqual(["locked", "lru", "head"]);
  });

  it("is not there without types", () => {
    expect(PageMap.of(new PagedKernel({}).kernel)).toBeUndefined();
  });
});

describe("readPage", () => {
  it("reads the old layout and the new one", () => {
    const old = new PagedKernel(PAGE, FLAGS);
    old.memory.put64(old.page(2), 0x20n);
    old.memory.put64(old.page(2) + 24n, 0xffff888000001000n);
    old.memory.put64(old.page(2) + 32n, 7n);
    old.memory.put32(old.page(2) + 52n, 3);
    expect(readPage(old.kernel, 2)).toMatchObject({
      physical: 0x2000n,
      mapping: 0xffff888000001000n,
      index: 7n,
      count: 3,
      flags: 0x20n,
      flagNames: ["lru"],
    });
    const fresh = new PagedKernel(NEW_PAGE, FLAGS);
    fresh.memory.put64(fresh.page(2), 0x1n);
    fresh.memory.put64(fresh.page(2) + 32n, 9n);
    expect(readPage(fresh.kernel, 2)).toMatchObject({ index: 9n, flags: 1n, flagNames: ["locked"] });
  });
});
