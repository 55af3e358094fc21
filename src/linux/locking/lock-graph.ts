/**
 * Who waits for whom: circles and chains, over edges from a waiting task through its lock to the lock's owner.
 *
 *   a ─► lock 1 ─► b ─► lock 2 ─► a        a circle: none of them will ever run
 *   c ─► lock 1 ─► b                       c stands behind it
 *   d ─► lock 3 ─► e (runs, or sleeps)     a chain; e is its root
 *
 * A task waits for one lock at a time, so every task has at most one way on: for a lock with several holders the surest is followed, and an
 * edge is as sure as its weaker half.
 */
import type { VirtualAddress } from "../../bytes/address.ts";
import type { ContendedLock, LockCertainty, LockChain, LockCycle, LockOwner, LockTask, LockWait } from "./lock.ts";

export interface LockEdge {
  readonly wait: LockWait;
  readonly owner: LockOwner;
  readonly certainty: LockCertainty;
}

/** Edges by the waiting task. A holder that is merely possible makes none. */
export function lockEdges(locks: readonly ContendedLock[]): ReadonlyMap<VirtualAddress, LockEdge> {
  const edges = new Map<VirtualAddress, LockEdge>();
  for (const { waits, holders } of locks) {
    const owner = holders.find(({ certainty }) => certainty === "exact") ?? holders.find(({ certainty }) => certainty === "likely");
    if (owner === undefined) continue;
    for (const wait of waits) edges.set(wait.task.address, { wait, owner, certainty: wait.verified ? owner.certainty : "likely" });
  }
  return edges;
}

/** Circles, those with the longest wait first. */
export function findCycles(locks: readonly ContendedLock[]): readonly LockCycle[] {
  const edges = lockEdges(locks);
  const state = new Map<VirtualAddress, number>();
  const cycles: LockEdge[][] = [];
  let round = 0;
  for (const start of edges.keys()) {
    round++;
    const path: LockEdge[] = [];
    let at: VirtualAddress | undefined = start;
    while (at !== undefined && !state.has(at)) {
      state.set(at, round);
      const edge = edges.get(at);
      if (edge === undefined) break;
      path.push(edge);
      at = edge.owner.task.address;
    }
    if (at !== undefined && state.get(at) === round) {
      const first = path.findIndex(({ wait }) => wait.task.address === at);
      if (first >= 0) cycles.push(path.slice(first));
    }
  }
  const members = new Map<VirtualAddress, number>();
  for (const [index, cycle] of cycles.entries()) for (const { wait } of cycle) members.set(wait.task.address, index);
  const behind = cycles.map((): LockTask[] => []);
  for (const [task, { wait }] of edges) {
    if (members.has(task)) continue;
    const reached = follow(edges, task, (each) => members.has(each)).at(-1);
    const cycle = reached === undefined ? undefined : members.get(reached.owner.task.address);
    if (cycle !== undefined) behind[cycle]?.push(wait.task);
  }
  const longest = (waits: readonly LockWait[]) => Math.max(0, ...waits.map(({ seconds }) => seconds ?? 0));
  return cycles
    .map((cycle, index) => ({
      waits: rotated(cycle.map(({ wait }) => wait)),
      certainty: cycle.every(({ certainty }) => certainty === "exact") ? ("exact" as const) : ("likely" as const),
      behind: (behind[index] ?? []).sort((a, b) => a.pid - b.pid),
    }))
    .sort((a, b) => longest(b.waits) - longest(a.waits));
}

/** Begins with the smallest pid, so that the same deadlock always reads the same. */
function rotated(waits: readonly LockWait[]): LockWait[] {
  let first = 0;
  for (const [index, { task }] of waits.entries()) if (task.pid < (waits[first]?.task.pid ?? 0)) first = index;
  return [...waits.slice(first), ...waits.slice(0, first)];
}

/** Edges from a task on until it is left by none, comes round, or `stop` holds of where it leads. */
function follow(edges: ReadonlyMap<VirtualAddress, LockEdge>, from: VirtualAddress, stop: (task: VirtualAddress) => boolean): LockEdge[] {
  const path: LockEdge[] = [];
  const seen = new Set<VirtualAddress>();
  let at = from;
  while (!seen.has(at)) {
    seen.add(at);
    const edge = edges.get(at);
    if (edge === undefined) return path;
    path.push(edge);
    at = edge.owner.task.address;
    if (stop(at)) return path;
  }
  return path;
}

/** For each root that is in no circle the longest chain that ends there; longest first. */
export function longestChains(locks: readonly ContendedLock[], cycles: readonly LockCycle[]): readonly LockChain[] {
  const edges = lockEdges(locks);
  const circled = new Set(
    cycles.flatMap((cycle) => [...cycle.waits.map(({ task }) => task.address), ...cycle.behind.map(({ address }) => address)]),
  );
  const owners = new Set([...edges.values()].map(({ owner }) => owner.task.address));
  const best = new Map<VirtualAddress, { readonly chain: LockChain; readonly edges: number }>();
  for (const [task] of edges) {
    // A chain begins with someone nobody waits for.
    if (circled.has(task) || owners.has(task)) continue;
    const path = follow(edges, task, () => false);
    const root = path.at(-1)?.owner;
    if (root === undefined) continue;
    const known = best.get(root.task.address);
    if (known !== undefined && known.edges >= path.length) continue;
    const certainty = path.every((edge) => edge.certainty === "exact") ? ("exact" as const) : ("likely" as const);
    best.set(root.task.address, { chain: { waits: path.map(({ wait }) => wait), root: root.task, certainty }, edges: path.length });
  }
  return [...best.values()].sort((a, b) => b.edges - a.edges).map(({ chain }) => chain);
}
