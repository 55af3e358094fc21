/** Reports as a kernel's log has them, and what is made of them: the head and the end that the tests of explain.ts share. */
import type { Diagnosis } from "../../verdict.ts";
import { explainReport } from "../explain.ts";
import { reportsIn } from "../find-reports.ts";

/** The diagnosis of a log of one report, which gets its times here. */
export function explained(...lines: string[]): Diagnosis {
  const reports = reportsIn(lines.map((line, index) => `[   10.0000${String(index).padStart(2, "0")}] ${line}`).join("\n"));
  const [report] = reports;
  if (report === undefined || reports.length !== 1) throw new Error(`${reports.length} reports instead of one`);
  return explainReport(report);
}

/** The line of a report that names the task. */
export const CPU = "CPU: 1 PID: 2 Comm: feeder Not tainted 6.1.0 #1";

/** The outermost lines of a call trace on x86-64, and the end of a report. */
export const TAIL = [
  " vfs_read+0x9f/0x2f0",
  " do_syscall_64+0x5b/0xc0",
  " entry_SYSCALL_64_after_hwframe+0x63/0xcd",
  "---[ end trace 0000000000000000 ]---",
];
