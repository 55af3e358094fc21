import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { CorruptionError } from "../bytes/errors.ts";
import { FakeMemory, fakeTypes, type StructTable } from "./testing/fake-kernel.ts";
import { type XarrayLayout, xarrayEntries, xarrayLayout } from "./xarray.ts";

const NODE: StructTable = { xa_node: { shift: [0, "u8"], offset: [1, "u8"], count: [2, "u8"], slots: [40, "bytes512"] } };
const BASE = 0xffff_8880_0100_0000n;
const item = (i: number) => 0xffff_8880_0200_0000n + BigInt(i) * 64n;

/** Composes an array of pointers; nodes lie at BASE, one behind the other. */
class ArrayBuilder {
  readonly memory = new FakeMemory();
  #next = BASE;

  node(shift: number, slots: Readonly<Record<number, bigint>>): bigint {
    const node = this.#next;
    this.#next += 0x400n;
    this.memory.write(node, new Uint8Array(576));
    this.memory.put8(node, shift);
    for (const [slot, entry] of Object.entries(slots)) this.memory.put64(node + 40n + BigInt(slot) * 8n, entry);
    return node | 2n;
  }

  get layout(): XarrayLayout {
    return xarrayLayout(fakeTypes(this.memory, NODE)) as XarrayLayout;
  }

  entries(head: bigint, limit?: number) {
    return [...xarrayEntries(this.memory, this.layout, virtual(head), limit)];
  }
}

describe("xarrayEntries", () => {
  test("an empty array and one with a single entry have no node", () => {
    const builder = new ArrayBuilder();
    expect(builder.entries(0n)).toEqual([]);
    expect(builder.entries(item(1))).toEqual([{ index: 0, entry: item(1) }]);
  });

  test("indices come from the path of slots", () => {
    const builder = new ArrayBuilder();
    const low = builder.node(0, { 1: item(1), 63: item(63) });
    const high = builder.node(0, { 2: item(2) });
    const head = builder.node(6, { 0: low, 5: high });
    expect(builder.entries(head)).toEqual([
      { index: 1, entry: item(1) },
      { index: 63, entry: item(63) },
      { index: 5 * 64 + 2, entry: item(2) },
    ]);
  });

  test("siblings and the zero and retry entries are no items, values are", () => {
    const builder = new ArrayBuilder();
    const head = builder.node(0, { 0: item(0), 1: 2n, 2: 1030n, 3: 1026n, 4: (77n << 1n) | 1n });
    expect(builder.entries(head).map(({ index }) => index)).toEqual([0, 4]);
  });

  test("a node that names itself, a shift that does not fall and an unreadable node are corruption", () => {
    const builder = new ArrayBuilder();
    const loop = builder.node(6, {});
    builder.memory.put64((loop & ~3n) + 40n, loop);
    expect(() => builder.entries(loop)).toThrow(/reached twice/);
    const flat = builder.node(6, { 0: builder.node(6, {}) });
    expect(() => builder.entries(flat)).toThrow(/shift 6 is not below/);
    const shared = builder.node(0, {});
    expect(() => builder.entries(builder.node(6, { 0: shared, 1: shared }))).toThrow(/reached twice/);
    const leaf = builder.node(0, { 0: item(1) });
    builder.memory.put64((leaf & ~3n) + 48n, leaf);
    expect(() => builder.entries(leaf)).toThrow(/leaf node/);
    expect(() => builder.entries(0xffff_8880_7777_0002n)).toThrow(CorruptionError);
  });

  test("is bounded by the limit", () => {
    const builder = new ArrayBuilder();
    expect(() => builder.entries(builder.node(0, { 0: item(0), 1: item(1), 2: item(2) }), 2)).toThrow(/limit/);
  });

  test("nodes before 4.20 are marked by bit 0", () => {
    const memory = new FakeMemory();
    memory.write(BASE, new Uint8Array(576));
    memory.put64(BASE + 40n + 24n, item(3));
    const layout = xarrayLayout(
      fakeTypes(memory, { radix_tree_node: NODE.xa_node as NonNullable<(typeof NODE)["xa_node"]> }),
    ) as XarrayLayout;
    expect([...xarrayEntries(memory, layout, virtual(BASE | 1n))]).toEqual([{ index: 3, entry: item(3) }]);
  });

  test("a sibling of before 4.20 points at its leader's slot", () => {
    const memory = new FakeMemory();
    memory.write(BASE, new Uint8Array(576));
    memory.put64(BASE + 40n, item(0));
    memory.put64(BASE + 48n, (BASE + 40n) | 1n);
    memory.put64(BASE + 56n, item(2));
    const layout = xarrayLayout(fakeTypes(memory, { radix_tree_node: NODE.xa_node as NonNullable<typeof NODE.xa_node> })) as XarrayLayout;
    expect([...xarrayEntries(memory, layout, virtual(BASE | 1n))].map(({ index }) => index)).toEqual([0, 2]);
  });

  test.each([
    ["height (3.10)", "height", 0],
    ["path (3.15)", "path", 5 << 12],
  ] as const)("nodes before 4.7 know their %s, and only the root is marked", (_name, member, offsetInParent) => {
    const memory = new FakeMemory();
    const [top, low, high] = [BASE, BASE + 0x400n, BASE + 0x800n] as const;
    const write = (node: bigint, height: number, slots: Readonly<Record<number, bigint>>) => {
      memory.write(node, new Uint8Array(576));
      memory.put32(node, height | offsetInParent);
      for (const [slot, entry] of Object.entries(slots)) memory.put64(node + 40n + BigInt(slot) * 8n, entry);
    };
    write(top, 2, { 0: low, 5: high });
    write(low, 1, { 1: item(1), 63: item(63) });
    write(high, 1, { 2: item(2) });
    const layout = xarrayLayout(fakeTypes(memory, { radix_tree_node: { [member]: [0, "u32"], slots: [40, "bytes512"] } })) as XarrayLayout;
    expect([...xarrayEntries(memory, layout, virtual(top | 1n))]).toEqual([
      { index: 1, entry: item(1) },
      { index: 63, entry: item(63) },
      { index: 5 * 64 + 2, entry: item(2) },
    ]);
    expect([...xarrayEntries(memory, layout, virtual(item(7)))]).toEqual([{ index: 0, entry: item(7) }]);
  });
});
