import { describe, expect, test } from "vitest";
import type { Kernel } from "../../kernel/kernel.ts";
import type { DiagnosisContext } from "../context.ts";
import { type LogEvent, logEvents } from "../subject/log-events.ts";
import { diedOfFault, reportedStalls } from "./reported.ts";

/** No log, no tasks: nothing but what the test says. */
const kernel = { memo: (_: object, make: () => unknown) => make() } as unknown as Kernel;

function contextOf(...lines: readonly string[]): DiagnosisContext {
  const [event, ...after] = logEvents(lines.map((text) => ({ text, facility: 0 }) as never));
  return { kernel, subject: { event, after, before: [], deliberate: undefined } } as unknown as DiagnosisContext;
}

describe("what was reported", () => {
  test.each([
    ["INFO: task kworker/0:1:17 blocked for more than 122 seconds.", { kind: "hung task", comm: "kworker/0:1", pid: 17, seconds: 122 }],
    ["watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [a b:901]", { kind: "soft lockup", cpu: 1, seconds: 26, comm: "a b", pid: 901 }],
    ["NMI watchdog: Watchdog detected hard LOCKUP on cpu 3", { kind: "hard lockup", cpu: 3 }],
    ["watchdog: CPU2: Watchdog detected hard LOCKUP on cpu 2", { kind: "hard lockup", cpu: 2 }],
    ["BUG: workqueue lockup - pool cpus=1 node=0 flags=0x0 nice=0 stuck for 35s!", { kind: "workqueue", cpu: 1, seconds: 35 }],
    ["rcu: INFO: rcu_preempt self-detected stall on CPU", { kind: "rcu stall" }],
  ])("%s", (line, stall) => {
    expect(reportedStalls(contextOf(line))).toMatchObject([stall]);
  });

  test("a pool without a CPU of its own names none", () => {
    expect(reportedStalls(contextOf("BUG: workqueue lockup - pool cpus=0-3 flags=0x4 nice=0 stuck for 41s!"))[0]).not.toHaveProperty("cpu");
  });
});

describe("what died of something else", () => {
  const fault = (family: LogEvent["family"], kind: LogEvent["kind"], deliberate?: true) =>
    diedOfFault({
      kernel,
      subject: { event: { family, kind }, deliberate: deliberate === true ? {} : undefined },
    } as unknown as DiagnosisContext);

  test("a fault, a failed assertion, damaged memory", () => {
    expect(fault("fault", "page fault")).toBe(true);
    expect(fault("assertion", "bug")).toBe(true);
    expect(fault("corruption", "slub", true)).toBe(true);
  });

  test("a warning or memory that ran out, unless somebody asked for the crash later", () => {
    expect(fault("warning", "warning")).toBe(true);
    expect(fault("warning", "warning", true)).toBe(false);
    expect(fault("memory", "out of memory")).toBe(true);
    // What lockdep warns of may have happened.
    expect(fault("warning", "locking")).toBe(false);
    expect(fault("stall", "hung task")).toBe(false);
    expect(fault("deliberate", "sysrq", true)).toBe(false);
  });
});
