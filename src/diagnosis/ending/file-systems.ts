/**
 * The file systems that the kernel knows, and the modules they came in (fs/filesystems.c).
 *
 *   file_systems ─► file_system_type { name, fs_flags, owner } ─► … ─► NULL        (linux/file-system-types.ts)
 *                   ▲ super_block.s_type
 *
 * file_systems is static: a kernel whose symbol table lists functions only does not tell it. Then the list is entered at the types of what
 * is mounted; those registered before the first of them are not found.
 */
import { add, type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type FileSystemChain, fileSystemChain } from "../../linux/file-system-types.ts";
import { superBlocksHead } from "../integrity/heads.ts";

export interface FileSystemOwner {
  readonly name: string;
  /** undefined: built in. */
  readonly module: string | undefined;
  /** FS_REQUIRES_DEV: it lies on a block device. */
  readonly onDevice: boolean;
}

/** More than any kernel registers. */
const MAX_TYPES = 1024;
/** include/linux/fs.h, since 2.4. */
const FS_REQUIRES_DEV = 1;

/** All that can be read; once per dump. */
export function fileSystemOwners(kernel: Kernel): readonly FileSystemOwner[] {
  return kernel.memo(fileSystemOwners, () => {
    const found: FileSystemOwner[] = [];
    const struct = kernel.types.tryStruct("file_system_type");
    if (struct === undefined) return found;
    try {
      const modules = new Map<VirtualAddress, string>(kernel.modules.map(({ address, name }) => [address, name]));
      const [name, flags, owner] = [struct.field("name"), struct.field("fs_flags"), struct.field("owner")];
      const chain = fileSystemChain(kernel);
      const seen = new Set<VirtualAddress>();
      for (const entry of entries(kernel, chain)) {
        for (
          let type: VirtualAddress | undefined = entry;
          type !== undefined && !seen.has(type) && seen.size < MAX_TYPES;
          type = chain.next(type)
        ) {
          seen.add(type);
          const module = modules.get(owner.pointer(type));
          found.push({
            name: kernel.memory.cString(name.pointer(type), 64),
            module,
            onDevice: (flags.number(type) & FS_REQUIRES_DEV) !== 0,
          });
        }
      }
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
    return found;
  });
}

export interface MountedKind {
  /** Of the type: "vfat". */
  readonly name: string;
  /** Where super_operations lie: undefined in vmlinux. */
  readonly module: string | undefined;
  /** What the functions beside them begin with: "fat" of fat_sops; undefined where the symbol is not known. */
  readonly prefix: string | undefined;
  readonly onDevice: boolean;
}

/**
 * What the mounted file systems are made of: several types may share a module that registers none itself, and which has the operations of
 * their super blocks (vfat and msdos: fat_sops of fat).
 */
export function mountedKinds(kernel: Kernel): readonly MountedKind[] {
  return kernel.memo(mountedKinds, () => {
    const [block, type] = [kernel.types.tryStruct("super_block"), kernel.types.tryStruct("file_system_type")];
    if (block === undefined || type === undefined) return [];
    try {
      const operations = block.field("s_op");
      const [name, flags] = [type.field("name"), type.field("fs_flags")];
      return superBlocks(kernel).map((superBlock): MountedKind => {
        const owner = block.field("s_type").pointer(superBlock);
        const at = operations.pointer(superBlock);
        const symbol = kernel.symbols.byAddress(at)?.symbol;
        return {
          name: kernel.memory.cString(name.pointer(owner), 64),
          module: kernel.modules.find(({ regions }) => regions.some(({ start, size }) => at >= start && at < start + BigInt(size)))?.name,
          prefix: symbol === undefined ? undefined : /^([a-z0-9]+)_\w*s(?:uper_)?op/.exec(symbol.name)?.[1],
          onDevice: (flags.number(owner) & FS_REQUIRES_DEV) !== 0,
        };
      });
    } catch (error) {
      if (error instanceof InquestError) return [];
      throw error;
    }
  });
}

function superBlocks(kernel: Kernel): readonly VirtualAddress[] {
  const head = superBlocksHead(kernel);
  const list = kernel.types.tryStruct("super_block")?.tryField("s_list");
  if (head === undefined || list === undefined) return [];
  const found: VirtualAddress[] = [];
  for (let node = kernel.memory.tryU64(head); node !== undefined && node !== head && found.length < MAX_TYPES; ) {
    found.push(add(virtual(node), -list.offset));
    node = kernel.memory.tryU64(virtual(node));
  }
  return found;
}

/** Types at which the list is entered. */
function entries(kernel: Kernel, chain: FileSystemChain): readonly VirtualAddress[] {
  const first = chain.first();
  if (first !== undefined) return [first];
  const type = kernel.types.tryStruct("super_block")?.field("s_type");
  return type === undefined ? [] : superBlocks(kernel).map((superBlock) => type.pointer(superBlock));
}
