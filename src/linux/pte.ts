/**
 * What a page-table entry says that maps nothing: a place in a swap area, a page on the move, or nothing at all.
 * Source: arch/x86/include/asm/pgtable_64.h, arch/arm64/include/asm/pgtable.h, include/linux/swapops.h.
 *
 *   x86-64 (4.18 on)   63–59 type   58–9 offset, inverted                  bits 0 and 8 clear      (2f22b4cd45b6; also in older stable kernels)
 *   x86-64 4.8–4.17    63–14 offset   13–9 type                            (00839ee3b299)
 *   x86-64 before      63–9 offset   5–1 type
 *   arm64 6.10 on      61–12 offset   10–6 type                            bits 0, 1 and 11 clear
 *   arm64 5.19–6.9     57–8 offset    7–3 type                             bits 0, 1 and 58 clear
 *   arm64 before       57–8 offset    7–2 type
 *
 * Types below MAX_SWAPFILES are swap areas; those above, up to 32, are markers: migration, hardware poison, device memory.
 */
import { add, virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { filePath } from "./file.ts";

/** A swap entry. */
export interface SwapEntry {
  readonly type: number;
  /** Slot in the area, in pages. */
  readonly offset: bigint;
  /** Path of the swap file or device; undefined when the type is no swap area, which `marker` then explains. */
  readonly path: string | undefined;
  readonly marker: string | undefined;
}

/** Swap areas of the kernel: 32 less the markers in use (5 at most). */
const TYPES = 32;

/** Reads an entry that is not present; undefined when it is empty. */
export function swapEntry(kernel: Kernel, entry: bigint): SwapEntry | undefined {
  if (entry === 0n) return undefined;
  const { type, offset } = kernel.arch.name === "x86_64" ? x86Entry(kernel, entry) : arm64Entry(kernel, entry);
  const used = type < swapAreaCount(kernel);
  const path = used ? swapPath(kernel, type) : undefined;
  const marker = used ? undefined : "no swap area: a page under migration, a poisoned one, device memory or a marker";
  return { type, offset, path, marker };
}

interface Place {
  readonly type: number;
  readonly offset: bigint;
}

/** The form is in no type and was changed in stable kernels: it is the one that names a slot of an area there is, else today's. */
function x86Entry(kernel: Kernel, entry: bigint): Place {
  const today = { type: Number(entry >> 59n), offset: BigInt.asUintN(50, ~entry >> 9n) };
  const older = { type: Number((entry >> 9n) & 0x1fn), offset: entry >> 14n };
  const oldest = { type: Number((entry >> 1n) & 0x1fn), offset: entry >> 9n };
  return [today, older, oldest].find(({ type, offset }) => offset > 0n && offset < slotsOf(kernel, type)) ?? today;
}

/** Slots of a swap area (swap_info_struct.max); 0 when there is no such area or it cannot be read. */
function slotsOf(kernel: Kernel, type: number): bigint {
  const max = kernel.types.tryStruct("swap_info_struct")?.tryField("max");
  const table = kernel.tryAddress("swap_info");
  if (max === undefined || table === undefined || type >= swapAreaCount(kernel)) return 0n;
  const area = kernel.memory.tryU64(add(table, type * 8));
  const at = area === undefined ? undefined : max.address(virtual(area));
  if (at === undefined) return 0n;
  return (max.size === 8 ? kernel.memory.tryU64(at) : BigInt(kernel.memory.tryU32(at) ?? 0)) ?? 0n;
}

/**
 * The bits are macros, of which a dump holds nothing. What changed in the same releases stands in for them: 6.10 made "slab" a page type
 * (46df8e73a4a3), and 5.19 moved the type to make room for the flag PG_anon_exclusive itself (78fbe906cc90).
 */
function arm64Entry(kernel: Kernel, entry: bigint): Place {
  const { types } = kernel;
  if (types.constant("PGTY_slab") !== undefined || types.enumerator("PG_slab")?.type.name === "pagetype") {
    return { type: Number((entry >> 6n) & 0x1fn), offset: BigInt.asUintN(50, entry >> 12n) };
  }
  const offset = BigInt.asUintN(50, entry >> 8n);
  if (types.constant("PG_anon_exclusive") !== undefined) return { type: Number((entry >> 3n) & 0x1fn), offset };
  return { type: Number((entry >> 2n) & 0x3fn), offset };
}

function swapAreaCount(kernel: Kernel): number {
  const address = kernel.tryAddress("nr_swapfiles");
  const count = address === undefined ? undefined : kernel.memory.tryU32(address);
  return count === undefined ? 0 : Math.min(count, TYPES);
}

/** Path of a swap area's file; undefined when a structure on the way cannot be read. */
function swapPath(kernel: Kernel, type: number): string | undefined {
  const table = kernel.tryAddress("swap_info");
  const file = kernel.types.tryStruct("swap_info_struct")?.tryField("swap_file");
  if (table === undefined || file === undefined) return undefined;
  try {
    return filePath(kernel, file.pointer(virtual(kernel.memory.u64(add(table, type * 8)))));
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}
