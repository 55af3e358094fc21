/**
 * Whether a machine that was asked to die could be looked through: "nothing is wrong" is no word of a dump whose tasks or stacks are missing.
 *
 *   types and the list of tasks      without them nobody waits for anybody
 *   stacks                           of those on a CPU, and of those in uninterruptible sleep: where a hang is seen
 *   the file                         not cut off
 */
import { add } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
import { stackReader } from "../../identity/stack-reader.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { waitOf } from "../../linux/locking/lock-report.ts";
import { activeTasks, type Task, taskState, taskTable } from "../../linux/task.ts";
import { taskLayout } from "../../linux/task-layout.ts";
import { threadSize } from "../../stack/task-stack.ts";
import type { Check } from "../verdict.ts";

/** Tasks whose stacks are looked at; a hang shows in the first. */
const MAX_TASKS = 512;
const PAGE = 4096;

/** In words for people; the story says what it means when it is not held. */
export const LOOKED_THROUGH = "tasks and their stacks are all in the dump: what else may be wrong could be looked for";

/** The check of a verdict that says nothing else is wrong. */
export function lookedThroughCheck(kernel: Kernel): Check {
  return { what: LOOKED_THROUGH, result: isWhole(kernel) ? "held" : "not possible" };
}

/**
 * A machine that hangs is often asked to die before anything reported it. A CPU that spun for a lock may have begun just then, or long before:
 * without a clock that tells, nobody knows.
 */
export function nobodySpinsCheck(kernel: Kernel): Check {
  try {
    const reader = stackReader(kernel);
    const spinning = activeTasks(kernel).find(({ task }) => waitOf(kernel, task, reader) !== undefined);
    return spinning === undefined
      ? { what: "no CPU was stopped while it spun for a lock", result: "held" }
      : { what: `CPU ${spinning.cpu} spun for a lock when it was stopped: whether for long`, result: "not possible" };
  } catch (error) {
    if (error instanceof InquestError) return { what: "whether a CPU spun for a lock", result: "not possible" };
    throw error;
  }
}

function isWhole(kernel: Kernel): boolean {
  try {
    if (kernel.dump.incomplete || !kernel.types.present) return false;
    const { tasks, incomplete } = taskTable(kernel);
    if (incomplete !== undefined) return false;
    const telling = tasks.filter((task) => task.active || taskState(task) === "UN").slice(0, MAX_TASKS);
    return telling.every((task) => hasStack(kernel, task));
  } catch (error) {
    if (error instanceof InquestError) return false;
    throw error;
  }
}

/** Every page of its stack can be read. */
function hasStack(kernel: Kernel, { address }: Task): boolean {
  const stack = taskLayout(kernel).stack.pointer(address);
  const size = threadSize(kernel);
  for (let at = 0; at < size; at += PAGE) if (kernel.memory.tryU64(add(stack, at)) === undefined) return false;
  return true;
}
