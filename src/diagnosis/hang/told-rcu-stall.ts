/**
 * A stall of RCU as the log tells it, for kernels whose symbols do not lead to rcu_state (functions only):
 *
 *   rcu: INFO: rcu_sched detected stalls on CPUs/tasks:
 *   rcu:   1-...!: (333 ticks this GP) idle=…                   CPU 1 has had no quiescent state
 *   rcu:   Tasks blocked on level-0 rcu_node (CPUs 0-1): P117/1:b..l     reader 117 was preempted inside its section
 *          (detected by 0, t=753 jiffies, g=-667, q=8)
 *
 * Sources: print_cpu_stall_info(), rcu_print_task_stall() and print_other_cpu_stall() of kernel/rcu/tree_stall.h. With the log gone the
 * stack of the CPU that panicked is left: it panicked in its own tick, of its own stall or of another CPU's.
 */
import { virtual } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { readLog } from "../../linux/printk.ts";
import type { RcuFlavour, RcuNode } from "../../linux/rcu.ts";
import { isKernelThread, type Task, taskTable } from "../../linux/task.ts";
import { tickRate } from "../../linux/tick-rate.ts";
import { guarded } from "../guarded.ts";
import type { ReportedStall } from "./reported.ts";

/** Lines of a report that are looked at: one a CPU, then the backtraces. */
const MAX_LINES = 600;

/** What the lines behind a report's head say. Exported for its test. */
export interface ToldStall {
  readonly name: string;
  readonly cpus: readonly number[];
  readonly readers: readonly number[];
  readonly jiffies: number | undefined;
}

/** @param lines the report's head and what follows, without stamps */
export function toldStall(lines: readonly string[]): ToldStall | undefined {
  const [head = ""] = lines;
  const name = /\b(rcu_(?:sched|preempt|bh|tasks\w*)|rcu)\s+(?:self-)?detected/.exec(head)?.[1];
  if (name === undefined) return undefined;
  const cpus = new Set<number>();
  const readers = new Set<number>();
  let jiffies: number | undefined;
  for (const line of lines.slice(1, MAX_LINES)) {
    const text = line.replace(/^rcu:\s*/, "").trim();
    // Offline, not yet online, no callback offloaded, then "." or since when it has taken no interrupt.
    const cpu = /^(\d+)-[.O?][.o?][.N?D]\S{1,4}: \(/.exec(text)?.[1];
    if (cpu !== undefined) cpus.add(Number(cpu));
    if (/^Tasks blocked on level-/.test(text)) for (const [, pid] of text.matchAll(/\bP(\d+)\b/g)) readers.add(Number(pid));
    const ticks = /\bt=(\d+) jiffies/.exec(text)?.[1];
    if (ticks !== undefined) {
      jiffies = Number(ticks);
      break;
    }
  }
  return { name, cpus: [...cpus], readers: [...readers], jiffies };
}

/**
 * The flavour as far as its report tells it, and for how long it has stalled; undefined when nothing names anybody.
 * @param busy CPUs that were in code of the kernel: without the log it is the one that panicked, else one of these
 */
export function flavourOfReport(
  kernel: Kernel,
  report: ReportedStall,
  busy: readonly number[],
): { readonly flavour: RcuFlavour; readonly seconds: number | undefined } | undefined {
  const told = report.event === undefined ? undefined : toldStall(linesFrom(kernel, report));
  const { tasks, byPid } = taskTable(kernel);
  const cpus = told?.cpus ?? busy.filter((cpu, _, all) => cpu === report.cpu || (report.cpu !== undefined && !all.includes(report.cpu)));
  const readers = (told?.readers ?? []).flatMap((pid) => byPid.get(pid) ?? []);
  if (cpus.length === 0 && readers.length === 0) return undefined;
  const rate = tickRate(kernel);
  return {
    flavour: flavour(told?.name ?? "RCU", cpus, readers, told !== undefined, threadOf(tasks, told?.name)),
    seconds: told?.jiffies === undefined || rate === undefined ? undefined : told.jiffies / rate,
  };
}

function linesFrom(kernel: Kernel, { event }: ReportedStall): readonly string[] {
  const records = guarded(() => readLog(kernel).records) ?? [];
  const at = records.findIndex(({ text }) => event !== undefined && text.includes(event.text));
  return at < 0 ? [] : records.slice(at, at + MAX_LINES).map(({ text }) => text);
}

/** rcu_gp_kthread() is named as its flavour (rcu_spawn_gp_kthread(), kernel/rcu/tree.c). */
function threadOf(tasks: readonly Task[], name: string | undefined): Task | undefined {
  return tasks.find(
    (task) => isKernelThread(task) && (name === undefined ? /^rcu_(?:sched|preempt)$/.test(task.comm) : task.comm === name),
  );
}

function flavour(name: string, cpus: readonly number[], readers: readonly Task[], whole: boolean, kthread: Task | undefined): RcuFlavour {
  const leaf: RcuNode = {
    address: virtual(0n),
    level: 0,
    first: Math.min(...cpus, Number.MAX_SAFE_INTEGER),
    last: Math.max(...cpus, 0),
    waitsFor: cpus,
    expeditedWaitsFor: [],
    readers: readers.map(({ address }) => ({ task: address, blocks: true, blocksExpedited: false })),
  };
  return {
    name,
    address: virtual(0n),
    sequence: undefined,
    number: undefined,
    inProgress: true,
    state: undefined,
    expeditedInProgress: undefined,
    expeditedNumber: undefined,
    started: undefined,
    activity: undefined,
    stallAt: undefined,
    kthread: kthread?.address,
    leaves: [leaf],
    leavesWhole: whole,
    cpus: [],
  };
}
