/**
 * Mounted file systems of a mount namespace (fs/mount.h, fs/namespace.c).
 *
 *   task.nsproxy ─► nsproxy.mnt_ns ─► mnt_namespace
 *     6.8+     .mounts, an rbtree of mount.mnt_node by mnt_id_unique                     (2eea9ce4310d)
 *     before   .list ⇄ mount.mnt_list; 5.8–6.7 readers of /proc/mounts hang dummies with MNT_CURSOR into it (9f6c61f96f2d)
 *
 *   path of a mount:  dentry names up to the mount's root, then on from mnt_mountpoint in mnt_parent, until a mount is its own parent
 */
import { add, type VirtualAddress } from "../bytes/address.ts";
import { CorruptionError, FaultError, InquestError } from "../bytes/errors.ts";
import { containerOf, type Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Struct } from "../kernel/types.ts";
import { listNodes } from "./list.ts";
import { rbtreeNodes } from "./rbtree.ts";

/** fs.mount-max is 100,000 by default and may be raised. */
const MAX_MOUNTS = 1 << 22;
/** A path is at most PATH_MAX characters, hence at most as many names. */
const MAX_DEPTH = 4096;
/** include/linux/mount.h, 5.8 on. */
const MNT_CURSOR = 0x1000_0000n;

/** A mount (struct mount), as a line of /proc/mounts. */
export interface Mount {
  /** struct mount. */
  readonly address: VirtualAddress;
  /** Its struct vfsmount, which most of the kernel points at. */
  readonly vfsmount: VirtualAddress;
  readonly superblock: VirtualAddress;
  readonly type: string;
  readonly device: string;
  /** Directory it is mounted on, from the task's root; a name that cannot be read shows as "?". */
  readonly directory: string;
  /** False for a mount that the task cannot reach from its root, such as the nullfs below the root since 7.1: /proc/mounts leaves it out. */
  readonly reachable: boolean;
  readonly id: number;
}

export interface MountTable {
  readonly mounts: readonly Mount[];
  readonly notes: readonly string[];
}

interface Layout {
  readonly mount: Struct;
  readonly vfsmount: Field;
  readonly flags: Field;
  readonly superblock: Field;
  readonly root: Field;
  readonly parent: Field;
  readonly mountpoint: Field;
  readonly device: Field;
  readonly id: Field;
  readonly fileSystem: Field;
  readonly typeName: Field;
  readonly dentryName: Field;
  readonly dentryParent: Field;
}

function mountLayout(kernel: Kernel): Layout {
  return kernel.memo(mountLayout, () => {
    const mount = kernel.types.struct("mount");
    const dentry = kernel.types.struct("dentry");
    return {
      mount,
      vfsmount: mount.field("mnt"),
      flags: mount.field("mnt.mnt_flags"),
      superblock: mount.field("mnt.mnt_sb"),
      root: mount.field("mnt.mnt_root"),
      parent: mount.field("mnt_parent"),
      mountpoint: mount.field("mnt_mountpoint"),
      device: mount.field("mnt_devname"),
      id: mount.field("mnt_id"),
      fileSystem: kernel.types.struct("super_block").field("s_type"),
      typeName: kernel.types.struct("file_system_type").field("name"),
      // 6.16 made d_name read-only and keeps the writable view of the same bytes in __d_name.
      dentryName: dentry.tryField("d_name.name") ?? dentry.field("__d_name.name"),
      dentryParent: dentry.field("d_parent"),
    };
  });
}

/** Mount namespace of a task; undefined for one that has exited. @throws FaultError */
export function mountNamespace(kernel: Kernel, task: VirtualAddress): VirtualAddress | undefined {
  const proxy = kernel.types.struct("task_struct").field("nsproxy").pointer(task);
  if (proxy === 0n) return undefined;
  return kernel.types.struct("nsproxy").field("mnt_ns").pointer(proxy);
}

/**
 * All mounts of a task's namespace, in the order of /proc/mounts. A broken list ends it; the notes say where.
 * @throws FaultError when the task has no namespace that can be read
 */
export function mountTable(kernel: Kernel, task: VirtualAddress): MountTable {
  const layout = mountLayout(kernel);
  const namespace = mountNamespace(kernel, task);
  if (namespace === undefined) return { mounts: [], notes: ["the task has exited: it has no mount namespace"] };
  const root = taskRoot(kernel, task);
  const mounts: Mount[] = [];
  const notes: string[] = [];
  try {
    for (const address of mountAddresses(kernel, layout, namespace)) {
      if ((layout.flags.bigint(address) & MNT_CURSOR) !== 0n && isCursor(kernel, layout, address)) continue;
      mounts.push(readMount(kernel, layout, address, root));
    }
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    notes.push(`the list of mounts cannot be read to its end: ${error.message}`);
  }
  return { mounts, notes };
}

function* mountAddresses(kernel: Kernel, layout: Layout, namespace: VirtualAddress): Generator<VirtualAddress, void, undefined> {
  const struct = kernel.types.struct("mnt_namespace");
  const node = layout.mount.tryField("mnt_node");
  const list = struct.tryField("list");
  if (list === undefined && node !== undefined) {
    for (const each of rbtreeNodes(kernel.memory, struct.field("mounts").address(namespace), MAX_MOUNTS)) yield containerOf(each, node);
    return;
  }
  const link = layout.mount.field("mnt_list");
  for (const each of listNodes(kernel.memory, (list ?? struct.field("list")).address(namespace), { limit: MAX_MOUNTS }))
    yield containerOf(each, link);
}

/** A cursor lies in a struct proc_mounts and has no superblock; later kernels gave the bit another meaning. */
function isCursor(kernel: Kernel, layout: Layout, address: VirtualAddress): boolean {
  const superblock = kernel.memory.tryU64(layout.superblock.address(address));
  return superblock === undefined || !kernel.arch.isKernelAddress(superblock);
}

/** A path as the kernel keeps it: struct path. */
interface Root {
  readonly mount: VirtualAddress;
  readonly dentry: VirtualAddress;
}

/** The root directory of a task: task.fs->root. */
function taskRoot(kernel: Kernel, task: VirtualAddress): Root | undefined {
  const fs = kernel.types.struct("task_struct").field("fs").pointer(task);
  if (fs === 0n) return undefined;
  const struct = kernel.types.struct("fs_struct");
  const vfsmount = struct.field("root.mnt").pointer(fs);
  return { mount: add(vfsmount, -mountLayout(kernel).vfsmount.offset), dentry: struct.field("root.dentry").pointer(fs) };
}

function readMount(kernel: Kernel, layout: Layout, address: VirtualAddress, root: Root | undefined): Mount {
  const path = mountPath(kernel, layout, address, layout.root.pointer(address), root);
  const superblock = layout.superblock.pointer(address);
  return {
    address,
    vfsmount: layout.vfsmount.address(address),
    superblock,
    type: text(kernel, () => layout.typeName.pointer(layout.fileSystem.pointer(superblock))),
    device: text(kernel, () => layout.device.pointer(address)),
    directory: path.text,
    reachable: path.reachable,
    id: layout.id.number(address),
  };
}

/** A C string behind a pointer that may be NULL or unreadable. */
function text(kernel: Kernel, pointer: () => VirtualAddress): string {
  try {
    const at = pointer();
    return at === 0n ? "none" : kernel.memory.cString(at, 4096);
  } catch (error) {
    if (error instanceof FaultError) return "?";
    throw error;
  }
}

/** Path of a dentry in a mount, up to the root of the namespace. Never throws for damaged memory: "?" stands for what is missing. */
export function pathOf(kernel: Kernel, vfsmount: VirtualAddress, dentry: VirtualAddress): string {
  const layout = mountLayout(kernel);
  return mountPath(kernel, layout, add(vfsmount, -layout.vfsmount.offset), dentry, undefined).text;
}

/** The same, and whether the climb ended at the root of a namespace and not at a directory that is mounted nowhere. */
export function reachablePath(
  kernel: Kernel,
  vfsmount: VirtualAddress,
  dentry: VirtualAddress,
): { readonly text: string; readonly reachable: boolean } {
  const layout = mountLayout(kernel);
  return mountPath(kernel, layout, add(vfsmount, -layout.vfsmount.offset), dentry, undefined);
}

/**
 * The mounts of a file system, as struct vfsmount.
 *   6.18+    super_block.s_mounts ─► mount.mnt_next_for_sb ─► …
 *   before   super_block.s_mounts ⇄ mount.mnt_instance            (39f7c4db1d2d, 3.3)
 * @throws InquestError where the list breaks, after what came before
 */
export function* superblockMounts(kernel: Kernel, superblock: VirtualAddress): Generator<VirtualAddress, void, undefined> {
  const layout = mountLayout(kernel);
  const head = kernel.types.struct("super_block").field("s_mounts");
  const instance = layout.mount.tryField("mnt_instance");
  if (instance !== undefined) {
    for (const node of listNodes(kernel.memory, head.address(superblock), { limit: MAX_MOUNTS }))
      yield layout.vfsmount.address(containerOf(node, instance));
    return;
  }
  const next = layout.mount.field("mnt_next_for_sb");
  const seen = new Set<bigint>();
  for (let mount = head.pointer(superblock); mount !== 0n && seen.size < MAX_MOUNTS; mount = next.pointer(mount)) {
    if (seen.has(mount)) throw new CorruptionError("mount", "the mounts of the file system run in a circle", mount);
    seen.add(mount);
    yield layout.vfsmount.address(mount);
  }
}

/** Climbs to `root`; "reachable" when it was met, or when none was given and the top of all mounts was. */
function mountPath(
  kernel: Kernel,
  layout: Layout,
  startMount: VirtualAddress,
  startDentry: VirtualAddress,
  root: Root | undefined,
): { readonly text: string; readonly reachable: boolean } {
  const names: string[] = [];
  const found = (reachable: boolean) => ({ text: `/${names.reverse().join("/")}`, reachable });
  let mount = startMount;
  let dentry = startDentry;
  try {
    for (let depth = 0; depth < MAX_DEPTH; depth++) {
      if (mount === root?.mount && dentry === root.dentry) return found(true);
      if (dentry === layout.root.pointer(mount)) {
        const parent = layout.parent.pointer(mount);
        if (parent === mount || parent === 0n) return found(root === undefined);
        dentry = layout.mountpoint.pointer(mount);
        mount = parent;
        continue;
      }
      const parent = layout.dentryParent.pointer(dentry);
      // Its own parent without being the mount's root: the directory is detached.
      if (parent === dentry) return found(false);
      names.push(kernel.memory.cString(layout.dentryName.pointer(dentry), 256));
      dentry = parent;
    }
  } catch (error) {
    if (!(error instanceof FaultError)) throw error;
  }
  return { text: `?/${names.reverse().join("/")}`, reachable: false };
}
