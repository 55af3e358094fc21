import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { rbtreeWalk } from "./rbtree-walk.ts";
import { FakeMemory } from "./testing/fake-kernel.ts";

const at = (i: number) => 0xffff_8880_0000_1000n + BigInt(i) * 0x20n;
const RED = 0n;
const BLACK = 1n;

/** Seven nodes: 4 above 2 and 6, below them 1 3 5 7; the lowest are red. */
function tree(): FakeMemory {
  const memory = new FakeMemory();
  const put = (node: number, parent: number, colour: bigint, left: number, right: number) => {
    memory.put64(at(node), (parent === 0 ? 0n : at(parent)) | colour);
    memory.put64(at(node) + 8n, right === 0 ? 0n : at(right));
    memory.put64(at(node) + 16n, left === 0 ? 0n : at(left));
  };
  put(4, 0, BLACK, 2, 6);
  put(2, 4, BLACK, 1, 3);
  put(6, 4, BLACK, 5, 7);
  for (const [node, parent] of [
    [1, 2],
    [3, 2],
    [5, 6],
    [7, 6],
  ] as const)
    put(node, parent, RED, 0, 0);
  return memory;
}

function walk(memory: FakeMemory, top = 4, options: { readonly inOrder?: boolean; readonly inner?: boolean } = {}) {
  const problems: string[] = [];
  const problem = (found: Error) => problems.push(found.message);
  const steps = [...rbtreeWalk(memory, virtual(at(top)), { ...options, problem })];
  return { nodes: steps.map(({ node }) => Number((node - at(0)) / 0x20n)), paths: steps.map(({ path }) => path), problems };
}

describe("rbtreeWalk", () => {
  test("before their subtrees, with positions", () => {
    const { nodes, paths, problems } = walk(tree());
    expect([nodes, problems]).toEqual([[4, 2, 1, 3, 6, 5, 7], []]);
    expect(paths).toEqual(["root", "root/l", "root/l/l", "root/l/r", "root/r", "root/r/l", "root/r/r"]);
  });

  test("in order", () => {
    expect(walk(tree(), 4, { inOrder: true })).toMatchObject({ nodes: [1, 2, 3, 4, 5, 6, 7], problems: [] });
  });

  test("from a node within", () => {
    expect(walk(tree(), 6, { inner: true })).toMatchObject({ nodes: [6, 5, 7], problems: [] });
    expect(walk(tree(), 6).problems[0]).toMatch(/its parent is .* where it is the top/);
  });

  test("an empty tree", () => {
    expect([...rbtreeWalk(new FakeMemory(), virtual(0n), { problem: () => expect.fail() })]).toEqual([]);
  });

  test("a wrong parent, a red pair and a red top are told, and everything is still walked", () => {
    const memory = tree();
    memory.put64(at(5), at(2) | RED);
    memory.put64(at(6), at(4) | RED);
    const { nodes, problems } = walk(memory);
    expect(nodes).toEqual([4, 2, 1, 3, 6, 5, 7]);
    expect(problems).toEqual([
      expect.stringMatching(/its parent is .*1040 where .*10c0 points here/),
      expect.stringMatching(/10a0: it is red as its parent .*10c0 is/),
      expect.stringMatching(/black nodes lie above this leaf/),
      expect.stringMatching(/10e0: it is red as its parent/),
    ]);
    const red = tree();
    red.put64(at(4), RED);
    expect(walk(red).problems).toContainEqual(expect.stringMatching(/the top and red/));
  });

  test("black heights must agree", () => {
    const memory = tree();
    memory.put64(at(7), at(6) | BLACK);
    expect(walk(memory).problems).toEqual([expect.stringMatching(/10e0: 3 black nodes lie above this leaf and 2 above others/)]);
  });

  test("a circle and an unreadable node cost their subtree only", () => {
    const memory = tree();
    memory.put64(at(3) + 8n, at(4));
    memory.put64(at(6) + 16n, 0x1000n);
    const { nodes, problems } = walk(memory);
    expect(nodes).toEqual([4, 2, 1, 3, 6, 7]);
    expect(problems).toEqual([
      expect.stringMatching(/1080: it is reached twice, now from .*1060/),
      expect.stringMatching(/1000: the node cannot be read \(unmapped\); .*10c0 points here/),
    ]);
  });
});
