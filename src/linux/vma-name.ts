/**
 * What a mapping is called in /proc/PID/maps (fs/proc/task_mmu.c, show_map_vma()): the path of its file, or one of
 *
 *   [vdso] [vvar] [vectors] …   vm_ops->name(): struct vm_special_mapping.name
 *   [heap] [stack]              holds mm.brk, mm.start_stack
 *   [anon:NAME]                 prctl(PR_SET_VMA_ANON_NAME), 5.17 on (9a10064f5625); [anon_shmem:NAME] 6.2 on (d09e8ca6cb93)
 */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { filePath } from "./file.ts";
import type { Vma } from "./vma.ts";

const MAX_NAME = 80;

/** The name; undefined for memory without one. Never throws for damaged memory. */
export function vmaName(kernel: Kernel, mm: VirtualAddress, vma: Vma): string | undefined {
  try {
    if (vma.file !== 0n) {
      const name = anonName(kernel, vma);
      return name === undefined ? filePath(kernel, vma.file) : `[anon_shmem:${name}]`;
    }
    const special = specialName(kernel, vma.address);
    if (special !== undefined) return special;
    const bounds = mmBounds(kernel, mm);
    if (vma.start <= bounds.brk && vma.end >= bounds.startBrk) return "[heap]";
    if (vma.start <= bounds.startStack && vma.end >= bounds.startStack) return "[stack]";
    const name = anonName(kernel, vma);
    return name === undefined ? undefined : `[anon:${name}]`;
  } catch (error) {
    if (error instanceof InquestError) return vma.file === 0n ? undefined : "?";
    throw error;
  }
}

interface Bounds {
  readonly brk: bigint;
  readonly startBrk: bigint;
  readonly startStack: bigint;
}

function mmBounds(kernel: Kernel, mm: VirtualAddress): Bounds {
  const struct = kernel.types.struct("mm_struct");
  return {
    brk: struct.field("brk").pointer(mm),
    startBrk: struct.field("start_brk").pointer(mm),
    startStack: struct.field("start_stack").pointer(mm),
  };
}

/** Only special_mapping_name() is known; it takes the name from vm_private_data. */
function specialName(kernel: Kernel, vma: VirtualAddress): string | undefined {
  const maker = kernel.types.tryStruct("vm_operations_struct")?.tryField("name");
  const name = kernel.types.tryStruct("vm_special_mapping")?.tryField("name");
  const struct = kernel.types.struct("vm_area_struct");
  const operations = struct.field("vm_ops").pointer(vma);
  if (operations === 0n || maker === undefined || name === undefined) return undefined;
  const call = maker.pointer(operations);
  if (call === 0n || kernel.symbols.byAddress(virtual(call))?.symbol.name !== "special_mapping_name") return undefined;
  const text = name.pointer(struct.field("vm_private_data").pointer(vma));
  return text === 0n ? undefined : kernel.memory.cString(text, MAX_NAME);
}

/** Until 6.2 the name shared its place with the tree of a file's mappings and was valid for anonymous memory only. */
function anonName(kernel: Kernel, vma: Vma): string | undefined {
  const struct = kernel.types.struct("vm_area_struct");
  const field = struct.tryField("anon_name");
  const text = kernel.types.tryStruct("anon_vma_name")?.tryField("name");
  if (field === undefined || text === undefined) return undefined;
  const shared: Field | undefined = struct.tryField("shared");
  if (vma.file !== 0n && shared !== undefined && shared.offset === field.offset) return undefined;
  const at = field.pointer(vma.address);
  return at === 0n ? undefined : kernel.memory.cString(text.address(at), MAX_NAME);
}
