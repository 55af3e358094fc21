import { describe, expect, test } from "vitest";
import type { LogRecord } from "./log-record.ts";
import { panicMessage, taskNamedByLog } from "./panic.ts";

const records = (...lines: string[]): LogRecord[] =>
  lines.map((text, sequence) => ({
    sequence,
    nanoseconds: 0n,
    level: 0,
    facility: 0,
    caller: undefined,
    comm: undefined,
    text,
    dictionary: [],
  }));

describe("panicMessage", () => {
  test("a panic with a cause of its own is the message", () => {
    const found = panicMessage(
      records("boot", "INFO: task a:1 blocked for more than 3 seconds.", "Kernel panic - not syncing: hung_task: blocked tasks"),
    );
    expect(found).toMatchObject({
      text: "Kernel panic - not syncing: hung_task: blocked tasks",
      index: 2,
      fatal: true,
      report: false,
      sysrq: false,
    });
  });

  test("what a process wrote to /dev/kmsg is no message", () => {
    const written = records("Kernel panic - not syncing: said a daemon").map((each) => ({ ...each, facility: 3 }));
    expect(panicMessage(written)).toBeUndefined();
  });

  test("sysrq-c is told from other panics", () => {
    expect(panicMessage(records("sysrq: Trigger a crash", "Kernel panic - not syncing: sysrq triggered crash"))).toMatchObject({
      sysrq: true,
      fatal: true,
    });
  });

  test.each(["Fatal exception in interrupt", "Oops: Fatal exception in interrupt", "Oops: Fatal exception", "Oops - BUG: Fatal exception"])(
    "%s has its cause in the report before",
    (cause) => {
      const lines = records(
        "Unable to handle kernel NULL pointer dereference at virtual address 8",
        `Kernel panic - not syncing: ${cause}`,
      );
      expect(panicMessage(lines)).toMatchObject({ text: lines[0]?.text, index: 0, fatal: true });
    },
  );

  test("a fatal exception leads back to the first line of its report", () => {
    const found = panicMessage(
      records(
        "BUG: kernel NULL pointer dereference, address: 0000000000000008",
        "#PF: supervisor write access in kernel mode",
        "#PF: error_code(0x0002) - not-present page",
        "PGD 0 P4D 0 ",
        "Oops: 0002 [#1] PREEMPT SMP NOPTI",
        "CPU: 1 PID: 1 Comm: init",
        "---[ end trace 0000000000000000 ]---",
        "Kernel panic - not syncing: Fatal exception",
      ),
    );
    expect(found).toMatchObject({
      text: "BUG: kernel NULL pointer dereference, address: 0000000000000008",
      index: 0,
      fatal: true,
      report: true,
    });
  });

  test("an older oops that was survived is not the cause", () => {
    const found = panicMessage(
      records(
        "BUG: unable to handle page fault for address: ffff",
        "Oops: 0000 [#1] SMP",
        "---[ end trace 0000000000000000 ]---",
        "general protection fault, probably for non-canonical address 0xdead: 0000 [#2] SMP",
        "Kernel panic - not syncing: Fatal exception in interrupt",
      ),
    );
    expect(found?.text).toMatch(/^general protection fault/);
  });

  test("arm64 names the bad address first and the error second", () => {
    const found = panicMessage(
      records(
        "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000000",
        "Mem abort info:",
        "Internal error: Oops: 96000006 [#1] SMP",
      ),
      true,
    );
    expect(found).toMatchObject({ index: 0, fatal: true });
  });

  test("without a panic line the last report counts, as survived unless the machine is known to have crashed", () => {
    const log = records("rcu: INFO: rcu_sched detected stalls on CPUs/tasks:", "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [a:1]");
    expect(panicMessage(log)).toMatchObject({ fatal: false, report: true });
    expect(panicMessage(log, true)).toMatchObject({ fatal: true });
    expect(panicMessage(records("all quiet", "cacheinfo: Unable to detect cache hierarchy for CPU 0"))).toBeUndefined();
  });
});

describe("taskNamedByLog", () => {
  test.each([
    ["CPU: 1 PID: 214 Comm: sh Not tainted 5.10.0-32-cloud-amd64 #1 Debian", 1, 214, "sh"],
    ["CPU: 0 UID: 0 PID: 1 Comm: my task Tainted: G           OE      6.12.0 #1", 0, 1, "my task"],
    ["CPU: 3 PID: 7 Comm: kworker/3:1 Kdump: loaded Tainted: P 4.18.0", 3, 7, "kworker/3:1"],
  ])("%s", (line, cpu, pid, comm) => {
    expect(taskNamedByLog(records("report", line), 0)).toMatchObject({ cpu, pid, comm, index: 1 });
  });

  test("looks only from the report on", () => {
    expect(taskNamedByLog(records("CPU: 1 PID: 2 Comm: a Not tainted", "later"), 1)).toBeUndefined();
  });
});
