import { describe, expect, test } from "vitest";
import { MemoryBuilder, mapPage, rootTable, type TableShape } from "../arch/testing/build-memory.ts";
import { X86PageTables } from "../arch/x86-64-paging.ts";
import { virtual } from "../bytes/address.ts";
import { firstMapped, imageChunks } from "./kernel-image.ts";

const START = 0xffff_ffff_8100_0000n;
const shape: TableShape = {
  bits: [9, 9, 9, 9],
  pageShift: 12,
  table: (address) => address | 0x67n,
  leaf: (address) => address | 0x63n,
  next: (entry) => entry & 0x000f_ffff_ffff_f000n,
};

function image(offsets: readonly number[]) {
  const builder = new MemoryBuilder();
  const root = rootTable(builder);
  for (const offset of offsets) {
    const page = builder.allocate();
    builder.writeU64(page, BigInt(offset));
    mapPage(builder, root, shape, START + BigInt(offset), page);
  }
  const memory = builder.memory();
  return { builder, memory, tables: new X86PageTables(memory, root, false, 0n) };
}

function offsetsSeen(made: ReturnType<typeof image>, from = START): number[] {
  const seen: number[] = [];
  for (const { address, bytes } of imageChunks(made.tables, made.memory, virtual(from))) {
    for (let at = 0; at < bytes.length; at += 4096) {
      const offset = Number(new DataView(bytes.buffer, bytes.byteOffset + at, 8).getBigUint64(0, true));
      expect(address + BigInt(at)).toBe(START + BigInt(offset));
      seen.push(offset);
    }
  }
  return seen;
}

describe("kernel image", () => {
  test("pieces in order, over small and large holes, ended by a very large one", () => {
    const mebi = 1 << 20;
    const offsets = [0, 4096, 12288, 2 * mebi, 2 * mebi + 4096, 9 * mebi, 9 * mebi + 8192];
    expect(offsetsSeen(image([...offsets, 40 * mebi]))).toEqual(offsets);
  });

  test("starts in the middle of a page and skips pages that the dump lacks", () => {
    const made = image([0, 4096, 8192]);
    const [, second] =
      [...made.builder.pages.entries()].filter(([, page]) => new DataView(page.buffer).getBigUint64(0, true) === 4096n)[0] ?? [];
    expect(second).toBeDefined();
    for (const [pfn, page] of made.builder.pages) if (page === second) made.builder.excluded.add(pfn);
    expect(offsetsSeen(made, START + 100n)).toEqual([0, 8192]);
  });

  test("first mapped address by steps", () => {
    const { tables } = image([0]);
    expect(firstMapped(tables, 0xffff_ffff_8000_0000n, 0xffff_ffff_c000_0000n, 2 << 20)).toBe(START);
    expect(firstMapped(tables, 0xffff_ffff_8200_0000n, 0xffff_ffff_8400_0000n, 2 << 20)).toBeUndefined();
  });
});
