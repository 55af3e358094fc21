/**
 * How disks stand on each other (block/holder.c, drivers/block/loop.c).
 *
 *   dm, md:  holder's gendisk.slave_bdevs ⇄ bd_holder_disk { bdev | holder_dir }          5.17+ (lower devices of a disk)
 *            lower block_device.bd_holder_disks ⇄ bd_holder_disk { disk }                  before (disks above a device)
 *   loop:    gendisk.private_data ─► loop_device { lo_backing_file, lo_file_name }
 */
import { add, hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import { containerOf } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type Disk, diskTable } from "./disk.ts";
import { listNodes } from "./list.ts";

const MAX_DEVICES = 1 << 20;

/** A device that another stands on. */
export interface LowerDevice {
  readonly disk: Disk | undefined;
  /** Partition of it, when not the whole. */
  readonly partition: string | undefined;
  /** Path of the file below a loop device. */
  readonly file: string | undefined;
  /** block_device. */
  readonly device: VirtualAddress | undefined;
}

/** What a disk stands on: dm's and md's lower devices, the file of a loop device. Empty for hardware. */
export function lowerDevices(kernel: Kernel, disk: Disk, notes: string[] = []): readonly LowerDevice[] {
  const found: LowerDevice[] = [];
  for (const part of [slaves(kernel, disk), loopFile(kernel, disk)]) {
    try {
      for (const each of part) found.push(each);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      notes.push(`${disk.name}: what it stands on breaks behind ${found.length}: ${error.message}`);
    }
  }
  return found;
}

function* slaves(kernel: Kernel, disk: Disk): Iterable<LowerDevice> {
  const { types } = kernel;
  const holder = types.tryStruct("bd_holder_disk");
  const list = types.struct("gendisk").tryField("slave_bdevs");
  const link = holder?.tryField("list");
  if (holder === undefined || link === undefined) return;
  if (list !== undefined) {
    const bdev = holder.tryField("bdev");
    const directory = holder.tryField("holder_dir");
    for (const node of listNodes(kernel.memory, list.address(disk.address), { limit: MAX_DEVICES })) {
      const entry = containerOf(node, link);
      const device = bdev?.pointer(entry) ?? (directory === undefined ? undefined : deviceWithHolders(kernel, directory.pointer(entry)));
      yield deviceOf(kernel, device);
    }
    return;
  }
  // Before 5.17 the lower device lists the disks above it.
  const above = types.struct("block_device").tryField("bd_holder_disks");
  const upper = holder.tryField("disk");
  if (above === undefined || upper === undefined) return;
  for (const device of openDevices(kernel)) {
    for (const node of listNodes(kernel.memory, above.address(device), { limit: MAX_DEVICES }))
      if (upper.pointer(containerOf(node, link)) === disk.address) yield deviceOf(kernel, device);
  }
}

/** block_devices before 5.11, which are made when opened: by the inodes of their file system. */
function openDevices(kernel: Kernel): readonly VirtualAddress[] {
  return kernel.memo(openDevices, () => {
    const { types } = kernel;
    const superblock = kernel.tryAddress("blockdev_superblock");
    const link = types.struct("inode").field("i_sb_list");
    const offset = types.tryStruct("bdev_inode")?.tryField("vfs_inode")?.offset ?? types.struct("block_device").size;
    if (superblock === undefined) return [];
    const head = types
      .struct("super_block")
      .field("s_inodes")
      .address(virtual(kernel.memory.u64(superblock)));
    return Array.from(listNodes(kernel.memory, head, { limit: MAX_DEVICES }), (node) => virtual(add(containerOf(node, link), -offset)));
  });
}

function deviceWithHolders(kernel: Kernel, directory: VirtualAddress): VirtualAddress | undefined {
  const field = kernel.types.struct("block_device").tryField("bd_holder_dir");
  if (field === undefined) return undefined;
  for (const { part0, partitions } of diskTable(kernel).disks)
    for (const device of [part0, ...partitions.map(({ address }) => address)]) if (field.pointer(device) === directory) return device;
  return undefined;
}

function deviceOf(kernel: Kernel, device: VirtualAddress | undefined): LowerDevice {
  if (device === undefined || device === 0n) return { disk: undefined, partition: undefined, file: undefined, device: undefined };
  const address = kernel.types.struct("block_device").field("bd_disk").pointer(device);
  const disk = diskTable(kernel).byAddress.get(address);
  const partition = disk?.partitions.find((each) => each.address === device)?.name;
  return { disk, partition, file: undefined, device };
}

function* loopFile(kernel: Kernel, disk: Disk): Iterable<LowerDevice> {
  if (!/^loop\d/.test(disk.name) || disk.privateData === 0n) return;
  const loop = kernel.types.tryStruct("loop_device", { modules: true });
  const [name, backing] = [loop?.tryField("lo_file_name"), loop?.tryField("lo_backing_file")];
  if (backing === undefined || backing.pointer(disk.privateData) === 0n) return;
  const text = name?.string(disk.privateData);
  yield {
    disk: undefined,
    partition: undefined,
    file: text === undefined || text === "" ? `file ${hex16(backing.pointer(disk.privateData))}` : text,
    device: undefined,
  };
}
