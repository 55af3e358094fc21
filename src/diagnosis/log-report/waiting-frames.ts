/**
 * Functions by what they tell of time: who waits, who calls what may loop, where an interrupt came upon the code, what tells of a stall, an
 * idle CPU, and where a whole trace ends. kernel/sched, kernel/locking, kernel/softirq.c, kernel/workqueue.c, the entry code of each machine.
 */

/** Anchored and joined: one pattern that matches whole names. */
function words(...patterns: string[]): RegExp {
  return new RegExp(`^(?:${patterns.join("|")})$`);
}

/** Waiting itself: what a sleeping task's trace begins with. */
// biome-ignore format: a table
const WAITING = words(
  "\\w*wait\\w*", "\\w*completion\\w*", "\\w*synchronize\\w*", "\\w*rwsem\\w*", "\\w*_lock(?:_\\w+)?", "_+schedule\\w*", "schedule\\w*",
  "context_switch", "__switch_to\\w*", "preempt_schedule\\w*", "io_schedule\\w*", "\\w*wait_for_completion\\w*", "__wait_for_common",
  "do_wait_for_common", "wait_for_common\\w*", "__wait_on_\\w+", "wait_on_\\w+", "out_of_line_wait_\\w+", "\\w*_slowlock\\w*",
  "\\w*_lock_slowpath\\w*", "\\w*_slowpath\\w*", "__synchronize_\\w+", "wait_rcu_gp\\w*", "__wait_rcu_gp", "rcu_barrier\\w*",
  "_rcu_barrier", "kthread_\\w+", "bit_wait\\w*", "var_wake\\w*", "rwsem_\\w+", "__down\\w*", "down\\w*", "mutex_\\w+", "__mutex_\\w+",
  "rt_mutex_\\w+", "do_wait_\\w+", "wait_woken", "msleep\\w*", "usleep\\w*", "hrtimer_nanosleep", "do_nanosleep", "_*folio_lock\\w*",
  "_*lock_page\\w*", "lock_(?:sock|page|buffer|two|mount|rename|super|system)\\w*", "__lock_\\w+", "folio_wait_\\w+", "wait_on_page\\w*",
  "io_wait_\\w+", "prepare_to_\\w+", "__flush_work\\w*", "flush_\\w*work\\w*", "cancel_\\w*work\\w*", "__cancel_\\w*work\\w*",
  "autoremove_\\w+", "percpu_\\w+", "__percpu_\\w+", "wait_event\\w*", "__wait_\\w+", "d_wait_\\w+",
  "\\w*_lock(?:_nested|_killable|_interruptible)?", "\\w+_rwsem_\\w+", "stop_one_cpu", "do_futex", "futex_wait\\w*",
);
export function isWaiting(name: string): boolean {
  return WAITING.test(name);
}

/** A wait for all CPUs or for the network's big lock: the place to name is this wait, whoever does it. */
const SHARED_WAIT = /^(rtnl_lock\w*|_*synchronize_(?:rcu|srcu|net|sched|rcu_expedited|rcu_bh|rcu_tasks)|rcu_barrier)$/;
export function isSharedWait(name: string): boolean {
  return SHARED_WAIT.test(name);
}

/** What calls the part of the kernel that runs too long: the frame it called is the subject, the frames below it are where time was taken. */
// biome-ignore format: a table
const LOOP_ANCHORS = words(
  "do_syscall", "do_trap_ecall\\w*", "ret_from_syscall", "system_call\\w*", "__do_syscall", "syscall_common", "do_SYSENTER_32", "handle_syscall",
  "\\w+_compat_ioctl", "do_filp_open", "__do_fault", "__handle_mm_fault", "cpu_startup_entry", "do_mmap",
  "mmap_region", "do_syscall_\\w+", "entry_\\w+", "invoke_syscall", "el0_svc\\w*", "x64_sys_call", "ia32_sys_call",
  "do_fast_syscall_\\w+", "do_int80_\\w+", "ret_fast_syscall", "process_one_work", "_*do_softirq\\w*", "handle_softirqs",
  "irq_thread", "irq_(?:forced_)?thread_fn", "smpboot_thread_fn", "kthread_worker_fn", "cpuhp_thread_fun",
  "run_ksoftirqd", "call_timer_fn", "__run_timers", "run_timer_\\w+", "__hrtimer_run_queues", "__run_hrtimer", "task_work_run", "__fput",
  "kthread", "ret_from_fork\\w*", "irq_exit\\w*",
  "_*vfs_(?:read|write|ioctl|fsync|fallocate|readv|writev|iter_\\w+|statfs|getxattr|setxattr|open|mkdir|unlink)\\w*", "do_vfs_ioctl",
  "ksys_(?:read|write|ioctl)", "do_iter_(?:read|write)\\w*", "do_loop_readv_writev", "new_sync_\\w+", "call_(?:read|write)_iter",
  "(?:compat_)?blkdev_ioctl", "blkdev_driver_ioctl", "__blkdev_driver_ioctl", "sock_(?:sendmsg|recvmsg|ioctl|setsockopt)\\w*",
  "rtnetlink_rcv_msg", "nfnetlink_rcv_\\w+",
  "_*netif_receive_skb\\w*", "deliver_skb", "process_backlog", "_*napi_poll", "net_rx_action", "mount_fs", "vfs_get_tree",
  "rcu_do_batch", "rcu_core", "generic_smp_call_function_\\w+", "__flush_smp_call_function_queue", "flush_smp_call_function_queue",
  "tasklet_action\\w*", "do_one_initcall", "kernel_init", "worker_thread", "seq_read\\w*",
  "proc_reg_\\w+", "kernfs_fop_\\w+", "sysfs_kf_\\w+", "tty_(?:read|write|ioctl)", "file_tty_write", "iterate_tty_write",
);
export function isLoopAnchor(name: string): boolean {
  return LOOP_ANCHORS.test(name);
}

/** An interrupt came upon the looping code: frames above it belong to the report itself. */
// biome-ignore format: a table
const INTERRUPT_ENTRY = words(
  "\\w+_int_handler", "gic_handle_irq", "call_on_irq_stack", "handle_riscv_irq", "do_interrupt_handler", "\\w*apic_timer_interrupt",
  "apic_timer_interrupt", "asm_\\w*(?:interrupt|sysvec\\w*|apic\\w*)", "asm_sysvec_\\w+", "asm_call_irq_on_stack",
  "el1h?_(?:64_)?irq\\w*", "__irq_svc", "ret_from_intr", "common_interrupt", "reschedule_interrupt", "hrtimer_interrupt",
  "call_function_\\w*interrupt", "nmi", "end_repeat_nmi", "asm_exc_nmi", "timer_interrupt", "decrementer_common\\w*", "handle_exception",
  "ret_from_exception", "irq_exit", "do_IRQ", "do_ext_irq", "do_irq_async", "handle_int", "plat_irq_dispatch", "handle_cpu_irq", "do_vint",
  "handle_vint", "handle_percpu_irq", "generic_handle_arch_irq", "do_irq", "__do_irq", "hardware_interrupt_\\w+",
);
export function isInterruptEntry(name: string): boolean {
  return INTERRUPT_ENTRY.test(name);
}

/** What runs on a CPU to tell of its stall: the tick, the watchdogs, the printing (kernel/rcu/tree_stall.h, kernel/watchdog.c, lib/nmi_backtrace.c). */
const STALL_REPORT = words(
  "dump_stack\\w*",
  "show_(?:regs|stack)\\w*",
  "sched_show_task\\w*",
  "\\w*cpu_backtrace\\w*",
  "\\w*trigger_\\w*backtrace\\w*",
  "rcu_(?:dump|sched_clock|check|pending)\\w*",
  "print_(?:other_)?cpu_stall\\w*",
  "check_cpu_stall\\w*",
  "update_process_times",
  "tick_\\w+",
  "watchdog_\\w+",
  "nmi_\\w+",
  "do_IPI",
  "do_handle_IPI",
  "ipi_\\w+",
);
export function tellsOfStall(name: string): boolean {
  return STALL_REPORT.test(name);
}

/** A CPU with nothing to do. */
export function isIdle(name: string): boolean {
  return /idle|^(?:\w*safe_halt|mwait\w*|play_dead\w*|start_secondary|cpu_startup_entry|rest_init|start_kernel)/.test(name);
}

/** Where a whole trace ends: entry code, the first function of a thread or of a CPU. */
const STACK_BOTTOM =
  /^(?:entry_|ret_from_|ret_fast_|ret_to_|el0|system_call|syscall_common|do_syscall|__do_syscall|secondary_startup|start_secondary|x86_64_start|start_kernel|sysenter_|tracesys|asm_exc_|handle_exception|ret_slow|cpu_startup|common_startup|kthread$|do_trap_ecall|interrupt_return|kernel_thread_(?:helper|starter)|child_rip)/;
export function isStackBottom(name: string): boolean {
  return STACK_BOTTOM.test(name);
}
