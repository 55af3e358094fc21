import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { type MapleLayout, mapleEntries, mapleFind, mapleLayout } from "./maple-tree.ts";
import { FakeMemory, fakeTypes } from "./testing/fake-kernel.ts";

const BASE = 0xffff_8880_0300_0000n;
const item = (i: number) => 0xffff_8880_0400_0000n + BigInt(i) * 64n;
const MAX = (1n << 64n) - 1n;
const LEAF = 1;
const RANGE = 2;
const ARANGE = 3;

class TreeBuilder {
  readonly memory = new FakeMemory();
  #next = BASE;

  /** [last index of the slot, what it holds]; the last slot's pivot is left 0 as the kernel leaves it. */
  node(type: number, slots: readonly (readonly [bigint, bigint])[]): bigint {
    const node = this.#next;
    this.#next += 0x100n;
    this.memory.write(node, new Uint8Array(256));
    const [pivots, slotOffset] = type === ARANGE ? [9, 80n] : [15, 128n];
    slots.forEach(([last, entry], i) => {
      if (i < pivots && last !== MAX) this.memory.put64(node + 8n + BigInt(i) * 8n, last);
      this.memory.put64(node + slotOffset + BigInt(i) * 8n, entry);
    });
    return node | BigInt(type << 3) | 4n;
  }

  root(node: bigint): bigint {
    return (node & ~4n) | 2n;
  }

  get layout(): MapleLayout {
    return mapleLayout(
      fakeTypes(this.memory, {
        maple_node: { parent: [0, "u64"], slot: [8, "bytes248"] },
        maple_range_64: { parent: [0, "u64"], pivot: [8, "bytes120"], slot: [128, "bytes128"] },
        maple_arange_64: { parent: [0, "u64"], pivot: [8, "bytes72"], slot: [80, "bytes80"], gap: [160, "bytes80"] },
      }),
    ) as MapleLayout;
  }

  entries(root: bigint) {
    return [...mapleEntries(this.memory, this.layout, virtual(root))].map(({ first, last, entry }) => [first, last, entry]);
  }
}

/** Two levels: an arange root over two leaves, with a gap. */
function twoLevels() {
  const builder = new TreeBuilder();
  const low = builder.node(LEAF, [
    [0xfffn, 0n],
    [0x1fffn, item(1)],
    [0x2fffn, item(2)],
  ]);
  const high = builder.node(LEAF, [
    [0x3fffn, item(3)],
    [MAX, 0n],
  ]);
  const root = builder.root(
    builder.node(ARANGE, [
      [0x2fffn, low],
      [MAX, high],
    ]),
  );
  return { builder, root };
}

describe("mapleEntries", () => {
  test("an empty tree and a single entry have no node", () => {
    const builder = new TreeBuilder();
    expect(builder.entries(0n)).toEqual([]);
    expect(builder.entries(item(1))).toEqual([[0n, 0n, item(1)]]);
  });

  test("ranges come from the pivots of each level, empty ones are left out", () => {
    const { builder, root } = twoLevels();
    expect(builder.entries(root)).toEqual([
      [0x1000n, 0x1fffn, item(1)],
      [0x2000n, 0x2fffn, item(2)],
      [0x3000n, 0x3fffn, item(3)],
    ]);
  });

  test("a full node has one slot more than pivots", () => {
    const builder = new TreeBuilder();
    const slots = Array.from({ length: 16 }, (_, i): [bigint, bigint] => [i === 15 ? MAX : BigInt(i) * 16n + 15n, item(i)]);
    expect(builder.entries(builder.root(builder.node(RANGE - 1, slots)))).toHaveLength(16);
  });

  test("pivots that fall, a loop and an unknown type are corruption", () => {
    const { builder, root } = twoLevels();
    builder.memory.put64((root & ~0xffn) + 8n, 0n);
    builder.memory.put64((root & ~0xffn) + 16n, 5n);
    expect(() => builder.entries(root)).toThrow(/pivot|range|branch/);
    const loop = builder.node(ARANGE, [[MAX, 0n]]);
    builder.memory.put64((loop & ~0xffn) + 80n, loop);
    expect(() => builder.entries(builder.root(loop))).toThrow(/reached twice/);
    expect(() => builder.entries((BASE & ~0xffn) | (9n << 3n) | 2n)).toThrow(/type 9/);
  });
});

describe("mapleFind", () => {
  test("finds the range that holds an index", () => {
    const { builder, root } = twoLevels();
    const find = (index: bigint) => mapleFind(builder.memory, builder.layout, virtual(root), index)?.entry;
    expect(find(0x1000n)).toBe(item(1));
    expect(find(0x2fffn)).toBe(item(2));
    expect(find(0x3000n)).toBe(item(3));
    expect(find(0xfffn)).toBeUndefined();
    expect(find(0x4000n)).toBeUndefined();
  });
});
