/** `ipcs`: System V shared memory, semaphores and message queues. */
import { hex16 } from "../bytes/address.ts";
import { UsageError } from "../bytes/errors.ts";
import {
  type IpcNamespace,
  type IpcObject,
  ipcNamespace,
  type MessageQueue,
  readIpc,
  type SemaphoreSet,
  type SharedMemory,
} from "../linux/ipc.ts";
import { ipcsApi } from "./api/views.ts";
import { defineCommand } from "./command.ts";
import { parseNumber } from "./support/evaluate.ts";
import { taskOperand } from "./support/task-operand.ts";

export interface IpcsResult {
  readonly namespace: bigint;
  /** Absent: not asked for. */
  readonly shared?: readonly SharedMemory[];
  readonly semaphores?: readonly SemaphoreSet[];
  readonly queues?: readonly MessageQueue[];
  /** -M. */
  readonly detailed: boolean;
  /** An id or address was given, and nothing has it. */
  readonly missing?: string;
  readonly notes?: readonly string[];
}

/** ipc/shm.c: it goes when nobody is attached; its pages are locked. */
const SHM_DEST = 0o1000;
const SHM_LOCKED = 0o2000;

export const ipcs = defineCommand<IpcsResult>({
  spec: {
    name: "ipcs",
    summary: "shared memory, semaphores and message queues of System V",
    synopsis: ["[-smMq] [-n pid | task] [id | address]"],
    description: [
      "Shows System V shared memory segments, semaphore arrays and message queues of the first IPC namespace, or of a task's. With an id (decimal) or an address only what has it.",
      "STATUS of shared memory: dest, it goes when the last task detaches; locked, its pages stay in memory. The JSON has the semaphores' values.",
    ],
    options: [
      { flag: "-s", help: "semaphore arrays" },
      { flag: "-m", help: "shared memory" },
      { flag: "-M", help: "shared memory with its pages and inode" },
      { flag: "-q", help: "message queues" },
      { flag: "-n", argument: "pid | task", help: "of this task's namespace" },
    ],
    operands: ["number"],
    examples: [
      ["ipcs", "all of them"],
      ["ipcs -M", "shared memory in detail"],
      ["ipcs -n 1", "of process 1's namespace"],
    ],
  },
  run(session, args) {
    const { kernel } = session;
    if (args.operands.length > 1) throw new UsageError("usage: ipcs [-smMq] [-n pid | task] [id | address]");
    const owner = args.value("-n");
    const namespace = ipcNamespace(kernel, owner === undefined ? undefined : taskOperand(kernel, owner).address);
    const notes: string[] = [];
    const all = readIpc(kernel, namespace, notes);
    const [chosen] = args.operands;
    const found = selected(all, chosen);
    const some = ["-s", "-m", "-M", "-q"].some((flag) => args.has(flag));
    const asked = {
      ...(!some || args.has("-m") || args.has("-M") ? { shared: found.shared } : {}),
      ...(!some || args.has("-s") ? { semaphores: found.semaphores } : {}),
      ...(!some || args.has("-q") ? { queues: found.queues } : {}),
    };
    // An id or address is of one kind: the tables that hold it.
    const parts: Partial<typeof asked> =
      chosen === undefined ? asked : Object.fromEntries(Object.entries(asked).filter(([, list]) => list.length > 0));
    const empty = chosen !== undefined && Object.keys(parts).length === 0;
    return {
      namespace,
      ...parts,
      detailed: args.has("-M"),
      ...(empty ? { missing: chosen } : {}),
      ...(notes.length === 0 ? {} : { notes }),
    };
  },
  api: ipcsApi,
  *text({ shared, semaphores, queues, detailed, missing, notes = [] }) {
    if (missing !== undefined) yield `invalid id or address: ${missing}`;
    else {
      if (shared !== undefined) yield* sharedLines(shared, detailed);
      if (semaphores !== undefined) yield* semaphoreLines(semaphores);
      if (queues !== undefined) yield* queueLines(queues);
    }
    for (const note of notes) yield `(${note})`;
  },
});

function selected(all: IpcNamespace, text: string | undefined): IpcNamespace {
  if (text === undefined) return all;
  const id = /^\d{1,10}$/.test(text) ? Number(text) : undefined;
  const address = parseNumber(text, 16);
  if (id === undefined && address === undefined) throw new UsageError(`ipcs: not a valid number: ${text}`);
  const is = (object: IpcObject) => object.id === id || object.address === address;
  return { ...all, shared: all.shared.filter(is), semaphores: all.semaphores.filter(is), queues: all.queues.filter(is) };
}

/** Address, key, id, owner, permissions: the same in all three tables. */
function head({ address, key, id, uid, mode }: IpcObject): string {
  const permissions = (mode & 0o777).toString(8);
  return `${hex16(address)} ${key.toString(16).padStart(8, "0")} ${String(id).padEnd(10)} ${String(uid).padEnd(5)} ${permissions.padEnd(5)}`;
}

function* sharedLines(segments: readonly SharedMemory[], detailed: boolean): Iterable<string> {
  const title = "SHMID_KERNEL     KEY      SHMID      UID   PERMS BYTES      NATTCH STATUS";
  if (segments.length === 0) {
    yield title;
    yield "(none allocated)";
    yield "";
    return;
  }
  for (const [i, segment] of segments.entries()) {
    if (i === 0 || detailed) yield title;
    const status = [(segment.mode & SHM_DEST) !== 0 ? ["dest"] : [], (segment.mode & SHM_LOCKED) !== 0 ? ["locked"] : []].flat().join(" ");
    yield `${head(segment)} ${String(segment.bytes).padEnd(10)} ${String(segment.attached).padEnd(6)} ${status}`.trimEnd();
    if (!detailed) continue;
    yield `PAGES ALLOCATED/RESIDENT/SWAPPED: ${segment.pages}/${segment.resident ?? "?"}/${segment.swapped ?? "?"}`;
    yield `INODE: ${segment.inode === undefined ? "?" : hex16(segment.inode)}`;
    yield "";
  }
  if (!detailed) yield "";
}

function* semaphoreLines(sets: readonly SemaphoreSet[]): Iterable<string> {
  yield "SEM_ARRAY        KEY      SEMID      UID   PERMS NSEMS     ";
  if (sets.length === 0) yield "(none allocated)";
  for (const set of sets) yield `${head(set)} ${String(set.semaphores).padEnd(10)}`.trimEnd();
  yield "";
}

function* queueLines(queues: readonly MessageQueue[]): Iterable<string> {
  yield "MSG_QUEUE        KEY      MSQID      UID   PERMS USED-BYTES   MESSAGES    ";
  if (queues.length === 0) yield "(none allocated)";
  for (const queue of queues) yield `${head(queue)} ${String(queue.bytes).padEnd(12)} ${queue.messages}`;
  yield "";
}
