/**
 * What tasks cost by themselves: thousands of threads that never end hold memory that no process and no file has.
 *
 *   task ─┬─ its stack                 THREAD_SIZE, of vmalloc() or of the page allocator
 *         └─ task_struct, signal_struct, sighand_struct, struct pid, cred …       caches of kernel/fork.c, pid.c, cred.c
 *
 * Tasks that differ in a number only ("evt/1", "evt/2") are one family.
 */
import type { Kernel } from "../../kernel/kernel.ts";
import { type Task, taskTable } from "../../linux/task.ts";
import { threadSize } from "../../stack/task-stack.ts";
import { unwindTask } from "../../stack/unwind.ts";
import { guarded } from "../guarded.ts";
import { functionText, guiltyFrame } from "../hang/guilty-frame.ts";
import type { HeldCache } from "./holders.ts";

/** Fewer tasks of one family are no reason. */
const MANY = 512;
const CACHES = /^(?:task_struct|signal_cache|sighand_cache|pid|cred_jar|thread_stack|files_cache)$/;
/** Who asks vmalloc() for stacks. */
export const STACK_MAKERS = /^(?:kernel_clone|_do_fork|copy_process|dup_task_struct|alloc_thread_stack_node|fork_idle|create_io_thread)\b/;

export interface TaskFamily {
  /** "evt_handler/*". */
  readonly name: string;
  readonly first: Task;
  readonly count: number;
  readonly pages: number;
  /** Where the first sleeps, when that can be told. */
  readonly place: string | undefined;
}

/** The largest family, when it is one of many. */
export function largestFamily(kernel: Kernel, caches: readonly HeldCache[]): TaskFamily | undefined {
  const tasks = (guarded(() => taskTable(kernel).tasks) ?? []).filter(({ idle }) => !idle);
  const families = new Map<string, { readonly first: Task; count: number }>();
  for (const task of tasks) {
    const name = task.comm.replace(/\d+/g, "*");
    const known = families.get(name);
    if (known === undefined) families.set(name, { first: task, count: 1 });
    else known.count++;
  }
  const [largest] = [...families].sort(([, a], [, b]) => b.count - a.count);
  if (largest === undefined || largest[1].count < MANY) return undefined;
  const [name, { first, count }] = largest;
  const slabs = caches.filter(({ cache }) => CACHES.test(cache.name)).reduce((sum, { pages }) => sum + pages, 0);
  const stacks = (tasks.length * threadSize(kernel)) / kernel.arch.pageSize;
  const place = guarded(() => {
    const stack = unwindTask(kernel, first.address);
    const guilty = guiltyFrame(stack);
    return guilty === undefined ? undefined : functionText(stack.frames[guilty]);
  });
  return { name, first, count, pages: Math.round(((slabs + stacks) * count) / tasks.length), place };
}
