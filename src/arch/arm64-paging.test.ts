import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { Arm64PageTables, type Arm64Regime, arm64EntryFlags } from "./arm64-paging.ts";
import { MemoryBuilder, mapPage, rootTable, type TableShape } from "./testing/build-memory.ts";

/** Encodes an output address as the regime wants it; written from the Arm ARM, apart from the decoder. */
function encode(address: bigint, regime: Arm64Regime): bigint {
  if (regime.pageShift === 16) return (address & 0xffff_ffff_ffffn) | ((address >> 48n) << 12n);
  if (regime.lpa2) return (address & ((1n << 50n) - 1n)) | ((address >> 50n) << 8n);
  return address;
}

function shape(regime: Arm64Regime): TableShape {
  const perLevel = regime.pageShift - 3;
  const levels = Math.ceil((regime.virtualBits - regime.pageShift) / perLevel);
  const bits = Array<number>(levels).fill(perLevel);
  bits[0] = regime.virtualBits - regime.pageShift - perLevel * (levels - 1);
  const decode = new Map<bigint, bigint>();
  return {
    bits,
    pageShift: regime.pageShift,
    table: (address) => {
      const entry = encode(address, regime) | 3n;
      decode.set(entry, address);
      return entry;
    },
    leaf: (address, depth) => encode(address, regime) | (1n << 10n) | (depth === levels - 1 ? 3n : 1n),
    next: (entry) => decode.get(entry) as bigint,
  };
}

const REGIMES: readonly (Arm64Regime & { readonly pa: number })[] = [
  { pageShift: 12, virtualBits: 39, lpa2: false, pa: 48 },
  { pageShift: 12, virtualBits: 48, lpa2: false, pa: 48 },
  { pageShift: 12, virtualBits: 52, lpa2: true, pa: 52 },
  { pageShift: 14, virtualBits: 36, lpa2: false, pa: 48 },
  { pageShift: 14, virtualBits: 47, lpa2: false, pa: 48 },
  { pageShift: 14, virtualBits: 48, lpa2: false, pa: 48 },
  { pageShift: 14, virtualBits: 52, lpa2: true, pa: 52 },
  { pageShift: 16, virtualBits: 42, lpa2: false, pa: 48 },
  { pageShift: 16, virtualBits: 48, lpa2: false, pa: 48 },
  { pageShift: 16, virtualBits: 52, lpa2: false, pa: 52 },
];

describe.each(REGIMES)("arm64 tables, page shift $pageShift, $virtualBits bits, LPA2 $lpa2", (regime) => {
  test("kernel and user addresses map to their pages, also through blocks", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: (1n << 52n) - 1n }),
        fc.bigInt({ min: 0n, max: (1n << 52n) - 1n }),
        fc.boolean(),
        fc.boolean(),
        (address, output, kernel, block) => {
          const builder = new MemoryBuilder(2 ** regime.pageShift);
          const root = rootTable(builder);
          const own = shape(regime);
          const low = address & ((1n << BigInt(regime.virtualBits)) - 1n);
          const from = kernel ? BigInt.asUintN(64, low - (1n << BigInt(regime.virtualBits))) : low;
          const size = 1n << BigInt(regime.pageShift + (block ? regime.pageShift - 3 : 0));
          const to = ((output & ((1n << BigInt(regime.pa)) - 1n)) / size) * size;
          mapPage(builder, root, own, from, to, own.bits.length - 1 - (block ? 1 : 0));
          const tables = new Arm64PageTables(builder.memory("aarch64"), root, regime);
          const expected = to + (from & (size - 1n));
          expect(tables.translate(virtual(from))).toBe(expected);
          expect(tables.translate(virtual(from))).toBe(expected);
          expect(tables.walk(virtual(from)).pageSize).toBe(Number(size));
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("arm64 tables", () => {
  const regime: Arm64Regime = { pageShift: 12, virtualBits: 48, lpa2: false };

  test("nothing mapped, a bad descriptor, an address in the hole", () => {
    const builder = new MemoryBuilder();
    const root = rootTable(builder);
    const own = shape(regime);
    mapPage(builder, root, own, 0x1000n, 0x5000n);
    mapPage(builder, root, { ...own, leaf: (address) => address | 1n }, 0x2000n, 0x6000n);
    const tables = new Arm64PageTables(builder.memory("aarch64"), root, regime);
    expect(tables.translate(virtual(0x1008n))).toBe(0x5008n);
    expect(() => tables.translate(virtual(0x2000n))).toThrow(/reserved PTE entry/);
    expect(() => tables.translate(virtual(0x3000n))).toThrow(/no PTE entry/);
    expect(() => tables.translate(virtual(0x0001_0000_0000_1000n))).toThrow(/not canonical/);
  });

  test("PROT_NONE pages of both encodings are there; swap entries are not", () => {
    const builder = new MemoryBuilder();
    const root = rootTable(builder);
    const own = shape(regime);
    mapPage(builder, root, { ...own, leaf: (address) => address | 2n | (1n << 11n) }, 0x1000n, 0x5000n);
    mapPage(builder, root, { ...own, leaf: (address) => address | 2n | (1n << 58n) }, 0x2000n, 0x6000n);
    mapPage(builder, root, { ...own, leaf: () => 0x1234_0104n }, 0x3000n, 0n);
    const tables = new Arm64PageTables(builder.memory("aarch64"), root, regime);
    expect(tables.translate(virtual(0x1004n))).toBe(0x5004n);
    expect(tables.translate(virtual(0x2004n))).toBe(0x6004n);
    expect(() => tables.translate(virtual(0x3000n))).toThrow(/no PTE entry/);
  });

  test("levels are named as the kernel folds them", () => {
    const builder = new MemoryBuilder();
    const root = rootTable(builder);
    mapPage(builder, root, shape({ pageShift: 12, virtualBits: 39, lpa2: false }), 0n, 0x5000n);
    const tables = new Arm64PageTables(builder.memory("aarch64"), root, { pageShift: 12, virtualBits: 39, lpa2: false });
    expect(tables.walk(virtual(0n)).steps.map((step) => step.level)).toEqual(["PGD", "PMD", "PTE"]);
  });
});

test("flag names", () => {
  expect(arm64EntryFlags(0x0068_0000_4123_4f13n)).toContain("VALID");
  expect(arm64EntryFlags(0x0068_0000_4123_4f13n)).toContain("UXN");
});
