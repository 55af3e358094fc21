import { expect, it } from "vitest";
import { findSlabCaches, slabCaches } from "./slab-caches.ts";
import { SlubKernel } from "./testing/slub-kernel.ts";

const HEAD = 0xffff_ffff_8200_0000n;

/** Three caches: filp in frame 1, and copies called "two" and "three". */
function build(): { kernel: SlubKernel; nodes: bigint[] } {
  const kernel = new SlubKernel();
  const nodes = [kernel.cacheAddress + 56n];
  for (const [i, name] of ["two", "three"].entries()) {
    const at = kernel.at(1, 0x200 * (i + 1));
    kernel.memory.write(at, kernel.memory.bytes(kernel.cacheAddress, 0x80));
    kernel.memory.putText(kernel.at(2, 0x40 * (i + 1)), `${name}\0`);
    kernel.memory.put64(at + 32n, kernel.at(2, 0x40 * (i + 1)));
    nodes.push(at + 56n);
  }
  kernel.ring(HEAD, nodes);
  return { kernel, nodes };
}

it("gives the caches in the kernel's order, by name and by address", () => {
  const { kernel } = build();
  expect(slabCaches(kernel.kernel)).toMatchObject({ caches: [{ name: "filp" }, { name: "two" }, { name: "three" }], problems: [] });
  expect(findSlabCaches(kernel.kernel, "two")).toHaveLength(1);
  expect(findSlabCaches(kernel.kernel, kernel.cacheAddress.toString(16))).toMatchObject([{ name: "filp" }]);
  expect(findSlabCaches(kernel.kernel, "nosuch")).toEqual([]);
});

it("a cut list is walked from its other end", () => {
  const { kernel, nodes } = build();
  kernel.memory.put64(nodes[0] as bigint, 0n);
  const { caches, problems } = slabCaches(kernel.kernel);
  expect(caches.map(({ name }) => name)).toEqual(["filp", "two", "three"]);
  expect(problems.length).toBeGreaterThan(0);
  expect(problems[0]).toContain("NULL");
});

it("a cache that cannot be one is left out and told", () => {
  const { kernel } = build();
  kernel.memory.put32(kernel.at(1, 0x200) + 16n, 0);
  expect(slabCaches(kernel.kernel)).toMatchObject({
    caches: [{ name: "filp" }, { name: "three" }],
    problems: [expect.stringContaining("0 bytes each")],
  });
});

it("finds the list through kmalloc_caches where its symbol is not known", () => {
  const { kernel } = build();
  kernel.addresses.delete("slab_caches");
  // The caches themselves are objects of a cache called kmem_cache; the head is not.
  kernel.memory.putText(kernel.at(2), "kmem_cache\0");
  const page = kernel.page(1);
  kernel.memory.put64(page, 1n << 9n);
  kernel.memory.put64(page + 16n, kernel.cacheAddress);
  kernel.memory.put16(page + 24n, 8);
  kernel.symbol("kmalloc_caches", kernel.at(30));
  kernel.memory.put64(kernel.at(30, 8), kernel.at(1, 0x200));
  expect(slabCaches(kernel.kernel).caches.map(({ name }) => name)).toEqual(["kmem_cache", "two", "three"]);
});

it("says when there is no list", () => {
  const kernel = new SlubKernel();
  kernel.addresses.delete("slab_caches");
  expect(slabCaches(kernel.kernel)).toEqual({ caches: [], problems: [expect.stringContaining("no symbol slab_caches")] });
});
