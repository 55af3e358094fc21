import { expect, test } from "vitest";
import { howItCameThere } from "./how-it-came-there.ts";

const of = (...names: string[]) => howItCameThere(names.map((name) => ({ function: name })));

test.each([
  ["in the system call write", "lab_submit", "vfs_write", "ksys_write", "do_syscall_64", "entry_SYSCALL_64_after_hwframe"],
  ["in the system call ioctl", "tun_get_drvinfo", "dev_ioctl", "__arm64_sys_ioctl", "invoke_syscall", "el0_svc_common.constprop.0"],
  ["in a system call", "vfs_write", "entry_SYSCALL_64_after_hwframe"],
  ["in a timer", "lab_expired", "call_timer_fn", "__run_timers.part.0", "handle_softirqs", "do_syscall_64"],
  ["in a work item", "adc_work", "process_one_work", "worker_thread", "kthread", "ret_from_fork"],
  ["in a thread of the kernel", "lab_loop", "kthread", "ret_from_fork"],
  ["while packets were received", "lab_rx", "__napi_poll", "net_rx_action", "handle_softirqs"],
])("%s", (said, ...names) => {
  expect(of(...names)).toBe(said);
});

test("nothing is said of a stack that does not say it, nor by frames that are doubtful", () => {
  expect(of("lab_submit", "lab_go")).toBeUndefined();
  expect(howItCameThere([{ function: "f" }, { function: "ksys_write", doubtful: true }])).toBeUndefined();
});
