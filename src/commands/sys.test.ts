import { describe, expect, test } from "vitest";
import { type SystemSummary, summaryLines } from "./support/system-summary.ts";
import { sys } from "./sys.ts";

const SUMMARY: SystemSummary = {
  kernel: undefined,
  dumpFiles: ["vmcore"],
  dumpFormat: "ELF core",
  dumpFlags: ["PARTIAL DUMP"],
  cpus: 16,
  offlineCpus: 0,
  date: undefined,
  dateSource: "unknown",
  uptimeSeconds: 43_253.9,
  uptimeSource: "timekeeper",
  loadAverage: [0.11, 0.06, 0.04],
  tasks: 283,
  nodename: "localhost",
  release: "6.1.0",
  version: "#1 SMP",
  machine: "x86_64",
  megahertz: 2593.9,
  memoryBytes: 8 * 2 ** 30,
  taints: "",
  panic: "BUG: kernel NULL pointer dereference, address: 0000000000000804",
  panicHasReport: true,
  logRead: "whole",
  panicTask: undefined,
  notes: [],
};
const lines = (more: Partial<SystemSummary> = {}) => [...summaryLines({ ...SUMMARY, ...more })];

describe("sys", () => {
  test("the block, its labels right-aligned to one column", () => {
    expect(lines()).toEqual([
      "      KERNEL: none given (symbols, types and unwind tables come from the dump)",
      "    DUMPFILE: vmcore  [PARTIAL DUMP]",
      "        CPUS: 16",
      "        DATE: unknown",
      "      UPTIME: 12:00:53",
      "LOAD AVERAGE: 0.11, 0.06, 0.04",
      "       TASKS: 283",
      "    NODENAME: localhost",
      "     RELEASE: 6.1.0",
      "     VERSION: #1 SMP",
      "     MACHINE: x86_64  (2593 Mhz)",
      "      MEMORY: 8 GB",
      '       PANIC: "BUG: kernel NULL pointer dereference, address: 0000000000000804" (check log for details)',
    ]);
  });

  test("several files, offline CPUs, a tainted kernel, what is not known", () => {
    const shown = lines({
      dumpFiles: ["a", "b"],
      offlineCpus: 3,
      taints: "OE",
      kernel: "vmlinux",
      panic: undefined,
      megahertz: undefined,
      uptimeSeconds: undefined,
      loadAverage: undefined,
      memoryBytes: undefined,
      tasks: undefined,
    });
    expect(shown.slice(0, 4)).toEqual([
      "      KERNEL: vmlinux  [TAINTED]",
      "   DUMPFILES: a",
      "              b  [PARTIAL DUMP]",
      "        CPUS: 16 [OFFLINE: 3]",
    ]);
    expect(shown).toContain("      UPTIME: unknown");
    expect(shown).toContain("     MACHINE: x86_64  (unknown Mhz)");
    expect(shown.at(-1)).toBe("       PANIC: (no panic in the log)");
    expect(lines({ panic: undefined, logRead: "unreadable" }).at(-1)).toBe("       PANIC: (the log cannot be read)");
    expect(shown.some((line) => line.includes("TASKS"))).toBe(false);
  });

  test("taint letters with their meaning, system calls by the radix", () => {
    const taint = { mask: 0x201n, letters: "PW", flags: [{ bit: 0, letter: "P", meaning: "a proprietary module was loaded" }] };
    expect([...sys.text({ taint }, { radix: 10 })]).toEqual(["TAINTED_MASK: 201  PW", "  P  a proprietary module was loaded"]);
    expect([...sys.text({ taint: { mask: 0n, letters: "", flags: [] } }, { radix: 10 })]).toEqual(["TAINTED_MASK: 0"]);
    const calls = [{ number: 17, address: 0n as never, symbol: "__x64_sys_pread64" }];
    expect([...sys.text({ systemCalls: calls }, { radix: 10 })].at(-1)).toBe(" 17  __x64_sys_pread64");
    expect([...sys.text({ systemCalls: calls }, { radix: 16 })].at(-1)).toBe(" 11  __x64_sys_pread64");
  });
});
