import { describe, expect, test } from "vitest";
import type { Diagnosis } from "../verdict.ts";
import { explainReport } from "./explain.ts";
import { reportsIn } from "./find-reports.ts";

function explained(...lines: string[]): Diagnosis {
  const reports = reportsIn(lines.map((line, index) => `[   10.0000${String(index).padStart(2, "0")}] ${line}`).join("\n"));
  expect(reports).toHaveLength(1);
  return explainReport(reports[0] as NonNullable<(typeof reports)[0]>);
}
const CPU = "CPU: 1 PID: 2 Comm: feeder Not tainted 6.1.0 #1";
const TAIL = [
  " vfs_read+0x9f/0x2f0",
  " do_syscall_64+0x5b/0xc0",
  " entry_SYSCALL_64_after_hwframe+0x63/0xcd",
  "---[ end trace 0000000000000000 ]---",
];
const AFTER_LOOP = [" <IRQ>", " dump_stack+0x1/0x2", " rcu_dump_cpu_stacks+0x1/0x2", " asm_sysvec_apic_timer_interrupt+0x1/0x2", " </IRQ>"];

describe("sanitizers", () => {
  const kasan = [
    "BUG: KASAN: slab-use-after-free in widget_poll+0x1c/0x40 [widget]",
    "Read of size 4 at addr ffff888012345688 by task feeder/2",
    "",
    CPU,
    "Call Trace:",
    " dump_stack_lvl+0x1/0x2",
    " kasan_report+0x1/0x2",
    " widget_poll+0x1c/0x40 [widget]",
    " vfs_read+0x9f/0x2f0",
    "",
    "Allocated by task 7:",
    " kasan_save_stack+0x1/0x2",
    " __kmalloc+0x1/0x2",
    " widget_make+0x1/0x2",
    "",
    "Freed by task 8:",
    " kfree+0x1/0x2",
    " widget_drop+0x1/0x2",
    "",
    "The buggy address belongs to the object at ffff888012345678",
    " which belongs to the cache kmalloc-64 of size 64",
    "The buggy address is located 16 bytes inside of",
    " freed 64-byte region [ffff888012345678, ffff8880123456b8)",
    "Memory state around the buggy address:",
    ">ffff888012345600: fa fb fb fb fb fb fb fb fc fc fc fc fc fc fc fc",
    "                      ^",
  ];
  test("KASAN with its object", () => {
    const { verdict, story } = explained(...kasan);
    expect(verdict).toMatchObject({
      class: "use-after-free",
      function: "widget_poll",
      module: "widget",
      access: { kind: "read", size: 4 },
      address: 0xffff888012345688n,
      object: { cache: "kmalloc-64", address: 0xffff888012345678n },
      confidence: "high",
    });
    expect(story.join(" ")).toMatch(/allocated by widget_make in task 7.*freed by widget_drop in task 8.*freed slab object/);
  });
  test("KASAN without its head", () => {
    const { verdict, context } = explained(...kasan.slice(5));
    expect(verdict).toMatchObject({ class: "use-after-free", function: "widget_poll" });
    expect(context.notes).toContain("its head is missing");
  });
  test("a double free", () => {
    const { verdict } = explained(
      "BUG: KASAN: double-free in widget_drop+0x1/0x2",
      "Free of addr ffff888012345678 by task feeder/2",
      CPU,
      "Call Trace:",
      " kasan_report_invalid_free+0x1/0x2",
      " kfree+0x1/0x2",
      " widget_drop+0x1/0x2",
      " vfs_read+0x9f/0x2f0",
    );
    expect(verdict).toMatchObject({ class: "double-free", function: "widget_drop", access: { kind: "free" } });
  });
  test("KFENCE, KMSAN, KCSAN, UBSAN", () => {
    const kfence = explained(
      "BUG: KFENCE: out-of-bounds read in widget_poll+0x1c/0x40",
      "Out-of-bounds read at 0x00000000abcdef10 (16B right of kfence-#72):",
      " widget_poll+0x1c/0x40",
      " vfs_read+0x9f/0x2f0",
      "kfence-#72: 0x00000000abcdee00-0x00000000abcdef00, size=256, cache=kmalloc-256",
      "allocated by task 7 on cpu 0 at 1.0s:",
      " widget_make+0x1/0x2",
    );
    expect(kfence.verdict).toMatchObject({
      class: "out-of-bounds",
      function: "widget_poll",
      access: { kind: "read" },
      object: { cache: "kmalloc-256" },
    });
    const kmsan = explained(
      "BUG: KMSAN: uninit-value in crc_of_widget+0x1c/0x40",
      " crc_of_widget+0x1c/0x40",
      " vfs_read+0x9f/0x2f0",
      "Uninit was created at:",
      " __kmalloc+0x1/0x2",
      " widget_make+0x1/0x2",
      "Bytes 4-7 of 8 are uninitialized",
    );
    expect(kmsan.verdict).toMatchObject({ class: "uninitialised-value", function: "crc_of_widget" });
    const kcsan = explained(
      "BUG: KCSAN: data-race in widget_poll / widget_stop",
      "",
      "write to 0xffff888012345678 of 4 bytes by task 2 on cpu 1:",
      " widget_stop+0x1c/0x40",
      " vfs_write+0x9f/0x2f0",
      "",
      "read to 0xffff888012345678 of 4 bytes by task 3 on cpu 0:",
      " widget_poll+0x1c/0x40",
      " vfs_read+0x9f/0x2f0",
      "value changed: 0x0 -> 0x1",
    );
    expect(kcsan.verdict).toMatchObject({ class: "data-race", function: "widget_poll", address: 0xffff888012345678n });
    const ubsan = explained(
      "UBSAN: shift-out-of-bounds in drivers/widget/core.c:77:3",
      "shift exponent 64 is too large for 32-bit type 'int'",
      CPU,
      "Call Trace:",
      " dump_stack_lvl+0x1/0x2",
      " __ubsan_handle_shift_out_of_bounds+0x1/0x2",
      " widget_scale+0x1/0x2",
      " vfs_read+0x9f/0x2f0",
    );
    expect(ubsan.verdict).toMatchObject({ function: "widget_scale", file: "drivers/widget/core.c", line: 77 });
    expect(ubsan.verdict.title).toContain("shift exponent 64");
  });
  test("slub_debug", () => {
    const { verdict } = explained(
      "BUG kmalloc-64 (Not tainted): Right Redzone overwritten",
      "-----------------------------------------------------------------------------",
      "0xffff888012345678-0xffff88801234567f @offset=1656. First byte 0x0 instead of 0xcc",
      "Allocated in widget_make+0x12/0x34 age=7 cpu=1 pid=2",
      "Slab 0xffffea0000000000 objects=32 used=1 fp=0x0000000000000000 flags=0x200",
      CPU,
      "Call Trace:",
      " dump_stack_lvl+0x1/0x2",
      " check_bytes_and_report+0x1/0x2",
      " kfree+0x1/0x2",
      " widget_drop+0x1/0x2",
      " vfs_read+0x9f/0x2f0",
    );
    expect(verdict).toMatchObject({ class: "slab-redzone", function: "widget_drop", object: { cache: "kmalloc-64" } });
  });
});

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

describe("memory and the rest", () => {
  test("out of memory, of the machine and of a container", () => {
    const lines = [
      "feeder invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
      CPU,
      "Call Trace:",
      " dump_header+0x1/0x2",
      " oom_kill_process+0x1/0x2",
      "Mem-Info:",
      "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/",
      "Out of memory: Killed process 77 (eater) total-vm:1000kB, anon-rss:900kB",
    ];
    expect(explained(...lines).verdict.class).toBe("out-of-memory");
    expect(explained(...lines.map((line) => line.replace("CONSTRAINT_NONE", "CONSTRAINT_MEMCG"))).verdict.class).toBe("oom-of-container");
    expect(explained(...lines).verdict.title).toContain("eater");
  });
  test("a leak is of who asked for the object", () => {
    const { verdict } = explained(
      "unreferenced object 0xffff888012345678 (size 64):",
      '  comm "feeder", pid 2, jiffies 4294667296 (age 12.0s)',
      "  hex dump (first 32 bytes):",
      "    00 00 00 00",
      "  backtrace:",
      "    [<00000000a5a5a5a5>] kmem_cache_alloc+0x1/0x2",
      "    [<00000000a5a5a5a6>] widget_alloc+0x1/0x2",
      "    [<00000000a5a5a5a7>] widget_open+0x1/0x2",
    );
    expect(verdict).toMatchObject({ class: "memory-leak", function: "widget_open" });
  });
  test.each([
    ["Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b", "init-killed"],
    ["Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)", "filesystem-panic"],
    ["Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: widget_poll+0x1c/0x40", "stack-corruption"],
    ["Kernel panic - not syncing: corrupted stack end detected inside scheduler", "stack-overflow"],
    ["Kernel panic - not syncing: sysrq triggered crash", "deliberate"],
    ["mce: [Hardware Error]: CPU 1: Machine Check Exception: 5 Bank 4: be00000000800400", "hardware-error"],
  ])("%s", (head, wanted) => {
    expect(
      explained(head, CPU, "Call Trace:", " dump_stack+0x1/0x2", " panic+0x1/0x2", " widget_poll+0x1c/0x40", " do_syscall_64+0x1/0x2")
        .verdict.class,
    ).toBe(wanted);
  });
  test("a panic of its own names who called it; one that follows a lost report does not", () => {
    const lines = (text: string): string[] => [
      `Kernel panic - not syncing: ${text}`,
      CPU,
      "Call Trace:",
      " dump_stack+0x1/0x2",
      " panic+0x1/0x2",
      " widget_give_up+0x1c/0x40",
      " do_syscall_64+0x1/0x2",
    ];
    expect(explained(...lines("widget: lost")).verdict).toMatchObject({ class: "unknown", function: "widget_give_up" });
    const late = explained(...lines("Fatal exception"));
    expect(late.verdict.function).toBeUndefined();
    expect(late.context.notes.join()).toContain("missing");
  });
  test("the signature does not depend on offsets, tasks or times", () => {
    const lines = (shift: string, comm: string): string[] => [
      "BUG: kernel NULL pointer dereference, address: 0000000000000028",
      "Oops: 0000 [#1] SMP",
      CPU.replace("feeder", comm),
      `RIP: 0010:widget_poll+${shift}/0x40`,
      "Call Trace:",
      ` widget_read+${shift}/0x80`,
      ...TAIL,
    ];
    const one = explained(...lines("0x1c", "a")).signature;
    expect(explained(...lines("0x2c", "b")).signature).toEqual(one);
    expect(one.text).toBe("null-pointer-dereference|widget_poll|widget_read");
  });
});
