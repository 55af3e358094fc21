/**
 * Times of a task: when it started, how long it ran, when it last got a CPU.
 *
 *   start_boottime (5.5+, real_start_time before: cf25e24db61c) and start_time: nanoseconds since boot; struct timespec before 3.17
 *       (ccbf62d8a284)
 *   utime, stime: nanoseconds since 4.11 (5613fda9a503); before, cputime_t, which counts ticks as `unsigned long`, or nanoseconds as
 *       `u64` where the kernel keeps exact times (CONFIG_VIRT_CPU_ACCOUNTING_GEN, 3.9 on)
 *   sched_info.last_arrival: the run queue's clock when the task last got the CPU; needs CONFIG_SCHED_INFO
 *   se.sum_exec_runtime: nanoseconds on a CPU, kept by the fair scheduler for all policies
 */

import type { VirtualAddress } from "../bytes/address.ts";
import type { CType } from "../debug-info/c-type.ts";
import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Task } from "./task.ts";
import { taskLayout } from "./task-layout.ts";
import { tickRate } from "./tick-rate.ts";

const NANO = 1_000_000_000n;
/** CONFIG_HZ of the distributions whose kernels count ticks here. */
const DEFAULT_RATE = 1000;

type Reader = (task: VirtualAddress) => bigint;

interface Layout {
  readonly start: Reader | undefined;
  readonly user: Reader;
  readonly system: Reader;
  readonly lastArrival: Field | undefined;
  readonly execRuntime: Field | undefined;
}

export interface TaskTimes {
  /** Nanoseconds since boot. */
  readonly start: bigint | undefined;
  readonly user: bigint;
  readonly system: bigint;
  /** Nanoseconds spent on a CPU. */
  readonly run: bigint | undefined;
}

function timesLayout(kernel: Kernel): Layout {
  return kernel.memo(timesLayout, () => {
    const { struct } = taskLayout(kernel);
    const start = struct.firstField("start_boottime", "real_start_time", "start_time");
    const seconds = start === undefined ? undefined : struct.tryField(`${start.path}.tv_sec`);
    const nano = start === undefined ? undefined : struct.tryField(`${start.path}.tv_nsec`);
    return {
      start:
        seconds !== undefined && nano !== undefined
          ? (task) => seconds.bigint(task) * NANO + nano.bigint(task)
          : start === undefined
            ? undefined
            : (task) => start.bigint(task),
      user: cpuTime(kernel, struct.field("utime")),
      system: cpuTime(kernel, struct.field("stime")),
      lastArrival: struct.tryField("sched_info.last_arrival"),
      execRuntime: struct.tryField("se.sum_exec_runtime"),
    };
  });
}

function cpuTime(kernel: Kernel, field: Field): Reader {
  const names = namesOf(field.type);
  if (!names.includes("cputime_t") || names.at(-1)?.includes("long long") === true) return (task) => field.bigint(task);
  const rate = BigInt(tickRate(kernel) ?? DEFAULT_RATE);
  return (task) => (field.bigint(task) * NANO) / rate;
}

/** Names of a type and of what it is a name for: ["cputime_t", "u64", "long long unsigned int"]. */
function namesOf(type: CType): readonly string[] {
  if (type.kind === "typedef") return [type.name, ...namesOf(type.target)];
  return "name" in type && type.name !== undefined ? [type.name] : [];
}

/** @throws FaultError */
export function taskTimes(kernel: Kernel, task: Task): TaskTimes {
  const layout = timesLayout(kernel);
  return {
    start: layout.start?.(task.address),
    user: layout.user(task.address),
    system: layout.system(task.address),
    run: layout.execRuntime?.bigint(task.address),
  };
}

/** Clock value when the task last got a CPU; undefined when this kernel does not record it. @throws FaultError */
export function lastArrival(kernel: Kernel, task: Task): bigint | undefined {
  return timesLayout(kernel).lastArrival?.bigint(task.address);
}
