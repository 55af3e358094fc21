/**
 * Tasks that wait for a kernel thread to end: kthread_stop() sleeps on struct kthread.exited of the thread (kernel/kthread.c). The thread
 * points at its struct kthread through worker_private (5.17+, e32cf5dfbe22), set_child_tid before (4.10+, 1da5c46fa965).
 */
import { lockTask } from "../../linux/locking/lock-tasks.ts";
import { isKernelThread, taskTable } from "../../linux/task.ts";
import { guarded } from "../guarded.ts";
import type { HangEdge } from "./edges.ts";
import type { Standstill } from "./standstill.ts";

export function threadEdges(still: Standstill): HangEdge[] {
  const { kernel, report } = still;
  const waits = report.locks.flatMap((lock) => (lock.state.kind === "completion" ? lock.waits.map((wait) => ({ lock, wait })) : []));
  const exited = kernel.types.tryStruct("kthread")?.tryField("exited");
  const own = kernel.types.tryStruct("task_struct")?.firstField("worker_private", "set_child_tid");
  if (waits.length === 0 || exited === undefined || own === undefined) return [];
  const wanted = new Map(waits.map((each) => [each.lock.state.address as bigint, each]));
  const found: HangEdge[] = [];
  for (const task of taskTable(kernel).tasks) {
    if (!isKernelThread(task) || task.idle) continue;
    const thread = guarded(() => own.pointer(task.address)) ?? 0n;
    const hit = thread === 0n ? undefined : wanted.get(exited.address(thread as typeof task.address));
    if (hit === undefined || thread === 0n) continue;
    const at = own.address(task.address);
    found.push({
      from: hit.wait.task,
      to: lockTask(task),
      via: "thread",
      certainty: hit.wait.verified ? "exact" : "likely",
      what: `kernel thread ${task.comm} (${task.pid}) to end`,
      seconds: hit.wait.seconds,
      known: "it waits for struct kthread.exited of that thread",
      evidence: [
        {
          claim: `the completion ${hit.lock.state.address.toString(16)} is exited of the struct kthread of task ${task.pid}`,
          command: `rd ${at.toString(16)}`,
          values: [{ address: at, value: thread }],
        },
      ],
    });
  }
  return found;
}
