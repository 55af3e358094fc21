/**
 * Heads of the kernel's lists: by their symbol, or, where the kernel's symbol table lacks static variables (arm64 kernels whose compiler
 * addresses them from section anchors), through an object that is known to be on the list:
 *
 *   object ⇄ object ⇄ head ⇄ object …       the head is the one node that is no member of an object: it lies in the kernel's own data
 */
import { add, type VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { Slabs } from "../../linux/slab.ts";
import { slabCaches } from "../../linux/slab-caches.ts";
import { taskTable } from "../../linux/task.ts";
import { pointerOf, wordAt } from "./look.ts";

const MAX_NODES = 1 << 16;
/** Tasks whose file systems are tried. */
const TASKS = 64;

/** super_blocks: through the root file system of the first task. */
export function superBlocksHead(kernel: Kernel): VirtualAddress | undefined {
  return kernel.memo(superBlocksHead, () => {
    const symbol = kernel.tryAddress("super_blocks");
    if (symbol !== undefined) return symbol;
    const init = kernel.tryAddress("init_task");
    const tasks = taskTable(kernel)
      .tasks.slice(0, TASKS)
      .map(({ address }) => address);
    // Any file system that is in use; the first may be the damaged one.
    for (const task of init === undefined ? tasks : [init, ...tasks]) {
      const fs = pointer(kernel, "task_struct", "fs", task);
      const mount = fs === undefined ? undefined : pointer(kernel, "fs_struct", "root.mnt", fs);
      const mm = pointer(kernel, "task_struct", "mm", task);
      const file = mm === undefined ? undefined : pointer(kernel, "mm_struct", "exe_file", mm);
      const inode = file === undefined ? undefined : pointer(kernel, "file", "f_inode", file);
      for (const block of [
        mount === undefined ? undefined : pointer(kernel, "vfsmount", "mnt_sb", mount),
        inode === undefined ? undefined : pointer(kernel, "inode", "i_sb", inode),
      ]) {
        const head = headThrough(kernel, "super_block", "s_list", block);
        if (head !== undefined) return head;
      }
    }
    return undefined;
  });
}

/** slab_caches: through any cache. */
export function slabCachesHead(kernel: Kernel): VirtualAddress | undefined {
  return kernel.tryAddress("slab_caches") ?? headThrough(kernel, "kmem_cache", "list", slabCaches(kernel).caches[0]?.address);
}

/** workqueues: through system_wq, which modules use. */
export function workqueuesHead(kernel: Kernel): VirtualAddress | undefined {
  const symbol = kernel.tryAddress("workqueues");
  if (symbol !== undefined) return symbol;
  const variable = kernel.tryAddress("system_wq");
  const queue = variable === undefined ? undefined : wordAt(kernel, variable);
  return typeof queue === "bigint" ? headThrough(kernel, "workqueue_struct", "list", pointerOf(kernel, queue)) : undefined;
}

function pointer(kernel: Kernel, type: string, member: string, at: VirtualAddress): VirtualAddress | undefined {
  const field = kernel.types.tryStruct(type)?.tryField(member);
  const word = field === undefined ? undefined : wordAt(kernel, field.address(at));
  return typeof word === "bigint" && word !== 0n ? pointerOf(kernel, word) : undefined;
}

/** The head of a list whose other members are slab objects. */
function headThrough(kernel: Kernel, type: string, member: string, object: VirtualAddress | undefined): VirtualAddress | undefined {
  const link = kernel.types.tryStruct(type)?.tryField(member);
  const slabs = Slabs.of(kernel);
  if (link === undefined || slabs === undefined || object === undefined) return undefined;
  // One direction may be broken.
  for (const ahead of [0, 8]) {
    let node: VirtualAddress = link.address(object);
    const seen = new Set<bigint>();
    while (seen.size < MAX_NODES && !seen.has(node)) {
      seen.add(node);
      const word = wordAt(kernel, add(node, ahead));
      if (typeof word !== "bigint") break;
      node = pointerOf(kernel, word);
      const back = wordAt(kernel, add(node, 8 - ahead));
      if (typeof back !== "bigint") break;
      if (slabs.objectOf(node) === undefined && seen.has(pointerOf(kernel, back))) return node;
    }
  }
  return undefined;
}
