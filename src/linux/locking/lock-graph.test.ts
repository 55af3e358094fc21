import { describe, expect, test } from "vitest";
import { virtual } from "../../bytes/address.ts";
import type { ContendedLock, LockCertainty, LockTask, LockWait } from "./lock.ts";
import { findCycles, longestChains } from "./lock-graph.ts";

const task = (pid: number): LockTask => ({ pid, comm: `t${pid}`, address: virtual(BigInt(pid) << 12n), cpu: 0, state: "UN" });

/** lock: owner ◄ waiters */
function lock(address: bigint, owner: number | undefined, waiters: readonly number[], certainty: LockCertainty = "exact"): ContendedLock {
  const waits = waiters.map(
    (pid): LockWait => ({
      task: task(pid),
      kind: "mutex",
      lock: virtual(address),
      mode: undefined,
      waiter: undefined,
      through: "__mutex_lock",
      caller: undefined,
      module: undefined,
      seconds: pid,
      verified: true,
      evidence: "",
    }),
  );
  const state = {
    kind: "mutex" as const,
    address: virtual(address),
    symbol: undefined,
    held: "held" as const,
    owner: undefined,
    readers: undefined,
    flags: [],
    count: undefined,
    waiters: [],
    waitersComplete: true,
    problems: [],
  };
  return { state, waits, holders: owner === undefined ? [] : [{ task: task(owner), mode: "owner", certainty, evidence: "" }] };
}

const pids = (waits: readonly LockWait[]) => waits.map((wait) => wait.task.pid);

describe("circles", () => {
  test("three tasks, those behind directly and not, and a chain that only leads in", () => {
    const locks = [lock(1n, 1, [3, 7]), lock(2n, 2, [1]), lock(3n, 3, [2]), lock(4n, 7, [8])];
    const cycles = findCycles(locks);
    expect(cycles.map(({ waits, behind, certainty }) => [pids(waits), behind.map(({ pid }) => pid), certainty])).toEqual([
      [[1, 2, 3], [7, 8], "exact"],
    ]);
    expect(longestChains(locks, cycles)).toEqual([]);
  });

  test("a task that waits for its own lock", () => {
    expect(findCycles([lock(1n, 5, [5])]).map(({ waits }) => pids(waits))).toEqual([[5]]);
  });

  test("two circles, the longer wait first; one through a guess says so", () => {
    const cycles = findCycles([lock(1n, 1, [2]), lock(2n, 2, [1]), lock(3n, 8, [9], "likely"), lock(4n, 9, [8])]);
    expect(cycles.map(({ waits, certainty }) => [pids(waits), certainty])).toEqual([
      [[8, 9], "likely"],
      [[1, 2], "exact"],
    ]);
  });

  test("a holder that is merely possible closes none", () => {
    expect(findCycles([lock(1n, 1, [2], "possible"), lock(2n, 2, [1])])).toEqual([]);
  });
});

test("chains lead to the root, the longest of each", () => {
  const locks = [lock(1n, 1, [2, 5]), lock(2n, 2, [3]), lock(3n, 6, [4]), lock(4n, undefined, [9])];
  const chains = longestChains(locks, []);
  expect(chains.map(({ waits, root }) => [pids(waits), root?.pid])).toEqual([
    [[3, 2], 1],
    [[4], 6],
  ]);
});
