import { describe, expect, test } from "vitest";
import { INT, pointerTo, SparseMemory, smallKernel, struct, ULONG } from "../kernel/testing/small-kernel.ts";
import { createRegistry } from "./registry.ts";
import { createSession } from "./session.ts";
import { tree } from "./tree.ts";

const ROOT = 0xffffffff82000000n;
const at = (i: number) => 0xffff888000001000n + BigInt(i) * 0x40n;
const rbNode = struct("rb_node", [
  ["__rb_parent_color", ULONG],
  ["rb_right", pointerTo(INT)],
  ["rb_left", pointerTo(INT)],
]);
const area = struct("area", [
  ["id", INT],
  ["rb", rbNode],
]);
const holder = struct("holder", [
  ["id", ULONG],
  ["root", struct("rb_root", [["rb_node", pointerTo(rbNode)]])],
]);

/** 2 above 1 and 3; the nodes lie 8 bytes into their structures. */
function session(change?: (memory: SparseMemory) => void) {
  const memory = new SparseMemory();
  const put = (i: number, parent: number, colour: number, left: number, right: number) => {
    memory.put(at(i), i, 4).put(at(i) + 8n, (parent === 0 ? 0n : at(parent) + 8n) | BigInt(colour));
    memory.put(at(i) + 16n, right === 0 ? 0n : at(right) + 8n).put(at(i) + 24n, left === 0 ? 0n : at(left) + 8n);
  };
  put(2, 0, 1, 1, 3);
  put(1, 2, 0, 0, 0);
  put(3, 2, 0, 0, 0);
  memory
    .put(ROOT, at(2) + 8n)
    .put(ROOT + 0x100n, 9)
    .put(ROOT + 0x108n, at(2) + 8n);
  change?.(memory);
  const kernel = smallKernel({ memory, types: [rbNode, area, holder], symbols: { areas: [ROOT, "D"], held: [ROOT + 0x100n, "D"] } });
  const made = createSession(kernel, { registry: createRegistry([tree]) });
  const shown = (line: string) => {
    const lines: string[] = [];
    try {
      for (const text of made.execute(line).text({ radix: 10 })) lines.push(text);
      return { lines, error: undefined };
    } catch (error) {
      return { lines, error: (error as Error).message };
    }
  };
  return { shown, lines: (line: string) => [...made.execute(line).text({ radix: 10 })] };
}

const hex = (i: number, more = 0) => (at(i) + BigInt(more)).toString(16);

describe("red-black trees", () => {
  const { lines } = session();

  test("nodes, structures, positions, members", () => {
    expect(lines("tree areas")).toEqual([hex(2, 8), hex(1, 8), hex(3, 8)]);
    expect(lines("tree -o area.rb areas")).toEqual([hex(2), hex(1), hex(3)]);
    expect(lines("tree -l -o 8 areas")).toEqual([hex(1), hex(2), hex(3)]);
    expect(lines("tree -t rb -o area.rb -p -s area.id areas").slice(0, 6)).toEqual([
      hex(2),
      "  position: root",
      "  id = 2,",
      hex(1),
      "  position: root/l",
      "  id = 1,",
    ]);
    expect(lines("tree -o area.rb -x -S area.id areas").slice(0, 2)).toEqual([hex(2), "  id = 0x2"]);
  });

  test("the root within a structure, a node", () => {
    expect(lines("tree -r holder.root held")).toEqual([hex(2, 8), hex(1, 8), hex(3, 8)]);
    expect(lines(`tree -N ${hex(3, 8)}`)).toEqual([hex(3, 8)]);
  });

  test("damage stands where it is, the rest is walked, and the command fails", () => {
    const { shown } = session((memory) => memory.put(at(1) + 8n, at(3) + 8n).put(at(3) + 16n, 0x5000n));
    const { lines: printed, error } = shown("tree areas");
    expect(printed).toEqual([
      hex(2, 8),
      expect.stringMatching(/^ {2}<rb_node at ffff888000001048: its parent is ffff8880000010c8 where ffff888000001088 points here>$/),
      hex(1, 8),
      hex(3, 8),
      expect.stringMatching(/5000: the node cannot be read \(unmapped\); ffff8880000010c8 points here>$/),
    ]);
    expect(error).toBe("rb_node at ffff888000001048: the tree breaks its rules at 2 places, first here, as told above");
  });
});

test("errors say which option is meant and what is near", () => {
  const { lines } = session();
  expect(() => lines("tree")).toThrow("usage: tree");
  expect(() => lines("tree -t mapel areas")).toThrow("nearest: maple");
  expect(() => lines("tree -t r areas")).toThrow('"r" may be rbtree or radix');
  expect(() => lines("tree -t xarray -l areas")).toThrow("-l is for trees of type rbtree, not xarray");
  expect(() => lines("tree -t maple areas")).toThrow("this kernel has no maple trees");
  expect(() => lines("tree -t radix areas")).toThrow("know no radix trees");
  expect(() => lines("tree -o area.rx areas")).toThrow('struct area has no member "rx"');
  expect(() => lines("tree 1000")).toThrow("0000000000001000: not mapped");
  expect(() => lines("tree nosuch")).toThrow('no symbol named "nosuch"');
});
