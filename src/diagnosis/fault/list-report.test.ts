import { expect, it } from "vitest";
import type { Kernel } from "../../kernel/kernel.ts";
import { FakeMemory } from "../../linux/testing/fake-kernel.ts";
import { checkRing, listReport } from "./list-report.ts";

it("reads what lib/list_debug.c prints", () => {
  expect(
    listReport("list_del corruption. next->prev should be ff4809fd0253c490, but was ff4809fd0253b680. (next=ff4809fd0253ceb0)"),
  ).toEqual({
    operation: "del",
    what: "neighbour",
    entry: 0xff48_09fd_0253_c490n,
    node: 0xff48_09fd_0253_ceb0n,
    link: "prev",
    expected: 0xff48_09fd_0253_c490n,
    was: 0xff48_09fd_0253_b680n,
  });
  expect(
    listReport("list_add corruption. prev->next should be next (ffff888000000010), but was dead000000000100. (prev=ffff888000000020)."),
  ).toMatchObject({
    operation: "add",
    node: 0xffff_8880_0000_0020n,
    link: "next",
    expected: 0xffff_8880_0000_0010n,
    was: 0xdead_0000_0000_0100n,
  });
  expect(listReport("list_del corruption, ffff888000000010->next is LIST_POISON1 (dead000000000100)")).toMatchObject({
    what: "poison",
    node: 0xffff_8880_0000_0010n,
    was: 0xdead_0000_0000_0100n,
  });
  expect(listReport("list_del corruption, ffff888000000010->next is NULL")).toMatchObject({ what: "null", was: 0n });
  expect(listReport("list_add double add: new=ffff888000000010, prev=ffff888000000020, next=ffff888000000010.")).toMatchObject({
    what: "double add",
    entry: 0xffff_8880_0000_0010n,
    // It stands behind prev already.
    node: 0xffff_8880_0000_0020n,
    link: "next",
    was: 0xffff_8880_0000_0010n,
  });
  expect(listReport("list_add double add: new=ffff888000000010, prev=ffff888000000010, next=ffff888000000020.")).toMatchObject({
    node: 0xffff_8880_0000_0020n,
    link: "prev",
    was: 0xffff_8880_0000_0010n,
  });
  // Without the node nothing can be read again (before 5.18).
  expect(listReport("list_del corruption. prev->next should be ffff888000000010, but was 0000000000000000")).toBeUndefined();
  // 5.10: what the entry leads to is the neighbour.
  expect(
    listReport("list_del corruption. prev->next should be ffff888000000010, but was 0000000000000000", (node, link) =>
      node === 0xffff_8880_0000_0010n && link === "prev" ? 0xffff_8880_0000_0040n : undefined,
    ),
  ).toMatchObject({ node: 0xffff_8880_0000_0040n, link: "next", entry: 0xffff_8880_0000_0010n, was: 0n });
  expect(listReport("list_del of something")).toBeUndefined();
});

const BASE = 0xffff_8880_0000_0000n;

function ring(nodes: number): { readonly kernel: Kernel; readonly memory: FakeMemory } {
  const memory = new FakeMemory();
  for (let i = 0; i < nodes; i++) {
    memory.put64(BASE + BigInt(i * 16), BASE + BigInt(((i + 1) % nodes) * 16));
    memory.put64(BASE + BigInt(i * 16 + 8), BASE + BigInt(((i + nodes - 1) % nodes) * 16));
  }
  return { kernel: { memory, arch: { isKernelAddress: (address: bigint) => address >> 63n === 1n } } as unknown as Kernel, memory };
}

it("walks a ring and tells the links that do not agree", () => {
  const { kernel, memory } = ring(5);
  expect(checkRing(kernel, BASE)).toEqual({ sound: 5, broken: [], walked: 5 });
  memory.put64(BASE + 32n + 8n, BASE);
  expect(checkRing(kernel, BASE)).toEqual({ sound: 4, broken: [{ node: BASE + 32n, link: "prev", value: BASE }], walked: 5 });
  memory.put64(BASE + 32n, 0x41n);
  expect(checkRing(kernel, BASE).broken).toContainEqual({ node: BASE + 32n, link: "next", value: 0x41n });
});
