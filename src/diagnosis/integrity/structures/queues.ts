/**
 * What tasks are found by and queued on: kernel/pid.c, kernel/sched/sched.h, include/linux/wait.h, kernel/workqueue.c.
 *
 *   init_pid_ns.idr ─► xa_node.slots[pid] ─► pid.tasks[0] ─► task.pid_links[0] ─pprev─► pid.tasks[0];  task.thread_pid is the pid
 *   runqueues[cpu].curr, idle, stop; leaf_cfs_rq_list ⇄ cfs_rq; task.se.cfs_rq = task.sched_task_group.cfs_rq[cpu]
 *   kswapd_wait, wait_chldexit ⇄ wait_queue_entry { func }
 *   cpu_worker_pools[n].workers, those of unbound pools ⇄ worker { task, pool }
 */
import { add, hex16, type VirtualAddress, virtual } from "../../../bytes/address.ts";
import { type Task, taskTable } from "../../../linux/task.ts";
import { isOnCpu, taskCpu } from "../../../stack/task-stack.ts";
import { pointerClass } from "../damage.ts";
import { workqueuesHead } from "../heads.ts";
import { pointerOf, textOver, wordAt } from "../look.ts";
import { checkRing } from "../ring.ts";
import type { Survey } from "../survey.ts";
import { isNoIdleTask, surveyIdle } from "./idle-tasks.ts";

const MAX_TASKS = 8192;
/** Nodes of the table of pids. */
const MAX_NODES = 4096;
const MOST_SLOTS = 64;
/** NR_STD_WORKER_POOLS. */
const POOLS = 2;
const MAX_LISTED = 8192;

export function surveyPids(survey: Survey): void {
  const { kernel } = survey;
  const tasks = taskTable(kernel).tasks.slice(0, MAX_TASKS);
  survey.quietly(() => pidTable(survey, tasks));
  for (const task of tasks) survey.quietly(() => pidLinks(survey, task));
}

/** Whether a struct pid has this number in the first namespace. */
function hasNumber(survey: Survey, pid: VirtualAddress, number: number): boolean {
  const numbers = survey.field("pid", "numbers");
  const nr = survey.field("upid", "nr");
  return numbers !== undefined && nr !== undefined && survey.kernel.memory.tryU32(add(pid, numbers.offset + nr.offset)) === number;
}

interface PidNode {
  readonly at: VirtualAddress;
  readonly above: VirtualAddress | undefined;
  readonly first: number;
}

/** An xarray without gaps in its rules: a node is where its parent says, a leaf's entry is the pid of its index. */
function pidTable(survey: Survey, tasks: readonly Task[]): void {
  const { kernel } = survey;
  const namespace = kernel.tryAddress("init_pid_ns");
  const tree = survey.field("pid_namespace", "idr.idr_rt");
  const head = survey.field("pid_namespace", "idr.idr_rt.xa_head");
  const [slots, shift, offset] = [survey.field("xa_node", "slots"), survey.field("xa_node", "shift"), survey.field("xa_node", "offset")];
  const thread = survey.field("task_struct", "thread_pid");
  if (namespace === undefined || tree === undefined || head === undefined) return;
  if (slots === undefined || shift === undefined || offset === undefined) return;
  const byNumber = new Map(tasks.filter(({ pid, idle }) => pid > 0 && !idle).map((task) => [task.pid, task]));
  const root = nodeOf(wordAt(kernel, head.address(namespace)));
  const queue: PidNode[] = root === undefined ? [] : [{ at: pointerOf(kernel, root), above: undefined, first: 0 }];
  for (let i = 0; i < queue.length && i < MAX_NODES; i++) {
    const { at, above, first } = queue[i] as PidNode;
    if (typeof wordAt(kernel, at) !== "bigint" || !survey.visit("xa_node", at)) continue;
    const array = tree.address(namespace);
    survey.pointer("xa_node", "array", at, "xarray", { value: array, what: "it is a node of the table of pids" });
    survey.pointer("xa_node", "parent", at, "xa_node", {
      value: above ?? 0n,
      what: above === undefined ? "it is the top of the table" : "the node above leads to it",
    });
    const bits = kernel.memory.tryBytes(shift.address(at), 1)?.[0] ?? 0;
    if (bits > 24) continue;
    for (let slot = 0; slot < Math.min(slots.size / 8, MOST_SLOTS); slot++) {
      const address = add(slots.address(at), slot * 8);
      const word = wordAt(kernel, address);
      if (typeof word !== "bigint") continue;
      const number = first + slot * 2 ** bits;
      const place = { structure: "the table of pids", type: "xa_node", member: "slots", object: at, address };
      if (bits > 0) {
        const below = nodeOf(word);
        if (below !== undefined && isBelow(survey, below, at, slot, false))
          queue.push({ at: pointerOf(kernel, below), above: at, first: number });
        else branch(survey, place, word, at, slot);
        continue;
      }
      const task = byNumber.get(number);
      const pid = task === undefined || thread === undefined ? undefined : wordAt(kernel, thread.address(task.address));
      if (task === undefined || thread === undefined || typeof pid !== "bigint") continue;
      const expected = pointerOf(kernel, pid);
      // The task's own pointer may be the damaged one.
      if (!hasNumber(survey, expected, number)) continue;
      const what = `task ${number} has this struct pid, whose number is ${number}`;
      survey.must({ ...place, expected, witness: { what, address: thread.address(task.address), value: pid } });
    }
  }
}

/** A slot of a branch that leads to no node of it: told when one that says to belong there is one bit away. */
function branch(
  survey: Survey,
  place: Pick<Parameters<Survey["must"]>[0], "structure" | "type" | "member" | "object" | "address">,
  word: bigint,
  at: VirtualAddress,
  slot: number,
): void {
  if (word === 0n) return;
  const { kernel } = survey;
  for (let bit = 0n; bit < 64n; bit++) {
    const other = word ^ (1n << bit);
    const node = nodeOf(other);
    if (node === undefined || !isBelow(survey, node, at, slot, true)) continue;
    const parent = survey.field("xa_node", "parent")?.address(pointerOf(kernel, node));
    const witness = {
      what: "the node one bit away says that it belongs there",
      ...(parent === undefined ? {} : { address: parent, value: at }),
    };
    survey.must({ ...place, expected: other, witness });
    return;
  }
  if (textOver(kernel, place.address) !== undefined)
    survey.damage.push({ ...place, size: 8, found: word, unproved: true, ...pointerClass(kernel, place.address, word, undefined, false) });
}

/** @param strict not even its parent pointer may be damaged */
function isBelow(survey: Survey, node: bigint, above: VirtualAddress, slot: number, strict: boolean): boolean {
  const { kernel } = survey;
  const [parent, offset] = [survey.field("xa_node", "parent"), survey.field("xa_node", "offset")];
  const plain = pointerOf(kernel, node);
  const back = parent === undefined ? undefined : wordAt(kernel, parent.address(plain));
  if (parent === undefined || offset === undefined || typeof back !== "bigint") return false;
  const own = kernel.memory.tryBytes(offset.address(plain), 1)?.[0];
  return own === slot && (pointerOf(kernel, back) === above || (!strict && survey.targets.valid("xa_node", plain, parent) === "yes"));
}

/** xa_is_node() and xa_to_node(). */
function nodeOf(entry: ReturnType<typeof wordAt>): bigint | undefined {
  return typeof entry === "bigint" && (entry & 3n) === 2n && entry > 4096n && entry < 0xffff_ffff_ffff_f000n ? entry - 2n : undefined;
}

/** Exactly one task has a pid's number as its own: pid and task lead to each other. */
function pidLinks(survey: Survey, { address: task, pid: number, idle }: Task): void {
  const { kernel } = survey;
  const heads = survey.field("pid", "tasks");
  const links = survey.field("task_struct", "pid_links");
  const own = survey.field("task_struct", "thread_pid");
  if (idle || heads === undefined || links === undefined || own === undefined) return;
  const pid = wordAt(kernel, own.address(task));
  if (typeof pid !== "bigint" || pid === 0n || !hasNumber(survey, pointerOf(kernel, pid), number)) return;
  const head = heads.address(pointerOf(kernel, pid));
  const node = links.address(task);
  const [first, back] = [wordAt(kernel, head), wordAt(kernel, add(node, 8))];
  if (typeof first !== "bigint" || typeof back !== "bigint") return;
  const structure = "tasks of a pid";
  // One of the two says what the other must be; a task that has exited is on no list any more.
  if (pointerOf(kernel, back) === head)
    survey.must({
      structure,
      type: "pid",
      member: "tasks",
      object: virtual(pid),
      address: head,
      expected: node,
      witness: { what: `task ${number} leads back to it`, address: add(node, 8), value: back },
    });
  if (pointerOf(kernel, first) === node)
    survey.must({
      structure,
      type: "task_struct",
      member: "pid_links",
      object: task,
      address: add(node, 8),
      expected: head,
      witness: { what: `the pid of task ${number} leads to it`, address: head, value: first },
    });
}

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
