/**
 * Who takes a node of sysfs (or of another kernfs) away waits until those who read it have left, and a reader may want a lock that the first
 * one holds: fs/kernfs/dir.c, kernfs_drain(). The node counts its users and names none.
 *
 *   a: holds chassis.topology, sysfs_remove_file ─► kernfs_drain   kernfs_node.active = KN_DEACTIVATED_BIAS + users
 *   b: read(fd): kernfs_fop_read_iter ─► port_show ─► mutex_lock(&chassis.topology)
 *      fd ─► file.private_data ─► seq_file.private ─► kernfs_open_file { kn, file }
 *
 * b is a user when its stack is inside kernfs, a file of its own is open on the node, and the node is being drained. A node is a's when a's
 * stack has its address.
 */
import { hex16, type VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { fileDescriptors } from "../../linux/file.ts";
import { lockEdges } from "../../linux/locking/lock-graph.ts";
import { lockTask, secondsSinceRun } from "../../linux/locking/lock-tasks.ts";
import { plainName } from "../../linux/locking/wait-functions.ts";
import type { Task } from "../../linux/task.ts";
import { guarded } from "../guarded.ts";
import type { HangEdge } from "./edges.ts";
import type { Standstill } from "./standstill.ts";
import { who } from "./who.ts";

/** kernfs_drain() is inlined into its only caller by some compilers. */
const DRAINS = /^(?:kernfs_drain|__kernfs_remove)$/;
const USES = /^(?:kernfs_(?:fop_(?:read|write|mmap|poll)\w*|seq_\w+|vop_\w+|file_\w+)|sysfs_kf_\w+|cgroup_(?:seqfile_show|file_write))$/;
/** INT_MIN + 1: added to the count of users when the node is taken away. */
const DEACTIVATED = -(2 ** 31) + 1;
/** More users at once than a node has. */
const MAX_USERS = 1 << 16;
const MAX_TASKS = 64;
const MAX_FILES = 256;

interface User {
  readonly task: Task;
  readonly node: VirtualAddress;
  /** Where kernfs_node.active lies, and how many use the node by it. */
  readonly count: VirtualAddress;
  readonly users: number;
  readonly name: string;
}

export function removalEdges(still: Standstill): HangEdge[] {
  const { kernel, report } = still;
  const owners = new Set([...lockEdges(report.locks).values()].map(({ owner }) => owner.task.address));
  const removers = tasksIn(still, owners, DRAINS);
  if (removers.length === 0) return [];
  const waiting = new Set(report.locks.flatMap(({ waits }) => waits.map(({ task }) => task.address)));
  const users = tasksIn(still, waiting, USES).flatMap((task) => guarded(() => usersOf(kernel, task)) ?? []);
  return removers.flatMap((remover): HangEdge[] => {
    const user = users.find(({ task, node }) => task.address !== remover.address && still.mentions(remover.address, node));
    if (user === undefined) return [];
    // All of its users are known: nobody else can be waited for.
    const all = new Set(users.filter(({ node }) => node === user.node).map(({ task }) => task.address)).size === user.users;
    return [
      {
        from: lockTask(remover),
        to: lockTask(user.task),
        via: "readers",
        certainty: all ? "exact" : "likely",
        what: `the users of kernfs node "${user.name}" to leave`,
        seconds: secondsSinceRun(kernel, remover),
        known: `${who(user.task)} is inside a call on a file of that node, which counts ${user.users} ${user.users === 1 ? "user" : "users"}`,
        evidence: [
          {
            claim: `the node "${user.name}" is being removed and counts ${user.users} ${user.users === 1 ? "user" : "users"}; ${who(user.task)} has it open and is in a call on it`,
            command: `rd -32 ${hex16(user.count)}`,
            values: [{ address: user.count, value: BigInt.asUintN(32, BigInt(user.users + DEACTIVATED)) }],
          },
        ],
      },
    ];
  });
}

function tasksIn(still: Standstill, addresses: ReadonlySet<VirtualAddress>, functions: RegExp): readonly Task[] {
  return [...addresses].slice(0, MAX_TASKS).flatMap((address) => {
    const task = still.task(address);
    if (task === undefined || task.active) return [];
    const frames = still.stack(task)?.frames ?? [];
    return frames.some(({ function: name, module }) => module === undefined && functions.test(plainName(name ?? ""))) ? [task] : [];
  });
}

/** Nodes being removed that the task has open. */
function usersOf(kernel: Kernel, task: Task): readonly User[] {
  const { types, memory } = kernel;
  const [privateData, seqPrivate] = [types.struct("file").field("private_data"), types.struct("seq_file").field("private")];
  const [open, node] = [types.struct("kernfs_open_file"), types.struct("kernfs_node")];
  const found: User[] = [];
  let files = 0;
  for (const { file } of fileDescriptors(kernel, task.address)) {
    if (files++ >= MAX_FILES) break;
    const user = guarded(() => {
      const sequence = privateData.pointer(file);
      const of = sequence === 0n ? sequence : seqPrivate.pointer(sequence);
      // Other files keep other things there: this one leads back to the file.
      if (of === 0n || open.field("file").pointer(of) !== file) return undefined;
      const at = open.field("kn").pointer(of);
      const active = node.field("active");
      const users = memory.s32(active.address(at)) - DEACTIVATED;
      if (users < 1 || users > MAX_USERS) return undefined;
      return { task, node: at, count: active.address(at), users, name: memory.cString(node.field("name").pointer(at), 64) };
    });
    if (user !== undefined) found.push(user);
  }
  return found;
}
