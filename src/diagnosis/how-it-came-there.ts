/**
 * What the task was doing for whom: a system call, a timer, a work item, an interrupt, a thread of the kernel. Told from the outermost frames
 * that say it: the stack's end is the door the kernel came in by.
 *
 *   lab_submit ← vfs_write ← ksys_write ← do_syscall_64 ← entry_SYSCALL_64_after_hwframe       in the system call write
 *   lab_expired ← call_timer_fn ← run_timer_softirq ← handle_softirqs                          in a timer
 */
import type { VerdictFrame } from "./verdict.ts";

/** arch/x86/include/asm/syscall_wrapper.h, arch/arm64/include/asm/syscall_wrapper.h, include/linux/syscalls.h. */
const SYSTEM_CALL = /^(?:__x64_sys_|__ia32_(?:compat_)?sys_|__arm64_(?:compat_)?sys_|__se_sys_|__do_sys_|ksys_)(\w+)$/;

/** The first that a frame matches from outside decides; the doors themselves last. */
const DOORS: readonly (readonly [RegExp, string])[] = [
  [/^(?:process_one_work|process_scheduled_works)$/, "in a work item"],
  [/^(?:call_timer_fn|expire_timers|__run_timers|__run_timer_base|run_timer_softirq)(?:\.\w+)*$/, "in a timer"],
  [/^(?:__hrtimer_run_queues|hrtimer_interrupt)$/, "in a high-resolution timer"],
  [/^(?:net_rx_action|__napi_poll|process_backlog)$/, "while packets were received"],
  [/^(?:tasklet_action\w*)$/, "in a tasklet"],
  [/^(?:rcu_do_batch|rcu_core\w*)$/, "in an RCU callback"],
  [/^(?:irq_work_run\w*|flush_smp_call_function_queue|__flush_smp_call_function_queue)$/, "in a call from another CPU"],
  [/^(?:__handle_irq_event_percpu|handle_irq_event\w*)$/, "in an interrupt handler"],
  [/^(?:handle_softirqs|__do_softirq|do_softirq)$/, "in a softirq"],
  [/^(?:do_init_module|do_one_initcall)$/, "while a module was loaded"],
  [/^(?:exc_nmi|asm_exc_nmi|nmi_handle)$/, "in an NMI"],
];
const SYSTEM_CALL_DOOR = /^(?:do_syscall_64|entry_SYSCALL_64\w*|el0_svc\w*|invoke_syscall|do_el0_svc)(?:\.\w+)*$/;
const THREAD_DOOR = /^kthread$/;

/** "in the system call write", "in a timer"; undefined when the stack does not say. @param frames innermost first */
export function howItCameThere(frames: readonly VerdictFrame[]): string | undefined {
  const names = frames.filter(({ doubtful }) => doubtful !== true).flatMap(({ function: name }) => name ?? []);
  // An interrupt's work stands inside whatever it interrupted.
  for (const name of names) {
    const door = DOORS.find(([pattern]) => pattern.test(name));
    if (door !== undefined) return door[1];
  }
  for (const name of [...names].reverse()) {
    const call = SYSTEM_CALL.exec(name)?.[1];
    if (call !== undefined) return `in the system call ${call}`;
  }
  if (names.some((name) => SYSTEM_CALL_DOOR.test(name))) return "in a system call";
  return names.some((name) => THREAD_DOOR.test(name)) ? "in a thread of the kernel" : undefined;
}
