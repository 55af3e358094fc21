import { expect, test } from "vitest";
import { smallKernel } from "../../kernel/testing/small-kernel.ts";
import { Slabs } from "../../linux/slab.ts";
import { wordAnnotator } from "./annotate-word.ts";

const BASE = 0xffffffff81000000n;
const OBJECT = 0xffff888000001040n;

function annotator(depth: Parameters<typeof wordAnnotator>[1]) {
  const kernel = smallKernel({ symbols: { _stext: [BASE, "T"], vfs_read: [BASE + 16n, "T"], _etext: [BASE + 4096n, "T"] } });
  // What Slabs would find: one object of the cache "filp".
  kernel.memo(Slabs, () => ({ objectOf: (address: bigint) => (address === OBJECT ? { cache: "filp" } : undefined) }));
  return wordAnnotator(kernel, depth);
}

test.each([
  ["symbols", BASE + 16n, "vfs_read"],
  ["symbols", BASE + 175n, "vfs_read+159"],
  ["symbols", OBJECT, undefined],
  ["slabs", OBJECT, "[filp]"],
  ["slabs", BASE + 16n, "vfs_read"],
  ["slabs with addresses", OBJECT, "[ffff888000001040:filp]"],
  ["slabs", OBJECT + 64n, undefined],
  ["slabs", 5n, undefined],
] as const)("%s: %s", (depth, word, text) => {
  expect(annotator(depth)(word)).toBe(text);
});
