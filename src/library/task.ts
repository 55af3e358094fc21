/**
 * A task as scripts hold it: what was read of it, and questions that are answered when asked.
 *
 *   for (const task of kernel.tasks()) if (task.state === "UN") console.log(task.pid, task.comm, task.stack().frames[0]?.function);
 *   task.$.signal.rlim[3].rlim_cur                members of its task_struct
 */
import type { VirtualAddress } from "../bytes/address.ts";
import { UnsupportedError } from "../bytes/errors.ts";
import { psTask } from "../commands/support/ps-tasks.ts";
import type { Kernel as Engine } from "../kernel/kernel.ts";
import { directories, type OpenFile, type ShownPath } from "../linux/file.ts";
import { commandLine, userSpace } from "../linux/mm.ts";
import {
  type Task as EngineTask,
  isGroupLeader,
  isKernelThread,
  parentPid,
  taskState,
  taskStateNames,
  taskTable,
  threadsOf,
} from "../linux/task.ts";
import type { Found } from "./found.ts";
import type { Interactive } from "./interactive.ts";
import type { ScriptMemory } from "./memory.ts";
import { type Stack, type StackOptions, stackOf } from "./stack.ts";
import { filesOf, type Mapping, mappingsOf, type Signals, signalsOf } from "./task-views.ts";
import type { Value } from "./value.ts";

/** What a task needs of its kernel. */
interface Home {
  readonly engine: Engine;
  object(type: string, address: bigint): Value;
}

/** One task (include/linux/sched.h, struct task_struct). */
export class Task {
  readonly #home: Home;
  /** As the engine read it: flags, state bits, signal and mm addresses. */
  readonly inner: EngineTask;

  /** Scripts get tasks from a Kernel; they do not make them. */
  constructor(home: Home, inner: EngineTask) {
    this.#home = home;
    this.inner = inner;
  }

  /** Its own number: what user space calls the thread id. 0 for idle tasks. */
  get pid(): number {
    return this.inner.pid;
  }

  /** The number of its thread group: what user space calls the process id. */
  get tgid(): number {
    return this.inner.tgid;
  }

  /** Pid of the real parent, as ps(1) shows it; 0 when there is none. */
  get ppid(): number {
    return parentPid(this.#home.engine, this.inner);
  }

  /** Name, at most 15 characters. */
  get comm(): string {
    return this.inner.comm;
  }

  /** CPU that it runs on or ran on last. */
  get cpu(): number {
    return this.inner.cpu;
  }

  /** Address of its task_struct. */
  get address(): VirtualAddress {
    return this.inner.address;
  }

  /** Two letters: RU IN UN ID ST TR ZO DE PA NE WA. UN is what ps(1) calls D, but for idle kernel workers, which are ID. */
  get state(): string {
    return taskState(this.inner);
  }

  /** The state's bits by the kernel's names: "TASK_UNINTERRUPTIBLE|TASK_NOLOAD". */
  get stateNames(): string {
    return taskStateNames(this.inner);
  }

  /** It was running on its CPU when the machine stopped. */
  get active(): boolean {
    return this.inner.active;
  }

  /** An idle task (swapper/N). */
  get idle(): boolean {
    return this.inner.idle;
  }

  /** A thread of the kernel itself: it has no user memory. */
  get kernelThread(): boolean {
    return isKernelThread(this.inner);
  }

  /** The first thread of its process. */
  get leader(): boolean {
    return isGroupLeader(this.inner);
  }

  /** Memory of its process as `ps` counts it: KiB, and percent of what the kernel manages. KiB are undefined when the mm cannot be read. */
  get memory(): { readonly rssKiB: number | undefined; readonly vszKiB: number | undefined; readonly percent: number } {
    const { rssKiB, vszKiB, memoryPercent } = psTask(this.#home.engine, this.inner);
    return { rssKiB, vszKiB, percent: memoryPercent };
  }

  /** Its task_struct. */
  get struct(): Value {
    return this.#home.object("struct task_struct", this.address);
  }

  /** Members of its task_struct as properties: `task.$.mm.pgd`. */
  get $(): Interactive {
    return this.struct.$;
  }

  /** The parent; undefined for idle tasks, and when it is no task that is known. */
  get parent(): Task | undefined {
    const found = this.inner.idle ? undefined : taskTable(this.#home.engine).byAddress.get(this.inner.parent);
    return found === undefined ? undefined : new Task(this.#home, found);
  }

  /** Processes that it started, in the order of their pids. */
  get children(): readonly Task[] {
    return this.#tasks(
      taskTable(this.#home.engine).tasks.filter((each) => isGroupLeader(each) && !each.idle && each.parent === this.address),
    );
  }

  /** Threads of its process, itself included, the leader first. */
  get threads(): readonly Task[] {
    return this.#tasks(threadsOf(this.#home.engine, this.inner));
  }

  /** Arguments of its program, from its own memory. Throws UnsupportedError where that cannot be read, with the reason. */
  get commandLine(): readonly string[] {
    const { arguments: words, problem } = commandLine(this.#home.engine, this.inner);
    if (words === undefined) throw new UnsupportedError(`the arguments of ${this.pid} cannot be read: ${problem ?? "it has none"}`);
    return words;
  }

  /** Memory of its process by user addresses. Throws UnsupportedError for a kernel thread. */
  get userMemory(): ScriptMemory {
    if (this.inner.mm === 0n) throw new UnsupportedError(`task ${this.pid} (${this.comm}) has no user memory`);
    return userSpace(this.#home.engine, this.inner.mm);
  }

  /** Its open files by ascending descriptor: number, struct file, path. Sockets name their protocol. Throws FaultError. */
  openFiles(): Found<OpenFile> {
    return filesOf(this.#home.engine, this.inner);
  }

  /** Its root and current directory; undefined for a task that has exited. Throws FaultError. */
  get directories(): { readonly root: ShownPath; readonly cwd: ShownPath } | undefined {
    return directories(this.#home.engine, this.address);
  }

  /** Mappings of its process by ascending address, as /proc/PID/maps has them; none of a kernel thread. */
  mappings(): Found<Mapping> {
    return mappingsOf(this.#home.engine, this.inner);
  }

  /** What it does with signals, which are blocked and which wait. Throws LookupError, FaultError. */
  signals(): Signals {
    return signalsOf(this.#home.engine, this.inner);
  }

  /** Its kernel stack, innermost frame first, with inlined calls, lines and variables where debug information is there. */
  stack(options: StackOptions = {}): Stack {
    return stackOf(this.#home.engine, this.inner, options);
  }

  /** The row of `ps`: pid, ppid, cpu, address, state, memoryPercent, rssKiB, vszKiB, comm, active, kernelThread. */
  toJSON(): Record<string, unknown> {
    return { ...psTask(this.#home.engine, this.inner) };
  }

  /** `PID 117 "sh"`. */
  toString(): string {
    return `PID ${this.pid} "${this.comm}"`;
  }

  #tasks(tasks: readonly EngineTask[]): readonly Task[] {
    return tasks.map((each) => new Task(this.#home, each));
  }
}
