/**
 * Open files: the table of file descriptors of a task (include/linux/fdtable.h, fs.h).
 *
 *   task.files ─► files_struct.fdt ─► fdtable { max_fds, fd[] }      fd[n] ─► struct file { f_path { mnt, dentry }, f_inode, f_mode }
 *
 * The same from 2.6.14 to 7.2. Threads of a process share the table as a rule (CLONE_FILES). A struct file names its path in f_path, since
 * 6.19 in a union with __f_path. A file that overlayfs opened below itself (6.5 on, FMODE_BACKING) is a backing_file: the path the user
 * asked for lies behind it in user_path (62d53c4a1dfe), after 7.2 in a struct file of its own, user_path_file.
 */
import { add, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError, InquestError } from "../bytes/errors.ts";
import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { dentryInode, shownPath } from "./dentry.ts";

/** fs.nr_open is 2^20 by default and may be raised; a table beyond this is damaged. */
const MAX_FILES = 1 << 26;
/** Descriptors read at once. */
const CHUNK = 512;
/** Pieces of a table that may be unreadable before it is given up. */
const MAX_HOLES = 64;
/** FMODE_BACKING of include/linux/fs.h, 6.5 on. */
const BACKING = 1 << 25;

/** What a file is, in crash's words; UNKN for an inode without a type (anonymous inodes). */
export type FileType = "REG" | "DIR" | "CHR" | "BLK" | "FIFO" | "SOCK" | "LNK" | "UNKN";

/** An open file of a task, with its path as the task's namespace shows it. */
export interface OpenFile {
  /** File descriptor. */
  readonly fd: number;
  /** struct file. */
  readonly file: VirtualAddress;
  /** 0 where it cannot be read. */
  readonly dentry: VirtualAddress;
  readonly inode: VirtualAddress;
  readonly type: FileType;
  /** As /proc/PID/fd shows it: "/dev/null", "socket:[1234]", "/tmp/x (deleted)"; "?" for parts that cannot be read. */
  readonly path: string;
  /** Of sockets only. */
  readonly socket?: SocketOfFile;
  /** Why a part is missing. */
  readonly problem?: string;
}

/** The socket behind a file. */
export interface SocketOfFile {
  /** struct socket. */
  readonly socket: VirtualAddress;
  /** struct sock; 0 when the socket has been released. */
  readonly sock: VirtualAddress;
  /** Name of its protocol: "TCP", "UNIX-STREAM", "PACKET". */
  readonly protocol?: string;
}

/** A struct path of the kernel, and what it says. */
export interface ShownPath {
  readonly vfsmount: VirtualAddress;
  readonly dentry: VirtualAddress;
  readonly path: string;
}

interface Layout {
  readonly mount: Field;
  readonly dentry: Field;
  readonly inode: Field | undefined;
  readonly mode: Field | undefined;
  /** Of struct backing_file. */
  readonly userMount: Field | undefined;
  readonly userDentry: Field | undefined;
  readonly inodeMode: Field;
}

function fileLayout(kernel: Kernel): Layout {
  return kernel.memo(fileLayout, () => {
    const file = kernel.types.struct("file");
    const backing = kernel.types.tryStruct("backing_file");
    return {
      mount: file.firstField("f_path.mnt", "__f_path.mnt") ?? file.field("f_path.mnt"),
      dentry: file.firstField("f_path.dentry", "__f_path.dentry") ?? file.field("f_path.dentry"),
      // 3.9 (dd37978c50bc); before, the dentry's.
      inode: file.tryField("f_inode"),
      mode: file.tryField("f_mode"),
      userMount: backing?.firstField("user_path_file.f_path.mnt", "user_path.mnt"),
      userDentry: backing?.firstField("user_path_file.f_path.dentry", "user_path.dentry"),
      inodeMode: kernel.types.struct("inode").field("i_mode"),
    };
  });
}

/**
 * The open files of a task, in the order of their descriptors, read as they are pulled. Never throws for damaged memory: what is missing of
 * a file is in its `problem`.
 * @param task struct task_struct
 * @param notes takes a line for each part of the table that cannot be read
 */
export function* openFiles(kernel: Kernel, task: VirtualAddress, notes: string[] = []): Generator<OpenFile, void, undefined> {
  for (const { fd, file } of fileDescriptors(kernel, task, notes)) yield { fd, ...describeFile(kernel, file) };
}

/** The descriptors of a task alone: number and struct file. As openFiles, and much cheaper. */
export function* fileDescriptors(
  kernel: Kernel,
  task: VirtualAddress,
  notes: string[] = [],
): Generator<{ readonly fd: number; readonly file: VirtualAddress }, void, undefined> {
  let table: { readonly count: number; readonly slots: VirtualAddress } | undefined;
  try {
    table = fileTable(kernel, task);
  } catch (error) {
    if (!(error instanceof FaultError)) throw error;
    notes.push(`the table of open files cannot be read: ${error.message}`);
    return;
  }
  if (table === undefined) return;
  let { count } = table;
  if (count > MAX_FILES) {
    notes.push(`the table of open files claims ${count} descriptors: it is damaged; the first ${CHUNK} are read`);
    count = CHUNK;
  }
  let holes = 0;
  // Up to the end of a page, so that what cannot be read hides no more than it must.
  for (let fd = 0; fd < count; ) {
    const at = add(table.slots, fd * 8);
    const rest = Math.min(count - fd, CHUNK - (Number(at & 0xfffn) >>> 3));
    const bytes = kernel.memory.tryBytes(at, rest * 8);
    if (bytes === undefined) {
      notes.push(`descriptors ${fd} to ${fd + rest - 1} cannot be read`);
      if (++holes > MAX_HOLES) return;
    } else {
      const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let i = 0; i < rest; i++) {
        const file = words.getBigUint64(i * 8, true);
        if (file !== 0n) yield { fd: fd + i, file: virtual(file) };
      }
    }
    fd += rest;
  }
}

/** Address and length of fd[]; undefined for a task that has exited. @throws FaultError */
function fileTable(kernel: Kernel, task: VirtualAddress): { readonly count: number; readonly slots: VirtualAddress } | undefined {
  const { types } = kernel;
  const files = types.struct("task_struct").field("files").pointer(task);
  if (files === 0n) return undefined;
  const table = types.struct("files_struct").field("fdt").pointer(files);
  const struct = types.struct("fdtable");
  return { count: struct.field("max_fds").number(table), slots: struct.field("fd").pointer(table) };
}

/** What a struct file says of itself. Never throws for damaged memory. */
export function describeFile(kernel: Kernel, file: VirtualAddress): Omit<OpenFile, "fd"> {
  const layout = fileLayout(kernel);
  let dentry = virtual(0n);
  let inode = virtual(0n);
  let path = "?";
  try {
    const place = pathPlace(kernel, layout, file);
    dentry = layout.dentry.pointer(file);
    path = shownPath(kernel, place.vfsmount, place.dentry);
    inode = layout.inode?.pointer(file) ?? dentryInode(kernel, dentry);
    const type = inodeType(layout.inodeMode.number(inode));
    if (type !== "SOCK") return { file, dentry, inode, type, path };
    return { file, dentry, inode, type, path, socket: socketOf(kernel, inode) };
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    return { file, dentry, inode, type: "UNKN", path, problem: error.message };
  }
}

/** Path of a struct file as /proc shows it. @throws FaultError when the file itself cannot be read; "?" stands for parts of the path */
export function filePath(kernel: Kernel, file: VirtualAddress): string {
  const { vfsmount, dentry } = pathPlace(kernel, fileLayout(kernel), file);
  return shownPath(kernel, vfsmount, dentry);
}

/** struct dentry and struct inode of a struct file. @throws FaultError */
export function filePlace(kernel: Kernel, file: VirtualAddress): { readonly dentry: VirtualAddress; readonly inode: VirtualAddress } {
  const layout = fileLayout(kernel);
  const dentry = layout.dentry.pointer(file);
  return { dentry, inode: layout.inode?.pointer(file) ?? dentryInode(kernel, dentry) };
}

/** The struct path that the user asked for. */
function pathPlace(kernel: Kernel, layout: Layout, file: VirtualAddress): Omit<ShownPath, "path"> {
  const backed = layout.mode !== undefined && (layout.mode.number(file) & BACKING) !== 0;
  if (backed && layout.userMount !== undefined && layout.userDentry !== undefined) {
    const vfsmount = layout.userMount.pointer(file);
    if (kernel.arch.isKernelAddress(vfsmount)) return { vfsmount, dentry: layout.userDentry.pointer(file) };
  }
  return { vfsmount: layout.mount.pointer(file), dentry: layout.dentry.pointer(file) };
}

/** Kinds of S_IFMT (include/uapi/linux/stat.h). */
const TYPES: ReadonlyMap<number, FileType> = new Map([
  [0o14, "SOCK"],
  [0o12, "LNK"],
  [0o10, "REG"],
  [0o6, "BLK"],
  [0o4, "DIR"],
  [0o2, "CHR"],
  [0o1, "FIFO"],
]);

/** @param mode inode.i_mode */
export function inodeType(mode: number): FileType {
  return TYPES.get((mode >> 12) & 0xf) ?? "UNKN";
}

/**
 * The socket of an inode of sockfs: both lie in one struct socket_alloc. The name is that of its struct proto; what cannot be read is left
 * out. @throws FaultError
 */
export function socketOf(kernel: Kernel, inode: VirtualAddress): SocketOfFile {
  const { types, memory } = kernel;
  const both = types.struct("socket_alloc");
  const socket = add(inode, both.field("socket").offset - both.field("vfs_inode").offset);
  const sock = types.struct("socket").field("sk").pointer(socket);
  if (sock === 0n) return { socket, sock };
  const proto = memory.tryU64(types.struct("sock").field("__sk_common.skc_prot").address(sock));
  const name = types.tryStruct("proto")?.tryField("name");
  const text = proto === undefined || name === undefined ? undefined : memory.tryBytes(name.address(virtual(proto)), name.size);
  if (text === undefined) return { socket, sock };
  const end = text.indexOf(0);
  return { socket, sock, protocol: new TextDecoder().decode(end < 0 ? text : text.subarray(0, end)) };
}

/** Root and working directory of a task (task.fs); undefined for one that has exited. @throws FaultError */
export function directories(kernel: Kernel, task: VirtualAddress): { readonly root: ShownPath; readonly cwd: ShownPath } | undefined {
  const fs = kernel.types.struct("task_struct").field("fs").pointer(task);
  if (fs === 0n) return undefined;
  const struct = kernel.types.struct("fs_struct");
  const place = (name: string): ShownPath => {
    const vfsmount = struct.field(`${name}.mnt`).pointer(fs);
    const dentry = struct.field(`${name}.dentry`).pointer(fs);
    return { vfsmount, dentry, path: shownPath(kernel, vfsmount, dentry) };
  };
  return { root: place("root"), cwd: place("pwd") };
}
