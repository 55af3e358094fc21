/** `wq`: workqueues, their pools, what workers run and what waits. */
import { LookupError } from "../bytes/errors.ts";
import { part } from "../linux/gather.ts";
import { workerPools, workQueues } from "../linux/workqueue.ts";
import { wqApi } from "./api/views.ts";
import { defineCommand } from "./command.ts";
import { delayedWork, poolResult, QueueNames, queueResult, type WqDelayed, type WqPool, type WqQueue } from "./wq/result.ts";
import { delayedLines, poolLines, queueLines } from "./wq/text.ts";

/** What `wq` answers. */
export interface WqResult {
  readonly pools: readonly WqPool[];
  readonly queues: readonly WqQueue[];
  readonly delayed: readonly WqDelayed[];
  /** Which parts the text shows. */
  readonly view: "busy" | "all" | "delayed";
  /** Pools, or the wheel's timers, could not be read whole: more may be busy or wait (notes tell). */
  readonly poolsIncomplete?: true;
  readonly delayedIncomplete?: true;
  readonly notes?: readonly string[];
}

export const wq = defineCommand<WqResult>({
  spec: {
    name: "wq",
    summary: "workqueues: busy workers, pending and delayed work",
    synopsis: ["[-a | -d] [name]"],
    description: [
      "Shows the pools of workers that have something to do: which worker runs which function, for which workqueue, for how long and where in the kernel it is; and the items that wait. A pool whose items wait while it takes none is stalled: PROGRESS tells since when, and the busy worker above them is what they wait for.",
      'The kernel notes when a worker began an item only since 7.1. Before, "at most" is the time since the worker was last idle.',
      "Then the workqueues that have work, with the items beyond their limit (max_active), and how many delayed items wait for their timer. With a name only what belongs to that workqueue.",
    ],
    options: [
      { flag: "-a", help: "all pools and workqueues, idle ones too" },
      { flag: "-d", help: "delayed items: when each will be queued" },
    ],
    operands: ["text"],
    examples: [
      ["wq", "busy workers and pending work"],
      ["wq -d", "delayed work"],
      ["wq events", "one workqueue"],
    ],
  },
  run(session, args) {
    const { kernel } = session;
    const notes: string[] = [];
    const { value: all, whole: poolsWhole } = part(notes, (own) => workerPools(kernel, own));
    const names = new QueueNames(kernel);
    const queues = workQueues(kernel, all, notes).map((queue) => queueResult(session, queue, names));
    const pools = all.map((pool) => poolResult(session, pool, names));
    const { value: delayed, whole: delayedWhole } = part(notes, (own) => delayedWork(kernel, names, own));
    const view = args.has("-d") ? "delayed" : args.has("-a") ? "all" : "busy";
    const rest = {
      ...(poolsWhole ? {} : { poolsIncomplete: true as const }),
      ...(delayedWhole ? {} : { delayedIncomplete: true as const }),
      ...(notes.length === 0 ? {} : { notes }),
    };
    const [name] = args.operands;
    if (name === undefined) return { pools, queues, delayed, view, ...rest };
    const own = queues.filter((queue) => queue.name === name);
    if (own.length === 0) throw new LookupError(`wq: no workqueue named "${name}"`);
    const mine = <T extends { readonly queue?: string }>(list: readonly T[]) => list.filter(({ queue }) => queue === name);
    const busy = pools.map((pool) => ({ ...pool, busy: mine(pool.busy), pending: mine(pool.pending) })).filter(hasItems);
    return { pools: busy, queues: own, delayed: mine(delayed), view: view === "busy" ? "all" : view, ...rest };
  },
  api: wqApi,
  *text({ pools, queues, delayed, view, poolsIncomplete, delayedIncomplete, notes = [] }) {
    if (view === "delayed") yield* delayedLines(delayed, delayedIncomplete !== true);
    else {
      yield* poolLines(view === "all" ? pools : pools.filter(hasItems), poolsIncomplete !== true);
      yield* queueLines(view === "all" ? queues : queues.filter(hasWork));
      if (delayed.length > 0) {
        const overdue = delayed.filter(({ seconds }) => seconds !== undefined && seconds < 0).length;
        yield "";
        yield `DELAYED: ${delayed.length} items wait for their timer${overdue === 0 ? "" : `, ${overdue} of them overdue`}    wq -d`;
      }
    }
    for (const note of notes) yield `(${note})`;
  },
});

function hasItems({ busy, pending }: WqPool): boolean {
  return busy.length + pending.length > 0;
}

function hasWork({ active, inactive, rescuer }: WqQueue): boolean {
  return active > 0 || inactive.length > 0 || rescuer?.work !== undefined;
}
