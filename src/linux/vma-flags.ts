/**
 * Names of the bits of vm_area_struct.vm_flags. They are macros, but the kernel carries a table of them for its own messages (%pGv, 4.6 on):
 *
 *   vmaflag_names[] ─► { mask, "read" }, { mask, "write" }, …, { 0, NULL }        (mm/debug.c)
 *
 * Kernels that are older or hide the table have the names of include/linux/mm.h, those bits that did not change their meaning.
 */
import { add, virtual } from "../bytes/address.ts";
import type { Kernel } from "../kernel/kernel.ts";

const MAX_FLAGS = 128;

export interface VmaFlag {
  readonly mask: bigint;
  /** In upper case, as crash and /proc/PID/smaps readers know them: "READ", "MAYWRITE". */
  readonly name: string;
}

/** By bit: READ WRITE EXEC SHARED MAY… GROWSDOWN … MERGEABLE. */
// biome-ignore format: a table
const STEADY: readonly (readonly [bit: number, name: string])[] = [
  [0, "READ"], [1, "WRITE"], [2, "EXEC"], [3, "SHARED"], [4, "MAYREAD"], [5, "MAYWRITE"], [6, "MAYEXEC"], [7, "MAYSHARE"],
  [8, "GROWSDOWN"], [9, "UFFD_MISSING"], [10, "PFNMAP"], [11, "DENYWRITE"], [12, "UFFD_WP"], [13, "LOCKED"], [14, "IO"],
  [15, "SEQ_READ"], [16, "RAND_READ"], [17, "DONTCOPY"], [18, "DONTEXPAND"], [19, "LOCKONFAULT"], [20, "ACCOUNT"], [21, "NORESERVE"],
  [22, "HUGETLB"], [23, "SYNC"], [24, "ARCH_1"], [25, "WIPEONFORK"], [26, "DONTDUMP"], [27, "SOFTDIRTY"], [28, "MIXEDMAP"],
  [29, "HUGEPAGE"], [30, "NOHUGEPAGE"], [31, "MERGEABLE"],
];

/** The flags that this kernel knows, lowest first. */
export function vmaFlags(kernel: Kernel): readonly VmaFlag[] {
  return kernel.memo(vmaFlags, () => {
    const own = ownTable(kernel);
    const flags = own.length > 0 ? own : STEADY.map(([bit, name]) => ({ mask: 1n << BigInt(bit), name }));
    return [...flags].sort((a, b) => (a.mask < b.mask ? -1 : a.mask > b.mask ? 1 : 0));
  });
}

function ownTable(kernel: Kernel): VmaFlag[] {
  const table = kernel.tryAddress("vmaflag_names");
  const flags: VmaFlag[] = [];
  if (table === undefined) return flags;
  for (let i = 0; i < MAX_FLAGS; i++) {
    const mask = kernel.memory.tryU64(add(table, i * 16));
    const name = kernel.memory.tryU64(add(table, i * 16 + 8));
    if (mask === undefined || name === undefined || name === 0n) break;
    const bytes = kernel.memory.tryBytes(virtual(name), 32);
    if (bytes === undefined) break;
    const end = bytes.indexOf(0);
    flags.push({ mask, name: new TextDecoder().decode(bytes.subarray(0, end < 0 ? 32 : end)).toUpperCase() });
  }
  return flags;
}

/** Names of the set bits; a bit without a name stands as its number, "0x100000000". */
export function vmaFlagNames(kernel: Kernel, value: bigint): readonly string[] {
  const names: string[] = [];
  let rest = value;
  for (const { mask, name } of vmaFlags(kernel)) {
    if (mask === 0n || (rest & mask) !== mask) continue;
    names.push(name);
    rest &= ~mask;
  }
  return rest === 0n ? names : [...names, `0x${rest.toString(16)}`];
}
