/** The stack of the task that faulted. */
import type { StackArea } from "../../stack/frame.ts";
import { taskStack } from "../../stack/task-stack.ts";
import { guarded } from "../guarded.ts";
import type { FaultCase } from "./fault-case.ts";

/** undefined where there is no task, or its stack cannot be read. */
export function ownStack({ kernel, subject }: Pick<FaultCase, "kernel" | "subject">): StackArea | undefined {
  const { task } = subject;
  return task === undefined ? undefined : guarded(() => taskStack(kernel, task.address));
}
