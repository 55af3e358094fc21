/**
 * Swap areas: swap_info[nr_swapfiles], pointers to swap_info_struct. Source: mm/swapfile.c, include/linux/swap.h.
 *
 *   swap_info_struct { flags, prio, type, max, pages, inuse_pages, swap_file, bdev, … }
 *
 * inuse_pages carries the bit 2^62 in use since 6.13 (b843786b0bd0, atomic: SWAP_USAGE_OFFLIST_BIT) where an area is full or off its list.
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { filePath } from "./file.ts";

/** A swap area in use (struct swap_info_struct). */
export interface SwapArea {
  readonly address: VirtualAddress;
  readonly kind: "PARTITION" | "FILE";
  /** In pages, without the header. */
  readonly pages: number;
  readonly used: number;
  readonly priority: number;
  /** Path of the file or device; undefined when it cannot be read. */
  readonly path: string | undefined;
}

export interface SwapAreas {
  readonly areas: readonly SwapArea[];
  readonly notes: readonly string[];
}

/** MAX_SWAPFILES is 32 less some markers. */
const MAX_AREAS = 32;
const SWP_USED = 1;
const SWP_WRITEOK = 2;
/** Set in inuse_pages of an area that is on no list of available ones. */
const OFF_LIST = 1n << 62n;
const S_IFMT = 0o170000;
const S_IFBLK = 0o060000;

/** False for a kernel that was built without CONFIG_SWAP: si_swapinfo() is an empty macro there. */
export function hasSwap(kernel: Kernel): boolean {
  return kernel.tryAddress("si_swapinfo") !== undefined;
}

/** Areas in use, in the order of /proc/swaps. Throws LookupError when this dump does not name them. */
export function swapAreas(kernel: Kernel): SwapAreas {
  if (!hasSwap(kernel)) return { areas: [], notes: ["the kernel was built without swap (no CONFIG_SWAP)"] };
  const struct = kernel.types.struct("swap_info_struct");
  const table = kernel.tryAddress("swap_info");
  const counter = kernel.tryAddress("nr_swapfiles");
  if (table === undefined || counter === undefined) throw kernel.unknownSymbol("swap_info", []);
  const count = Math.min(MAX_AREAS, kernel.memory.u32(counter));
  const fields = {
    flags: struct.field("flags"),
    priority: struct.field("prio"),
    pages: struct.field("pages"),
    used: struct.firstField("inuse_pages.counter", "inuse_pages"),
    file: struct.field("swap_file"),
  };
  const areas: SwapArea[] = [];
  const notes: string[] = [];
  for (let type = 0; type < count; type++) {
    try {
      const address = virtual(kernel.memory.u64(add(table, type * 8)));
      if (address === 0n) continue;
      const flags = Number(BigInt.asUintN(32, fields.flags.bigint(address)));
      // An area that was switched off keeps its structure, for the next one.
      if ((flags & SWP_USED) === 0 || (flags & SWP_WRITEOK) === 0) continue;
      const file = fields.file.pointer(address);
      const used = fields.used === undefined ? 0n : fields.used.bigint(address);
      areas.push({
        address,
        kind: isBlockDevice(kernel, file) ? "PARTITION" : "FILE",
        pages: fields.pages.number(address),
        used: Number(fields.used?.size === 8 ? used & (OFF_LIST - 1n) : used),
        priority: fields.priority.number(address),
        path: pathOrNothing(kernel, file),
      });
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      notes.push(`swap area ${type}: ${error.message}`);
    }
  }
  return { areas, notes };
}

function isBlockDevice(kernel: Kernel, file: VirtualAddress): boolean {
  const inode = kernel.types.struct("file").field("f_inode").pointer(file);
  return (kernel.types.struct("inode").field("i_mode").number(inode) & S_IFMT) === S_IFBLK;
}

function pathOrNothing(kernel: Kernel, file: VirtualAddress): string | undefined {
  try {
    return filePath(kernel, file);
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}
