/** `gcore`: a process's memory and registers as an ELF core file. */
import { UnsupportedError, UsageError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { commandLine } from "../linux/mm.ts";
import { type Task, taskAt, taskState, threadsOf } from "../linux/task.ts";
import { procLetter } from "../linux/task-state.ts";
import { unlessBroken } from "../linux/until-broken.ts";
import { defineCommand } from "./command.ts";
import { type CoreNote, coreHead, EM_AARCH64, EM_X86_64 } from "./gcore/elf-core.ts";
import { type CoreCounts, CoreMemory, type MemoryRun, type RunKind } from "./gcore/memory.ts";
import { groupId, threadNotes } from "./gcore/thread-notes.ts";
import { type SavedBytes, savedChunks } from "./saved-bytes.ts";
import { taskOperand } from "./support/task-operand.ts";

const NT_PRPSINFO = 3;
const NT_AUXV = 6;
const NT_FILE = 0x4649_4c45;
/** Our own note: text that tells what is missing. */
const NT_MISSING = 1;
/** Ranges that the note names. */
const MAX_RANGES = 1000;

export interface GcoreResult {
  readonly task: Pick<Task, "pid" | "comm" | "address" | "cpu">;
  readonly threads: number;
  readonly segments: number;
  readonly save: SavedBytes;
  /** Pages by where their content comes from; `unreadable` grows while the file is written. */
  readonly memory: CoreCounts;
  /** What the core has not, as its own note has it. */
  readonly missing: readonly { readonly start: bigint; readonly end: bigint; readonly reason: string }[];
  readonly notes: readonly string[];
}

export const gcore = defineCommand<GcoreResult>({
  spec: {
    name: "gcore",
    summary: "a process as a core file that gdb opens",
    synopsis: ["[pid | task] [file]"],
    description: [
      "Writes the memory and the registers of a process into an ELF core file, as the process's own crash would have: its mappings, each thread's user registers, floating-point state, arguments, auxiliary vector and mapped files. Open it with gdb PROGRAM FILE. Without a file's name it is core.PID; without a process the context task's is written.",
      'The thread that was named comes first: gdb shows it as the current one. Pages that were never touched are holes that read as zeroes. Pages of files that the page cache holds are written; others have no content in the core, and gdb reads them from the files. Pages in swap and pages that makedumpfile left out (-d 31 leaves out all user pages) are lost: gdb says that it cannot access them. The core\'s own note "INQUEST" names them (readelf -n, strings).',
    ],
    options: [],
    operands: ["task", "file"],
    examples: [
      ["gcore 114", "writes core.114"],
      ["gcore 114 /tmp/worker.core", "under another name"],
    ],
    differences: ["A command of our own; crash has it as an extension."],
  },
  run(session, args) {
    const { kernel } = session;
    const [who, file, ...more] = args.operands;
    if (more.length > 0) throw new UsageError("usage: gcore [pid | task] [file]");
    const task = who === undefined ? taskAt(kernel, session.context) : taskOperand(kernel, who);
    if (task.mm === 0n)
      throw new UnsupportedError(`gcore: task ${task.pid} (${task.comm}) has no user memory: it is a kernel thread or has exited`);
    const notes: string[] = [];
    const memory = new CoreMemory(kernel, task.mm, session.progress);
    const threads = [task, ...threadsOf(kernel, task).filter(({ address }) => address !== task.address)];
    const segments = memory.segments();
    const missing = memory.runs
      .filter(({ kind }) => kind === "lost")
      .map(({ start, end, reason }) => ({ start, end, reason: reason ?? "lost" }));
    const packed = coreNotes(kernel, task, threads, memory, notes);
    const head = coreHead(kernel.arch.name === "x86_64" ? EM_X86_64 : EM_AARCH64, kernel.arch.pageSize, segments, packed);
    const { pid, comm, address, cpu } = task;
    return {
      task: { pid, comm, address, cpu },
      threads: threads.length,
      segments: segments.length,
      save: savedChunks(file ?? `core.${pid}`, function* () {
        yield head;
        yield* memory.content();
      }),
      memory: memory.counts,
      missing,
      notes: [...memory.notes, ...notes],
    };
  },
  *text({ task, threads, segments, save, memory, missing, notes }) {
    yield `${save.file}: pid ${task.pid} (${task.comm}), ${counted(threads, "thread")}, ${counted(segments, "segment")}`;
    const { pages, unreadable } = memory;
    yield `  ${counted(pages.memory, "page")} from memory, ${pages.cache} from the page cache, ${pages.zero} never touched`;
    if (pages.file > 0) yield `  ${counted(pages.file, "page")} only in the files: gdb reads them from there`;
    if (pages["left out"] > 0) yield `  ${counted(pages["left out"], "page")} of devices or marked to stay out`;
    if (pages.lost > 0) yield `  ${counted(pages.lost, "page")} lost in ${counted(missing.length, "place")}: ${reasons(missing)}`;
    if (unreadable > 0) yield `  ${counted(unreadable, "page")} could not be read in the end: zeroes stand in their place`;
    for (const note of notes) yield `  (${note})`;
  },
});

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function reasons(missing: GcoreResult["missing"]): string {
  return [...new Set(missing.map(({ reason }) => reason))].join("; ");
}

/** In the kernel's order: the first thread's status, what belongs to the process, the first thread's other registers, the other threads. */
function coreNotes(kernel: Kernel, task: Task, threads: readonly Task[], memory: CoreMemory, notes: string[]): readonly CoreNote[] {
  const [first = [], ...others] = threads.map((thread) => threadNotes(kernel, thread, notes));
  const process = [processInfo(kernel, task), auxiliaryVector(kernel, task), fileTable(kernel, memory), missingNote(kernel, memory)];
  return [...first.slice(0, 1), ...process.filter((note) => note !== undefined), ...first.slice(1), ...others.flat()];
}

/** struct elf_prpsinfo: state, letter, zombie, nice, flags, uid, gid, pid, ppid, pgrp, sid, name of 16, arguments of 80. */
function processInfo(kernel: Kernel, task: Task): CoreNote {
  const bytes = new Uint8Array(136);
  const view = new DataView(bytes.buffer);
  const struct = kernel.types.struct("task_struct");
  const number = (path: string) =>
    unlessBroken(
      () => struct.tryField(path)?.number(task.address),
      () => {},
    ) ?? 0;
  const states = ["RU", "IN", "UN", "ST", "TR", "ZO"];
  view.setUint8(0, Math.max(0, states.indexOf(taskState(task))));
  bytes.set(new TextEncoder().encode(procLetter(task.state, task.exitState)).subarray(0, 1), 1);
  view.setInt8(3, number("static_prio") - 120);
  view.setBigUint64(8, BigInt(task.flags >>> 0), true);
  const owner = ["uid", "gid"].map((name) =>
    unlessBroken(
      () => {
        const cred = struct.field("cred").pointer(task.address);
        return kernel.types.struct("cred").field(`${name}.val`).number(cred);
      },
      () => {},
    ),
  );
  view.setUint32(16, owner[0] ?? 0, true);
  view.setUint32(20, owner[1] ?? 0, true);
  view.setUint32(24, task.tgid, true);
  view.setUint32(
    28,
    unlessBroken(
      () => kernel.memory.u32(struct.field("tgid").address(struct.field("real_parent").pointer(task.address))),
      () => {},
    ) ?? 0,
    true,
  );
  view.setUint32(32, groupId(kernel, task, "PIDTYPE_PGID"), true);
  view.setUint32(36, groupId(kernel, task, "PIDTYPE_SID"), true);
  const leader = threadsOf(kernel, task)[0] ?? task;
  bytes.set(new TextEncoder().encode(leader.comm).subarray(0, 15), 40);
  bytes.set(new TextEncoder().encode((commandLine(kernel, task).arguments ?? []).join(" ")).subarray(0, 79), 56);
  return { name: "CORE", type: NT_PRPSINFO, bytes };
}

/** mm.saved_auxv up to AT_NULL. */
function auxiliaryVector(kernel: Kernel, task: Task): CoreNote | undefined {
  const field = kernel.types.struct("mm_struct").tryField("saved_auxv");
  const bytes = field === undefined || field.size > 4096 ? undefined : kernel.memory.tryBytes(field.address(task.mm), field.size);
  if (bytes === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = 0;
  while (end + 16 <= bytes.length) {
    end += 16;
    if (view.getBigUint64(end - 16, true) === 0n) break;
  }
  return { name: "CORE", type: NT_AUXV, bytes: bytes.slice(0, end) };
}

/** NT_FILE: count, page size, {start, end, offset in pages} each, then the paths. */
function fileTable(kernel: Kernel, memory: CoreMemory): CoreNote | undefined {
  const { files } = memory;
  if (files.length === 0) return undefined;
  const names = new TextEncoder().encode(files.map(({ path }) => `${path}\0`).join(""));
  const bytes = new Uint8Array(16 + files.length * 24 + names.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(files.length), true);
  view.setBigUint64(8, BigInt(kernel.arch.pageSize), true);
  files.forEach(({ start, end, pageOffset }, i) => {
    [start, end, pageOffset].forEach((value, k) => {
      view.setBigUint64(16 + i * 24 + k * 8, value, true);
    });
  });
  bytes.set(names, 16 + files.length * 24);
  return { name: "CORE", type: NT_FILE, bytes };
}

/** What the core has not, as text: one line a range. */
function missingNote(kernel: Kernel, memory: CoreMemory): CoreNote {
  const { pages } = memory.counts;
  const told: readonly RunKind[] = ["lost", "file", "left out"];
  const ranges = memory.runs.filter(({ kind }) => told.includes(kind));
  const line = ({ start, end, kind, reason }: MemoryRun) =>
    `${start.toString(16)}-${end.toString(16)} ${kind}${reason === undefined ? "" : `: ${reason}`}`;
  const lines = [
    `core made by Inquest from ${kernel.dump.format}; pages of ${kernel.arch.pageSize} bytes`,
    `${pages.memory + pages.cache + pages.zero} pages are here, ${pages.file} only in their files, ${pages["left out"]} left out, ${pages.lost} lost`,
    ...ranges.slice(0, MAX_RANGES).map(line),
    ...(ranges.length > MAX_RANGES ? [`and ${ranges.length - MAX_RANGES} ranges more`] : []),
  ];
  return { name: "INQUEST", type: NT_MISSING, bytes: new TextEncoder().encode(`${lines.join("\n")}\n\0`) };
}
