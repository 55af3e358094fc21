/**
 * Disks and their partitions, and how they stand on each other (block/genhd.c, block/holder.c, drivers/base).
 *
 *   block_class ─► subsys_private.klist_devices ⇄ device_private.knode_class ─► device
 *        device lies in   block_device.bd_device ─► bd_disk     5.11+ (hd_struct merged into block_device: 0d02129e76ed)
 *                         gendisk.part0.__dev, hd_struct.__dev   before
 *
 *   class.p names the subsys_private until 6.3; since (7b884b7f24b4) it is the one of class_kset whose `class` is block_class.
 *   A kernel that lists functions only (Debian's arm64 up to 6.1) has no symbol for the class: any disk names it, an open one (found
 *   through blockdev_superblock, which is exported) or one below a PCI device.
 *
 *   dm, md:  holder's gendisk.slave_bdevs ⇄ bd_holder_disk { bdev | holder_dir }          5.17+ (lower devices of a disk)
 *            lower block_device.bd_holder_disks ⇄ bd_holder_disk { disk }                  before (disks above a device)
 *   loop:    gendisk.private_data ─► loop_device { lo_backing_file, lo_file_name }
 */
import { add, hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError, LookupError, UnsupportedError } from "../bytes/errors.ts";
import { containerOf, type Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Struct } from "../kernel/types.ts";
import { listNodes } from "./list.ts";
import { type PciBus, pciTree } from "./pci.ts";

const MAX_DEVICES = 1 << 20;
/** dev_t of the kernel: 12 bits of major, 20 of minor. */
const MINOR_BITS = 20;

export interface Partition {
  /** block_device, or hd_struct before 5.11. */
  readonly address: VirtualAddress;
  readonly name: string;
  readonly number: number;
  readonly startSector: number;
  readonly sectors: number;
}

export interface Disk {
  /** struct gendisk. */
  readonly address: VirtualAddress;
  readonly name: string;
  readonly major: number;
  readonly minor: number;
  readonly queue: VirtualAddress;
  readonly operations: VirtualAddress;
  readonly privateData: VirtualAddress;
  /** Sectors of 512 bytes. */
  readonly sectors: number;
  /** The block_device of the whole disk, or its hd_struct before 5.11. */
  readonly part0: VirtualAddress;
  readonly partitions: readonly Partition[];
}

export interface DiskTable {
  /** In the order of their class: as they came. */
  readonly disks: readonly Disk[];
  readonly byAddress: ReadonlyMap<VirtualAddress, Disk>;
  readonly notes: readonly string[];
}

interface DiskLayout {
  readonly disk: Struct;
  readonly name: Field;
  readonly major: Field;
  readonly minor: Field;
  readonly queue: Field;
  readonly operations: Field;
  readonly privateData: Field;
  /** gendisk.part0: a pointer to the block_device, or the hd_struct itself. */
  readonly part0: Field;
  /** block_device or hd_struct. */
  readonly part: Struct;
  readonly merged: boolean;
  readonly start: Field;
  readonly sectors: Field;
  /** Where the struct device lies in the part. */
  readonly device: Field;
}

function diskLayout(kernel: Kernel): DiskLayout {
  return kernel.memo(diskLayout, () => {
    const disk = kernel.types.struct("gendisk");
    const bdev = kernel.types.struct("block_device");
    const merged = bdev.has("bd_start_sect");
    const part = merged ? bdev : kernel.types.struct("hd_struct");
    return {
      disk,
      name: disk.field("disk_name"),
      major: disk.field("major"),
      minor: disk.field("first_minor"),
      queue: disk.field("queue"),
      operations: disk.field("fops"),
      privateData: disk.field("private_data"),
      part0: disk.field("part0"),
      part,
      merged,
      start: part.field(merged ? "bd_start_sect" : "start_sect"),
      sectors: part.field(merged ? "bd_nr_sectors" : "nr_sects"),
      device: part.field(merged ? "bd_device" : "__dev"),
    };
  });
}

/** All disks. @throws LookupError when neither the class of block devices nor their file system can be reached */
export function diskTable(kernel: Kernel): DiskTable {
  return kernel.memo(diskTable, () => {
    const notes: string[] = [];
    const parts = new Map<VirtualAddress, Partition[]>();
    const order: VirtualAddress[] = [];
    const place = (disk: VirtualAddress, partition: Partition | undefined) => {
      let known = parts.get(disk);
      if (known === undefined) {
        known = [];
        parts.set(disk, known);
        order.push(disk);
      }
      if (partition !== undefined && !known.some(({ address }) => address === partition.address)) known.push(partition);
    };
    try {
      for (const found of blockDevices(kernel, notes)) {
        try {
          place(found.disk, found.part === undefined ? undefined : partitionOf(kernel, found.part, found.disk));
        } catch (error) {
          if (!(error instanceof InquestError)) throw error;
          notes.push(`a block device at ${hex16(found.part ?? found.disk)} cannot be read: ${error.message}`);
        }
      }
    } catch (error) {
      if (!(error instanceof InquestError) || error instanceof LookupError || error instanceof UnsupportedError) throw error;
      notes.push(`the list of block devices breaks behind ${order.length} disks: ${error.message}`);
    }
    const disks: Disk[] = [];
    for (const address of order) {
      try {
        disks.push(readDisk(kernel, address, parts.get(address) ?? []));
      } catch (error) {
        if (!(error instanceof InquestError)) throw error;
        notes.push(`the disk at ${hex16(address)} cannot be read: ${error.message}`);
      }
    }
    return { disks, byAddress: new Map(disks.map((disk) => [disk.address, disk])), notes };
  });
}

/** One disk by its gendisk. @throws FaultError */
export function readDisk(kernel: Kernel, address: VirtualAddress, partitions: readonly Partition[] = []): Disk {
  const layout = diskLayout(kernel);
  const part0 = layout.merged ? layout.part0.pointer(address) : layout.part0.address(address);
  return {
    address,
    name: layout.name.string(address),
    major: layout.major.number(address),
    minor: layout.minor.number(address),
    queue: layout.queue.pointer(address),
    operations: layout.operations.pointer(address),
    privateData: layout.privateData.pointer(address),
    sectors: layout.sectors.number(part0),
    part0,
    partitions: [...partitions].sort((a, b) => a.number - b.number),
  };
}

/** What a device of the class is: a disk, or a part of one. */
interface FoundDevice {
  readonly disk: VirtualAddress;
  /** undefined for the whole disk. */
  readonly part: VirtualAddress | undefined;
}

function* blockDevices(kernel: Kernel, notes: string[]): Iterable<FoundDevice> {
  const class_ = kernel.tryAddress("block_class") ?? classOfSomeDisk(kernel);
  const subsystem = class_ === undefined ? undefined : subsystemOf(kernel, class_);
  if (subsystem !== undefined) {
    for (const device of classDevices(kernel, subsystem)) {
      const found = deviceToDisk(kernel, device);
      if (found !== undefined) yield found;
    }
    return;
  }
  const superblock = kernel.tryAddress("blockdev_superblock");
  if (superblock === undefined)
    throw new LookupError(
      "the class of block devices was not found: this kernel lists functions only (no CONFIG_KALLSYMS_ALL), and a vmlinux would tell",
    );
  notes.push("the class of block devices is no symbol of this kernel: these are the devices that have an inode");
  // The list of inodes has the newest first, the class the oldest.
  yield* [...inodeDevices(kernel, virtual(kernel.memory.u64(superblock)))].reverse();
}

/** block_class by a device that belongs to it: of a block device that was opened, or of a disk below a PCI device. */
function classOfSomeDisk(kernel: Kernel): VirtualAddress | undefined {
  const field = kernel.types.struct("device").tryField("class");
  const layout = diskLayout(kernel);
  if (field === undefined) return undefined;
  const classOf = (device: VirtualAddress): VirtualAddress | undefined => {
    const found = field.pointer(device);
    return found === 0n ? undefined : found;
  };
  try {
    const superblock = kernel.tryAddress("blockdev_superblock");
    if (superblock !== undefined) {
      for (const { disk } of inodeDevices(kernel, virtual(kernel.memory.u64(superblock)))) {
        const part0 = layout.merged ? layout.part0.pointer(disk) : layout.part0.address(disk);
        return classOf(layout.device.address(part0));
      }
    }
    for (const device of pciDescendants(kernel)) if (deviceType(kernel, device) === "disk") return classOf(device);
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
  }
  return undefined;
}

/** Devices below a PCI device that are looked at: a controller has few levels between itself and its disks. */
const MAX_DESCENDANTS = 1 << 14;

/** Devices that hang below PCI devices (device_private.klist_children), breadth first. */
function* pciDescendants(kernel: Kernel): Iterable<VirtualAddress> {
  const { types } = kernel;
  const [own, children] = [
    types.tryStruct("pci_dev")?.tryField("dev"),
    types.tryStruct("device_private")?.tryField("klist_children.k_list"),
  ];
  const [sibling, back] = [
    types.tryStruct("device_private")?.tryField("knode_parent.n_node"),
    types.tryStruct("device_private")?.tryField("device"),
  ];
  const hidden = types.struct("device").tryField("p");
  if (kernel.tryAddress("pci_root_buses") === undefined || own === undefined) return;
  if (children === undefined || sibling === undefined || back === undefined || hidden === undefined) return;
  const todo: VirtualAddress[] = [];
  const collect = (buses: readonly PciBus[]): void => {
    for (const { devices } of buses) {
      for (const { address, bus } of devices) {
        todo.push(own.address(address));
        if (bus !== undefined) collect([bus]);
      }
    }
  };
  collect(pciTree(kernel).buses);
  for (let i = 0; i < todo.length && i < MAX_DESCENDANTS; i++) {
    const device = todo[i] as VirtualAddress;
    yield device;
    const data = hidden.pointer(device);
    if (data === 0n) continue;
    for (const node of listNodes(kernel.memory, children.address(data), { limit: MAX_DESCENDANTS, checkBackLinks: false }))
      todo.push(back.pointer(containerOf(node, sibling)));
  }
}

function deviceType(kernel: Kernel, device: VirtualAddress): string | undefined {
  const type = kernel.types.struct("device").tryField("type")?.pointer(device) ?? 0n;
  const name = kernel.types.tryStruct("device_type")?.tryField("name");
  if (type === 0n || name === undefined) return undefined;
  const text = name.pointer(virtual(type));
  return text === 0n ? undefined : kernel.memory.cString(text, 32);
}

/** subsys_private of a class. */
function subsystemOf(kernel: Kernel, class_: VirtualAddress): VirtualAddress | undefined {
  const direct = kernel.types.struct("class").tryField("p");
  if (direct !== undefined) return direct.pointer(class_);
  const own = kernel.types.tryStruct("subsys_private");
  const [kset, ofClass] = [kernel.tryAddress("class_kset"), own?.tryField("class")];
  const [list, entry] = [kernel.types.tryStruct("kset")?.tryField("list"), own?.tryField("subsys.kobj.entry")];
  if (kset === undefined || ofClass === undefined || list === undefined || entry === undefined) return undefined;
  const head = list.address(virtual(kernel.memory.u64(kset)));
  for (const node of listNodes(kernel.memory, head, { limit: MAX_DEVICES })) {
    const subsystem = containerOf(node, entry);
    if (ofClass.pointer(subsystem) === class_) return subsystem;
  }
  return undefined;
}

/** Devices of a class in the order of its klist. knode_class lies in device_private since 5.1 (570d0200123f), in device before. */
function* classDevices(kernel: Kernel, subsystem: VirtualAddress): Iterable<VirtualAddress> {
  const { types } = kernel;
  const klist = types.struct("subsys_private").firstField("klist_devices.k_list", "class_devices.k_list");
  const node = types.struct("klist_node").field("n_node");
  const holder = types.tryStruct("device_private")?.tryField("knode_class");
  const back = types.tryStruct("device_private")?.tryField("device");
  const older = types.struct("device").firstField("knode_class");
  if (klist === undefined) throw new UnsupportedError("this kernel's subsys_private holds no list of devices");
  for (const entry of listNodes(kernel.memory, klist.address(subsystem), { limit: MAX_DEVICES, checkBackLinks: false })) {
    const knode = containerOf(entry, node);
    if (holder !== undefined && back !== undefined) yield back.pointer(containerOf(knode, holder));
    else if (older !== undefined) yield containerOf(knode, older);
  }
}

function deviceToDisk(kernel: Kernel, device: VirtualAddress): FoundDevice | undefined {
  const layout = diskLayout(kernel);
  const part = containerOf(device, layout.device);
  if (layout.merged) {
    const disk = kernel.types.struct("block_device").field("bd_disk").pointer(part);
    return { disk, part: layout.part0.pointer(disk) === part ? undefined : part };
  }
  // A whole disk's hd_struct is its part0, and its device's parent is no block device; a partition's parent is its disk's device.
  const parent = kernel.types.struct("device").field("parent").pointer(device);
  if (layout.part.field("partno").number(part) === 0) return { disk: virtual(add(part, -layout.part0.offset)), part: undefined };
  return { disk: virtual(add(containerOf(parent, layout.device), -layout.part0.offset)), part };
}

function partitionOf(kernel: Kernel, part: VirtualAddress, disk: VirtualAddress): Partition {
  const layout = diskLayout(kernel);
  const number = partitionNumber(kernel, part);
  const name = layout.name.string(disk);
  return {
    address: part,
    // As bdevname() makes them: "vda1", "nvme0n1p1".
    name: `${name}${/\d$/.test(name) ? "p" : ""}${number}`,
    number,
    startSector: layout.start.number(part),
    sectors: layout.sectors.number(part),
  };
}

/** bd_partno until 6.9; since (1116b9fa15c0) the low byte of __bd_flags. */
function partitionNumber(kernel: Kernel, part: VirtualAddress): number {
  const layout = diskLayout(kernel);
  const own = layout.part.firstField("bd_partno", "partno");
  if (own !== undefined) return own.number(part);
  return (layout.part.field("__bd_flags.counter").number(part) >>> 0) & 0xff;
}

/** Block devices by the inodes of their file system. */
function* inodeDevices(kernel: Kernel, superblock: VirtualAddress): Iterable<FoundDevice> {
  const { types } = kernel;
  const inodes = types.struct("super_block").field("s_inodes");
  const link = types.struct("inode").field("i_sb_list");
  const pair = types.tryStruct("bdev_inode");
  const bdev = types.struct("block_device");
  const inodeOf = bdev.tryField("bd_inode");
  const layout = diskLayout(kernel);
  // bdev_inode holds the device and then its inode; without its type the inode's distance is read from a device that names its inode.
  const offset = pair?.tryField("vfs_inode")?.offset ?? Math.ceil(bdev.size / 8) * 8;
  for (const node of listNodes(kernel.memory, inodes.address(superblock), { limit: MAX_DEVICES })) {
    const inode = containerOf(node, link);
    const device = virtual(add(inode, -offset));
    if (inodeOf !== undefined && inodeOf.pointer(device) !== inode) continue;
    const disk = bdev.field("bd_disk").pointer(device);
    if (disk === 0n) continue;
    if (layout.merged) yield { disk, part: layout.part0.pointer(disk) === device ? undefined : device };
    else {
      const part = bdev.tryField("bd_part")?.pointer(device) ?? 0n;
      yield { disk, part: part === 0n || part === layout.part0.address(disk) ? undefined : virtual(part) };
    }
  }
}

/** major and minor of a dev_t. */
export function deviceNumber(device: number): { readonly major: number; readonly minor: number } {
  return { major: device >>> MINOR_BITS, minor: device & ((1 << MINOR_BITS) - 1) };
}

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
export function lowerDevices(kernel: Kernel, disk: Disk): readonly LowerDevice[] {
  return [...slaves(kernel, disk), ...loopFile(kernel, disk)];
}

function slaves(kernel: Kernel, disk: Disk): LowerDevice[] {
  const { types } = kernel;
  const holder = types.tryStruct("bd_holder_disk");
  const list = types.struct("gendisk").tryField("slave_bdevs");
  const link = holder?.tryField("list");
  if (holder === undefined || link === undefined) return [];
  const found: LowerDevice[] = [];
  if (list !== undefined) {
    const bdev = holder.tryField("bdev");
    const directory = holder.tryField("holder_dir");
    for (const node of listNodes(kernel.memory, list.address(disk.address), { limit: MAX_DEVICES })) {
      const entry = containerOf(node, link);
      const device = bdev?.pointer(entry) ?? (directory === undefined ? undefined : deviceWithHolders(kernel, directory.pointer(entry)));
      found.push(deviceOf(kernel, device));
    }
    return found;
  }
  // Before 5.17 the lower device lists the disks above it.
  const above = types.struct("block_device").tryField("bd_holder_disks");
  const upper = holder.tryField("disk");
  if (above === undefined || upper === undefined) return [];
  for (const device of openDevices(kernel)) {
    for (const node of listNodes(kernel.memory, above.address(device), { limit: MAX_DEVICES }))
      if (upper.pointer(containerOf(node, link)) === disk.address) found.push(deviceOf(kernel, device));
  }
  return found;
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

function loopFile(kernel: Kernel, disk: Disk): LowerDevice[] {
  if (!/^loop\d/.test(disk.name) || disk.privateData === 0n) return [];
  const loop = kernel.types.tryStruct("loop_device", { modules: true });
  const [name, backing] = [loop?.tryField("lo_file_name"), loop?.tryField("lo_backing_file")];
  if (backing === undefined || backing.pointer(disk.privateData) === 0n) return [];
  const text = name?.string(disk.privateData);
  return [
    {
      disk: undefined,
      partition: undefined,
      file: text === undefined || text === "" ? `file ${hex16(backing.pointer(disk.privateData))}` : text,
      device: undefined,
    },
  ];
}
