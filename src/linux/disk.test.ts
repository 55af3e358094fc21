import { describe, expect, test } from "vitest";
import { virtual } from "../bytes/address.ts";
import { diskTable } from "./disk.ts";
import { lowerDevices } from "./disk-stack.ts";
import { FakeKernel, type StructTable } from "./testing/fake-kernel.ts";

const CLASS = 0xffff_ffff_8200_0000n;
const SUBSYSTEM = 0xffff_8880_0070_0000n;
const disk = (index: number) => virtual(0xffff_8880_0071_0000n + BigInt(index) * 0x1000n);
const device = (index: number) => 0xffff_8880_0081_0000n + BigInt(index) * 0x1000n;
const hidden = (index: number) => 0xffff_8880_0091_0000n + BigInt(index) * 0x1000n;

/** 6.1: the block_device of a part holds its struct device; the class names its subsys_private. */
const TYPES: StructTable = {
  list_head: { next: [0, "u64"], prev: [8, "u64"] },
  class: { p: [0, "u64"] },
  klist: { k_list: [8, "list_head"] },
  klist_node: { n_klist: [0, "u64"], n_node: [8, "list_head"] },
  subsys_private: { klist_devices: [16, "klist"] },
  device_private: { knode_class: [0, "klist_node"], device: [32, "u64"] },
  device: { parent: [0, "u64"], p: [8, "u64"], class: [16, "u64"], type: [24, "u64"] },
  block_device: {
    bd_start_sect: [0, "u64"],
    bd_nr_sectors: [8, "u64"],
    bd_disk: [16, "u64"],
    bd_partno: [24, "u8"],
    bd_device: [32, "device"],
  },
  gendisk: {
    major: [0, "u32"],
    first_minor: [4, "u32"],
    disk_name: [8, "bytes32"],
    part0: [40, "u64"],
    fops: [48, "u64"],
    queue: [56, "u64"],
    private_data: [64, "u64"],
    slave_bdevs: [72, "list_head"],
  },
  bd_holder_disk: { list: [0, "list_head"], bdev: [16, "u64"] },
};

function link(fake: FakeKernel, ...nodes: readonly bigint[]): void {
  for (const [index, node] of nodes.entries()) {
    const next = nodes[(index + 1) % nodes.length] as bigint;
    fake.memory.put64(node, next);
    fake.memory.put64(next + 8n, node);
  }
}

/** Devices of the class: [disk, part number, sectors]; the first of a disk is its part 0. */
function made(names: readonly string[], parts: readonly (readonly [disk: number, number: number, sectors: number])[]): FakeKernel {
  const fake = new FakeKernel(TYPES);
  fake.symbol("block_class", CLASS);
  fake.memory.put64(CLASS, SUBSYSTEM);
  for (const [index, name] of names.entries()) {
    fake.memory.write(disk(index), new Uint8Array(256));
    fake.memory.put32(disk(index), 254);
    fake.memory.put32(disk(index) + 4n, index * 16);
    fake.memory.putText(disk(index) + 8n, name);
    const first = parts.findIndex(([of, number]) => of === index && number === 0);
    fake.memory.put64(disk(index) + 40n, device(first));
    link(fake, disk(index) + 72n);
  }
  for (const [index, [of, number, sectors]] of parts.entries()) {
    fake.memory.write(device(index), new Uint8Array(256));
    fake.memory.put64(device(index), number === 0 ? 0n : 2048n);
    fake.memory.put64(device(index) + 8n, BigInt(sectors));
    fake.memory.put64(device(index) + 16n, disk(of));
    fake.memory.put8(device(index) + 24n, number);
    fake.memory.put64(hidden(index) + 32n, device(index) + 32n);
  }
  link(fake, SUBSYSTEM + 24n, ...parts.map((_, index) => hidden(index) + 8n));
  return fake;
}

describe("disks", () => {
  test("whole disks with their partitions, in the order of the class", () => {
    const fake = made(
      ["vda", "nvme0n1"],
      [
        [0, 0, 4096],
        [1, 0, 99],
        [1, 2, 20],
        [1, 1, 10],
      ],
    );
    const { disks, notes } = diskTable(fake.kernel);
    expect(notes).toEqual([]);
    expect(disks.map(({ name, major, minor, sectors }) => [name, major, minor, sectors])).toEqual([
      ["vda", 254, 0, 4096],
      ["nvme0n1", 254, 16, 99],
    ]);
    expect(disks[1]?.partitions.map(({ name, startSector, sectors }) => [name, startSector, sectors])).toEqual([
      ["nvme0n1p1", 2048, 10],
      ["nvme0n1p2", 2048, 20],
    ]);
  });

  test("a list that is cut keeps what came before, and says where", () => {
    const fake = made(
      ["vda", "vdb", "vdc"],
      [
        [0, 0, 1],
        [1, 0, 2],
        [2, 0, 3],
      ],
    );
    fake.memory.put64(hidden(1) + 8n, 0x4141_4141_4141_4141n);
    const { disks, notes } = diskTable(fake.kernel);
    expect(disks.map(({ name }) => name)).toEqual(["vda", "vdb"]);
    expect(notes).toEqual([expect.stringContaining("breaks behind 2 disks")]);
  });

  test("a list that runs in a circle ends", () => {
    const fake = made(
      ["vda", "vdb"],
      [
        [0, 0, 1],
        [1, 0, 2],
      ],
    );
    fake.memory.put64(hidden(1) + 8n, hidden(0) + 8n);
    const { disks, notes } = diskTable(fake.kernel);
    expect(disks.map(({ name }) => name)).toEqual(["vda", "vdb"]);
    expect(notes).toHaveLength(1);
  });

  test("a device whose disk is gone is told, and the others come", () => {
    const fake = made(
      ["vda", "vdb"],
      [
        [0, 0, 1],
        [1, 0, 2],
      ],
    );
    fake.memory.put64(device(0) + 16n, 0xffff_8880_7777_0000n);
    const { disks, notes } = diskTable(fake.kernel);
    expect(disks.map(({ name }) => name)).toEqual(["vdb"]);
    expect(notes).not.toEqual([]);
  });

  test("device mapper names the devices it stands on, a partition by its own name", () => {
    const fake = made(
      ["dm-0", "vda"],
      [
        [0, 0, 1],
        [1, 0, 99],
        [1, 1, 10],
      ],
    );
    const entry = 0xffff_8880_00a0_0000n;
    link(fake, disk(0) + 72n, entry, entry + 0x100n);
    fake.memory.put64(entry + 16n, device(2));
    fake.memory.put64(entry + 0x110n, device(1));
    const [dm] = diskTable(fake.kernel).disks;
    expect(lowerDevices(fake.kernel, dm as NonNullable<typeof dm>).map((each) => [each.disk?.name, each.partition])).toEqual([
      ["vda", "vda1"],
      ["vda", undefined],
    ]);
  });
});
