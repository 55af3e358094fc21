/** `rcu`: the grace period, and the CPUs and tasks that hold it up. */
import { hex16, type VirtualAddress } from "../bytes/address.ts";
import { InquestError, UsageError } from "../bytes/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { cpuMasks } from "../linux/cpu.ts";
import { addNote } from "../linux/gather.ts";
import { type RcuCpu, type RcuFlavour, readRcu } from "../linux/rcu.ts";
import { currentTask } from "../linux/runqueue.ts";
import { type SrcuDomain, srcuDomains } from "../linux/srcu.ts";
import { taskState, taskStateNames, taskTable } from "../linux/task.ts";
import { tickRate } from "../linux/tick-rate.ts";
import { jiffies } from "../linux/timer-wheel.ts";
import { unwindTask } from "../stack/unwind.ts";
import { rcuApi } from "./api/views.ts";
import { defineCommand, type Session } from "./command.ts";
import { codePlace } from "./support/code-place.ts";
import { type TaskReference, taskReference } from "./support/task-reference.ts";

/** What a grace period waits for. */
export interface RcuHolder {
  readonly expedited: boolean;
  /** A CPU that has passed no quiescent state, or a reader that was preempted. */
  readonly cpu?: number;
  readonly task?: TaskReference;
  /** Kernel code that it is in. */
  readonly place?: string;
}

/** A flavour of RCU and its grace period. Times in seconds. */
export interface RcuRow {
  readonly name: string;
  readonly address: bigint;
  readonly sequence?: bigint;
  readonly number?: number;
  readonly inProgress?: boolean;
  readonly state?: string;
  /** Seconds since it started, since its kthread last did something, and until a stall is (or was) to be reported. */
  readonly age?: number;
  readonly sinceActivity?: number;
  readonly untilStall?: number;
  readonly expeditedInProgress?: boolean;
  readonly expeditedNumber?: number;
  readonly kthread?: TaskReference & { readonly state?: string };
  readonly holders: readonly RcuHolder[];
  /** A part of RCU's tree could not be read: others may hold it up as well. */
  readonly holdersIncomplete?: true;
  readonly cpus: readonly RcuCpu[];
}

/** What RCU was doing. */
export interface RcuResult {
  readonly flavours: readonly RcuRow[];
  /** Static SRCU domains with readers, callbacks or a grace period. */
  readonly srcu: readonly SrcuDomain[];
  /** Tasks that sleep until a grace period has passed. */
  readonly waiters: readonly (TaskReference & { readonly function: string })[];
  readonly notes?: readonly string[];
}

/** Stacks of more sleeping tasks are not looked at. */
const MAX_STACKS = 4096;
/** In these a task waits for RCU. */
const WAITING =
  /^(__wait_rcu_gp|synchronize_rcu(_\w+)?|synchronize_sched|synchronize_srcu(_\w+)?|__synchronize_srcu|rcu_barrier|srcu_barrier)$/;

export const rcu = defineCommand<RcuResult>({
  spec: {
    name: "rcu",
    summary: "RCU grace periods, and who holds them up",
    synopsis: ["[-a]"],
    description: [
      "Shows the state of RCU: whether a grace period runs, since when, and what it waits for: CPUs that have passed no quiescent state since (with the task that runs there and the kernel code it is in), and readers that were preempted. Then, by CPU, the callbacks that wait, tasks that sleep until a grace period has passed, and SRCU domains that are busy.",
      "A grace period that is older than a few seconds is a stall: what is named here does not let it end, and memory that RCU is to free piles up behind it.",
    ],
    options: [{ flag: "-a", help: "all static SRCU domains, idle ones too" }],
    examples: [
      ["rcu", "the grace period and who holds it up"],
      ["cpu", "what each CPU was doing"],
    ],
  },
  run(session, args) {
    const { kernel } = session;
    if (args.operands.length > 0) throw new UsageError("usage: rcu [-a]");
    const cpus = cpuMasks(kernel).possible;
    const notes: string[] = [];
    const flavours = readRcu(kernel, cpus, notes).map((flavour) => rcuRow(kernel, flavour));
    const domains = srcuDomains(kernel, cpus, notes);
    const srcu = args.has("-a")
      ? domains
      : domains.filter(({ inProgress, readers, callbacks }) => inProgress === true || callbacks > 0 || readers[0] + readers[1] > 0);
    return { flavours, srcu, waiters: waiters(session, notes), ...(notes.length === 0 ? {} : { notes }) };
  },
  api: rcuApi,
  *text({ flavours, srcu, waiters: waiting, notes = [] }) {
    for (const [i, flavour] of flavours.entries()) {
      if (i > 0) yield "";
      yield* flavourLines(flavour);
    }
    if (waiting.length > 0) {
      yield "";
      yield `WAITING FOR A GRACE PERIOD: ${waiting.length}`;
      for (const { pid, comm, address, function: called } of waiting)
        yield `  ${pid ?? "?"} "${comm ?? ""}" ${hex16(address)}  in ${called}`;
    }
    if (srcu.length > 0) {
      yield "";
      const width = Math.max(4, ...srcu.map(({ name }) => name.length));
      yield `${"SRCU".padEnd(width)}  GRACE PERIOD      READERS  CALLBACKS`;
      for (const { name, inProgress, number, readers, callbacks } of srcu) {
        yield `${name.padEnd(width)}  ${`${number ?? "?"}${inProgress === true ? " in progress" : ""}`.padEnd(16)}  ${String(readers[0] + readers[1]).padStart(7)}  ${String(callbacks).padStart(9)}`;
      }
    }
    for (const note of notes) yield `(${note})`;
  },
});

function rcuRow(kernel: Kernel, flavour: RcuFlavour): RcuRow {
  const now = jiffies(kernel);
  const rate = tickRate(kernel);
  const seconds = (from: bigint | undefined, to: bigint | undefined) =>
    from === undefined || to === undefined || rate === undefined ? undefined : Number(BigInt.asIntN(64, to - from)) / rate;
  const { inProgress, started, activity, stallAt, kthread, leaves, leavesWhole } = flavour;
  const age = inProgress === true ? seconds(started, now) : undefined;
  const quiet = seconds(activity, now);
  const stall = inProgress === true ? seconds(now, stallAt) : undefined;
  const known = <K extends string, T>(key: K, value: T | undefined) => (value === undefined ? {} : { [key]: value }) as { [key in K]?: T };
  return {
    name: flavour.name,
    address: flavour.address,
    ...known("sequence", flavour.sequence),
    ...known("number", flavour.number),
    ...known("inProgress", inProgress),
    ...known("state", flavour.state),
    ...known("age", age),
    ...known("sinceActivity", quiet),
    // ULONG_MAX / 2 beyond now stands for "never" (rcu_cpu_stall_suppress).
    ...known("untilStall", stall === undefined || Math.abs(stall) > 1e9 ? undefined : stall),
    ...known("expeditedInProgress", flavour.expeditedInProgress),
    ...known("expeditedNumber", flavour.expeditedNumber),
    ...(kthread === undefined ? {} : { kthread: kthreadOf(kernel, kthread) }),
    holders: leaves.flatMap((leaf) => [
      ...leaf.waitsFor.map((cpu) => holder(kernel, cpu, false)),
      ...leaf.expeditedWaitsFor.map((cpu) => holder(kernel, cpu, true)),
      ...leaf.readers.flatMap(({ task, blocks, blocksExpedited }) =>
        [blocks ? [false] : [], blocksExpedited ? [true] : []].flat().map((expedited) => reader(kernel, task, expedited)),
      ),
    ]),
    ...(leavesWhole ? {} : { holdersIncomplete: true as const }),
    cpus: flavour.cpus,
  };
}

function kthreadOf(kernel: Kernel, address: VirtualAddress): NonNullable<RcuRow["kthread"]> {
  const task = taskTable(kernel).byAddress.get(address);
  return { ...taskReference(kernel, address), ...(task === undefined ? {} : { state: taskStateNames(task) }) };
}

function holder(kernel: Kernel, cpu: number, expedited: boolean): RcuHolder {
  const task = currentTask(kernel, cpu);
  const place = task === undefined ? undefined : codePlace(kernel, task);
  return {
    expedited,
    cpu,
    ...(task === undefined ? {} : { task: taskReference(kernel, task) }),
    ...(place === undefined ? {} : { place }),
  };
}

function reader(kernel: Kernel, task: VirtualAddress, expedited: boolean): RcuHolder {
  const place = codePlace(kernel, task);
  return { expedited, task: taskReference(kernel, task), ...(place === undefined ? {} : { place }) };
}

function waiters(session: Session, notes: string[]): RcuResult["waiters"] {
  const { kernel } = session;
  const all = taskTable(kernel).tasks.filter((task) => taskState(task) === "UN");
  const asleep = all.slice(0, MAX_STACKS);
  if (all.length > asleep.length) addNote(notes, `stacks of ${MAX_STACKS} of ${all.length} sleeping tasks were searched for waiters`);
  return asleep.flatMap((task, i) => {
    session.progress?.("reading stacks of sleeping tasks", i, asleep.length);
    try {
      const frame = unwindTask(kernel, task.address).frames.find(({ function: name }) => name !== undefined && WAITING.test(name));
      return frame?.function === undefined
        ? []
        : [{ address: task.address, pid: task.pid, comm: task.comm, cpu: task.cpu, function: frame.function }];
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      return [];
    }
  });
}

function* flavourLines(row: RcuRow): Iterable<string> {
  const { name, number, inProgress, state, age, sinceActivity, untilStall, kthread, holders, cpus } = row;
  const running =
    inProgress === undefined
      ? "is not known"
      : inProgress
        ? `${number ?? "?"} is in progress`
        : `none in progress, ${number ?? "?"} was the last`;
  const since = age === undefined ? "" : ` for ${secondsText(age)}`;
  yield `${name}  RCU_STATE: ${hex16(row.address)}`;
  yield `  GRACE PERIOD: ${running}${since}${state === undefined ? "" : ` (${state})`}`;
  if (untilStall !== undefined)
    yield `         STALL: ${untilStall < 0 ? `was due ${secondsText(-untilStall)} ago` : `is reported in ${secondsText(untilStall)}`}`;
  if (row.expeditedInProgress === true) yield `     EXPEDITED: ${row.expeditedNumber ?? "?"} is in progress`;
  if (kthread !== undefined) {
    const quiet = sinceActivity === undefined ? "" : `, last active ${secondsText(sinceActivity)} ago`;
    yield `       KTHREAD: ${kthread.pid ?? "?"} "${kthread.comm ?? ""}" ${hex16(kthread.address)} ${kthread.state ?? ""}${quiet}`;
  }
  if (inProgress === true || row.expeditedInProgress === true) yield* holderLines(holders, row.holdersIncomplete === true);
  yield "";
  yield "  CPU  CALLBACKS  DONE/WAIT/READY/NEXT  TICKS  QUIESCENT STATE";
  for (const cpu of cpus) yield cpuLine(cpu);
}

function* holderLines(holders: readonly RcuHolder[], incomplete: boolean): Iterable<string> {
  if (holders.length === 0) {
    yield `       HELD UP: ${incomplete ? "by whom is not known: RCU's tree cannot be read whole" : "by no CPU and no task: it is about to end"}`;
    return;
  }
  for (const [i, { expedited, cpu, task, place }] of holders.entries()) {
    const who = task?.pid === undefined ? (cpu === undefined ? "?" : "") : `${task.pid} "${task.comm ?? ""}" ${hex16(task.address)}`;
    const what = cpu === undefined ? `preempted reader ${who}` : `CPU ${cpu}${who === "" ? "" : `, running ${who}`}`;
    yield `${i === 0 ? "       HELD UP: by " : "                by "}${what}${place === undefined ? "" : `, in ${place}`}${expedited ? " (expedited)" : ""}`;
  }
  if (incomplete) yield "                and perhaps others: RCU's tree cannot be read whole";
}

function cpuLine({ cpu, callbacks, segments, ticks, needsQuiescentState, watching }: RcuCpu): string {
  const parts = segments === undefined ? "" : segments.join("/");
  const state =
    watching === false
      ? "idle or in user mode: not waited for"
      : needsQuiescentState === true
        ? "wanted"
        : needsQuiescentState === false
          ? "-"
          : "?";
  return `  ${String(cpu).padStart(3)}  ${String(callbacks ?? "?").padStart(9)}  ${parts.padEnd(20)}  ${String(ticks ?? "?").padStart(5)}  ${state}`;
}

function secondsText(seconds: number): string {
  return seconds < 100 ? `${seconds.toFixed(2)} s` : `${Math.round(seconds)} s`;
}
