/**
 * The function to name of a stack: the innermost one that means something, behind scheduling, waiting, locking and helpers that do for any
 * caller what it asked.
 *
 *   sleeping   __schedule, schedule, schedule_preempt_disabled, __mutex_lock,  ► widget_start ◄,  widget_ioctl …
 *   running    (panic, watchdog, timer interrupt)  interrupted: delay_tsc,     ► widget_poll ◄,   widget_thread …
 *
 * A module's function is named whatever it is called: `foo_wait_ready` of a driver is no machinery of the kernel's. Only modules that wait
 * for others by trade (journals, remote calls) have names that are passed over.
 */
import { isScheduling, plainName } from "../../linux/locking/wait-functions.ts";
import type { StackFrame, UnwoundStack } from "../../stack/frame.ts";
import { isPassedOver } from "../log-report/passed-over.ts";
import { isWaiting } from "../log-report/waiting-frames.ts";
import type { Verdict, VerdictFrame } from "../verdict.ts";

/** Waits of modules that others call to wait: fs/jbd2/journal.c, net/sunrpc/sched.c, fs/fuse/dev.c, drivers/md. */
const MODULE_WAITS =
  /^(?:jbd2_(?:log_)?\w*wait\w*|wait_transaction_locked|_*rpc_(?:wait|execute|run)\w*|request_wait_answer|_*fuse_request_send|fuse_simple_request\w*|_*fuse_simple_request|nfs\d?_(?:wait|do_call_sync|call_sync)\w*|dm_(?:io|wait)\w*)$/;
/** Machinery of the kernel's that the groups of reports do not have: it waits, spins or ends threads for its caller. */
const MACHINERY =
  /^(?:(?:__)?(?:const_)?u?delay\w*|delay_(?:tsc|loop|halt|mwaitx?)\w*|__[un]delay|arch_timer_\w+|cpu_relax\w*|rcu_(?:gp_)?(?:barrier|wait)\w*|blk_(?:mq_)?freeze\w*|blk_execute_rq|submit_bio_wait|kthread_stop|kthread_park|wait4|kernel_wait4|smp_call_\w+|on_each_cpu\w*|stop_(?:one_cpu|machine)\w*|csd_lock_wait|flush_tlb_\w+|native_flush_tlb\w*|process_one_work|worker_thread|percpu_ref_\w+|srcu_\w+|__synchronize_srcu|synchronize_srcu\w*|schedule_(?:timeout|hrtimeout)\w*|timer_delete\w*|timer_shutdown\w*|hrtimer_\w+|native_(?:halt|safe_halt)|swait_\w+|jiffies\w*|ktime_get\w*|sched_clock\w*|local_clock\w*|rdtsc\w*|read_tsc|touch_\w+|__cond_resched|_cond_resched|__list_\w+|rb_next|rb_prev|memory_\w+|asm_\w+|call_timer_fn)$/;

/**
 * Taking a node away waits until those who read it have left: fs/kernfs/dir.c (kernfs_drain), fs/sysfs, fs/proc/inode.c
 * (proc_entry_rundown), fs/debugfs, and what removes nodes for whoever asks (lib/kobject.c, drivers/base/core.c).
 */
const REMOVES =
  /^(?:kernfs_drain|__kernfs_remove|kernfs_remove\w*|remove_files|sysfs_remove_\w+|internal_remove_group\w*|_*kobject_(?:del|cleanup|put)|device_(?:del|unregister|destroy|remove_\w+)|proc_entry_rundown|remove_proc_\w+|proc_remove|__debugfs_file_removed|debugfs_remove\w*|remove_one|simple_recursive_removal|start_unregistering|drop_sysctl_table|unregister_sysctl_table)$/;

/** Not one to name. */
export function isMachinery({ function: name, module, certainty }: StackFrame): boolean {
  if (name === undefined || certainty === "guessed") return true;
  const plain = plainName(name);
  if (module !== undefined) return MODULE_WAITS.test(plain);
  return isScheduling(plain) || isWaiting(plain) || isPassedOver(plain) || MACHINERY.test(plain) || REMOVES.test(plain);
}

/** Index of the frame to name, from `from` outwards; undefined when all is machinery. */
export function guiltyFrame({ frames }: UnwoundStack, from = 0): number | undefined {
  const at = frames.findIndex((frame, index) => index >= from && !isMachinery(frame));
  return at < 0 ? undefined : at;
}

/** A CPU that panics itself, or that lost the race to: what stops it later strikes it in there. */
const GIVES_UP = /^(?:v?panic|nmi_panic|panic_smp_self_stop|nmi_panic_self_stop|watchdog_timer_fn|rcu_sched_clock_irq)$/;

/**
 * The code that a running task's CPU was in when an interrupt, an NMI or the stop struck it: behind all of their machinery, and behind a
 * watchdog that was giving up when the machine stopped.
 */
export function struckFrame({ frames }: UnwoundStack): number {
  const struck = frames.flatMap(({ kind }, index) => (index > 0 && kind === "interrupted" ? [index] : []));
  const found = struck.find((at, i) => {
    const next = struck[i + 1];
    return next === undefined || !frames.slice(at, next).some(({ function: name }) => GIVES_UP.test(plainName(name ?? "")));
  });
  return found ?? 0;
}

/** Where to look: the guilty frame's function, with its line where debug information tells it. */
export function placeOf(
  stack: UnwoundStack,
  guilty: number | undefined,
  shown: readonly VerdictFrame[] = [],
): Pick<Verdict, "function" | "module" | "file" | "line"> {
  const frame = guilty === undefined ? undefined : stack.frames[guilty];
  if (frame?.function === undefined) return {};
  const line = shown.find((each) => each.guilty === true);
  return {
    function: plainName(frame.function),
    ...(frame.module === undefined ? {} : { module: frame.module }),
    ...(line?.file === undefined ? {} : { file: line.file }),
    ...(line?.line === undefined ? {} : { line: line.line }),
  };
}

/** "widget_start [widget]". */
export function functionText(frame: Pick<StackFrame, "function" | "module"> | undefined): string {
  if (frame?.function === undefined) return "?";
  return `${plainName(frame.function)}${frame.module === undefined ? "" : ` [${frame.module}]`}`;
}
