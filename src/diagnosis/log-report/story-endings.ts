/**
 * The story of reports that no function answers for: memory that ran out, hardware that failed, a kernel that gave up.
 *
 * mm/oom_kill.c, mm/memcontrol.c; arch/x86/kernel/cpu/mce/core.c (print_mce), drivers/pci/pcie/aer.c; kernel/exit.c (do_exit).
 */
import type { LogReport } from "./report.ts";

/** "in task java (12) on CPU 3", as far as it is told; with a blank before it. */
function who({ comm, pid, cpu }: LogReport): string {
  return `${comm === undefined ? "" : ` in task ${comm}${pid === undefined ? "" : ` (${pid})`}`}${cpu === undefined ? "" : ` on CPU ${cpu}`}`;
}

/** The whole first part of the story, or undefined where a place is looked for. */
export function endingOf(report: LogReport, placed: boolean): string[] | undefined {
  switch (report.family) {
    case "oom":
      return outOfMemory(report);
    case "machine-check":
      return placed ? undefined : hardware(report);
    case "panic":
      return placed ? undefined : gaveUp(report);
    default:
      return undefined;
  }
}

const size = (kib: number): string => (kib >= 10240 ? `${Math.round(kib / 1024)} MiB` : `${kib} KiB`);

function outOfMemory({ fields, comm, pid }: LogReport): string[] {
  const { order, victim, victimPid, victimAnonKiB, group, limitKiB, constraint } = fields;
  const asker = comm === undefined ? "A task" : `${comm}${pid === undefined ? "" : ` (${pid})`}`;
  const block = typeof order === "number" && order > 0 ? ` in one block of ${2 ** order} pages` : "";
  const limit = `${typeof limitKiB === "number" ? ` of ${size(limitKiB)}` : ""}${typeof group === "string" ? ` of the group ${group}` : " of its group"}`;
  const none = constraint === "CONSTRAINT_MEMCG" ? `and the limit${limit} was reached` : "and none was left";
  const asked = order === undefined ? [] : [`${asker} asked for memory${block} ${none}.`];
  if (victim === undefined) return [...asked, "The report does not tell what was killed."];
  const held = typeof victimAnonKiB === "number" ? `, which held ${size(victimAnonKiB)} of its own` : "";
  return [...asked, `${String(victim)} (${String(victimPid)}) was killed${held}.`];
}

function hardware({ fields, head }: LogReport): string[] {
  const device = typeof fields.device === "string" ? fields.device : undefined;
  if (device !== undefined)
    return [
      `The PCIe device ${device} reports a fatal error${typeof fields.layer === "string" ? ` (${fields.layer})` : ""}: its link was lost or reset, and what its driver reads of it afterwards is nothing.`,
    ];
  const bank = typeof fields.bank === "number" ? ` in bank ${fields.bank}` : "";
  const lost = typeof fields.status === "bigint" && (fields.status & (1n << 57n)) !== 0n ? "; the state of the processor is lost" : "";
  const seen = typeof fields.status === "bigint" ? `, status 0x${fields.status.toString(16)}` : "";
  const where =
    typeof fields.cpu === "number" ? `CPU ${fields.cpu} reports an error that could not be corrected${bank}${seen}${lost}.` : `${head}.`;
  return [where, "The processor, the memory or the bus failed: what the code was doing then has nothing to do with it."];
}

/** Numbers that all machines of today share (include/uapi/asm-generic/signal.h; mips and sparc number some others). */
const SIGNALS: Readonly<Record<number, string>> = { 4: "SIGILL", 6: "SIGABRT", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV", 15: "SIGTERM" };

function gaveUp(report: LogReport): string[] {
  const { fields } = report;
  const text = String(fields.text ?? "");
  if (fields.kind === "init") {
    const code = Number.parseInt(/exitcode=0x([0-9a-f]+)/.exec(text)?.[1] ?? "", 16);
    if (Number.isNaN(code)) return [`The first process ended${who(report)}.`];
    const signal = code & 0x7f;
    const name = SIGNALS[signal] === undefined ? "" : ` (${SIGNALS[signal]})`;
    return [
      signal === 0
        ? `The first process${who(report)} exited with status ${(code >> 8) & 0xff}: the kernel cannot go on without it, but the fault lies in user space.`
        : `The first process${who(report)} was killed by signal ${signal}${name}: the kernel cannot go on without it.`,
    ];
  }
  if (fields.kind === "root")
    return [
      "The kernel found no root file system to start from: the parameter root=, the driver of the disk or the initial ramdisk is missing or wrong.",
    ];
  return [`The kernel gave up${who(report)}.`];
}
