import { describe, expect, test } from "vitest";
import { CPU, explained, TAIL } from "./testing/explained.ts";

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
