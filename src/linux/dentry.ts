/**
 * Names in file systems: struct dentry (include/linux/dcache.h), and paths as /proc shows them (fs/d_path.c, d_path()).
 *
 *   dentry { d_parent, d_name { name ──► d_shortname | memory of its own }, d_inode, d_op ──► d_dname(), d_hash }
 *     children   6.8+     hlist d_children ─► d_sib                     (da549bdd15c2)
 *                before   list d_subdirs ⇄ d_child (d_u.d_child before 3.19)
 *
 * A file system without a tree of names (pipefs, sockfs, anon_inodefs, nsfs …) makes them up in d_op->d_dname; the function tells the
 * form. A dentry that is no longer hashed and not a root was deleted.
 */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import { InquestError } from "../bytes/errors.ts";
import { containerOf, type Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { hlistNodes, listNodes } from "./list.ts";
import { pathOf, reachablePath, superblockMounts } from "./mount.ts";

/** Children of one directory in the dentry cache. */
const MAX_CHILDREN = 1 << 22;
const MAX_NAME = 256;
/** Mounts of one file system that are tried for a path. */
const MAX_TRIES = 256;

interface Layout {
  readonly name: Field;
  readonly parent: Field;
  readonly inode: Field;
  readonly superblock: Field;
  readonly operations: Field;
  readonly hashBack: Field | undefined;
  readonly dynamicName: Field | undefined;
  readonly fsData: Field | undefined;
}

function dentryLayout(kernel: Kernel): Layout {
  return kernel.memo(dentryLayout, () => {
    const dentry = kernel.types.struct("dentry");
    return {
      // 6.16 made d_name read-only and keeps the writable view of the same bytes in __d_name.
      name: dentry.tryField("d_name.name") ?? dentry.field("__d_name.name"),
      parent: dentry.field("d_parent"),
      inode: dentry.field("d_inode"),
      superblock: dentry.field("d_sb"),
      operations: dentry.field("d_op"),
      hashBack: dentry.tryField("d_hash.pprev"),
      dynamicName: kernel.types.tryStruct("dentry_operations")?.tryField("d_dname"),
      fsData: dentry.tryField("d_fsdata"),
    };
  });
}

/** Last part of the path; "/" for the root of a file system. @throws FaultError */
export function dentryName(kernel: Kernel, dentry: VirtualAddress): string {
  return kernel.memory.cString(dentryLayout(kernel).name.pointer(dentry), MAX_NAME);
}

/** struct inode of a dentry; 0 for a negative one: a name that is known not to exist. @throws FaultError */
export function dentryInode(kernel: Kernel, dentry: VirtualAddress): VirtualAddress {
  return dentryLayout(kernel).inode.pointer(dentry);
}

/** struct super_block of a dentry. @throws FaultError */
export function dentrySuperblock(kernel: Kernel, dentry: VirtualAddress): VirtualAddress {
  return dentryLayout(kernel).superblock.pointer(dentry);
}

/** The cached names below a directory, newest first. @throws CorruptionError where the list breaks, after what came before */
export function* dentryChildren(kernel: Kernel, dentry: VirtualAddress): Generator<VirtualAddress, void, undefined> {
  const struct = kernel.types.struct("dentry");
  const children = struct.tryField("d_children");
  if (children !== undefined) {
    const sibling = struct.field("d_sib");
    for (const node of hlistNodes(kernel.memory, children.address(dentry), { limit: MAX_CHILDREN })) yield containerOf(node, sibling);
    return;
  }
  const child = struct.firstField("d_child", "d_u.d_child");
  if (child === undefined) return;
  for (const node of listNodes(kernel.memory, struct.field("d_subdirs").address(dentry), { limit: MAX_CHILDREN }))
    yield containerOf(node, child);
}

/** True when the name was removed from its directory while somebody still holds the file (d_unlinked()). @throws FaultError */
function isDeleted(kernel: Kernel, dentry: VirtualAddress): boolean {
  const { hashBack, parent } = dentryLayout(kernel);
  return hashBack !== undefined && hashBack.pointer(dentry) === 0n && parent.pointer(dentry) !== dentry;
}

/**
 * A path as /proc/PID/fd and /proc/PID/maps show it: "/tmp/x", "/tmp/x (deleted)", "pipe:[123]", "anon_inode:[eventpoll]". Never throws
 * for damaged memory: "?" stands for what is missing.
 */
export function shownPath(kernel: Kernel, vfsmount: VirtualAddress, dentry: VirtualAddress): string {
  try {
    return dynamicName(kernel, vfsmount, dentry) ?? `${pathOf(kernel, vfsmount, dentry)}${isDeleted(kernel, dentry) ? " (deleted)" : ""}`;
  } catch (error) {
    if (error instanceof InquestError) return "?";
    throw error;
  }
}

/**
 * Path of a dentry whose mount is not known: through the first mount of its file system that leads to the root of a namespace. Never throws
 * for damaged memory.
 */
export function dentryPath(kernel: Kernel, dentry: VirtualAddress): string {
  let other: string | undefined;
  try {
    let tries = 0;
    for (const vfsmount of superblockMounts(kernel, dentrySuperblock(kernel, dentry))) {
      const path = shownPath(kernel, vfsmount, dentry);
      other ??= path;
      if (!path.startsWith("/") || reachablePath(kernel, vfsmount, dentry).reachable) return path;
      if (++tries >= MAX_TRIES) break;
    }
    return other ?? dentryName(kernel, dentry);
  } catch (error) {
    if (error instanceof InquestError) return other ?? "?";
    throw error;
  }
}

/** What the file system's own d_dname would say; undefined where names lie in a tree. */
function dynamicName(kernel: Kernel, vfsmount: VirtualAddress, dentry: VirtualAddress): string | undefined {
  const layout = dentryLayout(kernel);
  const operations = layout.operations.pointer(dentry);
  const maker = operations === 0n || layout.dynamicName === undefined ? 0n : layout.dynamicName.pointer(operations);
  if (maker === 0n) return undefined;
  const isRoot = layout.parent.pointer(dentry) === dentry;
  if (isRoot && dentry === kernel.types.struct("vfsmount").field("mnt_root").pointer(vfsmount)) return undefined;
  const found = kernel.symbols.byAddress(virtual(maker));
  // The compiler may have made a copy: sockfs_dname.cold, .llvm.123.
  const name = found === undefined || found.offset !== 0 ? "" : found.symbol.name.replace(/\..*$/, "");
  const form = Object.hasOwn(FORMS, name) ? FORMS[name] : undefined;
  if (form !== undefined) return form(kernel, dentry);
  const own = dentryName(kernel, dentry);
  return own === "" ? `${fileSystemName(kernel, dentry)}:[${inodeNumber(kernel, dentry)}]` : own;
}

/** The forms of 3.10 to 7.2, by function. */
const FORMS: Readonly<Record<string, (kernel: Kernel, dentry: VirtualAddress) => string>> = {
  pipefs_dname: (kernel, dentry) => `pipe:[${inodeNumber(kernel, dentry)}]`,
  sockfs_dname: (kernel, dentry) => `socket:[${inodeNumber(kernel, dentry)}]`,
  anon_inodefs_dname: (kernel, dentry) => `anon_inode:${dentryName(kernel, dentry)}`,
  pidfs_dname: () => "anon_inode:[pidfd]",
  // memfd, System V shared memory, /dev/zero: files of a file system that is mounted nowhere.
  simple_dname: (kernel, dentry) => `/${dentryName(kernel, dentry)} (deleted)`,
  ns_dname: namespaceName,
  dmabuffs_dname: (kernel, dentry) => {
    const buffer = dentryLayout(kernel).fsData?.pointer(dentry) ?? 0n;
    const field = kernel.types.tryStruct("dma_buf")?.tryField("name");
    const at = field === undefined || buffer === 0n ? 0n : field.pointer(virtual(buffer));
    return `/dmabuf:${at === 0n ? "" : kernel.memory.cString(virtual(at), MAX_NAME)}`;
  },
};

/** "net:[4026531840]": the kind is named by the operations, in d_fsdata until 6.8, in the inode's ns_common since. */
function namespaceName(kernel: Kernel, dentry: VirtualAddress): string {
  const name = kernel.types.struct("proc_ns_operations").field("name");
  const fsData = dentryLayout(kernel).fsData?.pointer(dentry) ?? 0n;
  let operations = fsData;
  if (operations === 0n) {
    const space = kernel.types.struct("inode").field("i_private").pointer(dentryInode(kernel, dentry));
    operations = kernel.types.struct("ns_common").field("ops").pointer(space);
  }
  return `${kernel.memory.cString(name.pointer(virtual(operations)), 32)}:[${inodeNumber(kernel, dentry)}]`;
}

function inodeNumber(kernel: Kernel, dentry: VirtualAddress): bigint {
  return BigInt.asUintN(64, kernel.types.struct("inode").field("i_ino").bigint(dentryInode(kernel, dentry)));
}

function fileSystemName(kernel: Kernel, dentry: VirtualAddress): string {
  const type = kernel.types.struct("super_block").field("s_type").pointer(dentrySuperblock(kernel, dentry));
  return kernel.memory.cString(kernel.types.struct("file_system_type").field("name").pointer(type), 64);
}
