import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { CorruptionError } from "../bytes/errors.ts";
import { hlistNodes, listNodes, llistNodes } from "./list.ts";
import { FakeMemory } from "./testing/fake-kernel.ts";

const HEAD = 0xffff_8880_0000_1000n;
const node = (i: number) => HEAD + BigInt(i) * 0x40n;

/** A circular list of `count` nodes behind HEAD. */
function circle(count: number): FakeMemory {
  const memory = new FakeMemory();
  for (let i = 0; i <= count; i++) {
    memory.put64(node(i), node((i + 1) % (count + 1)));
    memory.put64(node(i) + 8n, node((i + count) % (count + 1)));
  }
  return memory;
}

/** What a walk yields and the error that ends it. */
function drain(walk: Iterable<bigint>): { nodes: bigint[]; error: unknown } {
  const nodes: bigint[] = [];
  try {
    for (const each of walk) nodes.push(each);
    return { nodes, error: undefined };
  } catch (error) {
    return { nodes, error };
  }
}

describe("listNodes", () => {
  test("yields the nodes in order, the head left out", () => {
    expect([...listNodes(circle(3), virtual(HEAD))]).toEqual([node(1), node(2), node(3)]);
    expect([...listNodes(circle(0), virtual(HEAD))]).toEqual([]);
  });

  test("walks backwards", () => {
    expect([...listNodes(circle(3), virtual(HEAD), { reverse: true })]).toEqual([node(3), node(2), node(1)]);
  });

  test("names the node whose prev does not fit, after the good ones", () => {
    const memory = circle(4);
    memory.put64(node(3) + 8n, node(1));
    const { nodes, error } = drain(listNodes(memory, virtual(HEAD)));
    expect(nodes).toEqual([node(1), node(2)]);
    expect(error).toBeInstanceOf(CorruptionError);
    expect((error as CorruptionError).address).toBe(node(3));
    expect([...listNodes(memory, virtual(HEAD), { checkBackLinks: false })]).toHaveLength(4);
  });

  test("finds a circle without the head", () => {
    const memory = circle(5);
    memory.put64(node(5), node(3));
    const { nodes, error } = drain(listNodes(memory, virtual(HEAD), { checkBackLinks: false }));
    expect(nodes.slice(0, 5)).toEqual([1, 2, 3, 4, 5].map(node));
    expect(nodes.length).toBeLessThan(20);
    expect((error as Error).message).toContain("circle");
  });

  test("tells NULL and unreadable nodes apart", () => {
    const memory = circle(3);
    memory.put64(node(2), 0n);
    expect((drain(listNodes(memory, virtual(HEAD))).error as Error).message).toContain("NULL");
    memory.put64(node(2), 0xdead_0000_0000_0100n);
    const { nodes, error } = drain(listNodes(memory, virtual(HEAD)));
    expect(nodes).toEqual([node(1), node(2)]);
    expect((error as CorruptionError).address).toBe(0xdead_0000_0000_0100n);
    expect((error as Error).message).toContain("cannot be read");
  });

  test("ends at the limit", () => {
    const { nodes, error } = drain(listNodes(circle(10), virtual(HEAD), { limit: 4 }));
    expect(nodes).toHaveLength(4);
    expect((error as Error).message).toContain("more than 4");
  });
});

describe("hlistNodes and llistNodes", () => {
  const chain = (count: number) => {
    const memory = new FakeMemory();
    memory.put64(HEAD, count === 0 ? 0n : node(1));
    for (let i = 1; i <= count; i++) {
      memory.put64(node(i), i === count ? 0n : node(i + 1));
      memory.put64(node(i) + 8n, node(i - 1));
    }
    return memory;
  };

  test("yield up to NULL", () => {
    expect([...hlistNodes(chain(3), virtual(HEAD))]).toEqual([node(1), node(2), node(3)]);
    expect([...llistNodes(chain(2), virtual(HEAD))]).toEqual([node(1), node(2)]);
    expect([...hlistNodes(chain(0), virtual(HEAD))]).toEqual([]);
  });

  test("check pprev and circles", () => {
    const memory = chain(3);
    memory.put64(node(2) + 8n, 0n);
    expect(drain(hlistNodes(memory, virtual(HEAD))).nodes).toEqual([node(1)]);
    memory.put64(node(3), node(1));
    expect((drain(llistNodes(memory, virtual(HEAD))).error as Error).message).toContain("circle");
  });
});
