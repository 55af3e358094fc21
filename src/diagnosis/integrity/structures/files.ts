/**
 * Open files of tasks and what they lead to: include/linux/fdtable.h, fs.h, dcache.h, mount.h.
 *
 *   task.files.fdt.fd[n] ─► file { f_op, f_inode, f_mapping, f_cred, f_path { mnt, dentry } }
 *   dentry { d_parent, d_inode, d_sb, d_op }      inode { i_sb, i_op, i_fop, i_mapping }
 *
 * An inode that a dentry and a super block lead to is checked once (visit()).
 */
import type { VirtualAddress } from "../../../bytes/address.ts";
import { add, virtual } from "../../../bytes/address.ts";
import { fileDescriptors } from "../../../linux/file.ts";
import { taskTable } from "../../../linux/task.ts";
import type { Survey } from "../survey.ts";
import type { PointerFact } from "../survey-facts.ts";
import { surveyPageCache } from "./page-cache.ts";
import { surveySocket } from "./sockets.ts";

/** Descriptors of one process that are looked at. */
const MAX_OPEN = 4096;

export function surveyFiles(survey: Survey): void {
  const { kernel } = survey;
  for (const { address, pid, idle } of taskTable(kernel).tasks) {
    if (idle) continue;
    const files = survey.follow("task_struct", "files", address);
    if (files === undefined || !survey.visit("files_struct", files)) continue;
    survey.quietly(() => {
      let count = 0;
      for (const { file } of fileDescriptors(kernel, address)) {
        if (++count > MAX_OPEN) break;
        surveyFile(survey, file, `it is open in task ${pid}`);
      }
    });
  }
}

/** i_mapping, which is known for certain where it is the inode's own i_data. */
function mappingOf(survey: Survey, inode: VirtualAddress): PointerFact["equals"] {
  const own = survey.field("inode", "i_data")?.address(inode);
  const same = survey.sameAs("inode", "i_mapping", inode, "the file's inode has the same");
  if (same === undefined || same.value !== own || same.address === undefined) return same;
  return { value: same.value, what: "the file's inode has the same, its own", address: same.address };
}

/** @param why somebody holds it */
export function surveyFile(survey: Survey, file: VirtualAddress, why: string): void {
  if (!survey.visit("file", file)) return;
  survey.pointer("file", "f_op", file, "ops");
  const path = survey.follow("file", "f_path.dentry", file);
  const named = path === undefined ? undefined : survey.sameAs("dentry", "d_inode", path, "the dentry of the file's path leads there");
  const inode = survey.pointer("file", "f_inode", file, "inode", named);
  // do_dentry_open() takes it over; block devices have one of their own.
  const mapping = inode === undefined ? undefined : mappingOf(survey, inode);
  survey.pointer("file", "f_mapping", file, "address_space", mapping);
  survey.pointer("file", "f_cred", file, "cred");
  const dentry = survey.pointer("file", "f_path.dentry", file, "dentry");
  const mount = survey.pointer("file", "f_path.mnt", file, "vfsmount");
  // f_ref since 6.13 (90ee6ed776c0) counts from −1 on: 0 is one reference.
  survey.count("file", ["f_count.counter"], file, why);
  if (dentry !== undefined) {
    surveyDentry(survey, dentry);
    survey.count("dentry", ["d_lockref.count"], dentry, why);
  }
  if (inode !== undefined) {
    surveyInode(survey, inode);
    survey.count("inode", ["i_count.counter"], inode, why);
    survey.quietly(() => surveySocket(survey, file, inode, why));
  }
  if (mount !== undefined) surveyMount(survey, mount);
}

export function surveyInode(survey: Survey, inode: VirtualAddress, owner?: { readonly superBlock: VirtualAddress }): void {
  const fresh = survey.visit("inode", inode);
  if (owner !== undefined && survey.visit("inode of a super block", inode))
    survey.pointer("inode", "i_sb", inode, "super_block", {
      value: owner.superBlock,
      what: "the inode is on the super block's list s_inodes",
    });
  if (!fresh) return;
  if (owner === undefined) survey.pointer("inode", "i_sb", inode, "super_block");
  survey.pointer("inode", "i_op", inode, "ops");
  survey.pointer("inode", "i_fop", inode, "ops");
  // Its own i_data, but for block devices.
  const own = survey.field("inode", "i_data")?.address(inode);
  const equals = own === undefined ? undefined : { value: own, what: "it is the inode's own i_data", doubtful: true as const };
  survey.mutual("inode", "i_mapping", inode, "address_space", "host");
  survey.pointer("inode", "i_mapping", inode, "address_space", equals);
  survey.pointer("inode", "i_data.a_ops", inode, "ops");
  survey.quietly(() => surveyPageCache(survey, inode));
  survey.chained("the hash table of inodes", "inode", "i_hash", inode);
}

/** Up to the root of its file system; each with its children. */
export function surveyDentry(survey: Survey, first: VirtualAddress): void {
  let dentry: VirtualAddress | undefined = first;
  while (dentry !== undefined && survey.visit("dentry", dentry)) {
    survey.pointer("dentry", "d_op", dentry, "ops");
    const inode = survey.pointer("dentry", "d_inode", dentry, "inode");
    const block = inode === undefined ? undefined : survey.sameAs("inode", "i_sb", inode, "its inode is of this super block");
    survey.pointer("dentry", "d_sb", dentry, "super_block", block);
    if (inode !== undefined) surveyInode(survey, inode);
    surveyChildren(survey, dentry);
    dentry = survey.pointer("dentry", "d_parent", dentry, "dentry");
  }
}

function surveyChildren(survey: Survey, dentry: VirtualAddress): void {
  const at = dentry;
  const equals = { value: at, what: "it is on its parent's list of children" };
  for (const child of children(survey, at)) {
    if (!survey.visit("child", child)) continue;
    survey.pointer("dentry", "d_parent", child, "dentry", equals);
    if (!survey.met("dentry").has(child)) {
      survey.pointer("dentry", "d_sb", child, "super_block");
      const inode = survey.pointer("dentry", "d_inode", child, "inode");
      if (inode !== undefined) surveyInode(survey, inode);
    }
  }
}

/** d_subdirs ⇄ d_child until 6.7; d_children ─► d_sib, an hlist, since 6.8 (da549bdd15c2). */
function children(survey: Survey, dentry: VirtualAddress): readonly VirtualAddress[] {
  if (survey.field("dentry", "d_subdirs") !== undefined)
    return survey.ring("children of a dentry", { type: "dentry", member: "d_subdirs", object: dentry }, "dentry", "d_child");
  return survey.chain("children of a dentry", { type: "dentry", member: "d_children", object: dentry }, "dentry", "d_sib");
}

export function surveyMount(survey: Survey, vfsmount: VirtualAddress): void {
  const embedded = survey.field("mount", "mnt");
  if (embedded === undefined) return;
  const mount = virtual(add(vfsmount, -embedded.offset));
  if (!survey.visit("mount", mount)) return;
  survey.pointer("mount", "mnt.mnt_sb", mount, "super_block");
  const root = survey.pointer("mount", "mnt.mnt_root", mount, "dentry");
  if (root !== undefined) surveyDentry(survey, root);
  survey.pointer("mount", "mnt_mountpoint", mount, "dentry");
  const parent = survey.follow("mount", "mnt_parent", mount);
  if (parent !== undefined && parent !== mount) survey.pointer("mount", "mnt_parent", mount, "mount");
}
