import { expect, it } from "vitest";
import { ownedPages, pageOwner, pageOwnerLack } from "./page-owner.ts";
import { PagedKernel } from "./testing/paged-kernel.ts";

const OPS = 0xffff_ffff_8200_0000n;
const SIZE = 0xffff_ffff_8200_1000n;
const SECTIONS = 0xffff_ffff_8200_2000n;
const ENTRY = 64;
const TABLE = 0xffff_8881_0000_0000n;
const TYPES = {
  page: { flags: [0, "u64"], $size: [64, ""] },
  page_ext: { flags: [0, "u64"] },
  page_ext_operations: { offset: [0, "u64"], size: [8, "u64"] },
  page_owner: {
    order: [0, "u16"],
    gfp_mask: [4, "u32"],
    handle: [8, "u32"],
    free_handle: [12, "u32"],
    ts_nsec: [16, "u64"],
    comm: [24, "bytes16"],
    pid: [40, "u32"],
  },
  mem_section: { section_mem_map: [0, "u64"], page_ext: [16, "u64"], $size: [32, ""] },
} as const;
const FLAGS = { page_ext_flags: { PAGE_EXT_OWNER: 0n, PAGE_EXT_OWNER_ALLOCATED: 1n }, pageflags: { PG_slab: 9n } };

/** Frames 4–7 are one block in use, frame 8 is freed; section 0 has its table at TABLE. */
function build(): PagedKernel {
  const kernel = new PagedKernel(TYPES, FLAGS);
  kernel.symbol("page_owner_ops", OPS);
  kernel.symbol("page_ext_size", SIZE);
  kernel.symbol("mem_section", SECTIONS);
  kernel.memory.put64(OPS, 8n);
  kernel.memory.put64(SIZE, BigInt(ENTRY));
  kernel.memory.put64(SECTIONS, kernel.at(101));
  kernel.memory.put64(kernel.at(101), kernel.at(100));
  kernel.memory.write(kernel.at(100), new Uint8Array(4096));
  kernel.memory.put64(kernel.at(100), 0x7n);
  kernel.memory.put64(kernel.at(100) + 16n, TABLE);
  for (let frame = 0; frame < 256; frame++) kernel.memory.write(entry(frame), new Uint8Array(ENTRY));
  for (let frame = 4; frame < 8; frame++) owner(kernel, frame, 3n, 2);
  owner(kernel, 8, 1n, 0);
  return kernel;
}

function entry(frame: number): bigint {
  return TABLE + BigInt(frame * ENTRY);
}

function owner(kernel: PagedKernel, frame: number, flags: bigint, order: number): void {
  kernel.memory.put64(entry(frame), flags);
  kernel.memory.put16(entry(frame) + 8n, order);
  kernel.memory.put32(entry(frame) + 12n, 0xcc0);
  kernel.memory.put64(entry(frame) + 24n, 2_500_000_000n);
  kernel.memory.putText(entry(frame) + 32n, "insmod\0");
  kernel.memory.put32(entry(frame) + 48n, 77);
}

it("tells who allocated a page, and when", () => {
  const kernel = build();
  expect(pageOwnerLack(kernel.kernel)).toBeUndefined();
  expect(pageOwner(kernel.kernel, 5)).toMatchObject({
    order: 2,
    allocated: true,
    gfpMask: 0xcc0n,
    allocation: { source: "page_owner", pid: 77, comm: "insmod", time: 2.5, lack: "no stack trace was stored" },
    free: undefined,
  });
  expect(pageOwner(kernel.kernel, 8)?.allocated).toBe(false);
  expect(pageOwner(kernel.kernel, 9)).toBeUndefined();
});

it("gives each block once, and frames whose record is out of place not at all", () => {
  const kernel = build();
  owner(kernel, 13, 3n, 3);
  expect([...ownedPages(kernel.kernel)].map(({ pfn, order }) => [pfn, order])).toEqual([
    [4, 2],
    [8, 0],
  ]);
});

it("an order that cannot be is no record", () => {
  const kernel = build();
  owner(kernel, 16, 3n, 200);
  expect(pageOwner(kernel.kernel, 16)).toBeUndefined();
});

it("says why there is nothing", () => {
  expect(pageOwnerLack(new PagedKernel({ page: TYPES.page }).kernel)).toContain("CONFIG_PAGE_OWNER");
  const off = build();
  off.memory.put64(off.at(100) + 16n, 0n);
  expect(pageOwnerLack(off.kernel)).toContain("page_owner=on");
});
