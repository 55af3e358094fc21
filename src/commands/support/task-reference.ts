/** A task as other things point at it: by the address of its task_struct, with its pid and name where it can be read. */
import { hex16, type VirtualAddress } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { readTask, taskTable } from "../../linux/task.ts";

/** A task, briefly. */
export interface TaskReference {
  readonly address: bigint;
  /** undefined: what lies there cannot be read as a task. */
  readonly pid?: number;
  readonly comm?: string;
  readonly cpu?: number;
}

/** The task at an address, also one that no list holds. */
export function taskReference(kernel: Kernel, address: VirtualAddress): TaskReference {
  const known = taskTable(kernel).byAddress.get(address);
  if (known !== undefined) return { address, pid: known.pid, comm: known.comm, cpu: known.cpu };
  try {
    const { pid, comm, cpu } = readTask(kernel, address);
    return { address, pid, comm, cpu };
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    return { address };
  }
}

/** `PID: 901    TASK: ff3d90d282c74180  COMMAND: "lab-spinner"` */
export function taskReferenceText({ address, pid, comm }: TaskReference): string {
  if (pid === undefined) return `PID: ?      TASK: ${hex16(address)}  (unreadable)`;
  return `PID: ${String(pid).padEnd(6)} TASK: ${hex16(address)}  COMMAND: "${comm ?? ""}"`;
}
