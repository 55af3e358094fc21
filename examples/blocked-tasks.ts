/**
 * Tasks in uninterruptible sleep (ps(1)'s D), longest waiting first, each with its stack: what a hung system is looked at for first.
 *
 *   inquest script examples/blocked-tasks.ts vmcore
 *
 * Kernel side: task_struct.__state (include/linux/sched.h); the time of the last run is sched_info.last_arrival (kernel/sched/stats.h).
 */
import type { Frame, Kernel, Task } from "inquest";

/** One line of a stack: `  #3 rwsem_down_read_slowpath+0x2a1   kernel/locking/rwsem.c:1073`. */
function line({ level, function: name, offset, kind, module, source }: Frame): string {
  const place = kind === "inline" ? " (inlined)" : offset === undefined ? "" : `+0x${offset.toString(16)}`;
  const where = source === undefined ? "" : `   ${source.file}:${source.line}`;
  return `  #${level} ${name ?? "?"}${place}${module === undefined ? "" : ` [${module}]`}${where}`;
}

/** Nanoseconds of the scheduler's clock when it last began to run; kernels without CONFIG_SCHED_INFO do not say. */
function lastRun(task: Task): bigint {
  return task.struct.has("sched_info") ? task.struct.get("sched_info.last_arrival").bigint() : 0n;
}

export default function (kernel: Kernel): string {
  const blocked = kernel.tasks().filter((task) => task.state === "UN");
  if (blocked.length === 0) return "no task is in uninterruptible sleep";
  blocked.sort((a, b) => (lastRun(a) < lastRun(b) ? -1 : 1));
  return blocked
    .map((task) => {
      const { frames, stop, complete } = task.stack();
      const seconds = (Number(lastRun(task)) / 1e9).toFixed(3);
      const end = complete ? [] : [`  (${stop})`];
      return [`PID ${task.pid} ${task.comm}, last ran at ${seconds} s`, ...frames.map(line), ...end].join("\n");
    })
    .join("\n\n");
}
