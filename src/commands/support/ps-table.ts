/**
 * The table of `ps`, in crash's columns.
 *
 *         PID    PPID  CPU       TASK        ST  %MEM      VSZ      RSS  COMM
 *   >       0       0   0  ffffffff8261b2c0  RU   0.0        0        0  [swapper/0]
 */
import { hex16 } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { savedStackPointer } from "../../linux/kernel-stack-pointer.ts";
import { policyName } from "../../linux/scheduler-policy.ts";
import type { Task } from "../../linux/task.ts";
import { taskLayout } from "../../linux/task-layout.ts";
import type { PsTask } from "./ps-tasks.ts";

/** Members of the columns that -s and -Y bring in. */
export interface TableExtra {
  readonly stackPointer?: bigint;
  readonly policy?: string;
  readonly priority?: number;
}

export function tableExtra(kernel: Kernel, task: Task, column: "stack" | "policy" | undefined): TableExtra {
  if (column === "stack") {
    // What a running task saved is of its last sleep.
    if (task.active) return {};
    const stackPointer = savedStackPointer(kernel, task.address);
    return stackPointer === undefined ? {} : { stackPointer };
  }
  if (column === "policy") {
    const { policy, prio } = taskLayout(kernel);
    return { policy: policyName(policy.number(task.address)), priority: prio.number(task.address) };
  }
  return {};
}

export function* psTable(tasks: Iterable<PsTask & TableExtra>, header: boolean, column: "stack" | "policy" | undefined): Iterable<string> {
  const place = column === "stack" ? " KSTACKP" : "  TASK  ";
  if (header)
    yield `      PID    PPID  CPU     ${place}      ST  ${column === "policy" ? "POLICY    PRIO" : "%MEM      VSZ      RSS"}  COMM`;
  for (const task of tasks) {
    const address = column === "stack" ? stackPointerText(task) : hex16(task.address);
    const comm = task.kernelThread ? `[${task.comm}]` : task.comm;
    const measures =
      column === "policy"
        ? `${(task.policy ?? "?").padEnd(8)}  ${String(task.priority ?? "?").padStart(4)}`
        : `${task.memoryPercent.toFixed(1).padStart(4)} ${amount(task.vszKiB)} ${amount(task.rssKiB)}`;
    yield `${task.active ? ">" : " "} ${String(task.pid).padStart(7)} ${String(task.ppid).padStart(7)} ${String(task.cpu).padStart(3)}  ${address} ${task.state.padStart(3)}  ${measures}  ${comm}`;
  }
}

function stackPointerText({ active, stackPointer }: PsTask & TableExtra): string {
  if (active) return "--".padStart(9).padEnd(16);
  return stackPointer === undefined ? "?".padStart(16) : hex16(stackPointer);
}

function amount(kib: number | undefined): string {
  return (kib === undefined ? "?" : String(kib)).padStart(8);
}
