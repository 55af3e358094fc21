import { expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { resourceTree } from "./resource.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";

const BASE = 0xffff_8880_0040_0000n;
const at = (index: number) => virtual(BASE + BigInt(index) * 0x1000n);

interface Entry {
  readonly name: string;
  readonly parent?: number;
  readonly sibling?: number;
  readonly child?: number;
}

function tree(...entries: readonly Entry[]): FakeKernel {
  const fake = new FakeKernel({
    resource: { start: [0, "u64"], end: [8, "u64"], name: [16, "u64"], parent: [24, "u64"], sibling: [32, "u64"], child: [40, "u64"] },
  });
  for (const [index, { name, parent, sibling, child }] of entries.entries()) {
    const pointer = (to: number | undefined) => (to === undefined ? 0n : at(to));
    fake.memory.put64(at(index), BigInt(index * 16));
    fake.memory.put64(at(index) + 8n, BigInt(index * 16 + 15));
    fake.memory.put64(at(index) + 16n, at(index) + 0x100n);
    fake.memory.putText(at(index) + 0x100n, `${name}\0`);
    fake.memory.put64(at(index) + 24n, pointer(parent));
    fake.memory.put64(at(index) + 32n, pointer(sibling));
    fake.memory.put64(at(index) + 40n, pointer(child));
  }
  return fake;
}

const shown = (fake: FakeKernel) => {
  const { resources, notes } = resourceTree(fake.kernel, at(0));
  return { rows: resources.map(({ name, depth }) => `${"  ".repeat(depth)}${name}`), notes };
};

test("parents come before what lies in them, siblings in their order", () => {
  const fake = tree(
    { name: "root", child: 1 },
    { name: "a", parent: 0, sibling: 3, child: 2 },
    { name: "a1", parent: 1 },
    { name: "b", parent: 0 },
  );
  expect(shown(fake)).toEqual({ rows: ["root", "  a", "    a1", "  b"], notes: [] });
});

test("a circle, a foreign parent and an unreadable branch are told, and the rest comes", () => {
  const fake = tree(
    { name: "root", child: 1 },
    { name: "a", parent: 0, sibling: 3, child: 2 },
    { name: "a1", parent: 3, sibling: 1 },
    { name: "b", parent: 0, child: 9 },
  );
  const { rows, notes } = shown(fake);
  expect(rows).toEqual(["root", "  a", "    a1", "  b"]);
  expect(notes).toHaveLength(3);
  expect(notes.join("\n")).toMatch(/another parent[\s\S]*reached twice[\s\S]*cannot be read/);
});
