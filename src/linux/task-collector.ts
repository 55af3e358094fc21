/**
 * Every task of the dead machine.
 *
 *   init_pid_ns.idr ─► struct pid ─► tasks[PIDTYPE_PID].first ─► task_struct.pid_links        the pids, in order
 *   pid_hash[] ─► upid.pid_chain in struct pid.numbers[0] ─► …                                  before 4.15 (pid-hash.ts)
 *   init_task.tasks ⇄ leader.tasks ⇄ …        signal->thread_head ⇄ thread.thread_node ⇄ …      the lists
 *                                             leader.thread_group ⇄ thread.thread_group ⇄ …      before 3.14 (0c740d0afc3b)
 *   runqueues[cpu].idle                                                                        swapper/N, which has no pid
 *
 * The pids are the base. Every task that is read also names its neighbours on the two lists; a neighbour that the pids did not give is
 * followed too. So the lists check the pids at no extra cost, a damaged idr loses nothing that the lists still hold, and when
 * init_pid_ns cannot be reached the lists, which begin at init_task, do alone.
 */
import { type VirtualAddress, virtual } from "../bytes/address.ts";
import { FaultError, InquestError, isLeftOut, LookupError } from "../bytes/errors.ts";
import { containerOf } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { cpuMasks } from "./cpu.ts";
import { hashedPids } from "./pid-hash.ts";
import { currentTask, idleTask } from "./runqueue.ts";
import { slabsLeftOutNote } from "./slab-left-out.ts";
import { type TaskLayout, taskLayout } from "./task-layout.ts";
import { type StateBits, stateBits } from "./task-state-bits.ts";
import { xarrayEntries, xarrayLayout } from "./xarray.ts";

/** PID_MAX_LIMIT on 64-bit machines, and some for idle tasks. */
const MAX_TASKS = (1 << 22) + 16384;
/** When so many pids lead nowhere, and more than lead to tasks, the table is garbage. */
const MAX_UNREADABLE = 10_000;

/** One task, as it was read. */
export interface Task {
  readonly address: VirtualAddress;
  readonly pid: number;
  /** Pid of the thread group's leader: what user space calls the process id. */
  readonly tgid: number;
  readonly comm: string;
  /** CPU it runs on or last ran on. */
  readonly cpu: number;
  readonly flags: number;
  /** In the bits of 4.14 and later, as task-state.ts has them. */
  readonly state: number;
  readonly exitState: number;
  /** 0 for kernel threads and tasks that have exited. */
  readonly mm: VirtualAddress;
  readonly parent: VirtualAddress;
  readonly groupLeader: VirtualAddress;
  readonly signal: VirtualAddress;
  /** Running on a CPU when the machine stopped: it is that run queue's `curr`. */
  readonly active: boolean;
  /** An idle task (swapper/N). */
  readonly idle: boolean;
}

export interface TaskTable {
  /** Idle tasks by CPU first, then by pid. */
  readonly tasks: readonly Task[];
  readonly byAddress: ReadonlyMap<bigint, Task>;
  readonly byPid: ReadonlyMap<number, Task>;
  /** What was found damaged or missing, in one line each. */
  readonly notes: readonly string[];
  /** Why tasks are missing: a view that finds nothing among the others must say so. */
  readonly incomplete?: string;
}

/** True for the first thread of a thread group. */
export function isGroupLeader(task: Task): boolean {
  return task.pid === task.tgid;
}

/** Reads tasks; one for a whole table, or one to read a single task. */
export class TaskCollector {
  readonly #kernel: Kernel;
  readonly #layout: TaskLayout;
  readonly #states: StateBits;
  readonly #found = new Map<bigint, Task>();
  readonly #notes: string[] = [];
  #incomplete: string | undefined;
  #pidsLeftOut = false;
  readonly #active = new Map<bigint, number>();
  readonly #idle = new Map<bigint, number>();
  readonly #init: VirtualAddress | undefined;
  /** Tasks that list links name, to be looked at when the pids are through. */
  readonly #neighbours: VirtualAddress[] = [];
  #unreadable = 0;
  #brokenLinks = 0;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#layout = taskLayout(kernel);
    this.#states = stateBits(kernel);
    this.#init = kernel.tryAddress("init_task");
    if (this.#init !== undefined) this.#idle.set(this.#init, 0);
    for (const cpu of cpuMasks(kernel).present) {
      const current = currentTask(kernel, cpu);
      if (current !== undefined) this.#active.set(current, cpu);
      const idle = idleTask(kernel, cpu);
      if (idle !== undefined) this.#idle.set(idle, cpu);
    }
  }

  collect(): TaskTable {
    const masks = cpuMasks(this.#kernel);
    if (this.#active.size === 0)
      this.#notes.push(
        "the run queues cannot be found: which tasks are active is taken from task_struct.on_cpu, and the idle tasks of CPUs above 0 are missing",
      );
    else if (this.#idle.size < masks.present.length)
      this.#notes.push(`${masks.present.length - this.#idle.size} idle tasks cannot be found`);
    for (const address of this.#idle.keys()) this.#take(virtual(address));
    if (this.#init === undefined) this.#notes.push('no symbol "init_task": the task lists cannot be checked');
    const fromPids = this.#pids();
    const before = this.#found.size;
    this.#followLists();
    const holes = slabsLeftOutNote(this.#kernel, this.#found.keys() as Iterable<VirtualAddress>);
    // Then much else that the dump does not hold was there, and is no damage.
    if (holes !== undefined) this.#notes.push(holes);
    if (fromPids && this.#found.size > before)
      this.#notes.push(
        this.#pidsLeftOut
          ? `${this.#found.size - before} tasks were found on the task lists alone`
          : `${this.#found.size - before} tasks are on the task lists and have no pid: they were dying, or the table of pids is damaged`,
      );
    if (this.#unreadable > 0) this.#lack(`${this.#unreadable} tasks cannot be read (excluded or damaged memory)`);
    if (this.#brokenLinks > 0) {
      const note = `${this.#brokenLinks} links of the task lists lead to no task: the lists are damaged, or their pages were left out`;
      // A table of pids that is whole holds what the lists lost.
      if (fromPids) this.#notes.push(note);
      else this.#lack(note);
    }
    if (this.#found.size === 0) throw new LookupError("no task can be found: neither init_pid_ns nor init_task is among the symbols");
    return this.#table();
  }

  #table(): TaskTable {
    const tasks = [...this.#found.values()].sort(
      (a, b) => Number(b.idle) - Number(a.idle) || (a.idle ? a.cpu - b.cpu : a.pid - b.pid) || (a.address < b.address ? -1 : 1),
    );
    const byPid = new Map<number, Task>();
    for (const task of tasks) if (!task.idle && !byPid.has(task.pid)) byPid.set(task.pid, task);
    return {
      tasks,
      byAddress: this.#found,
      byPid,
      notes: this.#notes,
      ...(this.#incomplete === undefined ? {} : { incomplete: this.#incomplete }),
    };
  }

  #lack(note: string): void {
    this.#notes.push(note);
    this.#incomplete ??= note;
  }

  /** Walks the table of pids; false when it cannot be reached. */
  #pids(): boolean {
    const { types, memory } = this.#kernel;
    const pid = types.tryStruct("pid")?.tryField("tasks");
    const link = this.#layout.pidLink;
    const entries = idrPids(this.#kernel) ?? hashedPids(this.#kernel, MAX_TASKS);
    if (entries === undefined || pid === undefined || link === undefined) {
      this.#notes.push('the table of pids ("init_pid_ns") cannot be reached: tasks come from the lists that begin at init_task');
      return false;
    }
    try {
      for (const entry of entries) {
        if (this.#unreadable > MAX_UNREADABLE && this.#unreadable > this.#found.size) {
          this.#lack("the table of pids is damaged: most of it leads nowhere");
          break;
        }
        let node = memory.tryU64(pid.address(entry));
        if (node === undefined) {
          this.#unreadable++;
          continue;
        }
        // One task per pid; a few only while exec changes the leader of a group.
        for (let count = 0; node !== undefined && node !== 0n && count < 4; count++) {
          this.#take(containerOf(virtual(node), link));
          node = memory.tryU64(virtual(node));
        }
      }
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      this.#pidsLeftOut = isLeftOut(error);
      this.#lack(`the table of pids is ${this.#pidsLeftOut ? "not whole in this dump" : "damaged"}: ${error.message}`);
    }
    return true;
  }

  /** Follows `tasks` and `thread_node` of every task found; newcomers join the queue at its end. */
  #followLists(): void {
    for (let i = 0; i < this.#neighbours.length; i++) {
      const address = this.#neighbours[i] as VirtualAddress;
      if (!this.#found.has(address) && this.#found.size < MAX_TASKS) this.#take(address, true);
    }
    this.#neighbours.length = 0;
  }

  /**
   * Notes the next task on either list. Done when the task is read, while its pages are at hand: a second pass over thousands of tasks
   * would decode every page again.
   */
  #noteNeighbours(task: Task): void {
    if (task.idle && task.address !== this.#init) return;
    const { memory } = this.#kernel;
    const { tasks, threadNode, threadHead, threadGroup } = this.#layout;
    if (isGroupLeader(task)) {
      const next = memory.tryU64(tasks.address(task.address));
      if (next !== undefined) this.#neighbours.push(containerOf(virtual(next), tasks));
    }
    if (threadNode !== undefined && threadHead !== undefined) {
      const next = memory.tryU64(threadNode.address(task.address));
      if (next !== undefined && next !== threadHead.address(task.signal)) this.#neighbours.push(containerOf(virtual(next), threadNode));
    } else if (threadGroup !== undefined) {
      const next = memory.tryU64(threadGroup.address(task.address));
      if (next !== undefined) this.#neighbours.push(containerOf(virtual(next), threadGroup));
    }
  }

  /** Reads a task and keeps it. One that only a list link names (which may be stale or damaged) must look like a task. */
  #take(address: VirtualAddress, fromLink = false): Task | undefined {
    const known = this.#found.get(address);
    if (known !== undefined) return known;
    const task = this.#kernel.arch.isKernelAddress(address) ? this.#tryRead(address) : undefined;
    if (task === undefined || (fromLink && !looksLikeTask(task))) {
      if (fromLink) this.#brokenLinks++;
      else this.#unreadable++;
      return undefined;
    }
    this.#found.set(address, task);
    this.#noteNeighbours(task);
    return task;
  }

  #tryRead(address: VirtualAddress): Task | undefined {
    try {
      return this.read(address);
    } catch (error) {
      if (error instanceof FaultError) return undefined;
      throw error;
    }
  }

  read(address: VirtualAddress): Task {
    const layout = this.#layout;
    const idleOn = this.#idle.get(address);
    const activeOn = this.#active.get(address);
    const onCpu = this.#active.size === 0 && layout.onCpu !== undefined && layout.onCpu.number(address) === 1;
    return {
      address,
      // In the order of the structure, so that a page is decoded once.
      flags: layout.flags.number(address) >>> 0,
      state: this.#states.state(layout.state.number(address) >>> 0),
      mm: layout.mm.pointer(address),
      exitState: this.#states.exitState(layout.exitState.number(address)),
      pid: layout.pid.number(address),
      tgid: layout.tgid.number(address),
      parent: layout.parent.pointer(address),
      groupLeader: layout.groupLeader.pointer(address),
      comm: layout.comm.string(address),
      signal: layout.signal.pointer(address),
      cpu: activeOn ?? idleOn ?? this.#cpu(address),
      active: activeOn !== undefined || onCpu,
      idle: idleOn !== undefined,
    };
  }

  #cpu(task: VirtualAddress): number {
    const { cpu, stack } = this.#layout;
    if (cpu !== undefined) return cpu.number(task);
    // Before 4.9 thread_info lay at the low end of the stack.
    const info = this.#kernel.types.tryStruct("thread_info")?.tryField("cpu");
    return info === undefined ? 0 : (this.#kernel.memory.tryU32(info.address(stack.pointer(task))) ?? 0);
  }
}

/** Pids of the first namespace: 4.15 replaced their hash by an IDR (95846ecf9dac); before 4.20 an IDR is a radix tree with its root in rnode. */
function idrPids(kernel: Kernel): Iterable<VirtualAddress> | undefined {
  const { types, memory } = kernel;
  const namespace = kernel.tryAddress("init_pid_ns");
  const layout = xarrayLayout(types);
  const head = types.tryStruct("pid_namespace")?.firstField("idr.idr_rt.xa_head", "idr.idr_rt.rnode");
  if (namespace === undefined || layout === undefined || head === undefined) return undefined;
  return (function* () {
    for (const { entry } of xarrayEntries(memory, layout, head.pointer(namespace), MAX_TASKS)) yield entry;
  })();
}

function looksLikeTask(task: Task): boolean {
  return (
    task.pid > 0 && task.pid <= 1 << 22 && task.tgid > 0 && task.tgid <= 1 << 22 && !/\p{Cc}|\ufffd/u.test(task.comm) && task.signal !== 0n
  );
}
