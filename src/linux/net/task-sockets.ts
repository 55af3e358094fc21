/** The sockets that tasks have open, and for each sock the tasks that do. */
import type { VirtualAddress } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { fileDescriptors, filePlace, inodeType, socketOf } from "../file.ts";
import { isGroupLeader, taskTable } from "../task.ts";
import { tell } from "./guarded.ts";

export interface TaskSocket {
  readonly fd: number;
  /** struct file. */
  readonly file: VirtualAddress;
  /** struct socket. */
  readonly socket: VirtualAddress;
  /** struct sock; 0 when it has been released. */
  readonly sock: VirtualAddress;
}

/** A task that holds a socket. */
export interface SocketOwner {
  readonly pid: number;
  readonly comm: string;
  readonly task: VirtualAddress;
  readonly fd: number;
}

/** The sockets among a task's open files. Descriptors that cannot be read are told in `notes`. */
export function* taskSockets(kernel: Kernel, task: VirtualAddress, notes: string[] = []): Generator<TaskSocket, void, undefined> {
  const mode = kernel.types.struct("inode").field("i_mode");
  for (const { fd, file } of fileDescriptors(kernel, task, notes)) {
    try {
      const { inode } = filePlace(kernel, file);
      if (inodeType(mode.number(inode)) !== "SOCK") continue;
      const { socket, sock } = socketOf(kernel, inode);
      yield { fd, file, socket, sock };
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      tell(notes, `file descriptor ${fd}: ${error.message}`);
    }
  }
}

/**
 * The owners of every sock that a task has open; one task per table of files (threads share it). Once per dump.
 * @param progress told how many tasks are done
 */
export function socketOwners(
  kernel: Kernel,
  progress?: (done: number, total: number) => void,
): ReadonlyMap<bigint, readonly SocketOwner[]> {
  return kernel.memo(socketOwners, () => {
    const owners = new Map<bigint, SocketOwner[]>();
    const seen = new Set<bigint>();
    const files = kernel.types.struct("task_struct").field("files");
    const { tasks } = taskTable(kernel);
    // Leaders first: of threads that share a table, the process is named.
    const ordered = [...tasks].sort((a, b) => Number(isGroupLeader(b)) - Number(isGroupLeader(a)));
    let done = 0;
    for (const { address, pid, comm } of ordered) {
      progress?.(done++, ordered.length);
      const table = kernel.memory.tryU64(files.address(address));
      if (table === undefined || table === 0n || seen.has(table)) continue;
      seen.add(table);
      for (const { fd, sock } of taskSockets(kernel, address)) {
        const list = owners.get(sock);
        const owner = { pid, comm, task: address, fd };
        if (list === undefined) owners.set(sock, [owner]);
        else list.push(owner);
      }
    }
    return owners;
  });
}
