/**
 * The file systems that pid 1 sees: type, device, directory. Walks the namespace's mounts and builds each path from its dentries.
 *
 *   inquest script examples/mounts.ts vmcore
 *
 * Kernel side: struct mount (fs/mount.h). A namespace keeps its mounts on a list (`list` of `mnt_list`), since 6.8 in a red-black tree
 * (`mounts` of `mnt_node`, 2eea9ce4310d): the layout that the dump's own types have decides.
 */
import type { Kernel, Value } from "inquest";

/** A path is at most PATH_MAX characters. */
const MAX_NAMES = 4096;
/** MNT_CURSOR of include/linux/mount.h: readers of /proc/mounts had dummies in the list from 5.8 to 6.7. */
const CURSOR = 0x10000000n;

/** Name of a directory entry; the kernel calls the member __d_name since 6.16. */
function nameOf(dentry: Value): string {
  return dentry.get(dentry.has("d_name") ? "d_name.name" : "__d_name.name").string();
}

/** Where a mount is mounted: names up to its root, then on from its mountpoint in its parent. */
function pathOf(mount: Value): string {
  const names: string[] = [];
  let here = mount;
  let dentry = mount.get("mnt.mnt_root");
  for (let steps = 0; steps < MAX_NAMES; steps++) {
    if (dentry.equals(here.get("mnt.mnt_root"))) {
      const parent = here.get("mnt_parent");
      if (parent.equals(here.address ?? here.bigint())) break;
      dentry = here.get("mnt_mountpoint");
      here = parent.dereference();
      if (dentry.equals(here.get("mnt.mnt_root"))) continue;
    }
    names.unshift(nameOf(dentry));
    dentry = dentry.get("d_parent");
  }
  return `/${names.join("/")}`;
}

export default function (kernel: Kernel): string {
  const namespace = kernel.task(1).struct.get("nsproxy.mnt_ns");
  const mounts = namespace.has("list")
    ? [...namespace.get("list").list("struct mount", "mnt_list")]
    : [...namespace.get("mounts").rbtree("struct mount", "mnt_node")];
  return mounts
    .filter((mount) => (mount.get("mnt.mnt_flags").bigint() & CURSOR) === 0n)
    .map((mount) => {
      const type = mount.get("mnt.mnt_sb.s_type.name").string();
      return `${type.padEnd(12)} ${mount.get("mnt_devname").string().padEnd(12)} ${pathOf(mount)}`;
    })
    .join("\n");
}
