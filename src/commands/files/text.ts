/** How `files` reads: the open files of a task, a dentry, the pages of an inode. */
import { hex16 } from "../../bytes/address.ts";
import type { OpenFile } from "../../linux/file.ts";
import type { DentryRow, InodePages, TaskFiles } from "../files.ts";
import { taskHeader } from "../support/task-header.ts";
import { pageText } from "../vtop.ts";

/** A task with its table of files. @param counts of cached pages are shown (-c) */
export function* taskText({ task, root, cwd, files: rows, filtered, notes }: TaskFiles, counts: boolean): Iterable<string> {
  yield taskHeader(task);
  if (root !== undefined || cwd !== undefined) yield `ROOT: ${root ?? "?"}    CWD: ${cwd ?? "?"}`;
  if (rows.length === 0) {
    if (filtered !== true) yield "No open files";
  } else
    yield counts
      ? " FD      INODE          I_MAPPING     NRPAGES TYPE PATH"
      : " FD       FILE            DENTRY           INODE       TYPE PATH";
  for (const row of rows) {
    const fd = String(row.fd).padStart(3);
    const where = counts
      ? `${hex16(row.inode)} ${hex16(row.mapping ?? 0n)} ${String(row.cachedPages ?? "?").padStart(7)}`
      : `${hex16(row.file)} ${hex16(row.dentry)} ${hex16(row.inode)}`;
    yield `${fd} ${where} ${row.type.padEnd(4)} ${pathText(row)}`.trimEnd();
  }
  for (const note of notes) yield `(${note})`;
}

function pathText({ path, socket, problem }: OpenFile): string {
  const protocol = socket?.protocol === undefined ? "" : `${socket.protocol} `;
  return `${protocol}${path}${problem === undefined ? "" : `  (${problem})`}`;
}

/** -d */
export function* dentryText({ dentry, inode, superblock, type, path, protocol }: DentryRow): Iterable<string> {
  yield "     DENTRY           INODE           SUPERBLK     TYPE PATH";
  const told = protocol === undefined ? path : `${protocol} ${path}`;
  yield `${hex16(dentry)} ${hex16(inode)} ${hex16(superblock)} ${type.padEnd(4)} ${told}`;
}

/** -p and -n */
export function* inodeText({ inode, cachedPages: count, pages, nodes, notes }: InodePages): Iterable<string> {
  yield "     INODE        NRPAGES";
  yield `${hex16(inode)} ${String(count).padStart(8)}`;
  yield "";
  if (nodes !== undefined) {
    yield "    NODE      PAGES";
    for (const { node, pages: amount } of nodes) yield `${String(node).padStart(8)} ${String(amount).padStart(10)}`;
  }
  let first = true;
  for (const { index, page, info } of pages ?? []) {
    if (info === undefined) {
      yield `${hex16(page)}  (page ${index} of the file: its struct page cannot be read)`;
      continue;
    }
    const [header = "", row = ""] = pageText({ ...info, index: BigInt(index) });
    if (first) yield header;
    first = false;
    yield row;
  }
  for (const note of notes) yield `(${note})`;
}
