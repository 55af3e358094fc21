import { describe, expect, test } from "vitest";
import { CPU, explained } from "./testing/explained.ts";

const AFTER_LOOP = [" <IRQ>", " dump_stack+0x1/0x2", " rcu_dump_cpu_stacks+0x1/0x2", " asm_sysvec_apic_timer_interrupt+0x1/0x2", " </IRQ>"];

describe("locks and waits", () => {
  test("a possible deadlock", () => {
    const { verdict, story } = explained(
      "WARNING: possible circular locking dependency detected",
      "6.1.0 #1 Not tainted",
      "------------------------------------------------------",
      "feeder/2 is trying to acquire lock:",
      "ffff888012345678 (&widget->lock){+.+.}-{3:3}, at: widget_poll+0x12/0x40",
      "",
      "but task is already holding lock:",
      "ffff888087654321 (&hub->lock){+.+.}-{3:3}, at: hub_scan+0x12/0x40",
      "",
      "which lock already depends on the new lock.",
      "",
      "stack backtrace:",
      CPU,
      "Call Trace:",
      " dump_stack+0x1/0x2",
      " lock_acquire+0x1/0x2",
      " __mutex_lock+0x1/0x2",
      " widget_poll+0x12/0x40",
      " hub_scan+0x33/0x40",
    );
    expect(verdict).toMatchObject({ class: "deadlock", function: "widget_poll" });
    expect(story.join()).toContain("&widget->lock, taken while &hub->lock is held");
  });
  test("a hung task and who holds it", () => {
    const { verdict, story } = explained(
      "INFO: task feeder:2 blocked for more than 122 seconds.",
      "      Not tainted 6.16.0 #1",
      '"echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.',
      "task:feeder          state:D stack:0     pid:2     ppid:1      flags:0x00004002",
      "Call Trace:",
      " <TASK>",
      " __schedule+0x1/0x2",
      " schedule+0x1/0x2",
      " __mutex_lock+0x1/0x2",
      " widget_open+0x1/0x2",
      " chrdev_open+0x1/0x2",
      " </TASK>",
      "INFO: task feeder:2 is blocked on a mutex likely owned by task holder:9.",
    );
    expect(verdict).toMatchObject({ class: "hung-task", function: "widget_open" });
    expect(story.join()).toContain("likely owned by holder (9)");
  });
  test("the watchdog that prints is not the task that hangs", () => {
    const { subject } = explained(
      "INFO: task feeder:2 blocked for more than 122 seconds.",
      "task:feeder          state:D stack:0     pid:2     ppid:1      flags:0x00004002",
      "Call Trace:",
      " __schedule+0x1/0x2",
      " widget_open+0x1/0x2",
      "Kernel panic - not syncing: hung_task: blocked tasks",
      "CPU: 0 PID: 29 Comm: khungtaskd Not tainted 6.1.0 #1",
      "Call Trace:",
      " panic+0x1/0x2",
      " watchdog+0x1/0x2",
    );
    expect(subject).toMatchObject({ comm: "feeder", pid: 2 });
  });
  test("a stall names what the dispatcher called, not the top of the loop", () => {
    const { verdict } = explained(
      "rcu: INFO: rcu_preempt self-detected stall on CPU",
      "rcu: \t1-....: (10499 ticks this GP) idle=35e/1/0 softirq=1/1 fqs=5227",
      "NMI backtrace for cpu 1",
      CPU,
      "Call Trace:",
      ...AFTER_LOOP,
      "RIP: 0010:widget_spin+0x1/0x2",
      " widget_scan+0x1/0x2",
      " widget_ioctl+0x1/0x2",
      " vfs_ioctl+0x1/0x2",
      " do_syscall_64+0x5b/0xc0",
    );
    expect(verdict).toMatchObject({ class: "rcu-stall", function: "widget_ioctl" });
  });
  test("a soft lockup in a work item", () => {
    const { verdict, subject } = explained(
      "watchdog: BUG: soft lockup - CPU#1 stuck for 23s! [kworker/1:2:99]",
      CPU,
      "RIP: 0010:widget_spin+0x1/0x2",
      "Call Trace:",
      " widget_scan+0x1/0x2",
      " widget_work+0x1/0x2",
      " process_one_work+0x1/0x2",
      " worker_thread+0x1/0x2",
      " kthread+0x1/0x2",
    );
    expect(verdict).toMatchObject({ class: "soft-lockup", function: "widget_work" });
    expect(subject.event).toContain("CPU#1");
  });
  test("sleeping in atomic context", () => {
    const { verdict } = explained(
      "BUG: sleeping function called from invalid context at kernel/locking/mutex.c:1",
      "in_atomic(): 1, irqs_disabled(): 0, non_block: 0, pid: 2, name: feeder",
      CPU,
      "Call Trace:",
      " dump_stack_lvl+0x1/0x2",
      " __might_resched+0x1/0x2",
      " mutex_lock+0x1/0x2",
      " widget_poke+0x1/0x2",
      " vfs_read+0x1/0x2",
    );
    expect(verdict).toMatchObject({ class: "atomic-sleep", function: "widget_poke" });
  });
});
