import { expect, test } from "vitest";
import { callersOfNote, howItCameThere, isDoor } from "./how-it-came-there.ts";

const of = (...names: string[]) => howItCameThere(names.map((name) => ({ function: name })));

test.each([
  ["in the system call write", "lab_submit", "vfs_write", "ksys_write", "do_syscall_64", "entry_SYSCALL_64_after_hwframe"],
  ["in the system call ioctl", "tun_get_drvinfo", "dev_ioctl", "__arm64_sys_ioctl", "invoke_syscall", "el0_svc_common.constprop.0"],
  ["in a system call", "vfs_write", "entry_SYSCALL_64_after_hwframe"],
  ["in a timer", "lab_expired", "call_timer_fn", "__run_timers.part.0", "handle_softirqs", "do_syscall_64"],
  ["in a work item", "adc_work", "process_one_work", "worker_thread", "kthread", "ret_from_fork"],
  ["in a thread of the kernel", "lab_loop", "kthread", "ret_from_fork"],
  ["receiving packets", "lab_rx", "__napi_poll", "net_rx_action", "handle_softirqs"],
])("%s", (said, ...names) => {
  expect(of(...names)?.words).toBe(said);
});

test("nothing is said of a stack that does not say it, nor by frames that are doubtful", () => {
  expect(of("lab_submit", "lab_go")).toBeUndefined();
  expect(howItCameThere([{ function: "f" }, { function: "ksys_write", doubtful: true }])).toBeUndefined();
});

test("what runs on top of a task is told from what the task does itself, and a thread that serves softirqs does them itself", () => {
  expect(of("lab_expired", "call_timer_fn", "handle_softirqs", "asm_sysvec_apic_timer_interrupt", "do_idle")?.interrupts).toBe(true);
  expect(of("lab_expired", "call_timer_fn", "handle_softirqs", "run_ksoftirqd", "kthread")?.interrupts).toBe(false);
  expect(of("adc_work", "process_one_work", "worker_thread", "kthread")?.interrupts).toBe(false);
  expect(["process_one_work", "ksys_write", "kthread"].every(isDoor)).toBe(true);
  expect(isDoor("lab_submit")).toBe(false);
});

test("callers of note end at the door, or where the way begins that all calls take", () => {
  expect(callersOfNote(["asocs_write", "proc_reg_write", "vfs_write", "ksys_write", "do_syscall_64"])).toEqual(["asocs_write"]);
  expect(callersOfNote(["dequeue", "call_timer_fn", "__run_timers", "lab_interrupted"])).toEqual(["dequeue"]);
  expect(callersOfNote(["a", "b"])).toEqual(["a", "b"]);
});
