/**
 * Questions about tasks: all of them, one by pid or address, threads, parents, who runs. task-collector.ts finds them.
 */
import { add, hex16, type VirtualAddress, virtual } from "../bytes/address.ts";
import { LookupError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { isGroupLeader, type Task, TaskCollector, type TaskTable } from "./task-collector.ts";
import { taskLayout } from "./task-layout.ts";
import { type StateLetters, stateLetters, stateNames } from "./task-state.ts";

export { isGroupLeader, type Task, type TaskTable } from "./task-collector.ts";

/** include/linux/sched.h; unchanged since 2.6.27. */
const PF_KTHREAD = 0x0020_0000;

/** Reads all tasks; once per dump. Throws LookupError only when the dump has no types or no init_task. */
export function taskTable(kernel: Kernel): TaskTable {
  return kernel.memo(taskTable, () => {
    const table = new TaskCollector(kernel).collect();
    for (const note of table.notes) kernel.note(note);
    return table;
  });
}

/** Crash's two letters. */
export function taskState(task: Task): StateLetters {
  return stateLetters(task.state, task.exitState);
}

/** "TASK_RUNNING", "TASK_INTERRUPTIBLE|TASK_FREEZABLE" … */
export function taskStateNames(task: Task): string {
  return stateNames(task.state, task.exitState);
}

/** A thread of the kernel itself: it never had user memory. */
export function isKernelThread(task: Task): boolean {
  return task.idle || (task.flags & PF_KTHREAD) !== 0;
}

/** The real parent's pid, as ps(1) shows it; 0 when there is none or it cannot be read. */
export function parentPid(kernel: Kernel, task: Task): number {
  if (task.idle) return 0;
  const parent = taskTable(kernel).byAddress.get(task.parent);
  if (parent !== undefined) return parent.tgid;
  return kernel.memory.tryU32(taskLayout(kernel).tgid.address(task.parent)) ?? 0;
}

/** Threads of a task's group, leader first. */
export function threadsOf(kernel: Kernel, task: Task): readonly Task[] {
  const groups = kernel.memo(threadsOf, () => {
    const byLeader = new Map<bigint, Task[]>();
    for (const each of taskTable(kernel).tasks) {
      const group = byLeader.get(each.groupLeader);
      if (group === undefined) byLeader.set(each.groupLeader, [each]);
      else group.push(each);
    }
    return byLeader;
  });
  const group = groups.get(task.groupLeader) ?? [task];
  return [...group].sort((a, b) => Number(isGroupLeader(b)) - Number(isGroupLeader(a)) || a.pid - b.pid);
}

/** Tasks that run on a CPU, by CPU. */
export function activeTasks(kernel: Kernel): readonly { readonly cpu: number; readonly task: Task }[] {
  const { tasks } = taskTable(kernel);
  return tasks
    .filter((task) => task.active)
    .map((task) => ({ cpu: task.cpu, task }))
    .sort((a, b) => a.cpu - b.cpu);
}

/**
 * Takes the user's word that this task was running on its CPU, in place of the one that the run queue names; for dumps whose run queues
 * are damaged. Holds for the rest of the session.
 */
export function makeActive(kernel: Kernel, task: Task): void {
  for (const each of taskTable(kernel).tasks) {
    if (each.cpu === task.cpu) (each as { active: boolean }).active = each.address === task.address;
  }
}

/** A task by the address of its task_struct. @throws LookupError when no task lies there */
export function taskAt(kernel: Kernel, address: VirtualAddress): Task {
  const task = taskTable(kernel).byAddress.get(address);
  if (task === undefined) throw new LookupError(`no task at ${hex16(address)}`);
  return task;
}

/** All tasks with this pid: one, or the idle tasks for pid 0. */
export function tasksWithPid(kernel: Kernel, pid: number): readonly Task[] {
  const { byPid, tasks } = taskTable(kernel);
  if (pid === 0) return tasks.filter((task) => task.idle);
  const task = byPid.get(pid);
  return task === undefined ? [] : [task];
}

/** Reads one task_struct that is known by its address, e.g. one that is on no list. @throws FaultError */
export function readTask(kernel: Kernel, address: VirtualAddress): Task {
  return new TaskCollector(kernel).read(address);
}

/** Address of the thread_info: inside task_struct since 4.9, else at the low end of the stack. */
export function threadInfo(kernel: Kernel, task: VirtualAddress): VirtualAddress | undefined {
  const layout = taskLayout(kernel);
  const inside = layout.struct.tryField("thread_info");
  if (inside !== undefined) return inside.address(task);
  const stack = kernel.memory.tryU64(add(task, layout.stack.offset));
  return stack === undefined ? undefined : virtual(stack);
}
