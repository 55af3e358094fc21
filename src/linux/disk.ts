/**
 * Disks and their partitions (block/genhd.c): struct gendisk, and the block_device or hd_struct of each part. block-devices.ts finds them.
 */
import { hex16, type VirtualAddress } from "../bytes/address.ts";
import { InquestError, LookupError, UnsupportedError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { blockDevices } from "./block-devices.ts";
import { diskLayout } from "./disk-layout.ts";

/** A partition of a disk. */
export interface Partition {
  /** block_device, or hd_struct before 5.11. */
  readonly address: VirtualAddress;
  readonly name: string;
  readonly number: number;
  readonly startSector: number;
  readonly sectors: number;
}

/** A disk (struct gendisk). */
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
