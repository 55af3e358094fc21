/**
 * What tasks are queued on: kernel/sched/sched.h, include/linux/wait.h, kernel/workqueue.c.
 *
 *   runqueues[cpu].curr, idle, stop; leaf_cfs_rq_list ⇄ cfs_rq; task.se.cfs_rq = task.sched_task_group.cfs_rq[cpu]
 *   kswapd_wait, wait_chldexit ⇄ wait_queue_entry { func }
 *   cpu_worker_pools[n].workers, those of unbound pools ⇄ worker { task, pool }
 */
import { add, hex16, type VirtualAddress, virtual } from "../../../bytes/address.ts";
import { type Task, taskTable } from "../../../linux/task.ts";
import { isOnCpu, taskCpu } from "../../../stack/task-stack.ts";
import { workqueuesHead } from "../heads.ts";
import { pointerOf, wordAt } from "../look.ts";
import { checkRing } from "../ring.ts";
import type { Survey } from "../survey.ts";
import { isNoIdleTask, surveyIdle } from "./idle-tasks.ts";

const MAX_TASKS = 8192;
/** NR_STD_WORKER_POOLS. */
const POOLS = 2;
const MAX_LISTED = 8192;

export function surveyRunQueues(survey: Survey): void {
  const { kernel } = survey;
  const queues = kernel.tryAddress("runqueues");
  if (queues === undefined) return;
  const tasks = taskTable(kernel).tasks.filter(({ address, idle }) => !idle || !isNoIdleTask(kernel, address));
  const idleThreads = kernel.tryAddress("idle_threads");
  const stoppers = kernel.tryAddress("cpu_stopper");
  const stopper = kernel.types.tryStruct("cpu_stopper")?.tryField("thread");
  for (const [cpu, offset] of kernel.perCpuOffsets.entries()) {
    if (offset === undefined) continue;
    survey.quietly(() => {
      const rq = kernel.perCpuAddress(queues, cpu);
      const idle = told(survey, idleThreads, cpu, `idle_threads of CPU ${cpu} leads there`);
      surveyIdle(survey, rq, cpu, idle?.value);
      const running = tasks.filter(({ address }) => isOnCpu(kernel, address) && taskCpu(kernel, address) === cpu);
      const [only] = running;
      // Where rq.idle is damaged the idle task is not among the tasks that are known.
      if (idle === undefined || survey.follow("rq", "curr", rq) !== idle.value)
        survey.pointer(
          "rq",
          "curr",
          rq,
          "task_struct",
          only === undefined || running.length > 1
            ? undefined
            : { value: only.address, what: `task ${only.pid} alone says that it runs on CPU ${cpu}`, doubtful: true },
        );
      const thread = stoppers === undefined || stopper === undefined ? undefined : add(stoppers, stopper.offset);
      survey.pointer("rq", "stop", rq, "task_struct", told(survey, thread, cpu, `the stopper of CPU ${cpu} is it`));
      if (survey.field("rq", "leaf_cfs_rq_list") !== undefined)
        survey.ring("cfs_rqs of a CPU", { type: "rq", member: "leaf_cfs_rq_list", object: rq }, "cfs_rq", "leaf_cfs_rq_list");
    });
  }
  for (const task of tasks.slice(0, MAX_TASKS)) survey.quietly(() => groupQueue(survey, task));
}

/** Another per-CPU pointer that must be the same. */
function told(survey: Survey, variable: VirtualAddress | undefined, cpu: number, what: string) {
  if (variable === undefined) return undefined;
  const address = survey.kernel.perCpuAddress(variable, cpu);
  const word = wordAt(survey.kernel, address);
  return typeof word !== "bigint" || word === 0n
    ? undefined
    : { value: pointerOf(survey.kernel, word), what, address, doubtful: true as const };
}

/** set_task_rq(): the queue of the task's group on its CPU. */
function groupQueue(survey: Survey, { address: task, exitState, idle }: Task): void {
  const { kernel } = survey;
  const group = idle || exitState !== 0 ? undefined : survey.follow("task_struct", "sched_task_group", task);
  const queues = group === undefined ? undefined : survey.follow("task_group", "cfs_rq", group);
  const at = queues === undefined ? undefined : add(queues, taskCpu(kernel, task) * 8);
  const queue = at === undefined ? undefined : wordAt(kernel, at);
  survey.pointer(
    "task_struct",
    "se.cfs_rq",
    task,
    "cfs_rq",
    at === undefined || typeof queue !== "bigint" || queue === 0n
      ? undefined
      : { value: pointerOf(kernel, queue), what: "it is the queue of the task's group on its CPU", address: at, doubtful: true },
  );
}

/** Heads that every kernel has, and those who wait there. */
export function surveyWaitLists(survey: Survey): void {
  const { kernel } = survey;
  const list = (type: string, member: string, object: VirtualAddress): void => {
    for (const entry of survey
      .ring("who waits", { type, member: `${member}.head`, object }, "wait_queue_entry", "entry")
      .slice(0, MAX_LISTED))
      survey.pointer("wait_queue_entry", "func", entry, "function");
  };
  survey.quietly(() => {
    const data = kernel.tryAddress("node_data");
    const node = data === undefined ? kernel.tryAddress("contig_page_data") : virtual(kernel.memory.u64(data));
    for (const member of ["kswapd_wait", "kcompactd_wait", "pfmemalloc_wait"])
      if (node !== undefined && survey.field("pglist_data", member) !== undefined) list("pglist_data", member, node);
  });
  for (const { address, exitState } of taskTable(kernel).tasks.slice(0, MAX_TASKS)) {
    const signal = exitState === 0 ? survey.follow("task_struct", "signal", address) : undefined;
    if (signal !== undefined && survey.visit("signal_struct.wait_chldexit", signal))
      survey.quietly(() => list("signal_struct", "wait_chldexit", signal));
  }
}

/** Pools and their workers. */
export function surveyWorkers(survey: Survey): void {
  for (const pool of workerPools(survey))
    survey.quietly(() => {
      for (const worker of survey.ring("workers of a pool", { type: "worker_pool", member: "workers", object: pool }, "worker", "node")) {
        survey.pointer("worker", "task", worker, "task_struct");
        const what = `it is on the list of workers of pool ${hex16(pool)}`;
        survey.pointer("worker", "pool", worker, "worker_pool", { value: pool, what });
      }
    });
}

/**
 * Pools of each CPU, and those that the workqueues lead to: unbound ones, and all where the kernel's symbol table lacks static variables.
 *
 *   workqueues ⇄ workqueue_struct.pwqs ⇄ pool_workqueue.pwqs_node; pool_workqueue.pool ─► worker_pool
 */
function workerPools(survey: Survey): ReadonlySet<VirtualAddress> {
  const { kernel } = survey;
  const found = new Set<VirtualAddress>();
  const pools = kernel.tryAddress("cpu_worker_pools");
  const size = kernel.types.tryStruct("worker_pool")?.size ?? 0;
  for (const [cpu, offset] of kernel.perCpuOffsets.entries())
    for (let n = 0; n < POOLS && pools !== undefined && offset !== undefined && size > 0; n++)
      found.add(add(kernel.perCpuAddress(pools, cpu), n * size));
  const head = workqueuesHead(kernel);
  const link = survey.field("workqueue_struct", "list");
  if (head === undefined || link === undefined) return found;
  // Its damage is taken down where the list is surveyed.
  for (const node of checkRing(kernel, head, MAX_LISTED).nodes)
    survey.quietly(() => {
      const object = virtual(add(node, -link.offset));
      for (const each of survey.ring(
        "pools of a workqueue",
        { type: "workqueue_struct", member: "pwqs", object },
        "pool_workqueue",
        "pwqs_node",
      )) {
        const pool = survey.follow("pool_workqueue", "pool", each);
        const workers = survey.field("worker_pool", "workers");
        if (pool === undefined || workers === undefined || found.has(pool) || found.size >= MAX_LISTED) continue;
        // The pointer may be damaged itself.
        if (survey.targets.valid("worker_pool", pool, workers) === "yes") found.add(pool);
      }
    });
  return found;
}
