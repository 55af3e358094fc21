/**
 * What the task was doing for whom: a system call, a timer, a work item, an interrupt, a thread of the kernel. Told from the outermost frames
 * that say it: the stack's end is the door the kernel came in by.
 *
 *   lab_submit ← vfs_write ← ksys_write ← do_syscall_64 ← entry_SYSCALL_64_after_hwframe       in the system call write
 *   lab_expired ← call_timer_fn ← run_timer_softirq ← handle_softirqs                          in a timer
 */
import type { VerdictFrame } from "./verdict.ts";

export interface Door {
  /** "in the system call write", "in a timer". */
  readonly words: string;
  /** It stands on top of whatever the CPU was doing before: the task has no part in it. */
  readonly interrupts: boolean;
}

/** arch/x86/include/asm/syscall_wrapper.h, arch/arm64/include/asm/syscall_wrapper.h, include/linux/syscalls.h. */
const SYSTEM_CALL = /^(?:__x64_sys_|__ia32_(?:compat_)?sys_|__arm64_(?:compat_)?sys_|__se_sys_|__do_sys_|ksys_)(\w+)$/;

/** The first that a frame matches from outside decides; the doors themselves last. */
const DOORS: readonly (readonly [pattern: RegExp, words: string, interrupts: boolean])[] = [
  [/^(?:process_one_work|process_scheduled_works)$/, "in a work item", false],
  [/^(?:call_timer_fn|expire_timers|__run_timers|__run_timer_base|run_timer_softirq)(?:\.\w+)*$/, "in a timer", true],
  [/^(?:__hrtimer_run_queues|hrtimer_interrupt)$/, "in a high-resolution timer", true],
  [/^(?:net_rx_action|__napi_poll|process_backlog)$/, "receiving packets", true],
  [/^(?:tasklet_action\w*)(?:\.\w+)*$/, "in a tasklet", true],
  [/^(?:rcu_do_batch|rcu_core\w*)$/, "in an RCU callback", true],
  [/^(?:irq_work_(?:run\w*|single)|flush_smp_call_function_queue|__flush_smp_call_function_queue)$/, "serving a call by IPI", true],
  [/^(?:__handle_irq_event_percpu|handle_irq_event\w*)$/, "in an interrupt handler", true],
  [/^(?:handle_softirqs|__do_softirq|do_softirq)$/, "in a softirq", true],
  [/^(?:do_init_module|do_one_initcall)$/, "loading a module", false],
  [/^(?:asm_)?(?:exc|do)_machine_check$/, "in a machine check", true],
  [/^(?:exc_nmi|asm_exc_nmi|end_repeat_nmi|(?:default_)?do_nmi|nmi_handle)$/, "in an NMI", true],
];
const SYSTEM_CALL_DOOR = /^(?:do_syscall_64|entry_SYSCALL_64\w*|el0_svc\w*|invoke_syscall|do_el0_svc)(?:\.\w+)*$/;
const THREAD_DOOR = /^kthread$/;
/** Threads that serve what else runs on top of a task. */
const SERVING_THREAD = /^(?:run_ksoftirqd|irq_thread\w*|rcu_cpu_kthread|rcu_nocb_cb_kthread|run_irq_workd)$/;

/** undefined when the stack does not say. @param frames innermost first */
export function howItCameThere(frames: readonly VerdictFrame[]): Door | undefined {
  const names = frames.filter(({ doubtful }) => doubtful !== true).flatMap(({ function: name }) => name ?? []);
  // An interrupt's work stands inside whatever it interrupted.
  for (const name of names) {
    const door = DOORS.find(([pattern]) => pattern.test(name));
    if (door !== undefined) return { words: door[1], interrupts: door[2] && !names.some((each) => SERVING_THREAD.test(each)) };
  }
  const own = (words: string): Door => ({ words, interrupts: false });
  for (const name of [...names].reverse()) {
    const call = SYSTEM_CALL.exec(name)?.[1];
    if (call !== undefined) return own(`in the system call ${call}`);
  }
  if (names.some((name) => SYSTEM_CALL_DOOR.test(name))) return own("in a system call");
  return names.some((name) => THREAD_DOOR.test(name)) ? own("in a thread of the kernel") : undefined;
}

/** Whether a function is such a door, or lies behind one: no caller that means anything. */
export function isDoor(name: string): boolean {
  const behind = [SYSTEM_CALL, SYSTEM_CALL_DOOR, THREAD_DOOR, SERVING_THREAD, /^(?:ret_from_fork\w*|worker_thread|smpboot_thread_fn)$/];
  return DOORS.some(([pattern]) => pattern.test(name)) || behind.some((pattern) => pattern.test(name));
}

/** What every call goes through before it comes to the code that was asked for: the file layer, sysfs, procfs, module parameters. */
const WAY_IN =
  /^(?:vfs_\w+|__vfs_\w+|new_sync_\w+|do_(?:iter_|loop_)?readv?_?writev?\w*|call_(?:read|write)_iter|proc_reg_\w+|kernfs_fop_\w+|kernfs_seq_\w+|sysfs_kf_\w+|seq_read(?:_iter)?|(?:param|module|dev|drv|bus|class|kobj)_attr_(?:show|store)|do_vfs_ioctl|file_ioctl|do_writev|do_readv)$/;

/**
 * Of the guilty function's callers, the nearest first, those that tell one way there from another: up to the door, or to what is on every
 * way. They are the same on every machine and under every kernel that has the code; the doors' names are not.
 */
export function callersOfNote(callers: readonly string[]): readonly string[] {
  const end = callers.findIndex((name) => isDoor(name) || WAY_IN.test(name));
  return end < 0 ? callers : callers.slice(0, end);
}
