import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { CorruptionError } from "../bytes/errors.ts";
import { rbtreeNodes } from "./rbtree.ts";
import { FakeMemory } from "./testing/fake-kernel.ts";

const ROOT = 0xffff_8880_0000_0000n;
const at = (i: number) => ROOT + 0x1000n + BigInt(i) * 0x20n;

/** A balanced tree of nodes first … last; returns its top. Parent words carry the colour bit. */
function build(memory: FakeMemory, first: number, last: number, parent: bigint): bigint {
  if (first > last) return 0n;
  const middle = (first + last) >> 1;
  memory.put64(at(middle), parent | BigInt(middle & 1));
  memory.put64(at(middle) + 8n, build(memory, middle + 1, last, at(middle)));
  memory.put64(at(middle) + 16n, build(memory, first, middle - 1, at(middle)));
  return at(middle);
}

function tree(count: number): FakeMemory {
  const memory = new FakeMemory();
  memory.put64(ROOT, build(memory, 1, count, 0n));
  return memory;
}

describe("rbtreeNodes", () => {
  test.each([0, 1, 2, 7, 100])("yields %i nodes in order", (count) => {
    expect([...rbtreeNodes(tree(count), virtual(ROOT))]).toEqual(Array.from({ length: count }, (_, i) => at(i + 1)));
  });

  test("a wrong parent is named, what came before was yielded", () => {
    const memory = tree(7);
    memory.put64(at(6), at(1));
    const found: bigint[] = [];
    const walk = () => {
      for (const node of rbtreeNodes(memory, virtual(ROOT))) found.push(node);
    };
    expect(walk).toThrow(CorruptionError);
    expect(found).toEqual([1, 2, 3, 4].map(at));
  });

  test("a child that points up ends the walk", () => {
    const memory = tree(3);
    memory.put64(at(1) + 16n, at(2));
    expect(() => [...rbtreeNodes(memory, virtual(ROOT))]).toThrow(/reached twice/);
    memory.put64(at(1) + 16n, 0n);
    memory.put64(at(3), at(1));
    expect(() => [...rbtreeNodes(memory, virtual(ROOT))]).toThrow(/its parent is/);
  });

  test("a child that hangs on both sides is reached twice", () => {
    const memory = tree(3);
    memory.put64(at(2) + 8n, at(1));
    expect(() => [...rbtreeNodes(memory, virtual(ROOT))]).toThrow(/reached twice/);
  });

  test("is bounded by the limit", () => {
    expect(() => [...rbtreeNodes(tree(10), virtual(ROOT), 5)]).toThrow(/more than 5/);
  });
});
