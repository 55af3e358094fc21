import { describe, expect, test } from "vitest";
import { toldStall } from "./told-rcu-stall.ts";

describe("what a report of RCU names", () => {
  test("a CPU that found itself stalled", () => {
    expect(
      toldStall([
        "rcu: INFO: rcu_sched self-detected stall on CPU",
        "rcu: \t0-....: (740 ticks this GP) idle=93e/1/0x4000000000000002 softirq=123/125 fqs=365 ",
        "\t(t=750 jiffies g=-943 q=15)",
        "rcu: \t1-....: (1 ticks this GP)",
      ]),
    ).toEqual({ name: "rcu_sched", cpus: [0], readers: [], jiffies: 750 });
  });

  test("CPUs and preempted readers that another CPU found, flags of all kinds", () => {
    expect(
      toldStall([
        "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
        "rcu: \t2-...!: (3 ticks this GP) idle=bab4/0/0x1 softirq=203/205 fqs=0",
        "rcu: \t13-O..0: (3 ticks this GP) idle=bab4/0/0x1",
        "rcu: \tTasks blocked on level-0 rcu_node (CPUs 0-1): P117/1:b..l P9",
        "rcu: \t(detected by 1, t=1002 jiffies, g=-855, q=1 ncpus=2)",
      ]),
    ).toEqual({ name: "rcu_preempt", cpus: [2, 13], readers: [117, 9], jiffies: 1002 });
  });

  test("nothing in another report", () => {
    expect(toldStall(["INFO: task snmpd:17 blocked for more than 120 seconds."])).toBeUndefined();
  });
});
