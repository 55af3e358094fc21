import { expect, it } from "vitest";
import { swapEntry } from "./pte.ts";
import { type EnumTable, PagedKernel } from "./testing/paged-kernel.ts";

function kernel(machine: string, areas: number, enums: EnumTable = {}): PagedKernel {
  const fake = new PagedKernel({}, enums);
  Object.defineProperty(fake, "arch", { value: { ...fake.arch, name: machine } });
  fake.symbol("nr_swapfiles", 0xffff_8880_0000_0000n);
  fake.memory.put32(0xffff_8880_0000_0000n, areas);
  return fake;
}

it("reads x86-64 entries: type on top, offset inverted", () => {
  const entry = BigInt.asUintN(64, (1n << 59n) | (BigInt.asUintN(50, ~0x12345n) << 9n));
  expect(swapEntry(kernel("x86_64", 2).kernel, entry)).toMatchObject({ type: 1, offset: 0x12345n, marker: undefined });
  expect(swapEntry(kernel("x86_64", 2).kernel, 0n)).toBeUndefined();
});

it("reads the entries that a guest's pagemap called swap:0:1 and swap:1:512 (6.1, flags of the entry in the low bits)", () => {
  expect(swapEntry(kernel("x86_64", 2).kernel, 0x07ff_ffff_ffff_fc0an)).toMatchObject({ type: 0, offset: 1n });
  expect(swapEntry(kernel("x86_64", 2).kernel, 0x0fff_ffff_fffb_fe0an)).toMatchObject({ type: 1, offset: 512n });
});

it.each([
  ["today's", (type: bigint, slot: bigint) => (type << 59n) | (BigInt.asUintN(50, ~slot) << 9n)],
  ["4.8 to 4.17", (type: bigint, slot: bigint) => (slot << 14n) | (type << 9n)],
  ["3.10", (type: bigint, slot: bigint) => (slot << 9n) | (type << 1n)],
] as const)("takes the form of x86-64 entries that names a slot of an area: %s", (_name, encode) => {
  const fake = new PagedKernel({ swap_info_struct: { flags: [0, "u64"], max: [8, "u32"] } });
  const at = 0xffff_8880_0000_0000n;
  fake.symbol("nr_swapfiles", at);
  fake.symbol("swap_info", at + 0x100n);
  fake.memory.put32(at, 2);
  for (const [i, max] of [0x1000, 0x8000].entries()) {
    fake.memory.put64(at + 0x100n + BigInt(i * 8), at + 0x200n + BigInt(i * 16));
    fake.memory.put32(at + 0x208n + BigInt(i * 16), max);
  }
  expect(swapEntry(fake.kernel, encode(1n, 0x7123n))).toMatchObject({ type: 1, offset: 0x7123n });
});

it("says when an entry is no place in a swap area", () => {
  const migration = BigInt.asUintN(64, (30n << 59n) | (BigInt.asUintN(50, ~7n) << 9n));
  expect(swapEntry(kernel("x86_64", 1).kernel, migration)).toMatchObject({ type: 30, offset: 7n, path: undefined });
  expect(swapEntry(kernel("x86_64", 1).kernel, migration)?.marker).toMatch(/no swap area/);
});

it("reads the three arm64 forms", () => {
  const entry = (type: bigint, at: bigint, offset: bigint, from: bigint) => (type << at) | (offset << from);
  const form = (enums: EnumTable) => kernel("aarch64", 3, enums).kernel;
  const newest = form({ pagetype: { PGTY_slab: 0xf5n }, pageflags: { PG_anon_exclusive: 11n } });
  expect(swapEntry(newest, entry(2n, 6n, 0x700n, 12n))).toMatchObject({ type: 2, offset: 0x700n });
  const middle = form({ pageflags: { PG_slab: 9n, PG_anon_exclusive: 17n } });
  expect(swapEntry(middle, entry(1n, 3n, 0x700n, 8n))).toMatchObject({ type: 1, offset: 0x700n });
  const oldest = form({ pageflags: { PG_slab: 9n } });
  expect(swapEntry(oldest, entry(1n, 2n, 0x700n, 8n))).toMatchObject({ type: 1, offset: 0x700n });
});
