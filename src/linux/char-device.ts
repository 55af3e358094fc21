/**
 * Registered majors (fs/char_dev.c, block/genhd.c) and the devices behind them.
 *
 *   chrdevs[255] ─► char_device_struct { next, major, baseminor, minorct, name, cdev }        hashed by major
 *   cdev_map ─► kobj_map.probes[255] ─► probe { next, dev, range, data = cdev }               what an open finds
 *   major_names[255] ─► blk_major_name { next, major, name }
 */
import { add, hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** CHRDEV_MAJOR_HASH_SIZE and BLKDEV_MAJOR_HASH_SIZE. */
const HASH_SIZE = 255;
/** A chain holds the regions of one hash: 2^20 minors can make at most so many. */
const MAX_CHAIN = 1 << 16;
const MINOR_BITS = 20;

export interface CharMajor {
  readonly address: VirtualAddress;
  readonly major: number;
  readonly firstMinor: number;
  readonly minors: number;
  readonly name: string;
  /** undefined when no device of the region is there. */
  readonly device: VirtualAddress | undefined;
  /** file_operations of it. */
  readonly operations: VirtualAddress | undefined;
}

export interface BlockMajor {
  readonly address: VirtualAddress;
  readonly major: number;
  readonly name: string;
}

export interface MajorTable<T> {
  readonly majors: readonly T[];
  readonly notes: readonly string[];
}

/** @throws LookupError without the symbol chrdevs */
export function charMajors(kernel: Kernel): MajorTable<CharMajor> {
  const struct = kernel.types.struct("char_device_struct");
  const operations = kernel.types.struct("cdev").field("ops");
  const cdev = struct.field("cdev");
  return hashed(kernel, kernel.address("chrdevs"), struct.field("next").offset, "chrdevs", (address) => {
    const major = struct.field("major").number(address);
    const firstMinor = struct.field("baseminor").number(address);
    const own = cdev.pointer(address);
    const device = own !== 0n ? own : mapped(kernel, "cdev_map", major, firstMinor);
    return {
      address,
      major,
      firstMinor,
      minors: struct.field("minorct").number(address),
      name: struct.field("name").string(address),
      device,
      operations: device === undefined ? undefined : operations.pointer(device),
    };
  });
}

/** @throws LookupError without the symbol major_names */
export function blockMajors(kernel: Kernel): MajorTable<BlockMajor> {
  const struct = kernel.types.struct("blk_major_name");
  return hashed(kernel, kernel.address("major_names"), struct.field("next").offset, "major_names", (address) => ({
    address,
    major: struct.field("major").number(address),
    name: struct.field("name").string(address),
  }));
}

function hashed<T>(kernel: Kernel, table: VirtualAddress, next: number, what: string, read: (address: VirtualAddress) => T): MajorTable<T> {
  const majors: T[] = [];
  const notes: string[] = [];
  for (let slot = 0; slot < HASH_SIZE; slot++) {
    const seen = new Set<bigint>();
    let address = 0n as VirtualAddress;
    try {
      address = virtual(kernel.memory.u64(add(table, slot * 8)));
      while (address !== 0n) {
        if (seen.has(address) || seen.size >= MAX_CHAIN) {
          notes.push(`${what}[${slot}] runs in a circle at ${hex16(address)}`);
          break;
        }
        seen.add(address);
        majors.push(read(address));
        address = virtual(kernel.memory.u64(add(address, next)));
      }
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      notes.push(`${what}[${slot}] breaks at ${hex16(address)}: ${error.message}`);
    }
  }
  return { majors, notes };
}

/** What a kobj_map holds for a device number: the narrowest range that covers it comes first. */
function mapped(kernel: Kernel, map: string, major: number, minor: number): VirtualAddress | undefined {
  const symbol = kernel.tryAddress(map);
  const probe = kernel.types.tryStruct("probe");
  const probes = kernel.types.tryStruct("kobj_map")?.tryField("probes");
  if (symbol === undefined || probe === undefined || probes === undefined) return undefined;
  const [dev, range, data] = [probe.field("dev"), probe.field("range"), probe.field("data")];
  const wanted = BigInt(major) * (1n << BigInt(MINOR_BITS)) + BigInt(minor);
  try {
    const base = probes.address(virtual(kernel.memory.u64(symbol)));
    let at = virtual(kernel.memory.u64(add(base, (major % HASH_SIZE) * 8)));
    for (let count = 0; at !== 0n && count < MAX_CHAIN; count++) {
      const first = BigInt(dev.number(at));
      if (first <= wanted && wanted <= first + range.bigint(at) - 1n) {
        const found = data.pointer(at);
        return found === 0n ? undefined : found;
      }
      at = probe.field("next").pointer(at);
    }
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
  }
  return undefined;
}
