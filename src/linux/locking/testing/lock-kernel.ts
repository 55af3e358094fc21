/** A made-up kernel with tasks and the types of locks, for the tests of this directory. */

import { RegisterSet } from "../../../arch/registers.ts";
import { X86_64_REGISTERS } from "../../../arch/x86-64-registers.ts";
import { type VirtualAddress, virtual } from "../../../bytes/address.ts";
import type { StackFrame } from "../../../stack/frame.ts";
import { type Task, taskTable } from "../../task.ts";
import { FakeKernel, type StructTable } from "../../testing/fake-kernel.ts";

/** Types of 5.10 to 6.x: lists with a head in the lock. */
export const HEADED: StructTable = {
  list_head: { next: [0, "u64"], prev: [8, "u64"] },
  atomic_long_t: { counter: [0, "s64"] },
  mutex: { owner: [0, "atomic_long_t"], wait_lock: [8, "u32"], wait_list: [16, "list_head"] },
  mutex_waiter: { list: [0, "list_head"], task: [16, "u64"] },
  rw_semaphore: { count: [0, "atomic_long_t"], owner: [8, "atomic_long_t"], wait_list: [24, "list_head"] },
  rwsem_waiter: { list: [0, "list_head"], task: [16, "u64"], type: [24, "u32"] },
  semaphore: { lock: [0, "u32"], count: [4, "u32"], wait_list: [8, "list_head"] },
  semaphore_waiter: { list: [0, "list_head"], task: [16, "u64"] },
  swait_queue_head: { lock: [0, "u32"], task_list: [8, "list_head"] },
  swait_queue: { task: [0, "u64"], task_list: [8, "list_head"] },
  completion: { done: [0, "u32"], wait: [8, "swait_queue_head"] },
  task_struct: { pid: [0, "u32"], stack: [8, "u64"] },
};

/** Types of 7.x: the lock names its first waiter. */
export const RINGED: StructTable = {
  ...HEADED,
  mutex: { owner: [0, "atomic_long_t"], wait_lock: [8, "u32"], first_waiter: [16, "u64"] },
  rw_semaphore: { count: [0, "atomic_long_t"], owner: [8, "atomic_long_t"], first_waiter: [24, "u64"] },
};

export const TASK_A = virtual(0xffff_8880_0100_0000n);
export const TASK_B = virtual(0xffff_8880_0100_4000n);
export const TASK_C = virtual(0xffff_8880_0100_8000n);

export function lockKernel(table: StructTable = HEADED): FakeKernel {
  const fake = new FakeKernel(table);
  const tasks = [TASK_A, TASK_B, TASK_C].map(
    (address, index): Task => ({
      address,
      pid: 101 + index,
      tgid: 101 + index,
      comm: `t${index}`,
      cpu: 0,
      flags: 0,
      state: 2,
      exitState: 0,
      mm: virtual(0n),
      parent: virtual(0n),
      groupLeader: address,
      signal: virtual(0n),
      active: false,
      idle: false,
    }),
  );
  const found = {
    tasks,
    byAddress: new Map(tasks.map((task) => [task.address, task])),
    byPid: new Map(tasks.map((task) => [task.pid, task])),
    notes: [],
  };
  fake.memo(taskTable, () => found);
  return fake;
}

export function taskOf(fake: FakeKernel, address: VirtualAddress): Task {
  return taskTable(fake.kernel).byAddress.get(address) as Task;
}

/** Links list_heads into a circle, in this order. */
export function link(fake: FakeKernel, ...nodes: readonly bigint[]): void {
  for (const [index, node] of nodes.entries()) {
    const next = nodes[(index + 1) % nodes.length] as bigint;
    fake.memory.put64(node, next);
    fake.memory.put64(next + 8n, node);
  }
}

/** Frames of one stack, innermost first: function, place. */
export function framesOf(
  stack: bigint,
  ...frames: readonly (readonly [name: string, sp: bigint, registers?: Readonly<Record<number, bigint>> | undefined])[]
): readonly StackFrame[] {
  return frames.map(([name, sp, registers], level) => {
    const set = new RegisterSet(X86_64_REGISTERS);
    for (const [number, value] of Object.entries(registers ?? {})) set.set(Number(number), value);
    return {
      level,
      sp: virtual(sp),
      pc: virtual(0xffff_ffff_8100_0000n),
      function: name,
      offset: 1,
      module: undefined,
      kind: level === 0 ? "start" : "call",
      certainty: "exact",
      foundBy: "orc",
      stack: { kind: "task", start: virtual(stack), end: virtual(stack + 0x4000n), cpu: undefined },
      registers: set,
      exception: undefined,
    };
  });
}
