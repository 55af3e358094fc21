import { describe, expect, test } from "vitest";
import { virtual } from "../../bytes/address.ts";
import { readLock } from "./read-lock.ts";
import { HEADED, link, lockKernel, RINGED, TASK_A, TASK_B, TASK_C } from "./testing/lock-kernel.ts";

const LOCK = virtual(0xffff_8880_0200_0000n);
const [W1, W2] = [0xffff_c900_0000_1e00n, 0xffff_c900_0000_5e00n];

describe("mutex", () => {
  test("owner, flags and waiters in the list's order", () => {
    const fake = lockKernel();
    fake.memory.put64(LOCK, TASK_A | 3n);
    link(fake, LOCK + 16n, W1, W2);
    fake.memory.put64(W1 + 16n, TASK_B);
    fake.memory.put64(W2 + 16n, TASK_C);
    const state = readLock(fake.kernel, "mutex", LOCK);
    expect(state).toMatchObject({ held: "held", flags: ["waiters", "handoff"], waitersComplete: true, problems: [] });
    expect(state.owner).toMatchObject({ task: { pid: 101 }, certainty: "exact" });
    expect(state.waiters.map(({ task, address }) => [task?.pid, address])).toEqual([
      [102, W1],
      [103, W2],
    ]);
  });

  test("an owner that is no task, and a list that is cut, are told", () => {
    const fake = lockKernel();
    fake.memory.put64(LOCK, 0xffff_8880_0dea_d000n);
    link(fake, LOCK + 16n, W1, W2);
    fake.memory.put64(W1 + 16n, TASK_B);
    fake.memory.put64(W1, 0x2020_2020_2020_2020n);
    const state = readLock(fake.kernel, "mutex", LOCK);
    expect(state.owner).toBeUndefined();
    expect(state.held).toBe("held");
    expect(state.waiters.map(({ task }) => task?.pid)).toEqual([102]);
    expect(state.waitersComplete).toBe(false);
    expect(state.problems).toHaveLength(2);
    expect(state.problems[0]).toContain("no task that exists");
  });

  test("7.x: the ring begins at the first waiter", () => {
    const fake = lockKernel(RINGED);
    fake.memory.put64(LOCK, TASK_A | 1n);
    fake.memory.put64(LOCK + 16n, W1);
    link(fake, W1, W2);
    fake.memory.put64(W1 + 16n, TASK_B);
    fake.memory.put64(W2 + 16n, TASK_C);
    expect(readLock(fake.kernel, "mutex", LOCK).waiters.map(({ task }) => task?.pid)).toEqual([102, 103]);
    fake.memory.put64(LOCK + 16n, 0n);
    expect(readLock(fake.kernel, "mutex", LOCK)).toMatchObject({ waiters: [], waitersComplete: true });
  });

  test("before 4.10 the owner is a plain pointer", () => {
    const fake = lockKernel({ ...HEADED, mutex: { owner: [24, "u64"], wait_lock: [4, "u32"], wait_list: [8, "list_head"] } });
    fake.memory.put64(LOCK + 24n, TASK_B);
    link(fake, LOCK + 8n);
    expect(readLock(fake.kernel, "mutex", LOCK)).toMatchObject({ held: "held", flags: [], owner: { task: { pid: 102 } } });
  });
});

describe("rw_semaphore", () => {
  function rwsem(count: bigint, owner: bigint) {
    const fake = lockKernel();
    fake.memory.put64(LOCK, count);
    fake.memory.put64(LOCK + 8n, owner);
    link(fake, LOCK + 24n);
    return readLock(fake.kernel, "rwsem", LOCK);
  }

  test("a writer is exact", () => {
    expect(rwsem(3n, TASK_A)).toMatchObject({ held: "write", flags: ["waiters"], owner: { mode: "writer", certainty: "exact" } });
  });

  test("readers are counted; the owner field names one of them", () => {
    expect(rwsem(0x200n, TASK_B | 1n)).toMatchObject({ held: "read", readers: 2, owner: { mode: "reader", certainty: "likely" } });
  });

  test("what the last reader left in the owner field is nobody", () => {
    expect(rwsem(0n, TASK_B | 1n)).toMatchObject({ held: "free", readers: 0, owner: undefined, problems: [] });
  });

  test("modes of the waiters", () => {
    const fake = lockKernel();
    fake.memory.put64(LOCK, 0x102n);
    fake.memory.put64(LOCK + 8n, TASK_A | 1n);
    link(fake, LOCK + 24n, W1, W2);
    fake.memory.put64(W1 + 16n, TASK_B);
    fake.memory.put64(W2 + 16n, TASK_C);
    fake.memory.put32(W2 + 24n, 1);
    expect(readLock(fake.kernel, "rwsem", LOCK).waiters.map(({ mode }) => mode)).toEqual(["write", "read"]);
  });
});

test("semaphores and completions", () => {
  const fake = lockKernel();
  fake.memory.put32(LOCK + 4n, 2);
  link(fake, LOCK + 8n);
  expect(readLock(fake.kernel, "semaphore", LOCK)).toMatchObject({ held: "free", count: 2, owner: undefined });
  const done = virtual(LOCK + 0x100n);
  fake.memory.put32(done, 0);
  link(fake, done + 16n, W1 + 8n);
  fake.memory.put64(W1, TASK_C);
  const state = readLock(fake.kernel, "completion", done);
  expect(state).toMatchObject({ held: "held", count: 0 });
  expect(state.waiters).toMatchObject([{ address: W1, task: { pid: 103 } }]);
});

test("a kind whose types are missing is one clear line", () => {
  expect(() => readLock(lockKernel({}).kernel, "mutex", LOCK)).toThrow("this dump's types do not tell how a mutex is laid out");
});
