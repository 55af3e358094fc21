import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { mountTable, pathOf } from "./mount.ts";
import { FakeKernel, type StructTable } from "./testing/fake-kernel.ts";

const COMMON: StructTable = {
  list_head: { next: [0, "u64"], prev: [8, "u64"] },
  rb_node: { parent: [0, "u64"], right: [8, "u64"], left: [16, "u64"] },
  vfsmount: { mnt_root: [0, "u64"], mnt_sb: [8, "u64"], mnt_flags: [16, "u32"] },
  mount: {
    mnt_parent: [16, "u64"],
    mnt_mountpoint: [24, "u64"],
    mnt: [32, "vfsmount"],
    mnt_node: [56, "rb_node"],
    mnt_list: [80, "list_head"],
    mnt_devname: [96, "u64"],
    mnt_id: [104, "s32"],
  },
  qstr: { hash: [0, "u64"], name: [8, "u64"] },
  dentry: { d_parent: [0, "u64"], d_name: [8, "qstr"] },
  super_block: { s_type: [0, "u64"] },
  file_system_type: { name: [0, "u64"] },
  nsproxy: { mnt_ns: [0, "u64"] },
  path: { mnt: [0, "u64"], dentry: [8, "u64"] },
  fs_struct: { root: [0, "path"] },
  task_struct: { nsproxy: [0, "u64"], fs: [8, "u64"] },
};
const LISTED: StructTable = { ...COMMON, mnt_namespace: { root: [0, "u64"], list: [8, "list_head"] } };
const TREED: StructTable = { ...COMMON, mnt_namespace: { root: [0, "u64"], mounts: [8, "u64"] } };

const TASK = 0xffff_8880_0001_0000n;
const NS = 0xffff_8880_0002_0000n;
const mount = (i: number) => 0xffff_8880_0003_0000n + BigInt(i) * 0x200n;
const dentry = (i: number) => 0xffff_8880_0004_0000n + BigInt(i) * 0x40n;
const TEXT = 0xffff_8880_0005_0000n;
const SB = 0xffff_8880_0006_0000n;

/** rootfs on /, tmpfs on /mnt/a; dentries: 0 the root, 1 "mnt", 2 "a", 3 tmpfs' root, 4 "file" in it. */
function build(table: StructTable): FakeKernel {
  const fake = new FakeKernel(table);
  const { memory } = fake;
  const text = (i: number, value: string) => {
    memory.putText(TEXT + BigInt(i) * 32n, `${value}\0`);
    return TEXT + BigInt(i) * 32n;
  };
  const makeDentry = (i: number, parent: number, name: string) => {
    memory.put64(dentry(i), dentry(parent));
    memory.put64(dentry(i) + 16n, text(i, name));
  };
  makeDentry(0, 0, "/");
  makeDentry(1, 0, "mnt");
  makeDentry(2, 1, "a");
  makeDentry(3, 3, "/");
  makeDentry(4, 3, "file");
  const makeMount = (i: number, parent: number, point: number, root: number, device: string, type: string) => {
    memory.write(mount(i), new Uint8Array(0x100));
    memory.put64(mount(i) + 16n, mount(parent));
    memory.put64(mount(i) + 24n, dentry(point));
    memory.put64(mount(i) + 32n, dentry(root));
    memory.put64(mount(i) + 40n, SB + BigInt(i) * 32n);
    memory.put64(SB + BigInt(i) * 32n, SB + BigInt(i) * 32n + 16n);
    memory.put64(SB + BigInt(i) * 32n + 16n, text(10 + i, type));
    memory.put64(mount(i) + 96n, text(20 + i, device));
    memory.put32(mount(i) + 104n, 30 + i);
  };
  makeMount(0, 0, 0, 0, "rootfs", "rootfs");
  makeMount(1, 0, 2, 3, "tmpfs", "tmpfs");
  memory.put64(TASK, NS + 0x800n);
  memory.put64(NS + 0x800n, NS);
  memory.put64(TASK + 8n, NS + 0x900n);
  memory.put64(NS + 0x900n, mount(0) + 32n);
  memory.put64(NS + 0x908n, dentry(0));
  return fake;
}

function ring(fake: FakeKernel, nodes: readonly bigint[]): void {
  for (const [i, node] of nodes.entries()) {
    fake.memory.put64(node, nodes[(i + 1) % nodes.length] as bigint);
    fake.memory.put64(node + 8n, nodes[(i + nodes.length - 1) % nodes.length] as bigint);
  }
}

describe("mountTable", () => {
  test("the list of kernels before 6.8; cursors of readers are no mounts", () => {
    const fake = build(LISTED);
    const cursor = mount(9);
    fake.memory.write(cursor, new Uint8Array(0x100));
    fake.memory.put32(cursor + 48n, 0x1000_0000);
    ring(fake, [NS + 8n, mount(0) + 80n, cursor + 80n, mount(1) + 80n]);
    const { mounts, notes } = mountTable(fake.kernel, virtual(TASK));
    expect(notes).toEqual([]);
    expect(mounts.map(({ device, directory, type, id, reachable }) => [device, directory, type, id, reachable])).toEqual([
      ["rootfs", "/", "rootfs", 30, true],
      ["tmpfs", "/mnt/a", "tmpfs", 31, true],
    ]);
  });

  test("the tree of 6.8 and later", () => {
    const fake = build(TREED);
    fake.memory.put64(NS + 8n, mount(0) + 56n);
    fake.memory.put64(mount(0) + 64n, mount(1) + 56n);
    fake.memory.put64(mount(1) + 56n, mount(0) + 56n);
    expect(mountTable(fake.kernel, virtual(TASK)).mounts.map(({ directory }) => directory)).toEqual(["/", "/mnt/a"]);
  });

  test("what lies outside the task's root is not reachable", () => {
    const fake = build(LISTED);
    ring(fake, [NS + 8n, mount(0) + 80n, mount(1) + 80n]);
    fake.memory.put64(NS + 0x900n, mount(1) + 32n);
    fake.memory.put64(NS + 0x908n, dentry(3));
    expect(mountTable(fake.kernel, virtual(TASK)).mounts.map(({ directory, reachable }) => [directory, reachable])).toEqual([
      ["/", false],
      ["/", true],
    ]);
  });

  test("a broken list ends with a note", () => {
    const fake = build(LISTED);
    ring(fake, [NS + 8n, mount(0) + 80n, mount(1) + 80n]);
    fake.memory.put64(mount(0) + 80n, 0xdead_0000_0000_0000n);
    const { mounts, notes } = mountTable(fake.kernel, virtual(TASK));
    expect(mounts).toHaveLength(1);
    expect(notes[0]).toContain("cannot be read to its end");
  });
});

describe("pathOf", () => {
  test("climbs through mounts; a circle and a missing page end it", () => {
    const fake = build(LISTED);
    expect(pathOf(fake.kernel, virtual(mount(1) + 32n), virtual(dentry(4)))).toBe("/mnt/a/file");
    fake.memory.put64(dentry(1), dentry(2));
    expect(pathOf(fake.kernel, virtual(mount(1) + 32n), virtual(dentry(4)))).toMatch(/^\?\//);
    fake.memory.put64(dentry(2), 0xffff_8880_7777_0000n);
    expect(pathOf(fake.kernel, virtual(mount(1) + 32n), virtual(dentry(4)))).toBe("?/a/file");
  });
});
