import { expect, it } from "vitest";
import { rootSlabCaches } from "./slab-roots.ts";
import { SlubKernel } from "./testing/slub-kernel.ts";

const PARAMS = { __root_caches_node: [0, "bytes16"], children: [16, "bytes16"], children_node: [32, "bytes16"] } as const;
const HEAD = 0xffff_ffff_8200_8000n;

/** filp is a root with two children. */
function build(): SlubKernel {
  const kernel = new SlubKernel("cpu slabs", { memcg_cache_params: PARAMS }, { memcg_params: [0x80, "memcg_cache_params"] });
  const root = kernel.cacheAddress;
  const children = [1, 2].map((i) => {
    const at = kernel.at(1, 0x200 * i);
    kernel.memory.write(at, kernel.memory.bytes(root, 0x80));
    kernel.memory.putText(kernel.at(2, 0x40 * i), `filp(${i}:x)\0`);
    kernel.memory.put64(at + 32n, kernel.at(2, 0x40 * i));
    return at;
  });
  kernel.symbol("slab_root_caches", HEAD);
  kernel.ring(HEAD, [root + 0x80n]);
  kernel.ring(
    root + 0x90n,
    children.map((at) => at + 0xa0n),
  );
  return kernel;
}

it("gives each root with its children", () => {
  const found = rootSlabCaches(build().kernel);
  expect(found?.roots.map(({ root, children }) => [root.name, children.map(({ name }) => name)])).toEqual([
    ["filp", ["filp(1:x)", "filp(2:x)"]],
  ]);
  expect(found?.problems).toEqual([]);
});

it("keeps what comes before a break, and is undefined on kernels without roots", () => {
  const kernel = build();
  kernel.memory.put64(kernel.at(1, 0x200) + 0xa0n, 0x10n);
  expect(rootSlabCaches(kernel.kernel)).toMatchObject({
    roots: [{ children: [{ name: "filp(1:x)" }] }],
    problems: [expect.stringContaining("children of filp")],
  });
  expect(rootSlabCaches(new SlubKernel().kernel)).toBeUndefined();
});
