import { describe, expect, test } from "vitest";
import { memoryTotal } from "./memory-total.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";

const NODES = 0xffff_ffff_8200_0000n;
const NODE = [0xffff_8880_0010_0000n, 0xffff_8880_0020_0000n];

function build(): FakeKernel {
  const fake = new FakeKernel({ pglist_data: { node_present_pages: [0, "u64"] } });
  fake.symbol("node_data", NODES);
  fake.symbol("nr_node_ids", NODES + 64n);
  fake.memory.put32(NODES + 64n, 2);
  NODE.forEach((node, i) => {
    fake.memory.put64(NODES + BigInt(i * 8), node);
    fake.memory.put64(node, 1000n * BigInt(i + 1));
  });
  Object.assign(fake.dump, { ranges: [{ start: 0n, end: 0x10_0000n }] });
  return fake;
}

describe("memoryTotal", () => {
  test("sums the nodes", () => {
    const fake = build();
    expect(memoryTotal(fake.kernel)).toMatchObject({ present: 3000 * 4096, presentSource: "nodes" });
    expect(fake.notes).toEqual([]);
  });

  test("no sum without a node that cannot be read: the dump's ranges, and a note", () => {
    const fake = build();
    fake.memory.put64(NODES + 8n, 0xffff_8880_7777_0000n);
    expect(memoryTotal(fake.kernel)).toMatchObject({ present: 0x10_0000, presentSource: "dump" });
    expect(fake.notes).toEqual([expect.stringContaining("of what the dump covers, which may be less")]);
  });
});
