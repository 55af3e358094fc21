import { describe, expect, test } from "vitest";
import { functionText, guiltyFrame, placeOf, struckFrame } from "./guilty-frame.ts";
import { stackOfNames } from "./testing/made.ts";

const named = (stack: ReturnType<typeof stackOfNames>, from = 0) => stack.frames[guiltyFrame(stack, from) ?? -1]?.function;

describe("the function to name", () => {
  test("lies behind scheduling, waiting and locking", () => {
    const stack = stackOfNames(
      "__schedule",
      "schedule",
      "schedule_preempt_disabled",
      "__mutex_lock.constprop.0",
      "widget_start [widget]",
      "vfs_write",
    );
    expect(named(stack)).toBe("widget_start");
  });

  test("is a module's whatever it is called, but not one that waits for others by trade", () => {
    expect(named(stackOfNames("schedule", "wait_for_completion", "foo_wait_ready [foo]", "foo_probe [foo]"))).toBe("foo_wait_ready");
    expect(named(stackOfNames("schedule", "jbd2_log_wait_commit [jbd2]", "ext4_sync_file [ext4]"))).toBe("ext4_sync_file");
  });

  test("lies behind what flushes and cancels for its caller", () => {
    expect(
      named(stackOfNames("schedule", "schedule_timeout", "__wait_for_common", "__flush_work", "__cancel_work_timer", "adc_stop [adc]")),
    ).toBe("adc_stop");
  });

  test("lies behind what takes nodes away for its caller", () => {
    const removal = ["schedule", "kernfs_drain", "__kernfs_remove.part.0", "kernfs_remove_by_name_ns", "sw_port_unregister [sw]"];
    expect(named(stackOfNames(...removal))).toBe("sw_port_unregister");
    expect(named(stackOfNames("schedule", "wait_for_completion", "proc_entry_rundown", "proc_remove", "foo_exit [foo]"))).toBe("foo_exit");
  });

  test("of a CPU begins behind what struck it", () => {
    const stack = stackOfNames(
      "delay_tsc",
      "panic",
      "watchdog_timer_fn",
      "asm_sysvec_apic_timer_interrupt",
      "!delay_tsc",
      "ring_poll [ring]",
      "kthread",
    );
    expect(struckFrame(stack)).toBe(4);
    expect(named(stack, struckFrame(stack))).toBe("ring_poll");
  });

  test("of a CPU that waited for another's panic begins behind what had struck it before that", () => {
    const stack = stackOfNames(
      "stop_this_cpu",
      "end_repeat_nmi",
      "!panic_smp_self_stop",
      "panic",
      "watchdog_timer_fn.cold",
      "asm_sysvec_apic_timer_interrupt",
      "!flow_write [flowtab]",
      "vfs_write",
    );
    expect(struckFrame(stack)).toBe(6);
    // Nothing struck it before: it panicked by itself.
    expect(struckFrame(stackOfNames("stop_this_cpu", "end_repeat_nmi", "!panic_smp_self_stop", "panic", "f [m]"))).toBe(2);
  });

  test("is none where all is machinery", () => {
    expect(guiltyFrame(stackOfNames("__schedule", "schedule"))).toBeUndefined();
  });
});

test("a place is without what the compiler added to the name", () => {
  const stack = stackOfNames("schedule", "widget_start.isra.0 [widget]");
  expect(placeOf(stack, 1)).toEqual({ function: "widget_start", module: "widget" });
  expect(functionText(stack.frames[1])).toBe("widget_start [widget]");
});

test("lies behind a watchdog that lost the race to panic", () => {
  const stack = stackOfNames(
    "stop_this_cpu",
    "asm_exc_nmi",
    "!panic_smp_self_stop",
    "panic",
    "watchdog_timer_fn",
    "asm_sysvec_apic_timer_interrupt",
    "!flow_find [flowtab]",
    "flow_write [flowtab]",
  );
  expect(struckFrame(stack)).toBe(6);
  expect(
    struckFrame(
      stackOfNames("stop_this_cpu", "asm_exc_nmi", "!foo_poll [foo]", "call_timer_fn", "asm_sysvec_apic_timer_interrupt", "!do_idle"),
    ),
  ).toBe(2);
});
