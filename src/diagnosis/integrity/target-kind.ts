/**
 * The kinds of objects that a pointer of a known member can lead to, the answers to whether it does, and the sets that were collected to
 * answer by: what is on no list of all super blocks is none.
 */

/** An object of a type, or "ops": a table of functions of the type that the member points to. */
export type TargetKind =
  | "task_struct"
  | "super_block"
  | "net"
  | "inode"
  | "dentry"
  | "vfsmount"
  | "mount"
  | "address_space"
  | "file"
  | "cred"
  | "files_struct"
  | "fs_struct"
  | "signal_struct"
  | "sighand_struct"
  | "nsproxy"
  | "mm_struct"
  | "pid"
  | "file_system_type"
  | "kernfs_node"
  | "xa_node"
  | "xarray"
  | "socket"
  | "sock"
  | "user_struct"
  | "user_namespace"
  | "group_info"
  | "cfs_rq"
  | "worker_pool"
  | "function"
  | "ops"
  | "any";

export type Validity = "yes" | "no" | "unknown";

export type KnownSetName = "tasks" | "superBlocks" | "nets" | "fileSystems";

/** Objects that were found by walking lists that hold all of their kind. */
export interface KnownSets {
  /** Sets of which something may be missing, as their list could not be followed: what is not in one of them may be right all the same. */
  readonly partial: ReadonlySet<KnownSetName>;
  readonly tasks: ReadonlyMap<bigint, unknown>;
  readonly superBlocks: ReadonlySet<bigint>;
  readonly nets: ReadonlySet<bigint>;
  readonly fileSystems: ReadonlySet<bigint>;
}

/** The set that a kind is judged by. */
export const BY_SET: Readonly<Partial<Record<TargetKind, KnownSetName>>> = {
  task_struct: "tasks",
  super_block: "superBlocks",
  inode: "superBlocks",
  dentry: "superBlocks",
  vfsmount: "superBlocks",
  mount: "superBlocks",
  address_space: "superBlocks",
  file: "superBlocks",
  fs_struct: "superBlocks",
  net: "nets",
  nsproxy: "nets",
  file_system_type: "fileSystems",
};
