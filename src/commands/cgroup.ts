/** `cgroup`: control groups with their memory, limits and tasks. */
import { hex16 } from "../bytes/address.ts";
import { InquestError, UnsupportedError, UsageError } from "../bytes/errors.ts";
import { type Cgroup, type CgroupHierarchy, cgroupHierarchies, cgroupOfTask, tasksByCgroup } from "../linux/cgroup.ts";
import { type CgroupUsage, cgroupUsage } from "../linux/cgroup-usage.ts";
import type { Task } from "../linux/task.ts";
import { cgroupApi } from "./api/views.ts";
import { defineCommand, type Session } from "./command.ts";
import { lazy } from "./support/lazy.ts";
import { looksLikeAddress } from "./support/numbers.ts";
import { taskOperand } from "./support/task-operand.ts";

/** A control group with its tasks and what it uses. */
export interface CgroupRow {
  readonly address: bigint;
  readonly path: string;
  readonly level: number;
  readonly dying: boolean;
  /** Tasks in the group itself. */
  readonly tasks: readonly { readonly pid: number; readonly comm: string; readonly address: bigint }[];
  /** Tasks in it and below. */
  readonly tasksBelow: number;
  readonly controllers: readonly string[];
  readonly usage: CgroupUsage;
  /** Why its use is not known. */
  readonly unreadable?: string;
}

export interface CgroupResult {
  readonly hierarchies: readonly {
    readonly address: bigint;
    readonly version: 1 | 2;
    readonly id: number;
    readonly name: string;
    readonly controllers: readonly string[];
    readonly groups: Iterable<CgroupRow>;
  }[];
  /** Tasks are listed; one group is shown in full. */
  readonly layout: "tree" | "tasks" | "detail";
  readonly notes: readonly string[];
}

export const cgroup = defineCommand<CgroupResult>({
  spec: {
    name: "cgroup",
    summary: "control groups with their memory and tasks",
    synopsis: ["[-t] [-a]", "path | address | pid"],
    description: [
      "Lists control groups: the memory each uses now and used at most, its limit and swap, the tasks in it and below it. MEMORY, PEAK and MAX are what memory.current, memory.peak and memory.max would say, `max` is no limit.",
      "A path, the address of a struct cgroup, or a pid shows one group in full: limits, memory.events, parts of memory.stat as the kernel had last summed them up, and its tasks.",
      "Version 1 hierarchies without tasks below the top are left out unless -a is given.",
    ],
    options: [
      { flag: "-t", help: "list the tasks of each group" },
      { flag: "-a", help: "all hierarchies, also those where nothing was made" },
    ],
    operands: ["text"],
    examples: [
      ["cgroup", "the tree with memory and tasks"],
      ["cgroup /system.slice/ssh.service", "one group in full"],
      ["cgroup 1", "the group of process 1"],
    ],
  },
  run(session, args) {
    const notes: string[] = [];
    const all = cgroupHierarchies(session.kernel, (text) => notes.push(text));
    if (all === undefined || all.length === 0)
      throw new UnsupportedError(notes[0] ?? "this kernel has no control groups, or its types do not tell them");
    const [operand] = args.operands;
    if (operand !== undefined) return { ...detail(session, all, operand), notes };
    const shown = args.has("-a")
      ? all
      : all.filter(({ version, groups }, i) => version === 2 || groups.length > 1 || (i === 0 && all.length === 1));
    return { hierarchies: shown.map((each) => described(session, each, each.groups)), layout: args.has("-t") ? "tasks" : "tree", notes };
  },
  api: cgroupApi,
  *text({ hierarchies, layout, notes }) {
    for (const [i, { version, id, name, controllers, groups }] of hierarchies.entries()) {
      if (i > 0) yield "";
      if (layout === "detail") {
        for (const group of groups) yield* detailLines(group);
        continue;
      }
      yield `HIERARCHY ${id}: cgroup v${version}${name === "" ? "" : ` name=${name}`}  ${controllers.join(" ") || "(no controllers)"}`;
      yield "CGROUP               MEMORY       PEAK        MAX       SWAP   TASKS  BELOW  PATH";
      for (const group of groups) {
        yield rowLine(group);
        if (layout === "tasks")
          for (const { pid, comm, address } of group.tasks) yield `${" ".repeat(68)}${String(pid).padStart(7)}  ${hex16(address)}  ${comm}`;
      }
    }
    for (const note of notes) yield `(${note})`;
  },
});

function described(
  { kernel, progress }: Session,
  hierarchy: CgroupHierarchy,
  groups: readonly Cgroup[],
): CgroupResult["hierarchies"][number] {
  const { address, version, id, name, controllers } = hierarchy;
  const rows = function* (): Generator<CgroupRow> {
    const tasks = tasksByCgroup(kernel, address);
    const below = tasksBelow(hierarchy.groups, tasks);
    for (const [i, group] of groups.entries()) {
      progress?.("reading control groups", i, groups.length);
      let usage: CgroupUsage = {};
      let unreadable: string | undefined;
      try {
        usage = cgroupUsage(kernel, group);
      } catch (error) {
        if (!(error instanceof InquestError)) throw error;
        unreadable = error.message;
      }
      yield {
        address: group.address,
        path: group.path,
        level: group.level,
        dying: group.dying,
        tasks: (tasks.get(group.address) ?? []).map(({ pid, comm, address: task }) => ({ pid, comm, address: task })),
        tasksBelow: below.get(group.address) ?? 0,
        controllers: group.controllers.map((controller) => controller.name),
        usage,
        ...(unreadable === undefined ? {} : { unreadable }),
      };
    }
  };
  return { address, version, id, name, controllers, groups: lazy(rows) };
}

/** Tasks in each group and the groups below it. Groups come depth first, so ancestors are those before it of lower levels. */
function tasksBelow(groups: readonly Cgroup[], tasks: ReadonlyMap<bigint, readonly Task[]>): ReadonlyMap<bigint, number> {
  const sums = new Map<bigint, number>();
  const ancestors: Cgroup[] = [];
  for (const group of groups) {
    ancestors.length = group.level;
    ancestors.push(group);
    const own = tasks.get(group.address)?.length ?? 0;
    for (const each of ancestors) if (each !== undefined) sums.set(each.address, (sums.get(each.address) ?? 0) + own);
  }
  return sums;
}

function detail(session: Session, all: readonly CgroupHierarchy[], operand: string): Pick<CgroupResult, "hierarchies" | "layout"> {
  const wanted = operand.startsWith("/") ? undefined : addressOf(session, operand);
  const found = all.flatMap((hierarchy) => {
    const groups = hierarchy.groups.filter(({ path, address }) => (wanted === undefined ? path === operand : address === wanted));
    return groups.length === 0 ? [] : [described(session, hierarchy, groups)];
  });
  if (found.length === 0)
    throw new UsageError(`cgroup: no control group ${operand}${wanted === undefined ? "; cgroup lists their paths" : ""}`);
  return { hierarchies: found, layout: "detail" };
}

/** Address of a struct cgroup, or that of a task's. */
function addressOf({ kernel }: Session, operand: string): bigint {
  if (looksLikeAddress(operand) && operand.length > 8) {
    const address = BigInt(`0x${operand.replace(/^0x/, "")}`);
    if (kernel.types.tryStruct("cgroup") !== undefined) return address;
  }
  if (!/^[0-9a-f]+$/i.test(operand))
    throw new UsageError(`cgroup: "${operand}" is no path (they begin with /), address or pid; cgroup lists them`);
  return cgroupOfTask(kernel, taskOperand(kernel, operand).address) ?? 0n;
}

/** 4096 → "4K", as free -h would. */
function amount(bytes: number | undefined, none = "max"): string {
  if (bytes === undefined) return none;
  const units = ["", "K", "M", "G", "T", "P"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value < 10 && unit > 0 && !Number.isInteger(value) ? value.toFixed(1) : Math.round(value)}${units[unit]}`;
}

function rowLine({ address, path, dying, tasks, tasksBelow: below, usage: { memory }, unreadable }: CgroupRow): string {
  const columns =
    memory === undefined
      ? ["-", "-", "-", "-"]
      : [amount(memory.current, "-"), amount(memory.peak, "-"), amount(memory.max), amount(memory.swap, "-")];
  const [use, peak, max, swap] = columns.map((text) => text.padStart(9)) as [string, string, string, string];
  const note = unreadable === undefined ? (dying ? "  (removed)" : "") : `  (${unreadable})`;
  return `${hex16(address)}  ${use}  ${peak}  ${max}  ${swap}  ${String(tasks.length).padStart(6)} ${String(below).padStart(6)}  ${path}${note}`;
}

function* detailLines({ address, path, dying, tasks, tasksBelow: below, controllers, usage, unreadable }: CgroupRow): Iterable<string> {
  yield `CGROUP: ${hex16(address)}  ${path}${dying ? "  (removed)" : ""}`;
  yield `CONTROLLERS: ${controllers.join(" ") || "(none)"}`;
  if (unreadable !== undefined) yield `(${unreadable})`;
  const { memory, pids, cpu, frozen } = usage;
  if (memory !== undefined) {
    const use = memory.current === undefined ? "(not counted at the top)" : `${amount(memory.current)}  PEAK: ${amount(memory.peak)}`;
    yield `MEMORY: ${use}  MIN: ${amount(memory.min)}  LOW: ${amount(memory.low)}  HIGH: ${amount(memory.high)}  MAX: ${amount(memory.max)}`;
    if (memory.swap !== undefined) yield `SWAP: ${amount(memory.swap)}  MAX: ${amount(memory.swapMax)}`;
    const events = Object.entries(memory.events);
    if (events.length > 0) yield `EVENTS: ${events.map(([name, count]) => `${name} ${count}`).join("  ")}`;
    const stat = Object.entries(memory.stat);
    if (stat.length > 0) yield `STAT: ${stat.map(([name, bytes]) => `${name} ${amount(bytes)}`).join("  ")}`;
  }
  if (pids !== undefined) yield `PIDS: ${pids.current}  MAX: ${pids.max ?? "max"}`;
  if (cpu !== undefined)
    yield `CPU SHARES: ${cpu.shares}  QUOTA: ${cpu.quotaUs === undefined ? "max" : `${cpu.quotaUs} us of ${cpu.periodUs} us`}`;
  if (frozen === true) yield "FROZEN";
  yield `TASKS: ${tasks.length}${below > tasks.length ? ` (${below} with those below)` : ""}`;
  for (const { pid, comm, address: task } of tasks) yield `${String(pid).padStart(7)}  ${hex16(task)}  ${comm}`;
}
