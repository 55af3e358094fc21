/**
 * The list of the file systems that the kernel knows (fs/filesystems.c), newest last.
 *
 *   file_systems ─► file_system_type.next ─► … ─► NULL                              to 6.12 at least
 *   file_systems.first ─► &file_system_type.list ⇄ … ─► NULL                        7.2 on: an hlist
 *
 * The first word of `file_systems` is the way in for both.
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";

export interface FileSystemChain {
  /** The member that leads on. */
  readonly link: Field;
  /** The type that the link's value, or the list's head, names; undefined at the end. */
  readonly typeAt: (word: bigint) => VirtualAddress | undefined;
  /** The list's first type; undefined without the symbol, and for an empty list. Throws what reading throws. */
  readonly first: () => VirtualAddress | undefined;
  /** The type behind another one; undefined at the end. Throws what reading throws. The list may be damaged: the caller bounds its walk. */
  readonly next: (type: VirtualAddress) => VirtualAddress | undefined;
}

/** How the list is walked on this kernel; throws LookupError where its structure is not known. */
export function fileSystemChain(kernel: Kernel): FileSystemChain {
  const struct = kernel.types.struct("file_system_type");
  const node = struct.tryField("list");
  const link = node === undefined ? struct.field("next") : struct.field("list.next");
  const back = BigInt(node?.offset ?? 0);
  const typeAt = (word: bigint): VirtualAddress | undefined => (word === 0n ? undefined : add(virtual(word), -back));
  return {
    link,
    typeAt,
    first: () => {
      const head = kernel.tryAddress("file_systems");
      return head === undefined ? undefined : typeAt(kernel.memory.u64(head));
    },
    next: (type) => typeAt(link.pointer(type)),
  };
}
