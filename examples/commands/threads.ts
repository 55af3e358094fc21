/**
 * A command of one's own: processes by their number of threads.
 *
 *   inquest> extend examples/commands/threads.ts
 *   inquest> threads -n 3
 *
 * Kernel side: threads of a group share task_struct.tgid (include/linux/sched.h).
 */
import { defineExtension } from "inquest";

interface Process {
  readonly pid: number;
  readonly comm: string;
  readonly threads: number;
}

export default defineExtension<readonly Process[]>({
  name: "threads",
  summary: "processes by their number of threads",
  synopsis: ["[-n count]"],
  description: ["Lists the processes with the most threads."],
  options: [{ flag: "-n", argument: "count", help: "so many at most (ten, if none are given)" }],
  run(kernel, args) {
    const processes = new Map<number, Process>();
    for (const { tgid, pid, comm } of kernel.tasks()) {
      const known = processes.get(tgid);
      processes.set(tgid, { pid: tgid, comm: pid === tgid ? comm : (known?.comm ?? comm), threads: (known?.threads ?? 0) + 1 });
    }
    return [...processes.values()].sort((a, b) => b.threads - a.threads || a.pid - b.pid).slice(0, Number(args.value("-n") ?? 10));
  },
  *text(processes) {
    yield "THREADS     PID  COMM";
    for (const { pid, comm, threads } of processes) yield `${String(threads).padStart(7)} ${String(pid).padStart(7)}  ${comm}`;
  },
});
