/** `fuser`: which tasks use a file. */
import { hex16, virtual } from "../bytes/address.ts";
import { type InquestError, LookupError, UsageError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { dentryInode } from "../linux/dentry.ts";
import { directories, fileDescriptors, filePath, filePlace } from "../linux/file.ts";
import { addNote, attempt } from "../linux/gather.ts";
import { type Task, taskTable } from "../linux/task.ts";
import { unlessBroken, untilBroken } from "../linux/until-broken.ts";
import { vmas } from "../linux/vma.ts";
import { defineCommand, type Session } from "./command.ts";
import { parseNumber } from "./support/evaluate.ts";
import { lazy } from "./support/lazy.ts";

/** Ways of using a file, in crash's words. */
export type Usage = "root" | "cwd" | "fd" | "mmap";

export interface FileUser {
  readonly task: Pick<Task, "pid" | "comm" | "address" | "cpu">;
  readonly usage: readonly Usage[];
  /** Descriptors, where it is open. */
  readonly descriptors: readonly number[];
}

export interface FuserFile {
  readonly file: string;
  readonly users: Iterable<FileUser>;
  /** What could not be read, and may be this file. */
  readonly notes: Iterable<string>;
}

export interface FuserResult {
  readonly files: readonly FuserFile[];
}

export const fuser = defineCommand<FuserResult>({
  spec: {
    name: "fuser",
    summary: "tasks that use a file",
    synopsis: ["(path | inode)…"],
    description: [
      "Shows the tasks that have the file or directory as root, as working directory, open (fd), or mapped into memory (mmap), by its full path as /proc/PID/fd shows it, or by the address of its inode.",
    ],
    options: [],
    operands: ["text"],
    examples: [
      ["fuser /dev/null", "who has /dev/null open"],
      ["fuser ffff888003a4c000", "who uses the file of this inode, whatever its name"],
    ],
    differences: ["JSON names the descriptors.", "Names of tasks are not cut."],
  },
  run(session, args) {
    if (args.operands.length === 0) throw new UsageError("usage: fuser (path | inode)…");
    return {
      files: args.operands.map((file) => {
        const inode = parseNumber(file, 16);
        const isInode = inode !== undefined && session.kernel.arch.isKernelAddress(inode);
        if (!isInode && !/^[/[]|:\[|^anon_inode:/.test(file))
          throw new LookupError(`invalid argument: ${file} is neither a full path nor the address of an inode`);
        return { file, ...usersAndNotes(session, isInode ? { inode } : { path: file }) };
      }),
    };
  },
  *text({ files }) {
    for (const { file, users, notes } of files) {
      let first = true;
      for (const { task, usage } of users) {
        if (first) yield " PID         TASK        COMM             USAGE";
        first = false;
        yield `${String(task.pid).padStart(5)}  ${hex16(task.address)}  ${`"${task.comm}"`.padEnd(15)}  ${usage.join(" ")}`;
      }
      if (first) yield `No users of ${file} found`;
      for (const note of notes) yield `(${note})`;
    }
  },
});

type Wanted = { readonly inode: bigint } | { readonly path: string };

/** The notes are complete when the users were taken, and asked for alone they search by themselves. */
function usersAndNotes(session: Session, wanted: Wanted): Pick<FuserFile, "users" | "notes"> {
  let notes: string[] | undefined;
  const users = function* () {
    const own: string[] = [];
    yield* usersOf(session, wanted, own);
    notes = own;
  };
  return {
    users: lazy(users),
    notes: lazy(function* () {
      if (notes === undefined) for (const _ of users());
      yield* notes ?? [];
    }),
  };
}

/** What tasks share (descriptors, directories, memory) is searched once. */
function* usersOf(session: Session, wanted: Wanted, notes: string[]): Generator<FileUser> {
  const { kernel } = session;
  const struct = kernel.types.struct("task_struct");
  const search = new Search(kernel, wanted, notes);
  const { tasks } = taskTable(kernel);
  let done = 0;
  for (const task of tasks) {
    session.progress?.("searching tasks", done++, tasks.length);
    const shared = (name: string) => attempt(() => struct.field(name).pointer(task.address), notes, `task ${task.pid}`) ?? 0n;
    const { root, cwd } = search.directories(shared("fs"), task);
    const descriptors = search.descriptors(shared("files"), task);
    const mapped = task.mm !== 0n && search.mapped(task);
    const usage: Usage[] = [];
    if (root) usage.push("root");
    if (cwd) usage.push("cwd");
    if (descriptors.length > 0) usage.push("fd");
    if (mapped) usage.push("mmap");
    const { pid, comm, address, cpu } = task;
    if (usage.length > 0) yield { task: { pid, comm, address, cpu }, usage, descriptors };
  }
}

class Search {
  readonly #kernel: Kernel;
  readonly #wanted: Wanted;
  /** What cannot be read may be the very file. */
  readonly #told: (error: InquestError) => void;
  readonly #notes: string[];
  readonly #files = new Map<bigint, boolean>();
  readonly #tables = new Map<bigint, readonly number[]>();
  readonly #places = new Map<bigint, { readonly root: boolean; readonly cwd: boolean }>();
  readonly #memory = new Map<bigint, boolean>();

  constructor(kernel: Kernel, wanted: Wanted, notes: string[]) {
    this.#kernel = kernel;
    this.#wanted = wanted;
    this.#notes = notes;
    this.#told = ({ message }) => addNote(notes, message);
  }

  directories(fs: bigint, task: Task): { readonly root: boolean; readonly cwd: boolean } {
    return remembered(this.#places, fs, () => {
      const place = unlessBroken(() => directories(this.#kernel, task.address), this.#told);
      const is = (at: { readonly dentry: bigint; readonly path: string } | undefined): boolean => {
        if (at === undefined) return false;
        if ("path" in this.#wanted) return this.#isNamed(at.path, `task ${task.pid}: its root or working directory`);
        return unlessBroken(() => dentryInode(this.#kernel, virtual(at.dentry)), this.#told) === this.#wanted.inode;
      };
      return { root: is(place?.root), cwd: is(place?.cwd) };
    });
  }

  descriptors(table: bigint, task: Task): readonly number[] {
    return remembered(this.#tables, table, () => {
      if (table === 0n) return [];
      const lost: string[] = [];
      const found = [...fileDescriptors(this.#kernel, task.address, lost)].filter(({ file }) => this.#isWanted(file)).map(({ fd }) => fd);
      for (const line of lost) addNote(this.#notes, `task ${task.pid}: ${line}`);
      return found;
    });
  }

  mapped(task: Task): boolean {
    return remembered(this.#memory, task.mm, () => {
      for (const vma of untilBroken(vmas(this.#kernel, task.mm), this.#told)) if (vma.file !== 0n && this.#isWanted(vma.file)) return true;
      return false;
    });
  }

  /** A path that begins with "?" has parts that cannot be read. */
  #isNamed(path: string | undefined, what: string): boolean {
    if (path?.startsWith("?") === true) addNote(this.#notes, `${what} cannot be named`);
    return "path" in this.#wanted && path === this.#wanted.path;
  }

  #isWanted(file: bigint): boolean {
    return remembered(this.#files, file, () => {
      const at = virtual(file);
      if ("path" in this.#wanted)
        return this.#isNamed(
          unlessBroken(() => filePath(this.#kernel, at), this.#told),
          `file ${file.toString(16)}`,
        );
      return unlessBroken(() => filePlace(this.#kernel, at).inode, this.#told) === this.#wanted.inode;
    });
  }
}

function remembered<T>(memo: Map<bigint, T>, key: bigint, compute: () => T): T {
  const known = memo.get(key);
  if (known !== undefined) return known;
  const value = compute();
  memo.set(key, value);
  return value;
}
