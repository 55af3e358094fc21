import { describe, expect, test } from "vitest";
import { RegisterSet } from "../../arch/registers.ts";
import { X86_64_REGISTERS } from "../../arch/x86-64-registers.ts";
import { virtual } from "../../bytes/address.ts";
import { cpuMasks } from "../../linux/cpu.ts";
import { FakeKernel } from "../../linux/testing/fake-kernel.ts";
import type { Standstill } from "./standstill.ts";
import { everyCpu, type StoppedCpu, servedOver } from "./stopped-cpu.ts";
import { stackOfNames, task } from "./testing/made.ts";
import { timerEdges } from "./timer-edges.ts";

const [TIMER, CODE] = [0xffff_8880_0100_0000n, 0xffff_ffff_c000_1000n];
const BASE = 0xffff_8880_6000_0000n;
const [HRTIMERS, AREAS] = [0x2_0000n, [0xffff_8880_4000_0000n, 0xffff_8880_5000_0000n]] as const;

/** CPU 1 runs a timer; CPU 0 is in these functions with the timer in a register. */
function world(running: bigint, ...names: readonly string[]): Standstill {
  return made(running, undefined, names);
}

/** @param wheel what timer_base.running_timer of CPU 1 is, whose base is in a register too */
function made(running: bigint, wheel: bigint | undefined, names: readonly string[]): Standstill {
  const fake = new FakeKernel({
    timer_list: { function: [24, "u64"] },
    timer_base: { running_timer: [8, "u64"], cpu: [32, "u32"] },
    hrtimer: { function: [40, "u64"] },
    hrtimer_clock_base: { running: [24, "u64"], $size: [64, ""] },
    hrtimer_cpu_base: { clock_base: [64, "bytes128"] },
  });
  const { kernel } = fake;
  const patched = kernel as unknown as Record<string, unknown>;
  patched.tryAddress = (name: string) => (name === "hrtimer_bases" ? HRTIMERS : undefined);
  patched.perCpuAddress = (address: bigint, cpu: number) => virtual((AREAS[cpu] ?? 0n) + address);
  (fake.symbols as unknown as { byAddress: unknown }).byAddress = (address: bigint) =>
    address === CODE ? { offset: 0, symbol: { name: "widget_poll", module: "widget", type: "t", address } } : undefined;
  for (const area of AREAS) for (let at = 0n; at < 256n; at += 8n) fake.memory.put64(area + HRTIMERS + at, 0n);
  fake.memory.put64(AREAS[1] + HRTIMERS + 64n + 64n + 24n, running);
  fake.memory.put64(TIMER + 24n, CODE);
  fake.memory.put64(TIMER + 40n, CODE);
  fake.memory.put64(BASE + 8n, wheel ?? 0n);
  fake.memory.put32(BASE + 32n, 1);
  Object.assign(fake.arch, { isKernelAddress: (address: bigint) => address >= 0xffff_8000_0000_0000n });
  const registers = new RegisterSet(X86_64_REGISTERS);
  registers.set(X86_64_REGISTERS.names.indexOf("rbx"), TIMER);
  if (wheel !== undefined) registers.set(X86_64_REGISTERS.names.indexOf("rbp"), BASE);
  const area = { kind: "task", start: virtual(0x1000n), end: virtual(0x1000n), cpu: undefined };
  const stack = stackOfNames(...names);
  const frames = stack.frames.map((frame) => ({ ...frame, registers, stack: area }) as unknown as typeof frame);
  const cpus = [
    {
      cpu: 0,
      task: task({ pid: 10, comm: "closer", active: true, address: virtual(0xffff_8880_0000_1000n) }),
      stack: { ...stack, frames },
    },
    {
      cpu: 1,
      task: task({ pid: 0, comm: "swapper/1", active: true, idle: true, address: virtual(0xffff_8880_0000_2000n) }),
      stack: stackOfNames("_raw_spin_lock", "widget_poll [widget]", "__hrtimer_run_queues"),
    },
  ].map((each) => ({ ...each, struck: 0 }) as unknown as StoppedCpu);
  kernel.memo(everyCpu, () => cpus);
  kernel.memo(cpuMasks, () => ({ possible: [0, 1], present: [0, 1], online: [0, 1] }));
  return { kernel, task: () => undefined } as unknown as Standstill;
}

describe("who waits for a timer's function to end", () => {
  test("for the CPU that runs it, over whatever task that has", () => {
    const [edge, ...more] = timerEdges(world(TIMER, "hrtimer_try_to_cancel", "hrtimer_cancel", "widget_close [widget]"));
    expect(more).toEqual([]);
    expect(edge).toMatchObject({ from: { pid: 10 }, to: { comm: "swapper/1" }, via: "timer", certainty: "exact" });
    expect(edge?.what).toBe("the timer's function widget_poll to end, which runs on CPU 1");
    expect(edge?.evidence[0]?.values).toEqual([{ address: AREAS[1] + HRTIMERS + 64n + 64n + 24n, value: TIMER }]);
  });

  test("for the CPU of the base that is in a register with it, where the kernel does not list its bases", () => {
    const names = ["timer_delete_sync", "widget_close [widget]"];
    expect(timerEdges(made(0n, TIMER, names))).toMatchObject([
      { to: { comm: "swapper/1" }, evidence: [{ values: [{ address: BASE + 8n, value: TIMER }] }] },
    ]);
    // The base runs another timer, or none.
    expect(timerEdges(made(0n, TIMER + 0x40n, names))).toEqual([]);
    expect(timerEdges(made(0n, 0n, names))).toEqual([]);
  });

  test("for none when the timer does not run, or nobody asks", () => {
    expect(timerEdges(world(0n, "hrtimer_cancel", "widget_close [widget]"))).toEqual([]);
    expect(timerEdges(world(TIMER + 0x100n, "hrtimer_cancel", "widget_close [widget]"))).toEqual([]);
    expect(timerEdges(world(TIMER, "widget_loop [widget]", "widget_close [widget]"))).toEqual([]);
  });
});

describe("what a CPU does in a task's name", () => {
  const over = (comm: string, ...names: readonly string[]) =>
    servedOver({ stack: stackOfNames(...names), struck: 0, task: task({ comm }) });
  test("softirqs and interrupts have no task of their own", () => {
    expect(over("bash", "_raw_spin_lock", "widget_poll [widget]", "call_timer_fn", "handle_softirqs", "irq_exit_rcu")).toBe("a softirq");
    expect(over("swapper/1", "widget_tick [widget]", "__hrtimer_run_queues", "hrtimer_interrupt")).toBe("an interrupt");
  });
  test("system calls and ksoftirqd do", () => {
    expect(over("bash", "widget_write [widget]", "vfs_write")).toBeUndefined();
    expect(over("ksoftirqd/1", "widget_poll [widget]", "handle_softirqs", "run_ksoftirqd")).toBeUndefined();
  });
});
