/**
 * What the guest said of its processes and of itself, against the linux floor: sizes, mappings, arguments, environment, limits; memory,
 * version, load, uptime; sections and taints of the modules. Used on the committed samples and on the lab's cases.
 */
import { expect } from "vitest";
import type { Truth } from "../../lab/truth.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { loadAverages } from "../../src/linux/cpu.ts";
import { memoryTotal } from "../../src/linux/memory-total.ts";
import { commandLine, memoryUse } from "../../src/linux/mm.ts";
import { moduleSections } from "../../src/linux/module-sections.ts";
import { resourceLimits } from "../../src/linux/resource-limits.ts";
import { taintLetters } from "../../src/linux/taint.ts";
import { type Task, taskTable } from "../../src/linux/task.ts";
import { machineTime } from "../../src/linux/timekeeping.ts";
import { utsname } from "../../src/linux/utsname.ts";
import { vmas } from "../../src/linux/vma.ts";

/** In the bits of 4.14 and later (task-state-bits.ts). */
const TASK_UNINTERRUPTIBLE = 2;

/** User processes that the guest recorded and that lived on unchanged: the recorder itself (pid 1) went on running. */
function processes(kernel: Kernel, truth: Truth): readonly Task[] {
  const recorded = new Set(
    truth
      .tasks()
      .filter((task) => task.tid === task.tgid && task.vmSize !== undefined)
      .map((task) => task.tid),
  );
  return taskTable(kernel).tasks.filter((task) => task.mm !== 0n && task.pid > 1 && recorded.has(task.pid));
}

/** VmSize and VmRSS of each process. */
export function checkSizes(kernel: Kernel, truth: Truth): void {
  const kib = kernel.arch.pageSize / 1024;
  const said = new Map(truth.tasks().map((task) => [task.tid, task]));
  // Before 6.2 /proc does not count what threads hold back: 64 faults each (SPLIT_RSS_COUNTING), each of which may map 16 pages.
  const split = kernel.types.struct("task_struct").has("rss_stat");
  for (const task of processes(kernel, truth)) {
    const use = memoryUse(kernel, task.mm);
    const word = said.get(task.pid);
    expect([task.comm, use.totalPages * kib]).toEqual([task.comm, word?.vmSize]);
    const difference = use.residentPages * kib - (word?.vmRss ?? 0);
    expect(Math.abs(difference), `RSS of ${task.comm}`).toBeLessThanOrEqual((split ? (word?.threads ?? 1) * 64 * 16 : 64) * kib);
  }
}

/** Every mapping of each process. */
export function checkMappings(kernel: Kernel, truth: Truth): void {
  for (const task of processes(kernel, truth)) {
    const said = (truth.files.read(`proc/${task.pid}/maps`) ?? "")
      .split("\n")
      .filter((line) => line !== "" && !line.endsWith("[vsyscall]"));
    if (said.length === 0) continue;
    const ours = [...vmas(kernel, task.mm)].map(
      ({ start, end }) => `${start.toString(16).padStart(8, "0")}-${end.toString(16).padStart(8, "0")}`,
    );
    expect(ours).toEqual(said.map((line) => line.split(" ")[0]));
  }
}

/** Arguments and environment; a dump filtered by makedumpfile says that they were left out. */
export function checkStrings(kernel: Kernel, truth: Truth, filtered: boolean): void {
  for (const task of processes(kernel, truth)) {
    const line = commandLine(kernel, task);
    if (filtered) {
      if (line.arguments === undefined) expect(line.problem).toContain("left out");
      continue;
    }
    const said = (name: string) => truth.files.read(`proc/${task.pid}/${name}`)?.split("\0").slice(0, -1);
    expect(line.arguments).toEqual(said("cmdline"));
    expect(line.environment).toEqual(said("environ"));
  }
}

/** /proc/PID/limits. */
export function checkLimits(kernel: Kernel, truth: Truth): void {
  for (const task of processes(kernel, truth)) {
    const rows = (truth.files.read(`proc/${task.pid}/limits`) ?? "").split("\n").slice(1).filter(Boolean);
    const said = rows.map((row) =>
      row
        .slice(26)
        .trim()
        .split(/\s+/)
        .slice(0, 2)
        .map((word) => (word === "unlimited" ? undefined : Number(word))),
    );
    if (said.length > 0) expect(resourceLimits(kernel, task.signal).map(({ current, maximum }) => [current, maximum])).toEqual(said);
  }
}

/** Version, memory, uptime, date and load. */
export function checkMachine(kernel: Kernel, truth: Truth): void {
  const names = utsname(kernel);
  expect(truth.text("proc/version")).toContain(`Linux version ${names.release} `);
  expect(truth.text("proc/version").trimEnd().endsWith(names.version)).toBe(true);
  expect((memoryTotal(kernel).managed ?? 0) / 1024).toBe(Number(/^MemTotal: +(\d+)/m.exec(truth.text("proc/meminfo"))?.[1]));
  const { uptime, realtime } = machineTime(kernel);
  const ran = Number(uptime ?? 0n) / 1e9 - truth.uptime();
  expect(ran).toBeGreaterThan(0);
  expect(ran).toBeLessThan(300);
  const date = Number(truth.text("date"));
  expect(Number(realtime ?? 0n) / 1e9 - date).toBeGreaterThan(-2);
  expect(Number(realtime ?? 0n) / 1e9 - date).toBeLessThan(300);
  // The load moves on every five seconds, towards the number of tasks that run or wait uninterruptibly: by a twelfth of it.
  const waiting = taskTable(kernel).tasks.filter(({ state }) => (state & TASK_UNINTERRUPTIBLE) !== 0).length;
  const load = truth.text("proc/loadavg").split(" ").slice(0, 3).map(Number);
  for (const [i, value] of (loadAverages(kernel) ?? []).entries()) expect(Math.abs(value - (load[i] ?? 0))).toBeLessThan(2 + waiting / 3);
}

/** Taints and sections of the modules. */
export function checkModuleSections(kernel: Kernel, truth: Truth): void {
  const said = new Map(truth.modules().map((module) => [module.name, module]));
  for (const module of kernel.modules) {
    const word = said.get(module.name);
    expect([module.name, taintLetters(module.taints)]).toEqual([module.name, word?.taint]);
    const ours = new Map(moduleSections(kernel, module.address).map(({ name, address }) => [name, address as bigint]));
    for (const [name, address] of word?.sections ?? []) expect([module.name, name, ours.get(name)]).toEqual([module.name, name, address]);
  }
}
