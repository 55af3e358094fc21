/** Tasks as locks name them: by address, with crash's letters and how long they have not run. */
import type { VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { runqueue } from "../runqueue.ts";
import { type Task, taskState, taskTable } from "../task.ts";
import { lastArrival } from "../task-times.ts";
import type { LockTask } from "./lock.ts";

export function lockTask(task: Task): LockTask {
  return { pid: task.pid, comm: task.comm, address: task.address, cpu: task.cpu, state: taskState(task) };
}

/** The live task at an address, undefined when none lies there. */
export function lockTaskAt(kernel: Kernel, address: bigint): LockTask | undefined {
  const task = taskTable(kernel).byAddress.get(address as VirtualAddress);
  return task === undefined ? undefined : lockTask(task);
}

/**
 * Seconds since a task last got a CPU: rq.clock of its CPU against sched_info.last_arrival. The clock of an idle CPU may stand still for
 * a while, so the newest of all CPUs' clocks counts. undefined where the kernel records none.
 */
export function secondsSinceRun(kernel: Kernel, task: Task): number | undefined {
  const now = newestClock(kernel);
  try {
    const last = lastArrival(kernel, task);
    return last === undefined || last === 0n || now === undefined || now < last ? undefined : Number(now - last) / 1e9;
  } catch {
    return undefined;
  }
}

function newestClock(kernel: Kernel): bigint | undefined {
  return kernel.memo(newestClock, () => {
    const clock = kernel.types.tryStruct("rq")?.tryField("clock");
    let newest: bigint | undefined;
    for (let cpu = 0; clock !== undefined && cpu < kernel.perCpuOffsets.length; cpu++) {
      const rq = runqueue(kernel, cpu);
      const value = rq === undefined ? undefined : kernel.memory.tryU64(clock.address(rq));
      if (value !== undefined && (newest === undefined || value > newest)) newest = value;
    }
    return newest;
  });
}
