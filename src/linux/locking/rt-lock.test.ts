import { describe, expect, test } from "vitest";
import { virtual } from "../../bytes/address.ts";
import { readLock } from "./read-lock.ts";
import { rtWriterWait } from "./rt-lock.ts";
import { HEADED, lockKernel, TASK_A, TASK_B } from "./testing/lock-kernel.ts";

const LOCK = virtual(0xffff_8880_0200_0000n);
const MUTEX = virtual(LOCK + 8n);
const [READERS, OWNER] = [LOCK, MUTEX + 24n] as const;
const { mutex: _mutex, rw_semaphore: _semaphore, ...others } = HEADED;

/** @param count rwbase.readers @param owner of the rt_mutex */
function semaphore(count: number, owner = 0n) {
  const fake = lockKernel({
    ...others,
    atomic_t: { counter: [0, "s32"] },
    rb_root: { rb_node: [0, "u64"] },
    rb_root_cached: { rb_root: [0, "rb_root"], rb_leftmost: [8, "u64"] },
    rb_node: { parent: [0, "u64"], rb_right: [8, "u64"], rb_left: [16, "u64"] },
    rt_mutex_base: { wait_lock: [0, "u32"], waiters: [8, "rb_root_cached"], owner: [24, "u64"] },
    rt_mutex_waiter: { tree_entry: [0, "rb_node"], task: [24, "u64"], lock: [32, "u64"] },
    rwbase_rt: { readers: [0, "atomic_t"], rtmutex: [8, "rt_mutex_base"] },
    rw_semaphore: { rwbase: [0, "rwbase_rt"] },
  });
  fake.memory.put64(LOCK, 0n);
  fake.memory.put64(MUTEX, 0n);
  fake.memory.put64(MUTEX + 8n, 0n);
  fake.memory.put64(MUTEX + 16n, 0n);
  fake.memory.put32(READERS, count);
  fake.memory.put64(OWNER, owner);
  return fake.kernel;
}

describe("rw_semaphore of PREEMPT_RT", () => {
  test.each([
    ["that nobody has", 0x8000_0000, 0n, { held: "free", readers: 0, waiters: [] }],
    ["with two readers", 0x8000_0002, 0n, { held: "read", readers: 2, owner: undefined, waiters: [] }],
    ["of a writer", 0x4000_0000, TASK_A, { held: "write", readers: undefined, owner: { task: { pid: 101 }, mode: "writer" } }],
    [
      "whose writer waits for a reader",
      1,
      TASK_B | 1n,
      { held: "read", readers: 1, owner: undefined, waiters: [{ address: MUTEX, task: { pid: 102 }, mode: "write" }] },
    ],
  ])("%s", (_, count, owner, expected) => {
    expect(readLock(semaphore(count, owner), "rwsem", LOCK)).toMatchObject({ address: LOCK, kind: "rwsem", ...expected });
  });

  test("is what its writer waits for, whether a register has it or the rt_mutex inside", () => {
    const waits = (count: number, value: bigint) => rtWriterWait(semaphore(count, TASK_B | 1n), TASK_B, [{ value: virtual(value) }])?.lock;
    expect(waits(1, LOCK)).toBe(LOCK);
    expect(waits(1, MUTEX)).toBe(LOCK);
    // Open to readers, or the writer is in.
    expect(waits(0x8000_0001, LOCK)).toBeUndefined();
    expect(waits(0x4000_0000, LOCK)).toBeUndefined();
    expect(rtWriterWait(semaphore(1, TASK_A), TASK_B, [{ value: LOCK }])).toBeUndefined();
  });
});
