/**
 * Who cannot go on before whom: edges from a waiting task to the task that must act first.
 *
 *   lock        task ─► lock's owner
 *   work        task in flush_work() ─► worker that runs the item (its barrier is linked behind it)
 *   queue       task in flush_workqueue() ─► workers that run items of that queue
 *   thread      task in kthread_stop() ─► the thread that is to end
 *   completion  task ─► a task that waits itself, and whose code goes on to complete() this very completion
 *   readers     task in synchronize_srcu(), synchronize_rcu() ─► a reader that waits itself
 *   readers     task in kernfs_drain() ─► a task in a call on a file of that node
 *   timer       task in timer_delete_sync() ─► the task over which the timer's function runs
 *
 * A task waits for one thing at a time. Of several tasks that it may wait for, the one that the edge names is the surest.
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import type { ContendedLock, LockCertainty, LockTask } from "../../linux/locking/lock.ts";
import { lockEdges } from "../../linux/locking/lock-graph.ts";
import type { Evidence } from "../verdict.ts";
import { completionEdges } from "./completion-edges.ts";
import { readerEdges } from "./reader-edges.ts";
import { removalEdges } from "./removal-edges.ts";
import { spinEdges } from "./spin-edges.ts";
import type { Standstill } from "./standstill.ts";
import { threadEdges } from "./thread-edges.ts";
import { timerEdges } from "./timer-edges.ts";
import { workEdges } from "./work-edges.ts";

export interface HangEdge {
  readonly from: LockTask;
  readonly to: LockTask;
  readonly via: "lock" | "work" | "queue" | "thread" | "completion" | "readers" | "timer";
  readonly certainty: LockCertainty;
  /** Of an edge through a lock, and of a completion. */
  readonly lock?: ContendedLock;
  /** Of an edge through a work item: struct work_struct of what is waited for. */
  readonly item?: VirtualAddress;
  /** What it waits for, to stand behind "waits for": "work item widget_reset to end". */
  readonly what: string;
  /** Seconds since it last ran. */
  readonly seconds: number | undefined;
  /** How it is known, in words. */
  readonly known: string;
  readonly evidence: readonly Evidence[];
}

/** By the waiting task; once per dump. */
export function hangEdges(still: Standstill): ReadonlyMap<VirtualAddress, HangEdge> {
  return still.kernel.memo(hangEdges, () => {
    const edges = new Map<VirtualAddress, HangEdge>();
    const kinds = [ownerEdges, workEdges, threadEdges, spinEdges, readerEdges, removalEdges, timerEdges];
    for (const edge of kinds.flatMap((edgesOf) => edgesOf(still))) {
      const known = edges.get(edge.from.address);
      if (known === undefined || (known.certainty !== "exact" && edge.certainty === "exact")) edges.set(edge.from.address, edge);
    }
    for (const edge of completionEdges(still)) if (!edges.has(edge.from.address)) edges.set(edge.from.address, edge);
    return edges;
  });
}

function ownerEdges(still: Standstill): HangEdge[] {
  return [...lockEdges(still.report.locks).values()].flatMap(({ wait, owner, certainty }): HangEdge[] => {
    const lock = still.lockOf(wait.task.address);
    if (lock === undefined) return [];
    return [
      {
        from: wait.task,
        to: owner.task,
        via: "lock",
        certainty,
        lock,
        what: lock.state.symbol ?? `the ${lock.state.kind} at ${lock.state.address.toString(16)}`,
        seconds: wait.seconds,
        known: `${wait.evidence}; ${owner.evidence}`,
        evidence: [],
      },
    ];
  });
}

/** Edges from a task on, to where no edge leads on or one leads back. */
export function chainFrom(edges: ReadonlyMap<VirtualAddress, HangEdge>, task: VirtualAddress): readonly HangEdge[] {
  const path: HangEdge[] = [];
  const seen = new Set<VirtualAddress>();
  for (let at: VirtualAddress = task; !seen.has(at); ) {
    seen.add(at);
    const edge = edges.get(at);
    if (edge === undefined) break;
    path.push(edge);
    at = edge.to.address;
  }
  return path;
}

export interface Circle {
  /** Edge i leads to the task of edge i+1, the last one back to the first: begins with the smallest pid. */
  readonly edges: readonly HangEdge[];
  /** Those who wait for one of the circle, directly or not. */
  readonly behind: readonly HangEdge[];
}

/** All circles, the longest wait first. */
export function circles(edges: ReadonlyMap<VirtualAddress, HangEdge>): readonly Circle[] {
  const found: HangEdge[][] = [];
  const done = new Set<VirtualAddress>();
  const member = new Map<VirtualAddress, number>();
  for (const start of edges.keys()) {
    if (done.has(start)) continue;
    const path = chainFrom(edges, start);
    const back = path.at(-1)?.to.address;
    const first = path.findIndex(({ from }) => from.address === back);
    if (first >= 0 && back !== undefined && !member.has(back)) {
      for (const { from } of path.slice(first)) member.set(from.address, found.length);
      found.push(path.slice(first));
    }
    for (const { from } of path) done.add(from.address);
  }
  const behind = found.map((): HangEdge[] => []);
  for (const [task, edge] of edges) {
    if (member.has(task)) continue;
    const reached = chainFrom(edges, task).find(({ to }) => member.has(to.address));
    const circle = reached === undefined ? undefined : member.get(reached.to.address);
    if (circle !== undefined) behind[circle]?.push(edge);
  }
  const longest = (all: readonly HangEdge[]) => Math.max(0, ...all.map(({ seconds }) => seconds ?? 0));
  return found
    .map((all, index) => ({ edges: rotated(all), behind: (behind[index] ?? []).sort((a, b) => a.from.pid - b.from.pid) }))
    .sort((a, b) => longest(b.edges) - longest(a.edges));
}

function rotated(edges: readonly HangEdge[]): readonly HangEdge[] {
  let first = 0;
  for (const [index, { from }] of edges.entries()) if (from.pid < (edges[first]?.from.pid ?? 0)) first = index;
  return [...edges.slice(first), ...edges.slice(0, first)];
}
