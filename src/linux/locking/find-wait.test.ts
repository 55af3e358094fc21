import { describe, expect, test } from "vitest";
import { R12 } from "../../arch/x86-64-registers.ts";
import { virtual } from "../../bytes/address.ts";
import type { StackFrame } from "../../stack/frame.ts";
import { findWait } from "./find-wait.ts";
import { framesOf, HEADED, link, lockKernel, RINGED, TASK_A, TASK_B, TASK_C, taskOf } from "./testing/lock-kernel.ts";

const LOCK = virtual(0xffff_8880_0200_0000n);
const STACK = 0xffff_c900_0000_0000n;
const WAITER = STACK + 0x3e20n;
const OTHER = STACK + 0x1_3e20n;

const stack = (frames: readonly StackFrame[]) => ({ frames, stop: { complete: true, text: "" }, user: undefined });
const mutexFrames = (registers?: Record<number, bigint>) =>
  framesOf(
    STACK,
    ["__schedule", STACK + 0x3d00n],
    ["schedule", STACK + 0x3d80n],
    ["schedule_preempt_disabled", STACK + 0x3da0n],
    ["__mutex_lock.constprop.0", STACK + 0x3e00n, registers],
    ["take_both", STACK + 0x3e80n],
    ["kthread", STACK + 0x3f00n],
  );

/** Task A waits in __mutex_lock, another before it. */
function waiting(table = HEADED) {
  const fake = lockKernel(table);
  fake.memory.write(STACK + 0x3000n, new Uint8Array(4096));
  fake.memory.write(LOCK, new Uint8Array(64));
  fake.memory.put64(LOCK, TASK_C | 1n);
  fake.memory.put64(WAITER + 16n, TASK_A);
  fake.memory.put64(OTHER + 16n, TASK_B);
  return fake;
}

describe("what a task waits for", () => {
  test("the lock is found from the head of the waiter's ring", () => {
    const fake = waiting();
    link(fake, LOCK + 16n, OTHER, WAITER);
    expect(findWait(fake.kernel, taskOf(fake, TASK_A), stack(mutexFrames()))).toMatchObject({
      kind: "mutex",
      lock: LOCK,
      waiter: WAITER,
      verified: true,
      through: "__mutex_lock",
      caller: "take_both",
    });
  });

  test("7.x: a ring without a head is tied to the lock that names one of its members", () => {
    const fake = waiting(RINGED);
    fake.memory.put64(LOCK + 16n, OTHER);
    link(fake, OTHER, WAITER);
    const task = taskOf(fake, TASK_A);
    expect(findWait(fake.kernel, task, stack(mutexFrames({ [R12]: LOCK })))).toMatchObject({ lock: LOCK, verified: true });
    expect(findWait(fake.kernel, task, stack(mutexFrames()))).toMatchObject({ lock: undefined, verified: false, waiter: WAITER });
  });

  test("a task's address on the stack that is in no list is no waiter; a held lock in a register is told with doubt", () => {
    const fake = waiting();
    link(fake, LOCK + 16n);
    const wait = findWait(fake.kernel, taskOf(fake, TASK_A), stack(mutexFrames({ [R12]: LOCK })));
    expect(wait).toMatchObject({ lock: LOCK, verified: false, waiter: undefined });
    expect(wait?.evidence).toContain("r12");
  });

  test("a ring that breaks behind the first waiter still has its lock", () => {
    const fake = waiting();
    link(fake, LOCK + 16n, WAITER, OTHER);
    fake.memory.put64(OTHER, 0x4141_4141_4141_4141n);
    const wait = findWait(fake.kernel, taskOf(fake, TASK_A), stack(mutexFrames({ [R12]: LOCK })));
    expect(wait).toMatchObject({ lock: LOCK, verified: true });
  });

  test("a task that sleeps for another reason waits for no lock, even below a lock function", () => {
    const fake = waiting();
    const frames = framesOf(
      STACK,
      ["__schedule", STACK + 0x3d00n],
      ["schedule", STACK + 0x3d80n],
      ["pipe_read", STACK + 0x3e00n],
      ["mutex_lock", STACK + 0x3e80n],
    );
    expect(findWait(fake.kernel, taskOf(fake, TASK_A), stack(frames))).toBeUndefined();
  });

  test("a lost stack page leaves the function", () => {
    const fake = waiting();
    fake.memory.drop(STACK + 0x3000n);
    expect(findWait(fake.kernel, taskOf(fake, TASK_A), stack(mutexFrames()))).toMatchObject({
      kind: "mutex",
      lock: undefined,
      verified: false,
    });
  });
});
