/**
 * The file systems that the kernel knows, and the modules they came in (fs/filesystems.c).
 *
 *   file_systems ─► file_system_type { name, fs_flags, owner, next } ─► … ─► NULL
 */
import { type VirtualAddress, virtual } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";

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
    const first = kernel.tryAddress("file_systems");
    const struct = kernel.types.tryStruct("file_system_type");
    if (first === undefined || struct === undefined) return found;
    try {
      const modules = new Map<VirtualAddress, string>(kernel.modules.map(({ address, name }) => [address, name]));
      const [name, flags, owner, next] = [struct.field("name"), struct.field("fs_flags"), struct.field("owner"), struct.field("next")];
      let type = virtual(kernel.memory.u64(first));
      for (let i = 0; type !== 0n && i < MAX_TYPES; i++, type = next.pointer(type)) {
        const module = modules.get(owner.pointer(type));
        found.push({ name: kernel.memory.cString(name.pointer(type), 64), module, onDevice: (flags.number(type) & FS_REQUIRES_DEV) !== 0 });
      }
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
    }
    return found;
  });
}
