/** What `ps` shows other than its table: ancestors, children, times, last runs, arguments, threads, limits, counts. */
import { FaultError, UnsupportedError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { cpuMasks } from "../../linux/cpu.ts";
import { type CommandLine, commandLine } from "../../linux/mm.ts";
import { type ResourceLimit, resourceLimits } from "../../linux/resource-limits.ts";
import { runqueue } from "../../linux/runqueue.ts";
import { isGroupLeader, isKernelThread, type Task, taskState, taskTable, threadsOf } from "../../linux/task.ts";
import { lastArrival, taskTimes } from "../../linux/task-times.ts";
import { machineTime } from "../../linux/timekeeping.ts";
import { parseCpuList } from "./cpu-list.ts";
import { lazy } from "./lazy.ts";

export const VIEWS = ["-p", "-c", "-t", "-l", "-m", "-a", "-g", "-r", "-S"] as const;

type Brief = Pick<Task, "pid" | "comm" | "address" | "cpu">;

export type PsView =
  | { readonly kind: "states"; readonly states: Readonly<Record<string, number>> }
  /** Chains from the first ancestor down to the task. */
  | { readonly kind: "ancestors"; readonly chains: Iterable<readonly Brief[]> }
  | {
      readonly kind: "families";
      readonly of: "children" | "threads";
      readonly families: Iterable<{ readonly task: Brief; readonly members: readonly Brief[] }>;
    }
  | { readonly kind: "times"; readonly times: Iterable<TimesOfTask> }
  | { readonly kind: "last-run"; readonly elapsed: boolean; readonly blocks: readonly LastRunBlock[] }
  | { readonly kind: "arguments"; readonly processes: Iterable<{ readonly task: Brief } & (CommandLine | { readonly kernelThread: true })> }
  | {
      readonly kind: "limits";
      readonly limits: Iterable<{ readonly task: Brief; readonly limits: readonly ResourceLimit[]; readonly problem?: string }>;
    };

export interface TimesOfTask {
  readonly task: Brief;
  /** From the task's start to the dump: crash's RUN TIME. */
  readonly runSeconds: number | undefined;
  /** Time spent on CPUs, as the scheduler counts it. */
  readonly cpuSeconds: number | undefined;
  /** Seconds from boot to the task's start. */
  readonly startSeconds: number | undefined;
  /** Seconds since 1970. */
  readonly startDate: number | undefined;
  readonly userSeconds: number;
  readonly systemSeconds: number;
}

export interface LastRunBlock {
  /** undefined when CPUs are not apart. */
  readonly cpu: number | undefined;
  readonly tasks: readonly {
    readonly task: Brief;
    readonly state: string;
    readonly nanoseconds: number;
    readonly elapsedNanoseconds: number | undefined;
  }[];
}

const brief = ({ pid, comm, address, cpu }: Task): Brief => ({ pid, comm, address, cpu });

export function viewOf(kernel: Kernel, flag: (typeof VIEWS)[number], tasks: readonly Task[], cpus: string | undefined): PsView {
  switch (flag) {
    case "-S":
      return { kind: "states", states: countStates(tasks) };
    case "-p":
      return {
        kind: "ancestors",
        chains: lazy(function* () {
          for (const task of tasks) yield ancestors(kernel, task);
        }),
      };
    case "-c":
      return { kind: "families", of: "children", families: children(kernel, tasks) };
    case "-g":
      return { kind: "families", of: "threads", families: threads(kernel, tasks) };
    case "-t":
      return {
        kind: "times",
        times: lazy(function* () {
          for (const task of tasks) yield timesOf(kernel, task);
        }),
      };
    case "-l":
    case "-m":
      return { kind: "last-run", elapsed: flag === "-m", blocks: lastRuns(kernel, tasks, cpus) };
    case "-a":
      return {
        kind: "arguments",
        processes: lazy(function* () {
          for (const task of tasks)
            yield { task: brief(task), ...(isKernelThread(task) ? { kernelThread: true } : commandLine(kernel, task)) };
        }),
      };
    case "-r":
      return {
        kind: "limits",
        limits: lazy(function* () {
          for (const task of tasks) yield limitsOf(kernel, task);
        }),
      };
  }
}

function countStates(tasks: readonly Task[]): Record<string, number> {
  const states: Record<string, number> = {};
  for (const task of tasks) states[taskState(task)] = (states[taskState(task)] ?? 0) + 1;
  return states;
}

/** From the first ancestor (an idle task, usually) to the task itself; a circle of parents ends the chain. */
function ancestors(kernel: Kernel, task: Task): readonly Brief[] {
  const { byAddress } = taskTable(kernel);
  const chain: Task[] = [];
  let here: Task | undefined = task;
  while (here !== undefined && !chain.includes(here)) {
    chain.unshift(here);
    // The parent of an idle task is only who made it.
    here = here.idle ? undefined : byAddress.get(here.parent);
  }
  return chain.map(brief);
}

function children(kernel: Kernel, tasks: readonly Task[]) {
  return lazy(function* () {
    const byParent = new Map<bigint, Task[]>();
    for (const task of taskTable(kernel).tasks) {
      // A thread's parent is its leader's; only leaders are children. The parent of an idle task is only who made it.
      if (!isGroupLeader(task) || task.idle) continue;
      const siblings = byParent.get(task.parent);
      if (siblings === undefined) byParent.set(task.parent, [task]);
      else siblings.push(task);
    }
    for (const task of tasks) yield { task: brief(task), members: (byParent.get(task.address) ?? []).map(brief) };
  });
}

/** Each group once, also when several of its threads were chosen. */
function threads(kernel: Kernel, tasks: readonly Task[]) {
  return lazy(function* () {
    const seen = new Set<bigint>();
    for (const task of tasks) {
      if (task.idle || seen.has(task.groupLeader)) continue;
      seen.add(task.groupLeader);
      const [leader = task, ...others] = threadsOf(kernel, task);
      yield { task: brief(leader), members: others.map(brief) };
    }
  });
}

function timesOf(kernel: Kernel, task: Task): TimesOfTask {
  const times = taskTimes(kernel, task);
  const { realtime, uptime } = machineTime(kernel);
  const seconds = (nanoseconds: bigint | undefined) => (nanoseconds === undefined ? undefined : Number(nanoseconds) / 1e9);
  const began = times.start === undefined || realtime === undefined || uptime === undefined ? undefined : realtime - uptime + times.start;
  return {
    task: brief(task),
    runSeconds: uptime === undefined || times.start === undefined ? undefined : seconds(uptime > times.start ? uptime - times.start : 0n),
    cpuSeconds: seconds(times.run),
    startSeconds: seconds(times.start),
    startDate: seconds(began),
    userSeconds: Number(times.user) / 1e9,
    systemSeconds: Number(times.system) / 1e9,
  };
}

function lastRuns(kernel: Kernel, tasks: readonly Task[], cpus: string | undefined): readonly LastRunBlock[] {
  const clock = kernel.types.tryStruct("rq")?.tryField("clock");
  const clocks = new Map<number, bigint | undefined>();
  const now = (cpu: number): bigint | undefined => {
    if (!clocks.has(cpu)) {
      const rq = runqueue(kernel, cpu);
      clocks.set(cpu, rq === undefined || clock === undefined ? undefined : kernel.memory.tryU64(clock.address(rq)));
    }
    return clocks.get(cpu);
  };
  const rows = tasks.flatMap((task) => {
    const last = lastArrival(kernel, task);
    if (last === undefined)
      throw new UnsupportedError("-l and -m: this kernel does not record when a task last ran (no CONFIG_SCHED_INFO)");
    const end = now(task.cpu);
    return [
      {
        task: brief(task),
        state: taskState(task),
        nanoseconds: Number(last),
        elapsedNanoseconds: end === undefined ? undefined : Math.max(0, Number(end - last)),
      },
    ];
  });
  rows.sort((a, b) => b.nanoseconds - a.nanoseconds);
  if (cpus === undefined) return [{ cpu: undefined, tasks: rows }];
  return parseCpuList(cpus, cpuMasks(kernel).present).map((cpu) => ({ cpu, tasks: rows.filter(({ task }) => task.cpu === cpu) }));
}

function limitsOf(kernel: Kernel, task: Task) {
  try {
    return { task: brief(task), limits: resourceLimits(kernel, task.signal) };
  } catch (error) {
    if (!(error instanceof FaultError)) throw error;
    return { task: brief(task), limits: [], problem: error.message };
  }
}
