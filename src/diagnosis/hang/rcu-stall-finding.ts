/** What holds up a grace period as a finding: a CPU that loops, a reader that sleeps, or the thread of RCU that does not get a CPU. */
import { hex16, type VirtualAddress } from "../../bytes/address.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { secondsSinceRun } from "../../linux/locking/lock-tasks.ts";
import type { RcuFlavour } from "../../linux/rcu.ts";
import { type Task, taskState } from "../../linux/task.ts";
import type { DiagnosisContext } from "../context.ts";
import type { Finding } from "../finding.ts";
import type { Check, Evidence, Participant } from "../verdict.ts";
import { stackOf } from "./circle-finding.ts";
import { chainFrom, hangEdges } from "./edges.ts";
import { eventObject, eventWait } from "./event-wait.ts";
import { functionText } from "./guilty-frame.ts";
import { loopRoot } from "./lockups.ts";
import { loopObject } from "./loop-object.ts";
import { listObject, loopStack } from "./loop-stack.ts";
import type { ReportedStall } from "./reported.ts";
import { timerEvidence, timerLine, timerObject } from "./running-timer.ts";
import { sleepOf } from "./sleep.ts";
import type { Standstill } from "./standstill.ts";
import type { StoppedCpu } from "./stopped-cpu.ts";
import { ageText, awaited, forText, someOf, who } from "./who.ts";

/** RCU_CPU_STALL_TIMEOUT of the distributions. */
const DEFAULT_TIMEOUT = 21;
/** Of a thread that is to run at once: RCU calls it starved after two seconds. */
const STARVED = 2;
export const MAX_CULPRITS = 16;

export function stallTimeout(kernel: Kernel): number {
  const at = kernel.tryAddress("rcu_cpu_stall_timeout");
  const value = at === undefined ? undefined : kernel.memory.tryU32(at);
  return value === undefined || value === 0 || value > 3600 ? DEFAULT_TIMEOUT : value;
}

export interface Stall {
  readonly flavour: RcuFlavour;
  readonly seconds: number | undefined;
  readonly report: ReportedStall | undefined;
}

export interface Culprits {
  readonly cpus: readonly number[];
  readonly readers: readonly Task[];
  readonly kthread: Task | undefined;
}

/** A CPU that does not come to a quiescent state. */
export function byLoop(
  still: Standstill,
  context: DiagnosisContext,
  stall: Stall,
  culprits: Culprits,
  cpu: StoppedCpu,
): Finding | undefined {
  const root = loopRoot(still, cpu);
  if (root.circle) return undefined;
  const { list, chain } = root;
  const shown = loopStack(still, context, { report: stall.report, cpu }, root.cpu, list);
  const loop = list !== undefined ? ` over a list of ${list.length} that never ends` : "";
  const { timer } = shown;
  const object =
    list !== undefined ? listObject(list) : timer !== undefined ? timerObject(still, timer) : loopObject(still.kernel, root.cpu);
  return {
    class: "rcu-stall",
    title: `${who(root.cpu.task)} loops in ${shown.text}${loop} on CPU ${root.cpu.cpu}: the grace period of ${stall.flavour.name} has waited${forText(stall.seconds)}`,
    depth: list === undefined && timer === undefined ? "mechanism" : "cause",
    checks: checks(stall, stall.report !== undefined || (cpu.onCpu ?? 0) >= stallTimeout(still.kernel) / 2),
    ...(object === undefined ? {} : { object }),
    place: shown.place,
    frames: shown.frames,
    story: [
      head(stall, culprits),
      `${who(cpu.task)} has had CPU ${cpu.cpu}${forText(cpu.onCpu)} without a quiescent state${cpu.interruptsOff === true ? ", with interrupts off" : (cpu.preempt?.preempt ?? 0) > 0 ? ", with preemption off" : ""}.`,
      ...chain.map((edge) => `${who(edge.from)} spins for ${awaited(still, edge)}, which ${who(edge.to)} holds.`),
      list === undefined
        ? timer === undefined
          ? `The loop is in ${shown.text}.`
          : timerLine(timer)
        : `${list.function} goes from entry to entry at offset 0x${list.offset.toString(16)}; from ${list.entries[0]?.toString(16) ?? "?"} that comes round after ${list.length} ${list.length === 1 ? "entry" : "entries"}, and the loop's end is not among them.`,
    ],
    evidence: [
      ...evidence(still, stall),
      ...(timer === undefined ? [] : timerEvidence(still.kernel, timer)),
      {
        claim: `CPU ${root.cpu.cpu} stopped in ${functionText(root.cpu.stack.frames[root.cpu.struck])}`,
        command: `bt ${root.cpu.task.pid}`,
        values: [],
      },
      ...(list?.entries ?? []).slice(0, 3).flatMap((entry): Evidence[] => {
        const at = BigInt.asUintN(64, entry + (list?.offset ?? 0n)) as VirtualAddress;
        const value = still.kernel.memory.tryU64(at);
        return value === undefined
          ? []
          : [
              {
                claim: `the entry at ${entry.toString(16)} leads to ${value.toString(16)}`,
                command: `rd ${at.toString(16)}`,
                values: [{ address: at, value }],
              },
            ];
      }),
    ],
    participants: [
      {
        cpu: root.cpu.cpu,
        pid: root.cpu.task.pid,
        comm: root.cpu.task.comm,
        task: root.cpu.task.address,
        role: `loops on CPU ${root.cpu.cpu}`,
        central: true,
      },
      ...waiters(still, stall, root.cpu.task),
    ],
    subject: { cpu: root.cpu.cpu, pid: root.cpu.task.pid, comm: root.cpu.task.comm },
  };
}

/** A reader that sleeps, or does not get a CPU, inside its section. */
export function byReader(still: Standstill, stall: Stall, culprits: Culprits, reader: Task): Finding {
  const last = chainFrom(hangEdges(still), reader.address).at(-1);
  const shown = stackOf(still, reader.address);
  const sleep = sleepOf(reader, still.stack(reader));
  const seconds = secondsSinceRun(still.kernel, reader);
  const more = culprits.readers.length - 1;
  const event = sleep.kind === "event" ? eventWait(still, reader) : undefined;
  return {
    class: "rcu-stall",
    title: `${who(reader)} ${sleep.text} in ${shown?.text ?? "?"} inside rcu_read_lock(): the grace period of ${stall.flavour.name} has waited${forText(stall.seconds)}`,
    depth: "mechanism",
    checks: checks(stall, taskState(reader) !== "RU"),
    ...(event === undefined ? {} : { object: eventObject(event) }),
    ...(shown === undefined ? {} : { place: shown.place, frames: shown.frames }),
    story: [
      head(stall, culprits),
      `${who(reader)} is a reader that went off its CPU inside its section: it ${sleep.text}${forText(seconds)}${shown === undefined ? "" : `, in ${shown.text}`}${more > 0 ? `; ${more} more readers hold the grace period up` : ""}.`,
      ...(last === undefined ? [] : [`It waits for ${awaited(still, last)}, which ${who(last.to)} holds.`]),
      "Sleeping inside rcu_read_lock() is not allowed; whoever waits for the grace period waits for this task.",
    ],
    evidence: [
      ...evidence(still, stall),
      ...readerEvidence(still, reader),
      { claim: `the stack of ${who(reader)}`, command: `bt ${reader.pid}`, values: [] },
    ],
    participants: [
      {
        pid: reader.pid,
        comm: reader.comm,
        task: reader.address,
        role: `holds up the grace period: ${sleep.text}`,
        ...(seconds === undefined ? {} : { blockedFor: seconds }),
        central: true,
      },
      ...culprits.readers
        .slice(1)
        .map((task): Participant => ({ pid: task.pid, comm: task.comm, task: task.address, role: "holds up the grace period" })),
      ...waiters(still, stall, reader),
    ],
    subject: { pid: reader.pid, comm: reader.comm },
  };
}

/** The thread of RCU wants to run and does not: whoever has its CPU is the cause. */
export function byStarvation(
  still: Standstill,
  context: DiagnosisContext,
  stall: Stall,
  { kthread }: Culprits,
  stopped: readonly StoppedCpu[],
): readonly Finding[] {
  if (kthread === undefined || kthread.active || taskState(kthread) !== "RU") return [];
  const starved = secondsSinceRun(still.kernel, kthread);
  const hog = stopped.find(({ cpu }) => cpu === kthread.cpu);
  if (starved === undefined || starved < STARVED || hog === undefined) return [];
  const shown = loopStack(still, context, { report: stall.report, cpu: hog }, hog, undefined);
  return [
    {
      class: "rcu-stall",
      title: `${who(hog.task)} keeps CPU ${hog.cpu} in ${shown.text}: ${who(kthread)} has not run for ${ageText(starved)} and the grace period of ${stall.flavour.name} does not end`,
      depth: "mechanism",
      checks: [...checks(stall, true), { what: "the thread of RCU wants to run and has not for more than two seconds", result: "held" }],
      place: shown.place,
      frames: shown.frames,
      story: [head(stall, undefined), `${who(kthread)} waits for CPU ${kthread.cpu}, which ${who(hog.task)} has had${forText(hog.onCpu)}.`],
      evidence: [
        ...evidence(still, stall),
        { claim: `${who(kthread)} waits to run on CPU ${kthread.cpu}`, command: `runq -c ${kthread.cpu}`, values: [] },
      ],
      participants: [
        { cpu: hog.cpu, pid: hog.task.pid, comm: hog.task.comm, task: hog.task.address, role: `keeps CPU ${hog.cpu}`, central: true },
        {
          pid: kthread.pid,
          comm: kthread.comm,
          task: kthread.address,
          role: "the thread of RCU, which does not get the CPU",
          blockedFor: starved,
        },
      ],
      subject: { cpu: hog.cpu, pid: hog.task.pid, comm: hog.task.comm },
    },
  ];
}

function head({ flavour, seconds, report }: Stall, culprits: Culprits | undefined): string {
  const held = culprits === undefined ? [] : [...culprits.cpus.map((cpu) => `CPU ${cpu}`), ...culprits.readers.map(who)];
  return `A grace period of ${flavour.name} has not ended${forText(seconds)}${held.length === 0 ? "" : `, held up by ${someOf(held)}`}${report === undefined ? "; no stall was reported" : ""}.`;
}

function checks({ report, seconds, flavour }: Stall, sure: boolean): readonly Check[] {
  return [
    {
      what: "the grace period runs for longer than RCU's stall timeout, or the kernel reported it",
      result: report !== undefined || seconds !== undefined ? "held" : "not possible",
    },
    { what: "all that hold it up are known", result: flavour.leavesWhole ? "held" : "not possible" },
    { what: "what holds it up is still there", result: sure ? "held" : "not possible" },
  ];
}

/** Tasks that sleep for a grace period. */
function waiters(still: Standstill, { flavour }: Stall, culprit: Task): readonly Participant[] {
  const all = [...still.report.locks.flatMap(({ waits }) => waits), ...still.report.unknown];
  return all
    .filter(
      ({ task, caller }) =>
        task.address !== culprit.address &&
        task.address !== flavour.kthread &&
        /^(?:_*wait_rcu_gp|_*synchronize_\w+|rcu_barrier)/.test(caller ?? ""),
    )
    .slice(0, MAX_CULPRITS)
    .map(
      ({ task, seconds }): Participant => ({
        pid: task.pid,
        comm: task.comm,
        task: task.address,
        role: "waits for a grace period",
        ...(seconds === undefined ? {} : { blockedFor: seconds }),
      }),
    );
}

function evidence({ kernel }: Standstill, { flavour, report }: Stall): Evidence[] {
  const found: Evidence[] = [];
  if (flavour.address === 0n)
    return report?.event === undefined ? [] : [{ claim: report.event.text, command: "log | grep -A4 -i stall", values: [] }];
  const field = kernel.types.tryStruct("rcu_state")?.tryField("gp_seq");
  const sequence = field === undefined ? undefined : kernel.memory.tryU64(field.address(flavour.address));
  found.push({
    claim: `the grace period of ${flavour.name} is in progress and who it waits for`,
    command: "rcu",
    values: [],
  });
  if (field !== undefined && sequence !== undefined) {
    const at = field.address(flavour.address);
    found.push({ claim: `its number is ${hex16(sequence)}`, command: `rd ${hex16(at)} 1`, values: [{ address: at, value: sequence }] });
  }
  const mask = kernel.types.tryStruct("rcu_node")?.tryField("qsmask");
  for (const leaf of flavour.leaves) {
    const value = mask === undefined || leaf.waitsFor.length === 0 ? undefined : kernel.memory.tryU64(mask.address(leaf.address));
    if (mask !== undefined && value !== undefined)
      found.push({
        claim: `its leaf of CPUs ${leaf.first} to ${leaf.last} waits for ${someOf(leaf.waitsFor.map((cpu) => `CPU ${cpu}`))}`,
        command: `rd ${mask.address(leaf.address).toString(16)}`,
        values: [{ address: mask.address(leaf.address), value }],
      });
  }
  if (report?.event !== undefined) found.push({ claim: report.event.text, command: "log | grep -i stall", values: [] });
  return found;
}

/** rcu_read_lock_nesting of the reader: how deep it is inside. */
function readerEvidence({ kernel }: Standstill, reader: Task): Evidence[] {
  const field = kernel.types.tryStruct("task_struct")?.tryField("rcu_read_lock_nesting");
  const depth = field === undefined ? undefined : kernel.memory.tryU32(field.address(reader.address));
  if (field === undefined || depth === undefined || depth === 0) return [];
  return [
    {
      claim: `${who(reader)} is inside rcu_read_lock(), ${depth} deep`,
      command: `struct task_struct.rcu_read_lock_nesting ${reader.address.toString(16)}`,
      values: [{ address: field.address(reader.address), value: BigInt(depth) }],
    },
  ];
}
