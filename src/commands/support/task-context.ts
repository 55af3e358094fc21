/** The task that commands apply to, as `set` and the banner show it. */
import { hex16, type VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { panicTask } from "../../linux/panic-task.ts";
import { readTask, taskStateNames, taskTable, threadInfo } from "../../linux/task.ts";

export interface TaskContext {
  readonly pid: number;
  readonly comm: string;
  readonly address: VirtualAddress;
  /** Idle tasks share pid 0: how many there are; undefined for others. */
  readonly sharing: number | undefined;
  readonly threadInfo: VirtualAddress | undefined;
  readonly cpu: number;
  /** "TASK_RUNNING" … */
  readonly state: string;
  /** PANIC, SYSRQ or ACTIVE behind the state; undefined for a task that was not running. */
  readonly flag: string | undefined;
}

export function taskContext(kernel: Kernel, address: VirtualAddress): TaskContext {
  const task = taskTable(kernel).byAddress.get(address) ?? readTask(kernel, address);
  const panic = panicTask(kernel);
  const flag = panic?.task.address === address ? panic.flag : task.active ? "ACTIVE" : undefined;
  return {
    pid: task.pid,
    comm: task.comm,
    address,
    sharing: task.idle ? taskTable(kernel).tasks.filter(({ idle }) => idle).length : undefined,
    threadInfo: threadInfo(kernel, address),
    cpu: task.cpu,
    state: taskStateNames(task),
    flag,
  };
}

/** crash's block, its labels right-aligned to `width` columns. */
export function* contextLines(context: TaskContext, width = 7): Iterable<string> {
  const line = (label: string, value: string) => `${label.padStart(width)}: ${value}`;
  const info = context.threadInfo === undefined ? "" : `  [THREAD_INFO: ${hex16(context.threadInfo)}]`;
  yield line("PID", String(context.pid));
  yield line("COMMAND", `"${context.comm}"`);
  const sharing = context.sharing === undefined || context.sharing < 2 ? "" : `  (1 of ${context.sharing})`;
  yield line("TASK", `${hex16(context.address)}${sharing}${info}`);
  yield line("CPU", String(context.cpu));
  yield line("STATE", `${context.state}${context.flag === undefined ? "" : ` (${context.flag})`}`);
}
