/** `ps`: tasks. */
import { UsageError } from "../bytes/errors.ts";
import { psApi } from "./api/tasks.ts";
import { defineCommand } from "./command.ts";
import { lazy } from "./support/lazy.ts";
import { psTable, type TableExtra, tableExtra } from "./support/ps-table.ts";
import { chooseTasks, type PsTask, psTask } from "./support/ps-tasks.ts";
import { viewLines } from "./support/ps-view-text.ts";
import { type PsView, VIEWS, viewOf } from "./support/ps-views.ts";

export interface PsResult {
  /** Rows of the table; lazy, in order. Absent for the other views. */
  readonly tasks?: Iterable<PsTask & TableExtra>;
  readonly view?: PsView;
  readonly header: boolean;
  /** Column in place of TASK or of the memory columns. */
  readonly column?: "stack" | "policy";
  readonly notes: readonly string[];
  toJSON(): Record<string, unknown>;
}

export const ps = defineCommand<PsResult>({
  spec: {
    name: "ps",
    summary: "tasks",
    synopsis: [
      "[-k|-u|-G|-I] [-y policy] [-s|-Y] [-AH] [pid | task | command | 'regex']…",
      "[-p|-c|-t|-l|-m [-C cpus]|-a|-g|-r|-S] [pid | task | command | 'regex']…",
    ],
    description: [
      "Lists tasks: > marks those that were running on a CPU, brackets mark kernel threads. %MEM, VSZ and RSS (in KiB) are of the process; RSS counts what CPUs and threads had not yet added to the shared counters, so it may differ from ps(1) by some pages.",
      "States: RU running or runnable, IN interruptible, UN uninterruptible sleep, ID idle kernel worker, ST stopped, TR traced, ZO zombie, DE dead, PA parked, NE new, WA waking.",
      "Operands choose tasks by pid, address of the task_struct, name, or a quoted regular expression on the name.",
    ],
    options: [
      { flag: "-k", help: "kernel threads only" },
      { flag: "-u", help: "user tasks only" },
      { flag: "-G", help: "leaders of thread groups only" },
      { flag: "-I", help: "without the idle tasks" },
      { flag: "-y", argument: "policy", help: "tasks of these scheduling policies: NORMAL, FIFO, RR, BATCH, IDLE, DEADLINE, EXT" },
      { flag: "-A", help: "tasks running on a CPU only" },
      { flag: "-H", help: "no header line" },
      { flag: "-s", help: "the saved kernel stack pointer instead of the task's address; -- for a running task" },
      { flag: "-Y", help: "scheduling policy and priority instead of the memory columns" },
      { flag: "-p", help: "ancestors of each task" },
      { flag: "-c", help: "children of each task" },
      { flag: "-t", help: "run time, start time, user and system time" },
      { flag: "-l", help: "by the time of the last run, newest first, in nanoseconds of the scheduler's clock" },
      { flag: "-m", help: "the same as time elapsed since" },
      { flag: "-C", argument: "cpus", help: "with -l or -m: one block per CPU" },
      { flag: "-a", help: "arguments and environment, from the process's own memory" },
      { flag: "-g", help: "threads of each group" },
      { flag: "-r", help: "resource limits" },
      { flag: "-S", help: "number of tasks by state" },
    ],
    operands: ["task"],
    examples: [
      ["ps -A", "what was running"],
      ["ps -S", "how many tasks are in which state"],
      ["ps -m 'kworker.*'", "when the kworkers last ran"],
      ["ps -a 1", "command line and environment of pid 1"],
    ],
    differences: [
      "RSS includes counts that are still cached per CPU or per thread.",
      "%MEM is of the memory that the kernel manages (MemTotal), as ps(1) has it; crash takes the whole range of page frames.",
      "Threads are no children of their process's parent (-c).",
      "START TIME has the date beside the nanoseconds.",
    ],
  },
  run(session, args) {
    const { kernel } = session;
    const views = VIEWS.filter((flag) => args.has(flag));
    if (views.length > 1) throw new UsageError(`${views.join(" and ")} exclude each other`);
    if (args.has("-C") && !args.has("-l") && !args.has("-m")) throw new UsageError("-C goes with -l or -m");
    const tasks = chooseTasks(kernel, args, undefined);
    const header = !args.has("-H");
    const view = views[0];
    if (view !== undefined) {
      const answer = viewOf(kernel, view, tasks, args.value("-C"));
      return { view: answer, header, notes: [], toJSON: () => ({ ...answer }) };
    }
    const column = args.has("-s") ? ("stack" as const) : args.has("-Y") ? ("policy" as const) : undefined;
    const rows = lazy(function* () {
      for (const task of tasks) yield { ...psTask(kernel, task), ...tableExtra(kernel, task, column) };
    });
    return { tasks: rows, header, ...(column === undefined ? {} : { column }), notes: [], toJSON: () => ({ tasks: rows }) };
  },
  api: psApi,
  *text({ tasks, view, header, column }) {
    if (tasks !== undefined) yield* psTable(tasks, header, column);
    if (view !== undefined) yield* viewLines(view);
  },
});
