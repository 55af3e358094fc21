import { describe, expect, test } from "vitest";
import { CPU, explained } from "./testing/explained.ts";

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
