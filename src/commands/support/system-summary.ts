/**
 * The machine in one block, as `sys` and the opening banner show it. Each line that cannot be answered says so and the others stand.
 *
 *       KERNEL: none given (symbols, types and unwind tables come from the dump)
 *     DUMPFILE: vmcore  [PARTIAL DUMP]
 *         CPUS: 2 [OFFLINE: 1]
 *         DATE: Fri Nov 20 10:22:31 UTC 2026
 */
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { cpuMasks, cpuMegahertz, loadAverages } from "../../linux/cpu.ts";
import { memoryTotal } from "../../linux/memory-total.ts";
import { kernelPanic, panicTask } from "../../linux/panic-task.ts";
import { readLog } from "../../linux/printk.ts";
import { taintLetters, taintMask } from "../../linux/taint.ts";
import { taskTable } from "../../linux/task.ts";
import { machineTime } from "../../linux/timekeeping.ts";
import { utsname } from "../../linux/utsname.ts";
import type { Session } from "../command.ts";
import { dateText, durationText, sizeText } from "./date-text.ts";

/** Columns of the labels: "LOAD AVERAGE". */
const WIDTH = 12;

const NO_PANIC = {
  whole: "no panic in the log",
  partly: "no panic in what can be read of the log",
  unreadable: "the log cannot be read",
};

/** What `sys` answers. undefined: the dump does not tell. */
export interface SystemSummary {
  /** File with debug information, if one was given. */
  readonly kernel: string | undefined;
  readonly dumpFiles: readonly string[];
  readonly dumpFormat: string;
  /** "PARTIAL DUMP", "INCOMPLETE", "LIVE DUMP". */
  readonly dumpFlags: readonly string[];
  /** CPUs present. */
  readonly cpus: number;
  readonly offlineCpus: number;
  /** Seconds since 1970. */
  readonly date: number | undefined;
  readonly dateSource: string;
  readonly uptimeSeconds: number | undefined;
  readonly uptimeSource: string;
  readonly loadAverage: readonly [number, number, number] | undefined;
  readonly tasks: number | undefined;
  readonly nodename: string;
  readonly release: string;
  readonly version: string;
  /** "x86_64", "aarch64". */
  readonly machine: string;
  readonly megahertz: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly taints: string | undefined;
  readonly panic: string | undefined;
  /** How much of the log the panic was looked for in. */
  readonly logRead: "whole" | "partly" | "unreadable";
  /** More of the report is in the log. */
  readonly panicHasReport: boolean;
  readonly panicTask:
    | {
        readonly pid: number;
        readonly comm: string;
        readonly address: bigint;
        readonly cpu: number;
        readonly flag: string;
        readonly foundBy: string;
      }
    | undefined;
  /** What a user must know of the dump and of what could not be read. */
  readonly notes: readonly string[];
}

/** Gathers the summary; a part that cannot be read is undefined and told in the notes. */
export function systemSummary(session: Session): SystemSummary {
  const { kernel, files } = session;
  const failures: string[] = [];
  const attempt = <T>(what: string, read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      failures.push(`${what}: ${error.message}`);
      return undefined;
    }
  };
  const withTasks = session.minimal !== true;
  const masks = attempt("CPUs", () => cpuMasks(kernel));
  const time = attempt("time", () => machineTime(kernel));
  const table = withTasks ? attempt("tasks", () => taskTable(kernel)) : undefined;
  const names = attempt("release", () => utsname(kernel));
  const memory = attempt("memory", () => memoryTotal(kernel));
  const log = attempt("log", () => readLog(kernel));
  const panic = attempt("panic", () => kernelPanic(kernel));
  const task = withTasks ? attempt("panic task", () => panicTask(kernel)) : undefined;
  // Without the symbol, what the loaded modules did to the kernel is what can be known.
  const mask = attempt("taint", () => taintMask(kernel) ?? (kernel.modules.reduce((all, { taints }) => all | taints, 0n) || undefined));
  return {
    kernel: files.namelist,
    dumpFiles: files.dump,
    dumpFormat: kernel.dump.format,
    dumpFlags: dumpFlags(kernel),
    cpus: masks?.present.length ?? 0,
    offlineCpus: masks === undefined ? 0 : masks.present.filter((cpu) => !masks.online.includes(cpu)).length,
    date: time?.realtime === undefined ? undefined : Number(time.realtime / 1_000_000n) / 1000,
    dateSource: time?.dateSource ?? "unknown",
    uptimeSeconds: time?.uptime === undefined ? undefined : Number(time.uptime / 1_000_000n) / 1000,
    uptimeSource: time?.uptimeSource ?? "unknown",
    loadAverage: attempt("load", () => loadAverages(kernel)),
    tasks: table?.tasks.length,
    nodename: names?.nodename ?? "",
    release: names?.release ?? "",
    version: names?.version ?? "",
    machine: names?.machine || kernel.arch.name,
    megahertz: attempt("clock rate", () => cpuMegahertz(kernel)),
    memoryBytes: memory?.present,
    taints: mask === undefined ? undefined : taintLetters(mask),
    panic: panic?.text,
    logRead:
      log === undefined || (log.records.length === 0 && log.notes.length > 0) ? "unreadable" : log.notes.length > 0 ? "partly" : "whole",
    panicHasReport: panic?.report ?? false,
    panicTask:
      task === undefined
        ? undefined
        : { pid: task.task.pid, comm: task.task.comm, address: task.task.address, cpu: task.cpu, flag: task.flag, foundBy: task.by },
    notes: [...kernel.notes, ...failures],
  };
}

function dumpFlags(kernel: Kernel): string[] {
  const flags: string[] = [];
  if (kernel.dump.live) flags.push("LIVE DUMP");
  if (kernel.dump.partial) flags.push("PARTIAL DUMP");
  if (kernel.dump.incomplete) flags.push("INCOMPLETE");
  return flags;
}

/** Lines of the block, labels right-aligned. */
export function* summaryLines(summary: SystemSummary): Iterable<string> {
  const line = (label: string, value: string) => `${label.padStart(WIDTH)}: ${value}`;
  const tainted = summary.taints === undefined || summary.taints === "" ? "" : "  [TAINTED]";
  yield line("KERNEL", `${summary.kernel ?? "none given (symbols, types and unwind tables come from the dump)"}${tainted}`);
  const [first = "", ...others] = summary.dumpFiles;
  const flags = summary.dumpFlags.map((flag) => `  [${flag}]`).join("");
  yield line(others.length === 0 ? "DUMPFILE" : "DUMPFILES", others.length === 0 ? `${first}${flags}` : first);
  for (const [i, file] of others.entries()) yield `${" ".repeat(WIDTH + 2)}${file}${i === others.length - 1 ? flags : ""}`;
  yield line("CPUS", `${summary.cpus}${summary.offlineCpus === 0 ? "" : ` [OFFLINE: ${summary.offlineCpus}]`}`);
  yield line("DATE", summary.date === undefined ? "unknown" : dateText(BigInt(Math.round(summary.date * 1000)) * 1_000_000n));
  yield line(
    "UPTIME",
    summary.uptimeSeconds === undefined ? "unknown" : durationText(BigInt(Math.floor(summary.uptimeSeconds)) * 1_000_000_000n),
  );
  yield line("LOAD AVERAGE", summary.loadAverage?.map((load) => load.toFixed(2)).join(", ") ?? "unknown");
  if (summary.tasks !== undefined) yield line("TASKS", String(summary.tasks));
  yield line("NODENAME", summary.nodename);
  yield line("RELEASE", summary.release);
  yield line("VERSION", summary.version);
  yield line(
    "MACHINE",
    `${summary.machine}  (${summary.megahertz === undefined ? "unknown Mhz" : `${Math.floor(summary.megahertz)} Mhz`})`,
  );
  yield line("MEMORY", summary.memoryBytes === undefined ? "unknown" : sizeText(summary.memoryBytes));
  yield line(
    "PANIC",
    summary.panic === undefined
      ? `(${NO_PANIC[summary.logRead]})`
      : `"${summary.panic}"${summary.panicHasReport ? " (check log for details)" : ""}`,
  );
}
