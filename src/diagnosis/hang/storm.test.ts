import { describe, expect, test } from "vitest";
import { virtual } from "../../bytes/address.ts";
import type { UnwoundStack } from "../../stack/frame.ts";
import { struckFrame } from "./guilty-frame.ts";
import { struckIn } from "./storm.ts";
import { stackOfNames, task } from "./testing/made.ts";

const TICK = ["panic", "watchdog_timer_fn", "hrtimer_interrupt", "asm_sysvec_apic_timer_interrupt"];
const at = (stack: UnwoundStack, idle = false, handlers: readonly bigint[] = []) =>
  struckIn({ stack, struck: struckFrame(stack), task: task({ idle }) }, handlers.map(virtual)).struckIn;

describe("where a CPU that interrupts keep was struck", () => {
  test("behind the handler of one, in the softirqs at its end", () => {
    expect(
      at(stackOfNames(...TICK, "!handle_softirqs", "__irq_exit_rcu", "common_interrupt", "asm_common_interrupt", "foo_loop [foo]")),
    ).toBe("interrupt");
    expect(at(stackOfNames("panic", "el1h_64_irq", "!__do_softirq", "irq_exit", "__handle_domain_irq", "gic_handle_irq", "el1_irq"))).toBe(
      "interrupt",
    );
  });

  test("in the handler, by where its code begins", () => {
    const stack = stackOfNames("crash_nmi_callback", "asm_exc_nmi", "!readl", "daq_service [daq]", "__handle_irq_event_percpu");
    const handler = {
      ...stack,
      frames: stack.frames.map((frame, i) => (i === 3 ? { ...frame, pc: virtual(0x1040n), offset: 0x40 } : frame)),
    };
    expect(at(handler, false, [0x1000n])).toBe("handler");
    expect(at(handler, false, [0x2000n])).not.toBe("handler");
  });

  test("idle, and in user mode", () => {
    expect(at(stackOfNames(...TICK, "!amd_e400_idle", "default_idle_call", "do_idle", "cpu_startup_entry"), true)).toBe("idle");
    const user = { ...stackOfNames(...TICK), user: {} } as unknown as UnwoundStack;
    expect(at(user)).toBe("user mode");
  });

  test("not what a softirq runs, nor a task's own code, nor a system call", () => {
    expect(at(stackOfNames(...TICK, "!foo_poll [foo]", "net_rx_action", "handle_softirqs", "__irq_exit_rcu", "common_interrupt"))).toBe(
      "code",
    );
    expect(at(stackOfNames(...TICK, "!foo_loop [foo]", "vfs_write", "entry_SYSCALL_64_after_hwframe"))).toBe("code");
    const called = { ...stackOfNames("foo_loop [foo]", "vfs_write", "entry_SYSCALL_64_after_hwframe"), user: {} };
    expect(at(called as unknown as UnwoundStack)).toBe("code");
  });
});
