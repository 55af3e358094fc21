/** Tasks as locks name them: by address, with crash's letters and how long they have not run. */
import type { VirtualAddress } from "../../bytes/address.ts";
import { InquestError } from "../../bytes/errors.ts";
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
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
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

/** What a lock is called: the variable it lies in. The nearest symbol of a kernel without data symbols is some function: no name at all. */
export function lockSymbol(kernel: Kernel, address: VirtualAddress): string | undefined {
  const found = kernel.symbols.byAddress(address);
  if (found === undefined) return undefined;
  const { type, size } = found.symbol;
  // A variable may bear a function's letter (cache-aligned ones of 7.x), but a lock lies within no function.
  if (found.offset > 0 && (/^[tTwW]$/.test(type) || (size !== undefined && found.offset >= size))) return undefined;
  return kernel.symbolize(address);
}
