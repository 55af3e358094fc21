/**
 * Whose files the pages of shared memory belong to: by file system, and within the kernel's own one by what made them.
 *
 *   super_blocks ─► super_block { s_magic = TMPFS_MAGIC, s_inodes } ─► inode.i_mapping->nrpages, name by inode.i_dentry
 *
 * A file that no mount leads to lies on the mount that the kernel keeps for itself (mm/shmem.c, shm_mnt): memfd_create() names its files
 * "memfd:…", System V "SYSV…", shared anonymous mappings "dev/zero"; drivers give names of their own (shmem_file_setup()).
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import { containerOf, type Field } from "../../kernel/field.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { dentryName } from "../../linux/dentry.ts";
import { gather } from "../../linux/gather.ts";
import { listNodes } from "../../linux/list.ts";
import { mountTable } from "../../linux/mount.ts";
import { taskTable } from "../../linux/task.ts";
import { guarded } from "../guarded.ts";

/** include/uapi/linux/magic.h: tmpfs, devtmpfs and the kernel's own. */
const TMPFS_MAGIC = 0x0102_1994n;
const MAX_SYSTEMS = 4096;
const MAX_FILES = 1 << 16;

export interface SharedFiles {
  /** Where it is mounted; undefined for the kernel's own files. */
  readonly mounted: string | undefined;
  /** Of the kernel's own: the name that they have in common. */
  readonly name: string | undefined;
  readonly files: number;
  readonly pages: number;
  readonly largest: { readonly name: string; readonly pages: number; readonly nrpages: VirtualAddress; readonly mapping: VirtualAddress };
}

/** The group of files that has the most pages; undefined when none can be read. */
export function mostShared(kernel: Kernel): SharedFiles | undefined {
  return guarded(() => groups(kernel).sort((a, b) => b.pages - a.pages)[0]);
}

interface Layout {
  readonly inodes: Field;
  readonly link: Field;
  readonly mapping: Field;
  readonly aliases: Field;
  readonly alias: Field;
  readonly count: Field;
}

function groups(kernel: Kernel): SharedFiles[] {
  const { types } = kernel;
  const [system, inode, dentry] = [types.struct("super_block"), types.struct("inode"), types.struct("dentry")];
  const alias = dentry.firstField("d_u.d_alias", "d_alias");
  if (alias === undefined) return [];
  const layout: Layout = {
    inodes: system.field("s_inodes"),
    link: inode.field("i_sb_list"),
    mapping: inode.field("i_mapping"),
    aliases: inode.field("i_dentry.first"),
    count: types.struct("address_space").field("nrpages"),
    alias,
  };
  const magic = system.field("s_magic");
  const [first] = guarded(() => taskTable(kernel).tasks.filter(({ pid }) => pid === 1)) ?? [];
  const mounts = first === undefined ? undefined : guarded(() => mountTable(kernel, first.address).mounts);
  const found: SharedFiles[] = [];
  // Kernels that list functions only: from a mounted file system round to itself, the head among them.
  const own = mounts?.[0]?.superblock;
  const head = kernel.tryAddress("super_blocks") ?? (own === undefined ? undefined : system.field("s_list").address(own));
  if (head === undefined) return [];
  for (const node of gather(listNodes(kernel.memory, head, { limit: MAX_SYSTEMS }), [], "super_blocks")) {
    const superblock = containerOf(node, system.field("s_list"));
    if (guarded(() => magic.bigint(superblock)) !== TMPFS_MAGIC) continue;
    const mounted = mounts?.find((each) => each.superblock === superblock)?.directory;
    found.push(...filesOf(kernel, layout, superblock, mounted));
  }
  return found;
}

function filesOf(kernel: Kernel, layout: Layout, superblock: VirtualAddress, mounted: string | undefined): SharedFiles[] {
  const byName = new Map<string, { files: number; pages: number; largest: SharedFiles["largest"] }>();
  for (const link of gather(listNodes(kernel.memory, layout.inodes.address(superblock)), [], "s_inodes", MAX_FILES)) {
    const inode = containerOf(link, layout.link);
    const mapping = guarded(() => layout.mapping.pointer(inode)) ?? 0n;
    const pages = mapping === 0n ? 0 : (guarded(() => layout.count.number(mapping as VirtualAddress)) ?? 0);
    if (mapping === 0n || pages <= 0) continue;
    const alias = guarded(() => layout.aliases.pointer(inode)) ?? 0n;
    const name = alias === 0n ? "" : (guarded(() => dentryName(kernel, containerOf(alias as VirtualAddress, layout.alias))) ?? "");
    const nrpages = layout.count.address(mapping as VirtualAddress);
    const one = { name, pages, nrpages, mapping: mapping as VirtualAddress };
    const key = mounted === undefined ? name.replace(/^(SYSV).*/, "$1") : "";
    const known = byName.get(key);
    if (known === undefined) byName.set(key, { files: 1, pages, largest: one });
    else {
      known.files++;
      known.pages += pages;
      if (pages > known.largest.pages) known.largest = one;
    }
  }
  return [...byName].map(([key, group]) => ({ mounted, name: mounted === undefined ? key : undefined, ...group }));
}

/** Who makes files of this name on the kernel's own mount. */
export function makerOf(name: string): string {
  if (name.startsWith("memfd:")) return "memfd_create() made them for a process";
  if (name === "SYSV") return "System V shared memory, which lives until it is removed";
  if (name === "dev/zero") return "shared anonymous mappings of processes";
  return "a part of the kernel, a driver as a rule, made them with shmem_file_setup() and keeps a reference to each";
}
