/**
 * All block devices, through the driver model (drivers/base/class.c, block/genhd.c).
 *
 *   block_class ─► subsys_private.klist_devices ⇄ device_private.knode_class ─► device
 *
 *   class.p names the subsys_private until 6.3; since (7b884b7f24b4) it is the one of class_kset whose `class` is block_class.
 *   A kernel that lists functions only (Debian's arm64 up to 6.1) has no symbol for the class: any disk names it, an open one (found
 *   through blockdev_superblock, which is exported) or one below a PCI device.
 */
import { add, hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError, LookupError, UnsupportedError } from "../bytes/errors.ts";
import { containerOf } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { diskLayout } from "./disk-layout.ts";
import { listNodes } from "./list.ts";
import { type PciBus, pciTree } from "./pci.ts";

const MAX_DEVICES = 1 << 20;

/** What a device of the class is: a disk, or a part of one. */
export interface FoundDevice {
  readonly disk: VirtualAddress;
  /** undefined for the whole disk. */
  readonly part: VirtualAddress | undefined;
}

/** Whole disks and partitions, in the order of their class. @param notes grows by what is missing */
export function* blockDevices(kernel: Kernel, notes: string[]): Iterable<FoundDevice> {
  const class_ = kernel.tryAddress("block_class") ?? classOfSomeDisk(kernel);
  const subsystem = class_ === undefined ? undefined : subsystemOf(kernel, class_);
  if (subsystem !== undefined) {
    for (const device of classDevices(kernel, subsystem)) {
      try {
        yield deviceToDisk(kernel, device);
      } catch (error) {
        if (!(error instanceof InquestError)) throw error;
        notes.push(`the block device at ${hex16(device)} cannot be read: ${error.message}`);
      }
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

function deviceToDisk(kernel: Kernel, device: VirtualAddress): FoundDevice {
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
  const ofInode = (inode: VirtualAddress): FoundDevice | undefined => {
    const device = virtual(add(inode, -offset));
    if (inodeOf !== undefined && inodeOf.pointer(device) !== inode) return undefined;
    const disk = bdev.field("bd_disk").pointer(device);
    if (disk === 0n) return undefined;
    if (layout.merged) return { disk, part: layout.part0.pointer(disk) === device ? undefined : device };
    const part = bdev.tryField("bd_part")?.pointer(device) ?? 0n;
    return { disk, part: part === 0n || part === layout.part0.address(disk) ? undefined : virtual(part) };
  };
  for (const node of listNodes(kernel.memory, inodes.address(superblock), { limit: MAX_DEVICES })) {
    try {
      const found = ofInode(containerOf(node, link));
      if (found !== undefined) yield found;
    } catch (error) {
      // An inode that cannot be read loses its own device only.
      if (!(error instanceof InquestError)) throw error;
    }
  }
}
