/** `files`: open files of tasks; the pages of one that the page cache holds. */
import { hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError, type InquestError, LookupError, UsageError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { dentryInode, dentryPath, dentrySuperblock } from "../linux/dentry.ts";
import { directories, type FileType, inodeType, type OpenFile, openFiles, socketOf } from "../linux/file.ts";
import { type PageInfo, PageMap, readPage } from "../linux/page.ts";
import { cachedPageCount, cachedPages, inodeMapping } from "../linux/page-cache.ts";
import { pageNode } from "../linux/page-node.ts";
import { type Task, taskAt } from "../linux/task.ts";
import { unlessBroken, untilBroken } from "../linux/until-broken.ts";
import { filesApi } from "./api/views.ts";
import type { ParsedArguments } from "./arguments.ts";
import { defineCommand, type Session } from "./command.ts";
import { dentryText, inodeText, taskText } from "./files/text.ts";
import { lazy } from "./support/lazy.ts";
import { parseHex } from "./support/numbers.ts";
import { taskOperand } from "./support/task-operand.ts";

export interface TaskFile extends OpenFile {
  /** -c: struct address_space, and pages of it in the page cache. */
  readonly mapping?: bigint;
  readonly cachedPages?: number;
}

export interface TaskFiles {
  readonly task: Pick<Task, "pid" | "comm" | "address" | "cpu">;
  /** Absent for a task that has exited. */
  readonly root?: string;
  readonly cwd?: string;
  readonly files: readonly TaskFile[];
  /** -R: only those that refer to the reference are there. */
  readonly filtered?: true;
  readonly notes: readonly string[];
}

/** -d */
export interface DentryRow {
  readonly dentry: bigint;
  readonly inode: bigint;
  readonly superblock: bigint;
  readonly type: FileType;
  readonly path: string;
  readonly protocol?: string;
}

/** A page of a file; its structure is absent where it cannot be read. */
export interface InodePage {
  /** Position in the file, in pages. */
  readonly index: number;
  readonly page: bigint;
  readonly folio: bigint;
  readonly info?: PageInfo;
}

/** -p and -n */
export interface InodePages {
  readonly inode: bigint;
  readonly mapping: bigint;
  readonly cachedPages: number;
  readonly pages?: Iterable<InodePage>;
  /** -n: pages by node. */
  readonly nodes?: readonly { readonly node: number; readonly pages: number }[];
  /** Grows while the pages are walked. */
  readonly notes: readonly string[];
}

export interface FilesResult {
  readonly tasks?: Iterable<TaskFiles>;
  readonly dentry?: DentryRow;
  readonly inode?: InodePages;
  /** -c was given. */
  readonly counts?: true;
}

const SYNOPSIS = ["[-c] [-R reference] [pid | task]…", "-d dentry | -p inode | -n inode"];

export const files = defineCommand<FilesResult>({
  spec: {
    name: "files",
    summary: "open files",
    synopsis: SYNOPSIS,
    description: [
      "Shows the root and working directory of the context task, or of the tasks named, and its open files: descriptor, struct file, dentry, inode, type and path. Paths are those of /proc/PID/fd: pipe:[1234], anon_inode:[eventpoll], /tmp/x (deleted). Sockets have their protocol before it; net -s tells more of them.",
      "With -R only what refers to the reference is shown: a descriptor, part of a path, or the address of a file, dentry, inode or address_space. foreach files -R /var/log tells who has files open there.",
    ],
    options: [
      { flag: "-c", help: "the address_space of each file and how many of its pages the page cache holds" },
      { flag: "-R", argument: "reference", help: "only what refers to it" },
      { flag: "-d", argument: "dentry", help: "one dentry: its inode, super block, type and path" },
      { flag: "-p", argument: "inode", help: "the pages of an inode in the page cache" },
      { flag: "-n", argument: "inode", help: "on which NUMA nodes those pages lie" },
    ],
    operands: ["task"],
    examples: [
      ["files 1", "what pid 1 has open"],
      ["foreach files -R /dev/null", "who has /dev/null open"],
      ["files -c 1", "how much of each file is cached"],
      ["files -p ffff888003a4c000", "the cached pages of an inode"],
    ],
    differences: [
      "Pipes, sockets and anonymous inodes have the names that /proc shows; removed files say (deleted).",
      "-p lists every page of a large folio.",
    ],
  },
  run(session, args) {
    const { kernel } = session;
    const [single, ...more] = ["-d", "-p", "-n"].filter((flag) => args.has(flag));
    if (more.length > 0) throw new UsageError(`${single} and ${more.join(", ")} exclude each other`);
    if (single !== undefined) {
      if (args.operands.length > 0 || args.has("-c") || args.has("-R")) throw new UsageError(`usage: files ${SYNOPSIS.join(" | ")}`);
      const address = virtual(parseHex(args.value(single) as string));
      return single === "-d" ? { dentry: dentryRow(kernel, address) } : { inode: inodePages(session, address, single === "-n") };
    }
    const chosen =
      args.operands.length === 0 ? [taskAt(kernel, session.context)] : args.operands.map((operand) => taskOperand(kernel, operand));
    return { tasks: lazy(() => tasksFiles(kernel, chosen, args)), ...(args.has("-c") ? { counts: true } : {}) };
  },
  api: filesApi,
  *text({ tasks, dentry, inode, counts }) {
    if (dentry !== undefined) yield* dentryText(dentry);
    if (inode !== undefined) yield* inodeText(inode);
    let first = true;
    for (const each of tasks ?? []) {
      if (!first) yield "";
      first = false;
      yield* taskText(each, counts === true);
    }
  },
});

function* tasksFiles(kernel: Kernel, tasks: readonly Task[], args: ParsedArguments): Generator<TaskFiles> {
  const wanted = args.value("-R");
  const refers = wanted === undefined ? undefined : reference(wanted);
  for (const task of tasks) {
    const notes: string[] = [];
    const told = (error: InquestError) => notes.push(error.message);
    const place = unlessBroken(() => directories(kernel, task.address), told);
    const all = openFiles(kernel, task.address, notes);
    const rows: TaskFile[] = [];
    for (const file of all) {
      const row = args.has("-c") || refers !== undefined ? withCache(kernel, file) : file;
      if (refers === undefined || refers.file(row)) rows.push(args.has("-c") ? row : file);
    }
    const { root, cwd } = place ?? {};
    if (refers !== undefined && rows.length === 0 && !refers.path(root?.path) && !refers.path(cwd?.path)) continue;
    yield {
      task: { pid: task.pid, comm: task.comm, address: task.address, cpu: task.cpu },
      ...(root === undefined ? {} : { root: root.path }),
      ...(cwd === undefined ? {} : { cwd: cwd.path }),
      files: rows,
      ...(refers === undefined ? {} : { filtered: true }),
      notes,
    };
  }
}

function withCache(kernel: Kernel, file: OpenFile): TaskFile {
  if (file.inode === 0n) return file;
  try {
    const mapping = inodeMapping(kernel, file.inode);
    return { ...file, mapping, cachedPages: mapping === 0n ? 0 : cachedPageCount(kernel, mapping) };
  } catch (error) {
    if (!(error instanceof FaultError)) throw error;
    return { ...file, problem: file.problem ?? error.message };
  }
}

interface Reference {
  file(row: TaskFile): boolean;
  path(path: string | undefined): boolean;
}

/** A descriptor in decimal, an address in hexadecimal, or a part of a path; of "/", which all paths have, the whole. */
function reference(text: string): Reference {
  const fd = /^\d{1,9}$/.test(text) ? Number(text) : undefined;
  const address = /^(0x)?[0-9a-f]+$/i.test(text) ? parseHex(text) : undefined;
  const path = (shown: string | undefined) => shown !== undefined && (shown === text || (text !== "/" && shown.includes(text)));
  return {
    path,
    file: (row) => row.fd === fd || [row.file, row.dentry, row.inode, row.mapping].includes(address) || path(row.path),
  };
}

function dentryRow(kernel: Kernel, dentry: VirtualAddress): DentryRow {
  const inode = dentryInode(kernel, dentry);
  const superblock = dentrySuperblock(kernel, dentry);
  const path = dentryPath(kernel, dentry);
  if (inode === 0n) return { dentry, inode, superblock, type: "UNKN", path };
  const type = inodeType(kernel.types.struct("inode").field("i_mode").number(inode));
  const socket =
    type === "SOCK"
      ? unlessBroken(
          () => socketOf(kernel, inode),
          () => {},
        )
      : undefined;
  return { dentry, inode, superblock, type, path, ...(socket?.protocol === undefined ? {} : { protocol: socket.protocol }) };
}

function inodePages(session: Session, inode: VirtualAddress, byNode: boolean): InodePages {
  const { kernel } = session;
  const mapping = mappingOf(kernel, inode);
  const count = mapping === 0n ? 0 : cachedPageCount(kernel, mapping);
  const notes: string[] = [];
  const head = { inode, mapping, cachedPages: count, notes };
  const pages = lazy(() => describedPages(session, mapping, count, notes));
  if (!byNode) return { ...head, pages };
  const nodes = new Map<number, number>();
  for (const { page } of pages) {
    const node = unlessBroken(
      () => pageNode(kernel, virtual(page)),
      () => {},
    );
    if (node !== undefined) nodes.set(node, (nodes.get(node) ?? 0) + 1);
  }
  const sorted = [...nodes].sort((a, b) => a[0] - b[0]);
  return { ...head, nodes: sorted.map(([node, amount]) => ({ node, pages: amount })) };
}

function mappingOf(kernel: Kernel, inode: VirtualAddress): VirtualAddress {
  try {
    return inodeMapping(kernel, inode);
  } catch (error) {
    // The address that failed is that of a member: name the operand.
    if (error instanceof FaultError) throw new LookupError(`files: no inode can be read at ${hex16(inode)}: ${error.message}`);
    throw error;
  }
}

function* describedPages(session: Session, mapping: VirtualAddress, total: number, notes: string[]): Generator<InodePage> {
  const { kernel } = session;
  if (mapping === 0n) return;
  const map = PageMap.of(kernel);
  let done = 0;
  notes.length = 0;
  for (const { index, page, folio } of untilBroken(cachedPages(kernel, mapping), (error) => notes.push(error.message))) {
    if ((done++ & 0x3ff) === 0) session.progress?.("reading the page cache", done, total);
    const pfn = map?.pfnOf(page);
    const info =
      pfn === undefined
        ? undefined
        : unlessBroken(
            () => readPage(kernel, pfn),
            () => {},
          );
    yield { index, page, folio, ...(info === undefined ? {} : { info }) };
  }
}
