/**
 * Super blocks with their inodes and mounts: include/linux/fs.h, fs/mount.h.
 *
 *   super_blocks ⇄ super_block.s_list ⇄ …
 *   super_block.s_inodes ⇄ inode.i_sb_list ⇄ …         inode.i_sb is the super block
 *   file_system_type.fs_supers ─► super_block.s_instances ─► …      super_block.s_type is the type (sget_fc(): set before it is put there)
 *   super_block.s_mounts ⇄ mount.mnt_instance ⇄ …      mount.mnt.mnt_sb is the super block; a chain of pointers since 6.18
 */
import { add, type VirtualAddress, virtual } from "../../../bytes/address.ts";
import { superBlocksHead } from "../heads.ts";
import type { Survey } from "../survey.ts";
import { surveyDentry, surveyInode, surveyMount } from "./files.ts";

/** Inodes of one file system whose members are looked at; the list is walked whole. */
const MAX_INODES = 4096;
/** A file system's name with its end: "ext4", "fuseblk", "binfmt_misc". */
const NAME = /^[\w.-]{2,31}\0/;
const MAX_NAME = 32;

export function surveyFileSystems(survey: Survey): void {
  const head = superBlocksHead(survey.kernel);
  if (head === undefined) return;
  const types = typesByList(survey);
  for (const block of survey.ring("the list of super blocks", { address: head, symbol: "super_blocks" }, "super_block", "s_list")) {
    if (!survey.visit("super_block", block)) continue;
    survey.quietly(() => {
      survey.pointer("super_block", "s_op", block, "ops");
      const type = types.get(block);
      const what = "the super block is on this type's list fs_supers";
      survey.pointer("super_block", "s_type", block, "file_system_type", type === undefined ? undefined : { value: type, what });
      survey.count("super_block", ["s_count"], block, "it is on the list of super blocks");
      survey.mutual("super_block", "s_root", block, "dentry", "d_sb");
      const root = survey.pointer("super_block", "s_root", block, "dentry");
      if (root !== undefined) surveyDentry(survey, root);
      const inodes = survey.ring(
        "the inodes of a super block",
        { type: "super_block", member: "s_inodes", object: block },
        "inode",
        "i_sb_list",
      );
      for (const inode of inodes.slice(0, MAX_INODES)) surveyInode(survey, inode, { superBlock: block });
      const embedded = survey.field("mount", "mnt");
      const instance = survey.field("mount", "mnt_instance");
      if (embedded === undefined || instance === undefined) return;
      for (const mount of survey.ring(
        "the mounts of a super block",
        { type: "super_block", member: "s_mounts", object: block },
        "mount",
        "mnt_instance",
      ))
        surveyMount(survey, virtual(add(mount, embedded.offset)));
    });
  }
}

/** The type on whose list of super blocks each one is. */
function typesByList(survey: Survey): ReadonlyMap<VirtualAddress, VirtualAddress> {
  const found = new Map<VirtualAddress, VirtualAddress>();
  for (const each of survey.targets.fileSystems) {
    const object = virtual(each);
    // Behind a damaged s_type stands no type at all.
    const name = survey.follow("file_system_type", "name", object);
    const bytes = name === undefined ? undefined : survey.kernel.memory.tryBytes(name, MAX_NAME);
    if (bytes === undefined || !NAME.test(String.fromCharCode(...bytes))) continue;
    survey.quietly(() => {
      const head = { type: "file_system_type", member: "fs_supers", object };
      for (const block of survey.chain("the super blocks of a file system", head, "super_block", "s_instances")) found.set(block, object);
    });
  }
  return found;
}
