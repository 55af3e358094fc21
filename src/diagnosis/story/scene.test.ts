import { expect, test } from "vitest";
import type { Subject } from "../subject/subject.ts";
import type { Verdict } from "../verdict.ts";
import { sceneOf } from "./scene.ts";

const subject = (pid: number, comm: string, cpu = 1) =>
  ({ task: { pid, comm }, cpu, event: { text: "", time: 33.21 } }) as unknown as Subject;
const verdict = (name: string, module?: string) => ({ function: name, ...(module === undefined ? {} : { module }) }) as Verdict;
const frames = (...names: string[]) => names.map((name) => ({ function: name }));

test("a system call: the way in that all take is not told", () => {
  const stack = frames("endpoint_shed.constprop.0", "asocs_write", "proc_reg_write", "vfs_write", "ksys_write", "do_syscall_64");
  expect(sceneOf(subject(1, "init"), stack, verdict("endpoint_shed", "assocs"))).toBe(
    "Task 1 (init) was in the system call write on CPU 1, 33.2 s after boot; by way of asocs_write it came to endpoint_shed [assocs].",
  );
});

test("a timer has nothing to do with the task it struck", () => {
  const stack = frames(
    "serve",
    "dequeue",
    "call_timer_fn",
    "__run_timers",
    "handle_softirqs",
    "asm_sysvec_apic_timer_interrupt",
    "do_idle",
  );
  expect(sceneOf(subject(0, "swapper/1"), stack, verdict("serve"))).toBe(
    "CPU 1 was in a timer, 33.2 s after boot, on top of task 0 (swapper/1); by way of dequeue it came to serve.",
  );
});

test("a place that is not on the stack is not told to have been come to", () => {
  expect(sceneOf(subject(7, "kworker/0:0"), frames("__run_timers", "process_one_work"), verdict("ka_write"))).toBe(
    "CPU 1 was in a timer, 33.2 s after boot, on top of task 7 (kworker/0:0).",
  );
  expect(sceneOf({ event: undefined } as unknown as Subject, [], verdict("f"))).toBeUndefined();
});
