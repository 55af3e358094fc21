import { describe, expect, test } from "vitest";
import { FakeKernel } from "../../linux/testing/fake-kernel.ts";
import { makerOf, mostShared } from "./shared-files.ts";

const [HEAD, SYSTEM] = [0xffff_ffff_8200_0000n, 0xffff_8880_0100_0000n];

/** One tmpfs without a mount, with a file for each name. */
function world(files: readonly (readonly [name: string, pages: number])[], magic = 0x0102_1994n): FakeKernel {
  const fake = new FakeKernel({
    super_block: { s_list: [0, "bytes16"], s_magic: [16, "u64"], s_inodes: [32, "bytes16"] },
    inode: { i_sb_list: [0, "bytes16"], i_mapping: [16, "u64"], i_dentry: [24, "hlist_head"] },
    hlist_head: { first: [0, "u64"] },
    address_space: { nrpages: [0, "u64"] },
    dentry: {
      d_alias: [0, "bytes16"],
      d_name: [16, "qstr"],
      d_parent: [40, "u64"],
      d_inode: [48, "u64"],
      d_sb: [56, "u64"],
      d_op: [64, "u64"],
      d_flags: [72, "u32"],
      d_child: [80, "bytes16"],
      d_subdirs: [96, "bytes16"],
    },
    qstr: { name: [8, "u64"] },
  });
  (fake.kernel as unknown as Record<string, unknown>).tryAddress = (name: string) => (name === "super_blocks" ? HEAD : undefined);
  const ring = (nodes: readonly bigint[]) => {
    for (const [i, node] of nodes.entries()) {
      fake.memory.put64(node, nodes[(i + 1) % nodes.length] as bigint);
      fake.memory.put64(node + 8n, nodes.at(i - 1) as bigint);
    }
  };
  ring([HEAD, SYSTEM]);
  fake.memory.put64(SYSTEM + 16n, magic);
  const inodes = files.map((_, i) => SYSTEM + 0x1000n * BigInt(i + 1));
  ring([SYSTEM + 32n, ...inodes]);
  for (const [i, [name, pages]] of files.entries()) {
    const inode = inodes[i] as bigint;
    fake.memory.put64(inode + 16n, inode + 0x100n);
    fake.memory.put64(inode + 24n, inode + 0x200n);
    fake.memory.put64(inode + 0x100n, BigInt(pages));
    fake.memory.put64(inode + 0x218n, inode + 0x300n);
    fake.memory.putText(inode + 0x300n, `${name}\0`);
  }
  return fake;
}

describe("whose files shared memory belongs to", () => {
  test("those of one name together, the largest group first", () => {
    const found = mostShared(
      world([
        ["memfd:a", 50],
        ["gem object", 30],
        ["gem object", 40],
        ["empty", 0],
      ]).kernel,
    );
    expect(found).toMatchObject({ mounted: undefined, name: "gem object", files: 2, pages: 70, largest: { pages: 40 } });
  });

  test("only of tmpfs", () => {
    expect(mostShared(world([["gem object", 30]], 0xef53n).kernel)).toBeUndefined();
  });

  test("names tell who made them", () => {
    expect(makerOf("memfd:wayland")).toMatch(/memfd_create/);
    expect(makerOf("dev/zero")).toMatch(/mappings/);
    expect(makerOf("drm mm object")).toMatch(/shmem_file_setup/);
  });
});
