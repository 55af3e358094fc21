import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { FakeMemory, fakeTypes, type StructTable } from "./testing/fake-kernel.ts";
import { type XarrayWalkLayout, xarrayWalk, xarrayWalkLayout } from "./xarray-walk.ts";

const NODE: StructTable = {
  xa_node: { shift: [0, "u8"], offset: [1, "u8"], count: [2, "u8"], parent: [8, "u64"], slots: [40, "bytes512"] },
};
const BASE = 0xffff_8880_0100_0000n;
const item = (i: number) => 0xffff_8880_0200_0000n + BigInt(i) * 64n;

class ArrayBuilder {
  readonly memory = new FakeMemory();
  #next = BASE;

  /** A node over entries and nodes already made; it makes itself their parent. */
  node(shift: number, slots: Readonly<Record<number, bigint>>): bigint {
    const node = this.#next;
    this.#next += 0x400n;
    this.memory.write(node, new Uint8Array(576));
    this.memory.put8(node, shift);
    this.memory.put8(node + 2n, Object.keys(slots).length);
    for (const [slot, entry] of Object.entries(slots)) {
      this.memory.put64(node + 40n + BigInt(slot) * 8n, entry);
      if ((entry & 3n) !== 2n || entry < BASE) continue;
      this.memory.put8((entry & ~3n) + 1n, Number(slot));
      this.memory.put64((entry & ~3n) + 8n, node);
    }
    return node | 2n;
  }

  walk(head: bigint) {
    const problems: string[] = [];
    const layout = xarrayWalkLayout(fakeTypes(this.memory, NODE)) as XarrayWalkLayout;
    const steps = [...xarrayWalk(this.memory, layout, virtual(head), (found) => problems.push(found.message))];
    return { steps: steps.map(({ index, entry, path }) => [Number(index), entry, path]), problems };
  }
}

/** Two levels: 1 and 63 in the first leaf, 5*64+2 in the other. */
function twoLevels() {
  const builder = new ArrayBuilder();
  const low = builder.node(0, { 1: item(1), 63: item(63) });
  const high = builder.node(0, { 2: item(2) });
  return { builder, low, high, head: builder.node(6, { 0: low, 5: high }) };
}

describe("xarrayWalk", () => {
  test("entries with their indices and positions", () => {
    const { builder, head } = twoLevels();
    expect(builder.walk(head)).toEqual({
      steps: [
        [1, item(1), "root/0/1"],
        [63, item(63), "root/0/63"],
        [322, item(2), "root/5/2"],
      ],
      problems: [],
    });
    expect(builder.walk(item(9)).steps).toEqual([[0, item(9), "root"]]);
    expect(builder.walk(0n).steps).toEqual([]);
  });

  test("parent, offset and count are held against the node above", () => {
    const { builder, low, high, head } = twoLevels();
    builder.memory.put64((low & ~3n) + 8n, item(1));
    builder.memory.put8((low & ~3n) + 1n, 7);
    builder.memory.put8((high & ~3n) + 2n, 4);
    const { steps, problems } = builder.walk(head);
    expect(steps).toHaveLength(3);
    expect(problems).toEqual([
      expect.stringMatching(/its parent is ffff888002000040; slot 0 of ffff888001000800 points here/),
      expect.stringMatching(/its offset is 7; slot 0/),
      expect.stringMatching(/its count is 4 and 1 slots are in use/),
    ]);
  });

  test("what is no node costs its own entries only", () => {
    const { builder, low, high, head } = twoLevels();
    builder.memory.put64((head & ~3n) + 40n, 0x5002n);
    builder.memory.put64((head & ~3n) + 48n, high);
    builder.memory.put8((head & ~3n) + 2n, 3);
    const { steps, problems } = builder.walk(head);
    expect(steps.map(([, entry]) => entry)).toEqual([item(2)]);
    expect(problems[0]).toMatch(/xa_node at 0000000000005000: the node cannot be read \(unmapped\); slot 0/);
    expect(problems.join()).toMatch(/it is reached twice; slot 5/);
    builder.memory.put8(low & ~3n, 6);
    builder.memory.put64((head & ~3n) + 40n, low);
    expect(builder.walk(head).problems.join()).toMatch(/its shift 6 is not below its parent's 6/);
    const leaf = builder.node(0, { 0: high });
    expect(builder.walk(leaf).problems.join()).toMatch(/slot 0 of a leaf node points at another node/);
  });
});
