/**
 * Names of an inode that nobody has open by a path: through its dentries up to the root of its file system.
 *
 *   inode.i_dentry.first ─► dentry.d_alias (d_u.d_alias, anonymous d_u since 7.1)    dentry.d_parent … until a dentry is its own parent
 */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import { containerOf } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** PATH_MAX components of one letter. */
const MAX_DEPTH = 2048;

/** "/bin/sh (inode 12 on vda1)", or what of it can be read. Never throws for damaged memory. */
export function inodeName(kernel: Kernel, inode: VirtualAddress): string {
  const struct = kernel.types.tryStruct("inode");
  const path = attempt(() => pathInFileSystem(kernel, inode));
  const number = attempt(() => struct?.tryField("i_ino")?.bigint(inode));
  const system = attempt(() => {
    const superblock = struct?.tryField("i_sb")?.pointer(inode);
    return superblock === undefined ? undefined : kernel.types.tryStruct("super_block")?.tryField("s_id")?.string(superblock);
  });
  const place = `inode ${number ?? "?"}${system === undefined || system === "" ? "" : ` on ${system}`}`;
  return path === undefined ? place : `${path} (${place})`;
}

function pathInFileSystem(kernel: Kernel, inode: VirtualAddress): string | undefined {
  const { types, memory } = kernel;
  const aliases = types.tryStruct("inode")?.tryField("i_dentry.first");
  const struct = types.tryStruct("dentry");
  const alias = struct?.firstField("d_u.d_alias", "d_alias");
  const parentOf = struct?.tryField("d_parent");
  const name = struct?.firstField("d_name.name", "__d_name.name");
  if (aliases === undefined || alias === undefined || parentOf === undefined || name === undefined) return undefined;
  const first = aliases.pointer(inode);
  if (first === 0n) return undefined;
  const names: string[] = [];
  let dentry = containerOf(virtual(first), alias);
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    const parent = parentOf.pointer(dentry);
    if (parent === dentry) break;
    names.push(memory.cString(name.pointer(dentry), 256));
    dentry = parent;
  }
  return `/${names.reverse().join("/")}`;
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}
