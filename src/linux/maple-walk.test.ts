import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { type MapleLayout, mapleLayout } from "./maple-tree.ts";
import { mapleWalk } from "./maple-walk.ts";
import { FakeMemory, fakeTypes } from "./testing/fake-kernel.ts";

const TREE = 0xffff_8880_0500_0000n;
const BASE = 0xffff_8880_0300_0000n;
const item = (i: number) => 0xffff_8880_0400_0000n + BigInt(i) * 64n;
const MAX = (1n << 64n) - 1n;
const LEAF = 1;
const ARANGE = 3;

class TreeBuilder {
  readonly memory = new FakeMemory();
  #next = BASE;

  node(type: number, slots: readonly (readonly [bigint, bigint])[]): bigint {
    const node = this.#next;
    this.#next += 0x100n;
    this.memory.write(node, new Uint8Array(256));
    this.memory.put64(node, TREE | 1n);
    const [pivots, slotOffset] = type === ARANGE ? [9, 80n] : [15, 128n];
    slots.forEach(([last, entry], i) => {
      if (i < pivots && last !== MAX) this.memory.put64(node + 8n + BigInt(i) * 8n, last);
      this.memory.put64(node + slotOffset + BigInt(i) * 8n, entry);
      if (type === ARANGE) this.memory.put64(entry & ~0xffn, node | BigInt(i << 3) | 6n);
    });
    return node | BigInt(type << 3) | 4n;
  }

  walk(encoded: bigint, tree: bigint | undefined = TREE) {
    const layout = mapleLayout(
      fakeTypes(this.memory, {
        maple_node: { parent: [0, "u64"], slot: [8, "bytes248"] },
        maple_range_64: { parent: [0, "u64"], pivot: [8, "bytes120"], slot: [128, "bytes128"] },
        maple_arange_64: { parent: [0, "u64"], pivot: [8, "bytes72"], slot: [80, "bytes80"], gap: [160, "bytes80"] },
      }),
    ) as MapleLayout;
    const problems: string[] = [];
    const root = virtual((encoded & ~4n) | 2n);
    const above = tree === undefined ? undefined : virtual(tree);
    const steps = [...mapleWalk(this.memory, layout, root, above, (found) => problems.push(found.message))];
    return {
      problems,
      nodes: steps.flatMap((step) => (step.kind === "node" ? [[step.depth, step.type, step.first, step.last]] : [])),
      ranges: steps.flatMap((step) => (step.kind === "range" ? [[step.first, step.last, step.entry, step.path]] : [])),
    };
  }
}

function twoLevels() {
  const builder = new TreeBuilder();
  const low = builder.node(LEAF, [
    [0xfffn, 0n],
    [0x2fffn, item(1)],
  ]);
  const high = builder.node(LEAF, [
    [0x3fffn, item(3)],
    [MAX, 0n],
  ]);
  const top = builder.node(ARANGE, [
    [0x2fffn, low],
    [MAX, high],
  ]);
  return { builder, low, high, top };
}

describe("mapleWalk", () => {
  test("nodes, ranges and empty ranges with their positions", () => {
    const { builder, top } = twoLevels();
    expect(builder.walk(top)).toEqual({
      problems: [],
      nodes: [
        [0, ARANGE, 0n, MAX],
        [1, LEAF, 0n, 0x2fffn],
        [1, LEAF, 0x3000n, MAX],
      ],
      ranges: [
        [0n, 0xfffn, 0n, "root/0/0"],
        [0x1000n, 0x2fffn, item(1), "root/0/1"],
        [0x3000n, 0x3fffn, item(3), "root/1/0"],
        [0x4000n, MAX, 0n, "root/1/1"],
      ],
    });
  });

  test("parents are held against the node above, the root's against its tree", () => {
    const { builder, low, top } = twoLevels();
    builder.memory.put64(low & ~0xffn, item(1));
    const { problems, ranges } = builder.walk(top, TREE + 64n);
    expect(ranges).toHaveLength(4);
    expect(problems).toEqual([
      expect.stringMatching(/its parent is ffff888005000000 and not its tree ffff888005000040/),
      expect.stringMatching(/its parent is ffff888004000000; slot\/0 of ffff888003000200 points here/),
    ]);
    expect(builder.walk(top, undefined).problems).toHaveLength(1);
  });

  test("a node that is none, a node that comes twice, and a pivot out of its range cost themselves only", () => {
    const { builder, low, high, top } = twoLevels();
    builder.memory.put64((top & ~0xffn) + 80n, 0x7000n | BigInt(LEAF << 3));
    expect(builder.walk(top)).toMatchObject({ problems: [expect.stringMatching(/7000: the node cannot be read/)], ranges: { length: 2 } });
    builder.memory.put64((top & ~0xffn) + 80n, high);
    expect(builder.walk(top).problems.join()).toMatch(/it is reached twice; slot\/1/);
    builder.memory.put64((top & ~0xffn) + 80n, 8n);
    expect(builder.walk(top).problems.join()).toMatch(/slot 0 holds no node/);
    builder.memory.put64((top & ~0xffn) + 80n, low);
    builder.memory.put64((low & ~0xffn) + 8n, 0x9000n);
    expect(builder.walk(top)).toMatchObject({
      problems: [expect.stringMatching(/pivot 0 leaves the node's range/)],
      ranges: { length: 2 },
    });
  });
});
