import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { FaultError } from "../bytes/errors.ts";
import { MemoryBuilder, mapPage, rootTable, type TableShape } from "./testing/build-memory.ts";
import { X86PageTables, x86EntryFlags } from "./x86-64-paging.ts";

const NX = 1n << 63n;

function shape(levels: 4 | 5, encryption = 0n): TableShape {
  const bits = Array<number>(levels).fill(9);
  return {
    bits,
    pageShift: 12,
    table: (address) => address | encryption | 0x67n,
    leaf: (address, depth) => address | encryption | NX | (depth === levels - 1 ? 0x63n : 0xe3n),
    next: (entry) => entry & 0x000f_ffff_ffff_f000n & ~encryption,
  };
}

function canonical(value: bigint, levels: 4 | 5): bigint {
  return BigInt.asUintN(64, BigInt.asIntN(levels === 5 ? 57 : 48, value));
}

describe("x86-64 page tables", () => {
  test("any canonical address maps to its page, at every page size, with and without encryption", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: (1n << 57n) - 1n }),
        fc.bigInt({ min: 0n, max: (1n << 30n) - 1n }),
        fc.constantFrom<4 | 5>(4, 5),
        fc.constantFrom(0, 1, 2),
        fc.constantFrom(0n, 1n << 47n, 1n << 51n),
        (address, frame, levels, larger, encryption) => {
          const builder = new MemoryBuilder();
          const root = rootTable(builder);
          const size = 1n << BigInt(12 + 9 * larger);
          const from = canonical(address, levels);
          const to = ((frame << 12n) / size) * size;
          mapPage(builder, root, shape(levels, encryption), from, to, levels - 1 - larger);
          const tables = new X86PageTables(builder.memory(), root, levels === 5, encryption);
          const expected = to + (from & (size - 1n));
          expect(tables.translate(virtual(from))).toBe(expected);
          // A second time: through the memory of the last table.
          expect(tables.translate(virtual(from))).toBe(expected);
          expect(tables.walk(virtual(from)).pageSize).toBe(Number(size));
        },
      ),
      { numRuns: 200 },
    );
  });

  test("two pages of one 2 MiB range, the second not present", () => {
    const builder = new MemoryBuilder();
    const root = rootTable(builder);
    mapPage(builder, root, shape(4), 0xffff_8880_0000_0000n, 0x5000n);
    mapPage(builder, root, shape(4), 0xffff_8880_0000_2000n, 0x9000n);
    const tables = new X86PageTables(builder.memory(), root, false, 0n);
    expect(tables.translate(virtual(0xffff_8880_0000_0123n))).toBe(0x5123n);
    expect(tables.translate(virtual(0xffff_8880_0000_2fffn))).toBe(0x9fffn);
    expect(() => tables.translate(virtual(0xffff_8880_0000_1000n))).toThrow(/no PTE entry/);
    expect(() => tables.translate(virtual(0xffff_8881_0000_0000n))).toThrow(/no PMD entry|no PUD entry/);
  });

  test("an address that is not canonical is refused, not wrapped", () => {
    const builder = new MemoryBuilder();
    const root = rootTable(builder);
    mapPage(builder, root, shape(4), 0n, 0x5000n);
    const tables = new X86PageTables(builder.memory(), root, false, 0n);
    expect(tables.translate(virtual(0n))).toBe(0x5000n);
    expect(() => tables.translate(virtual(0x0001_0000_0000_0000n))).toThrow(/not canonical/);
  });

  test("a table on an excluded page is a fault of its own, and walk() says so", () => {
    const builder = new MemoryBuilder();
    const root = rootTable(builder);
    mapPage(builder, root, shape(4), 0x4000_0000n, 0x5000n);
    for (const pfn of [...builder.pages.keys()].slice(-1)) builder.excluded.add(pfn);
    const tables = new X86PageTables(builder.memory(), root, false, 0n);
    let fault: unknown;
    try {
      tables.translate(virtual(0x4000_0000n));
    } catch (error) {
      fault = error;
    }
    expect(fault).toBeInstanceOf(FaultError);
    expect((fault as FaultError).reason).toBe("excluded");
    expect((fault as FaultError).space).toBe("physical");
    expect(tables.walk(virtual(0x4000_0000n)).reason).toMatch(/left out/);
  });

  test("PROT_NONE pages are there, with their frame inverted", () => {
    const builder = new MemoryBuilder();
    const root = rootTable(builder);
    const frame = 0x12_3000n;
    const inverted = ~frame & 0x000f_ffff_ffff_f000n;
    mapPage(builder, root, { ...shape(4), leaf: () => inverted | 0x160n }, 0x7f00_0000_0000n, frame);
    const tables = new X86PageTables(builder.memory(), root, false, 0n);
    expect(tables.translate(virtual(0x7f00_0000_0010n))).toBe(0x12_3010n);
    expect(x86EntryFlags(inverted | 0x160n)).toEqual(["PROTNONE"]);
  });

  test("a page table that points to itself ends", () => {
    const builder = new MemoryBuilder();
    const root = rootTable(builder);
    for (let i = 0n; i < 512n; i++) builder.writeU64(root + i * 8n, root | 0x67n);
    const tables = new X86PageTables(builder.memory(), root, true, 0n);
    expect(tables.translate(virtual(0xffff_ffff_ffff_f000n))).toBe(root);
  });
});

test("flag names", () => {
  expect(x86EntryFlags(0x8000_0000_0000_01e3n)).toEqual(["PRESENT", "RW", "ACCESSED", "DIRTY", "PSE", "GLOBAL", "NX"]);
});
