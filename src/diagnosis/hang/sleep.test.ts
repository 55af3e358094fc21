import { describe, expect, test } from "vitest";
import { sleepOf } from "./sleep.ts";
import { stackOfNames, task } from "./testing/made.ts";

describe("what a task sleeps for", () => {
  test.each([
    ["timer", ["__schedule", "schedule", "schedule_timeout", "msleep", "nvc_flush [nvcache]"]],
    ["completion", ["__schedule", "schedule", "schedule_timeout", "__wait_for_common", "dma_write [dmaeng]"]],
    ["disk", ["__schedule", "schedule", "io_schedule", "folio_wait_bit_common", "blkdev_fsync"]],
    ["user space", ["__schedule", "schedule", "pipe_read", "vfs_read"]],
    ["work", ["__schedule", "schedule", "schedule_timeout", "wait_for_completion", "__flush_work", "adc_stop [adc]"]],
    ["RCU", ["__schedule", "schedule", "schedule_timeout", "wait_for_completion", "__wait_rcu_gp", "synchronize_rcu", "foo_remove [foo]"]],
    ["memory", ["__schedule", "schedule", "schedule_timeout", "throttle_direct_reclaim", "try_to_free_pages"]],
    ["event", ["__schedule", "schedule", "schedule_timeout", "dma_fence_default_wait", "dma_fence_wait_timeout", "gpu_present [gpu]"]],
    ["event", ["__schedule", "schedule", "snap_drain [snapref]"]],
  ] as const)("%s", (kind, names) => {
    expect(sleepOf(task(), stackOfNames(...names)).kind).toBe(kind);
  });

  test("a lock is told by its waiting function", () => {
    expect(sleepOf(task(), stackOfNames("__schedule", "schedule", "__mutex_lock", "widget_start [widget]")).kind).toBe("lock");
  });

  test("one that was just woken from a timer still belongs to the timer", () => {
    expect(sleepOf(task({ state: 0 }), stackOfNames("__schedule", "schedule", "schedule_timeout", "msleep")).kind).toBe("timer");
    expect(sleepOf(task({ state: 0 }), stackOfNames("__schedule", "preempt_schedule_irq")).kind).toBe("running");
  });

  test("a stack that is cut short does not tell that it waits for nobody's lock", () => {
    const cut = { ...stackOfNames("__schedule"), stop: { complete: false, text: "excluded" } };
    expect(sleepOf(task(), cut).text).toMatch(/cannot be read/);
    expect(sleepOf(task(), undefined).text).toMatch(/cannot be read/);
  });

  test("states come before stacks", () => {
    expect(sleepOf(task({ active: true, cpu: 3 }), undefined)).toMatchObject({ kind: "running", text: "runs on CPU 3" });
    expect(sleepOf(task({ exitState: 0x20 }), undefined).kind).toBe("exited");
    expect(sleepOf(task({ state: 4 }), stackOfNames("__schedule", "schedule")).kind).toBe("stopped");
  });
});
