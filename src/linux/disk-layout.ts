/**
 * Where the members of struct gendisk, and of what stands for a disk or partition, lie: struct block_device since 5.11 (0d02129e76ed merged
 * hd_struct into it), struct hd_struct before.
 */
import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Struct } from "../kernel/types.ts";

export interface DiskLayout {
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

/** Throws LookupError when the dump's types have no gendisk. */
export function diskLayout(kernel: Kernel): DiskLayout {
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
