/**
 * Times of a task: when it started, how long it ran, when it last got a CPU.
 *
 *   start_boottime (5.5+, real_start_time before: cf25e24db61c) and start_time: nanoseconds since boot
 *   utime, stime: nanoseconds since 4.11 (5613fda9a503), jiffies before
 *   sched_info.last_arrival: the run queue's clock when the task last got the CPU; needs CONFIG_SCHED_INFO
 *   se.sum_exec_runtime: nanoseconds on a CPU, kept by the fair scheduler for all policies
 */

import type { Field } from "../kernel/field.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Task } from "./task.ts";
import { taskLayout } from "./task-layout.ts";

interface Layout {
  readonly start: Field | undefined;
  readonly user: Field;
  readonly system: Field;
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
    return {
      start: struct.firstField("start_boottime", "real_start_time", "start_time"),
      user: struct.field("utime"),
      system: struct.field("stime"),
      lastArrival: struct.tryField("sched_info.last_arrival"),
      execRuntime: struct.tryField("se.sum_exec_runtime"),
    };
  });
}

/** @throws FaultError */
export function taskTimes(kernel: Kernel, task: Task): TaskTimes {
  const layout = timesLayout(kernel);
  return {
    start: layout.start?.bigint(task.address),
    user: layout.user.bigint(task.address),
    system: layout.system.bigint(task.address),
    run: layout.execRuntime?.bigint(task.address),
  };
}

/** Clock value when the task last got a CPU; undefined when this kernel does not record it. @throws FaultError */
export function lastArrival(kernel: Kernel, task: Task): bigint | undefined {
  return timesLayout(kernel).lastArrival?.bigint(task.address);
}
