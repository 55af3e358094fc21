/** A task named by an operand: a pid in decimal, or the hexadecimal address of its task_struct. */
import { LookupError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type Task, tasksWithPid, taskTable } from "../../linux/task.ts";
import { parseNumber } from "./evaluate.ts";

/** Digits that are a pid win over the same digits as an address. Throws LookupError, in crash's words. */
export function taskOperand(kernel: Kernel, text: string): Task {
  const pid = /^\d{1,7}$/.test(text) ? tasksWithPid(kernel, Number(text))[0] : undefined;
  if (pid !== undefined) return pid;
  const address = parseNumber(text, 16);
  const task = address === undefined ? undefined : taskTable(kernel).byAddress.get(address);
  if (task === undefined) throw new LookupError(`invalid task or pid value: ${text}`);
  return task;
}
