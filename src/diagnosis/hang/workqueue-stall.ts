/**
 * Workers that do not come back: a pool whose pending items nobody takes (kernel/workqueue.c, wq_watchdog_timer_fn), and tasks that wait for
 * an item, or a whole queue, whose worker waits for no lock.
 *
 *   mdadm: flush_work ─► worker of raid_stripe_work, which sleeps and tries again       the item is the root
 *   pool: worklist not empty, watchdog_ts old ─► the worker that runs                   keeps the CPU from the others
 */
import { strip } from "../../debug-info/c-type.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { secondsSinceRun } from "../../linux/locking/lock-tasks.ts";
import type { Task } from "../../linux/task.ts";
import { tickRate } from "../../linux/tick-rate.ts";
import { queueName, type Worker, type WorkerPool } from "../../linux/workqueue.ts";
import type { DiagnosisContext } from "../context.ts";
import type { Detector } from "../detector.ts";
import { ownStructures } from "../fault/own-structures.ts";
import type { Finding } from "../finding.ts";
import { guarded } from "../guarded.ts";
import type { Check, Evidence, Participant } from "../verdict.ts";
import { edgeEvidence } from "./chain-words.ts";
import { stackOf, waitersBehind } from "./circle-finding.ts";
import type { HangEdge } from "./edges.ts";
import { hungGroups } from "./hung.ts";
import { containerAround } from "./lock-object.ts";
import { diedOfFault, reportedStalls } from "./reported.ts";
import { sleepOf } from "./sleep.ts";
import { Standstill } from "./standstill.ts";
import { awaited, forText, someOf, waiter, who } from "./who.ts";
import { workName, workState } from "./work-edges.ts";

/** WQ_WATCHDOG_THRESH. */
const DEFAULT_THRESHOLD = 30;
const MAX_EVIDENCE = 12;

interface Stuck {
  readonly worker: Worker;
  readonly task: Task;
  readonly chain: readonly HangEdge[];
  readonly behind: readonly HangEdge[];
  /** Of a stalled pool: items that wait, and for how long nobody took one. */
  readonly pending: number;
  readonly seconds: number | undefined;
  readonly reported: boolean;
}

function findings(context: DiagnosisContext): readonly Finding[] {
  const { kernel } = context;
  const still = guarded(() => Standstill.of(kernel));
  if (still === undefined) return [];
  const stuck = [...byFlushers(still, context), ...byPools(still, context)];
  const seen = new Set<bigint>();
  return stuck.flatMap((each) => {
    if (seen.has(each.task.address)) return [];
    seen.add(each.task.address);
    return [finding(still, each)];
  });
}

/** Workers at the end of a chain of waits that came to them through an item or a queue. */
function byFlushers(still: Standstill, context: DiagnosisContext): Stuck[] {
  return hungGroups(still, reportedStalls(context)).flatMap(({ root, chain, hung, reported }): Stuck[] => {
    const last = chain.at(-1);
    const worker = workState(still.kernel).busy.find(({ task }) => task === root.address);
    if (worker === undefined || (last?.via !== "work" && last?.via !== "queue")) return [];
    return [{ worker, task: root, chain, behind: waitersBehind(still, root.address), pending: 0, seconds: hung[0]?.seconds, reported }];
  });
}

function threshold(kernel: Kernel): number {
  const at = kernel.tryAddress("wq_watchdog_thresh");
  const value = at === undefined ? undefined : kernel.memory.tryU64(at);
  return value === undefined || value === 0n || value > 3600n ? DEFAULT_THRESHOLD : Number(value);
}

/** Pools with items that nobody takes: of those the worker that has the CPU. */
function byPools(still: Standstill, context: DiagnosisContext): Stuck[] {
  const { kernel } = still;
  const reports = reportedStalls(context).filter(({ kind }) => kind === "workqueue");
  const jiffies = guarded(() => kernel.memory.u64(kernel.address("jiffies")));
  const rate = tickRate(kernel);
  if (jiffies === undefined || rate === undefined) return [];
  return workState(kernel).pools.flatMap((pool): Stuck[] => {
    if (pool.pending.length === 0 || pool.progress === undefined) return [];
    const idle = Number(BigInt.asIntN(64, jiffies - pool.progress)) / rate;
    const report = reports.find(({ cpu }) => cpu === pool.cpu);
    if (report === undefined && (idle < threshold(kernel) || idle > 1e9)) return [];
    const hog = hogOf(still, pool);
    if (hog === undefined) return [];
    return [
      {
        ...hog,
        chain: [],
        behind: [],
        pending: pool.pending.length,
        seconds: Math.max(idle, report?.seconds ?? 0),
        reported: report !== undefined,
      },
    ];
  });
}

/** A pool starts no other worker while one of its own runs: that one, else the longest asleep. */
function hogOf(still: Standstill, pool: WorkerPool): Pick<Stuck, "worker" | "task"> | undefined {
  const busy = pool.busy.flatMap((worker) => {
    const task = still.task(worker.task);
    return task === undefined ? [] : [{ worker, task }];
  });
  return busy.find(({ task }) => task.active) ?? busy.find(({ task }) => task.state === 0) ?? busy[0];
}

function finding(still: Standstill, stuck: Stuck): Finding {
  const { kernel } = still;
  const { worker, task, chain, behind, pending, seconds } = stuck;
  const shown = stackOf(still, task.address);
  const sleep = sleepOf(task, still.stack(task));
  const name = workName(worker);
  const queue = worker.queue === undefined ? undefined : guarded(() => queueName(kernel, worker.queue as NonNullable<Worker["queue"]>));
  const waiting = queueLength(still, worker) + pending;
  const module = shown?.place.module;
  const container = itemContainer(still, worker, module);
  return {
    class: "workqueue-stall",
    title: `work item ${name}${queue === undefined ? "" : ` of workqueue ${queue}`} does not end: ${who(task)} ${sleep.text}${shown === undefined ? "" : ` in ${shown.text}`}${behind.length === 0 ? "" : `; ${behind.length} ${behind.length === 1 ? "task waits" : "tasks wait"} for it${forText(seconds)}`}${waiting === 0 ? "" : `, and ${waiting} ${waiting === 1 ? "item" : "items"} behind it`}`,
    depth: "cause",
    checks: checks(still, stuck, sleep.kind !== "lock"),
    ...(worker.work === undefined
      ? {}
      : {
          object: {
            type: container?.type ?? "struct work_struct",
            ...(container === undefined ? {} : { member: container.member }),
            address: worker.work,
            state: `run by ${who(task)}`,
          },
        }),
    ...(shown === undefined ? {} : { place: shown.place, frames: shown.frames }),
    story: [
      ...chain.map(
        (edge) =>
          `${who(edge.from)} waits for ${awaited(still, edge)}, which ${edge.via === "lock" ? "is held by" : "depends on"} ${who(edge.to)}${forText(edge.seconds)}.`,
      ),
      `${who(task)} runs the work item ${name}${queue === undefined ? "" : ` of workqueue ${queue}`}: it ${sleep.text}${shown === undefined ? "" : `, in ${shown.text}`}.`,
      ...(waiting === 0 ? [] : [`${waiting} more ${waiting === 1 ? "item waits" : "items wait"} in the queue behind it.`]),
      ...(behind.length === 0 ? [] : [`It is waited for by ${someOf(behind.map(({ from }) => who(from)))}.`]),
    ],
    evidence: [...chain.flatMap((edge) => edgeEvidence(still, edge)), ...evidence(kernel, stuck)].slice(0, MAX_EVIDENCE),
    participants: [
      { pid: task.pid, comm: task.comm, task: task.address, role: `runs ${name}: ${sleep.text}`, ...own(kernel, task), central: true },
      ...behind.map((edge) => waiter(still, edge, [], false)),
    ],
    subject: { pid: task.pid, comm: task.comm, ...(task.active ? { cpu: task.cpu } : {}) },
  };
}

/** The structure around a work item: by the object that it lies in, or the only one of the module that has a work item as its member. */
function itemContainer(
  still: Standstill,
  { work }: Worker,
  module: string | undefined,
): { readonly type: string; readonly member: string } | undefined {
  if (work === undefined || module === undefined) return undefined;
  const known = containerAround(still, work, "work_struct", [module]);
  if (known !== undefined) return known;
  const holding = (guarded(() => ownStructures(still.kernel, module)) ?? []).flatMap(({ name, members }) =>
    members.flatMap(({ name: member, type }) => {
      const plain = strip(type);
      return name !== undefined && member !== undefined && plain.kind === "struct" && plain.name === "work_struct"
        ? [{ type: `struct ${name}`, member }]
        : [];
    }),
  );
  return holding.length === 1 ? holding[0] : undefined;
}

function own(kernel: Kernel, task: Task): Pick<Participant, "blockedFor"> {
  const seconds = task.active ? undefined : secondsSinceRun(kernel, task);
  return seconds === undefined ? {} : { blockedFor: seconds };
}

/** Items of the same queue that have not begun. */
function queueLength(still: Standstill, { queue }: Worker): number {
  const shares = workState(still.kernel).queues.find(({ address }) => address === queue)?.shares ?? [];
  return shares.reduce((sum, { inactive }) => sum + inactive.filter(({ flusher }) => flusher === undefined).length, 0);
}

function checks(still: Standstill, { chain, task, reported, worker }: Stuck, free: boolean): readonly Check[] {
  return [
    { what: "the kernel reported the pool, or a task that hangs on the item", result: reported ? "held" : "not possible" },
    ...(chain.length === 0
      ? []
      : [
          {
            what: "each wait leads to the worker: its barrier is linked behind the item",
            result: chain.every(({ certainty }) => certainty === "exact") ? ("held" as const) : ("not possible" as const),
          },
        ]),
    { what: "the worker still runs the item", result: worker.work !== undefined ? "held" : "refuted" },
    {
      what: "the worker waits for no lock: what it does is the root",
      result: free && still.waitOf(task.address)?.kind !== "mutex" ? "held" : "not possible",
    },
  ];
}

function evidence(kernel: Kernel, { worker, task }: Stuck): Evidence[] {
  const field = kernel.types.tryStruct("worker")?.tryField("current_func");
  const at = field?.address(worker.address);
  const value = at === undefined ? undefined : kernel.memory.tryU64(at);
  return [
    ...(at === undefined || value === undefined
      ? []
      : [
          {
            claim: `the worker of ${who(task)} runs ${workName(worker)}`,
            command: `struct worker.current_func ${worker.address.toString(16)}`,
            values: [{ address: at, value }],
          },
        ]),
    { claim: "the pool's workers, what they run and what waits", command: "wq", values: [] },
    { claim: `the stack of ${who(task)}`, command: `bt ${task.pid}`, values: [] },
  ];
}

export const workqueueStall: Detector = {
  name: "workqueue-stall",
  classes: ["workqueue-stall"],
  needs: ["a task that hangs on a work item or a queue, or a pool whose items nobody takes", "the worker, and what it runs"],
  refutedBy: ["the worker runs nothing any more", "the worker waits for a lock: the lock's holder is the root"],
  appliesTo: (context) => !diedOfFault(context),
  detect: findings,
};
