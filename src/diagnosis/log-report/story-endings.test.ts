import { expect, test } from "vitest";
import { explainReport } from "./explain.ts";
import { reportsIn } from "./find-reports.ts";
import type { LogReport } from "./report.ts";

const told = (...lines: string[]): { title: string; story: readonly string[] } => {
  const { verdict, story } = explainReport(reportsIn(lines.join("\n"))[0] as LogReport);
  return { title: verdict.title, story };
};

test("memory that ran out: who asked, whose limit, who was killed", () => {
  const { story } = told(
    "java invoked oom-killer: gfp_mask=0xd0, order=2, oom_score_adj=-998",
    "CPU: 9 PID: 14 Comm: java Tainted: G    B          ------------ T 3.10.0-327.el7.x86_64 #1",
    "Task in /pods/a killed as a result of limit of /pods",
    "memory: usage 524288kB, limit 524288kB, failcnt 8734",
    "Memory cgroup out of memory: Kill process 24 (sh) score 0 or sacrifice child",
    "Killed process 28 (java) total-vm:20255636kB, anon-rss:466160kB, file-rss:13684kB",
  );
  expect(story.slice(0, 2)).toEqual([
    "java (14) asked for memory in one block of 4 pages and the limit of 512 MiB of the group /pods was reached.",
    "java (28) was killed, which held 455 MiB of its own.",
  ]);
});

test("the end of init: a signal or a status", () => {
  const end = (code: string): string | undefined =>
    told(`Kernel panic - not syncing: Attempted to kill init! exitcode=0x${code}`, "CPU: 1 PID: 1 Comm: init Not tainted 6.1.0 #1")
      .story[0];
  expect(end("0000000b")).toBe(
    "The first process in task init (1) on CPU 1 was killed by signal 11 (SIGSEGV): the kernel cannot go on without it.",
  );
  expect(end("00007f00")).toContain("exited with status 127");
});

test("failing hardware names the device or the bank, and accuses no code", () => {
  const lost = told("pcieport 0000:00:03.0: PCIe Bus Error: severity=Uncorrected (Fatal), type=Transaction Layer, (Requester ID)");
  expect(lost.title).toBe("hardware error: fatal error of the PCIe device 0000:00:03.0");
  const check = told(
    "mce: [Hardware Error]: CPU 3: Machine Check Exception: 5 Bank 0: b200000080060001",
    "Kernel panic - not syncing: Fatal machine check",
    "CPU: 3 PID: 0 Comm: swapper/3 Tainted: G   M               6.6.87 #1",
    "Call Trace:",
    " mce_panic+0x160/0x1b0",
    " do_machine_check+0x6ae/0x7c0",
  );
  expect(check.title).toBe("hardware error: machine check on CPU 3, bank 0");
  expect(check.story[0]).toBe(
    "CPU 3 reports an error that could not be corrected in bank 0, status 0xb200000080060001; the state of the processor is lost.",
  );
});
