import { expect, test } from "vitest";
import { virtual } from "../../bytes/address.ts";
import { FakeKernel } from "../../linux/testing/fake-kernel.ts";
import { superBlocksHead } from "../integrity/heads.ts";
import { mountedKinds } from "./file-systems.ts";

const [HEAD, BLOCK, TYPE, NAME, OPERATIONS] = [0x1000n, 0x2000n, 0x3000n, 0x4000n, 0xc000_0040n].map(
  (at) => 0xffff_8000_0000_0000n + at,
) as [bigint, bigint, bigint, bigint, bigint];

function mounted(symbol: string, moduleAt: bigint) {
  const fake = new FakeKernel({
    super_block: { s_list: [0, "bytes16"], s_type: [16, "u64"], s_op: [24, "u64"] },
    file_system_type: { name: [0, "u64"], fs_flags: [8, "u32"] },
  });
  fake.memory.put64(HEAD, BLOCK);
  fake.memory.put64(BLOCK, HEAD);
  fake.memory.put64(BLOCK + 16n, TYPE);
  fake.memory.put64(BLOCK + 24n, OPERATIONS);
  fake.memory.put64(TYPE, NAME);
  fake.memory.put32(TYPE + 8n, 1);
  fake.memory.putText(NAME, "vfat\0");
  fake.symbols.byAddress = () => ({ symbol: { name: symbol }, offset: 0 }) as never;
  const { kernel } = fake;
  Object.assign(kernel, { modules: [{ name: "fat", regions: [{ kind: "rodata", start: moduleAt, size: 0x1000 }] }] });
  kernel.memo(superBlocksHead, () => virtual(HEAD));
  return mountedKinds(kernel);
}

test("a module with the operations of a mounted file system, though another registered its type", () => {
  expect(mounted("fat_sops", OPERATIONS - 0x40n)).toEqual([{ name: "vfat", module: "fat", prefix: "fat", onDevice: true }]);
});

test("operations that were built in tell by their name what its functions begin with", () => {
  expect(mounted("xfs_super_operations", OPERATIONS + 0x1000n)).toEqual([
    { name: "vfat", module: undefined, prefix: "xfs", onDevice: true },
  ]);
  expect(mounted("simple_thing", OPERATIONS + 0x1000n)[0]?.prefix).toBeUndefined();
});
