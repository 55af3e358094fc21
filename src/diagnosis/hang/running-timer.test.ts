import { describe, expect, test } from "vitest";
import { RegisterSet } from "../../arch/registers.ts";
import { X86_64_REGISTERS } from "../../arch/x86-64-registers.ts";
import { virtual } from "../../bytes/address.ts";
import { FakeKernel } from "../../linux/testing/fake-kernel.ts";
import type { UnwoundStack } from "../../stack/frame.ts";
import { runningTimer } from "./running-timer.ts";
import { stackOfNames } from "./testing/made.ts";

const [TIMER, BASE, CODE] = [0xffff_8880_0100_0000n, 0xffff_8880_0200_0000n, 0xffff_ffff_c000_1000n];

function world(running = TIMER): FakeKernel {
  const fake = new FakeKernel({
    hrtimer: { expires: [24, "u64"], function: [40, "u64"], base: [48, "u64"] },
    hrtimer_clock_base: { running: [24, "u64"] },
  });
  fake.memory.put64(TIMER + 40n, CODE);
  fake.memory.put64(TIMER + 48n, BASE);
  fake.memory.put64(BASE + 24n, running);
  (fake.symbols as unknown as { byAddress: unknown }).byAddress = (address: bigint) =>
    address === CODE ? { offset: 0, symbol: { name: "fade_tick", module: "fadeled", type: "t", address } } : undefined;
  return fake;
}

/** Frames by name; the timer is in a register of the innermost. */
function stack(...names: readonly string[]): UnwoundStack {
  const made = stackOfNames(...names);
  const registers = new RegisterSet(X86_64_REGISTERS);
  registers.set(X86_64_REGISTERS.names.indexOf("rbx"), TIMER);
  const area = { kind: "task", start: virtual(0x1000n), end: virtual(0x1000n), cpu: undefined };
  return { ...made, frames: made.frames.map((frame) => ({ ...frame, registers, stack: area }) as unknown as typeof frame) };
}

describe("whose timer the timers' own code works on", () => {
  test("the one that its base says to run", () => {
    const found = runningTimer(world().kernel, {
      stack: stack("rb_next", "timerqueue_del", "__hrtimer_run_queues", "hrtimer_interrupt"),
      struck: 0,
    });
    expect(found).toMatchObject({ kind: "hrtimer", timer: TIMER, function: "fade_tick", module: "fadeled", frame: 2 });
  });

  test("none whose base runs another", () => {
    const struck = { stack: stack("__hrtimer_run_queues", "hrtimer_interrupt"), struck: 0 };
    expect(runningTimer(world(0xffff_8880_0300_0000n).kernel, struck)).toBeUndefined();
  });

  test("none in what a timer calls: that is named by itself", () => {
    const called = stack("fade_tick [fadeled]", "__hrtimer_run_queues", "hrtimer_interrupt");
    expect(runningTimer(world().kernel, { stack: called, struck: 0 })).toBeUndefined();
    const deep = stack("memcpy", "foo_update", "__hrtimer_run_queues");
    expect(runningTimer(world().kernel, { stack: deep, struck: 0 })).toBeUndefined();
  });
});
