/**
 * CPUs that do not come back: soft lockups (nothing else is scheduled), hard lockups (not even interrupts are taken), and what they loop for.
 *
 *   reported  the watchdog named the CPU; the registers where the machine stopped are a second sample of the same loop
 *   measured  without a report: interrupts off and no tick for a second, or the watchdog's thread not run for twice watchdog_thresh
 *
 *   spins for a lock ─► its holder, on another CPU ─► the loop there is the root
 *   walks a list that closes in a circle ─► the list is
 *   anything else ─► the function that loops
 */

import type { DiagnosisContext } from "../context.ts";
import type { Detector } from "../detector.ts";
import type { Finding } from "../finding.ts";
import { guarded } from "../guarded.ts";
import { addressOfCode } from "../subject/log-facts.ts";
import type { Check, Evidence, Participant, VerdictClass } from "../verdict.ts";
import { verdictStack } from "../verdict-stack.ts";
import { isSureHolder, sectionOf, waitersBehind } from "./circle-finding.ts";
import { chainFrom, type HangEdge, hangEdges } from "./edges.ts";
import { functionText, guiltyFrame, placeOf } from "./guilty-frame.ts";
import { type ListCircle, listCircle } from "./list-circle.ts";
import { isSpin, lockName, lockObject, lockText } from "./lock-object.ts";
import { loopObject } from "./loop-object.ts";
import { diedOfFault, type ReportedStall, reportedStalls } from "./reported.ts";
import { Standstill } from "./standstill.ts";
import { type StoppedCpu, stoppedCpus, watchdogRuns, watchdogThreshold } from "./stopped-cpu.ts";
import { ageText, awaited, ownerEvidence, someOf, waiter, who } from "./who.ts";

/** Seconds with interrupts off that no code of the kernel takes; printing to a slow console excepted. */
const NO_TICK = 1;
const PRINTS =
  /^(?:console_\w+|vprintk\w*|_?printk|serial8250_\w+|uart_\w+|univ8250_\w+|pl011_\w+|wait_for_xmitr|wait_for_lsr|nbcon_\w+|panic|vpanic|__crash_kexec|crash_\w+|machine_\w+|native_machine_\w+|kgdb_\w+|kdb_\w+|sysrq_handle_\w+|__handle_sysrq)$/;

export interface Lockup {
  readonly cpu: StoppedCpu;
  readonly class: VerdictClass;
  readonly report: ReportedStall | undefined;
  /** Seconds, as it was measured or reported. */
  readonly seconds: number | undefined;
}

/** CPUs that are locked up, those that were reported first. */
export function lockups(still: Standstill, context: DiagnosisContext): readonly Lockup[] {
  const reported = reportedStalls(context);
  const found: Lockup[] = [];
  for (const cpu of stoppedCpus(still)) {
    const own = reported.filter((each) => each.cpu === cpu.cpu);
    const hard = own.find(({ kind }) => kind === "hard lockup");
    const soft = own.find(({ kind }) => kind === "soft lockup");
    const report = hard ?? soft;
    if (report !== undefined) {
      // Another task since: it came back.
      if (report.pid !== undefined && report.pid !== cpu.task.pid) continue;
      found.push({ cpu, class: hard === undefined ? "soft-lockup" : "hard-lockup", report, seconds: report.seconds ?? cpu.noTick });
      continue;
    }
    const measured = measure(still, cpu);
    if (measured !== undefined) found.push({ cpu, report: undefined, ...measured });
  }
  return found.sort((a, b) => Number(b.report !== undefined) - Number(a.report !== undefined) || (b.seconds ?? 0) - (a.seconds ?? 0));
}

function measure(still: Standstill, cpu: StoppedCpu): Pick<Lockup, "class" | "seconds"> | undefined {
  if (cpu.stack.frames.some(({ function: name }) => PRINTS.test((name ?? "").replace(/\..*/, ""))) && isDying(cpu)) return undefined;
  if (cpu.interruptsOff === true && cpu.noTick !== undefined && cpu.noTick >= NO_TICK) return { class: "hard-lockup", seconds: cpu.noTick };
  const limit = 2 * watchdogThreshold(still.kernel);
  const inKernel = cpu.stack.user === undefined || cpu.stack.frames.length > 0;
  if (inKernel && watchdogRuns(still) && cpu.noThread !== undefined && cpu.noThread >= limit && (cpu.onCpu ?? 0) >= limit)
    return { class: "soft-lockup", seconds: cpu.noThread };
  return undefined;
}

/** The CPU that panics, or prints, by itself: not one that an NMI or an interrupt took out of a loop. */
function isDying({ stack, struck }: StoppedCpu): boolean {
  return stack.frames.slice(struck).some(({ function: name }) => PRINTS.test((name ?? "").replace(/\..*/, "")));
}

/** What a CPU's loop comes to in the end. */
export interface LoopRoot {
  /** The CPU whose loop it is: of the spinning one the lock's holder. */
  readonly cpu: StoppedCpu;
  readonly chain: readonly HangEdge[];
  readonly list: ListCircle | undefined;
  /** The chain goes round: another detector's. */
  readonly circle: boolean;
}

export function loopRoot(still: Standstill, cpu: StoppedCpu): LoopRoot {
  const chain = chainFrom(hangEdges(still), cpu.task.address);
  const end = chain.at(-1)?.to.address;
  const circle = end !== undefined && chain.some(({ from }) => from.address === end);
  const root = stoppedCpus(still).find(({ task }) => task.address === end) ?? cpu;
  return { cpu: root, chain, list: guarded(() => listCircle(still.kernel, root)), circle };
}

function findings(context: DiagnosisContext, wanted: VerdictClass): readonly Finding[] {
  const still = guarded(() => Standstill.of(context.kernel));
  if (still === undefined) return [];
  const all = lockups(still, context);
  const roots = new Set<number>();
  return all
    .filter((each) => each.class === wanted)
    .flatMap((lockup) => {
      const root = loopRoot(still, lockup.cpu);
      if (root.circle || roots.has(root.cpu.cpu)) return [];
      roots.add(root.cpu.cpu);
      return [lockupFinding(still, context, lockup, root, all)];
    });
}

function lockupFinding(still: Standstill, context: DiagnosisContext, lockup: Lockup, root: LoopRoot, all: readonly Lockup[]): Finding {
  const { cpu, list, chain } = root;
  const shown = loopStack(still, context, lockup, cpu, list);
  const behind = waitersBehind(still, cpu.task.address);
  const [first] = chain.length > 0 ? chain : behind;
  const spin = still.waitOf(cpu.task.address);
  const lock = first?.lock ?? (isSpin(spin?.kind) ? still.lockOf(cpu.task.address) : undefined);
  const name = lock === undefined ? undefined : lockName(still, lock);
  const seconds = lockup.seconds === undefined ? "" : ` for ${ageText(lockup.seconds)}`;
  const victim =
    lockup.cpu.cpu === cpu.cpu ? "" : `CPU ${lockup.cpu.cpu} spins for ${name === undefined ? "a lock" : lockText(name)}, held by `;
  const leaked = isSpin(spin?.kind) && chain.length === 0 && name !== undefined;
  const entries = list === undefined ? "" : `${list.length} ${list.length === 1 ? "entry" : "entries"}`;
  const what =
    list !== undefined ? ` over a list of ${entries} that never ends` : leaked ? ` for ${lockText(name)}, which was left locked` : "";
  const where = shown.text;
  const object = list !== undefined ? listObject(list) : lock !== undefined ? lockObject(still, lock) : loopObject(still.kernel, cpu);
  return {
    class: lockup.class,
    title: `${victim}${who(cpu.task)} ${victim === "" ? "" : "who "}${leaked ? "spins" : "loops"} in ${where} on CPU ${cpu.cpu}${what}${cpu.interruptsOff === true ? ", with interrupts off" : ""}${seconds}`,
    depth: list === undefined ? "mechanism" : "cause",
    checks: checks(still, lockup, root, isSpin(spin?.kind)),
    ...(object === undefined ? {} : { object }),
    place: shown.place,
    frames: shown.frames,
    story: [...story(still, lockup, root, shown.text), ...behindLines(still, chain, behind)],
    evidence: evidence(still, lockup, root, shown.sample),
    participants: participants(still, lockup, root, all, behind),
    subject: { cpu: cpu.cpu, pid: cpu.task.pid, comm: cpu.task.comm },
  };
}

export function listObject(list: ListCircle): NonNullable<Finding["object"]> {
  const [first] = list.entries;
  return {
    ...(list.type === undefined ? {} : { type: list.type }),
    ...(list.member === undefined ? {} : { member: list.member }),
    ...(first === undefined ? {} : { address: first }),
    state: `in a circle of ${list.length} ${list.length === 1 ? "entry" : "entries"}`,
    ...(list.cache === undefined ? {} : { cache: list.cache }),
  };
}

/**
 * The stack of the loop and its function: where the list is walked; else the innermost function that the log's sample and the stop have in
 * common, which is nearer to the loop than what it happened to call.
 */
export function loopStack(
  still: Standstill,
  context: DiagnosisContext,
  lockup: Pick<Lockup, "report" | "cpu">,
  cpu: StoppedCpu,
  list: ListCircle | undefined,
) {
  const { stack, struck } = cpu;
  const sample = lockup.report?.event === context.subject.event && lockup.cpu.cpu === cpu.cpu ? context.subject.facts?.code : undefined;
  const logged =
    sample === undefined
      ? undefined
      : typeof sample === "bigint"
        ? still.kernel.symbols.byAddress(sample as never)?.symbol.name
        : sample.name;
  const address = sample === undefined ? undefined : addressOfCode(still.kernel, sample);
  const inList =
    list === undefined
      ? -1
      : stack.frames.findIndex((frame, index) => index >= struck && frame.function?.replace(/\..*/, "") === list.function);
  const common = logged === undefined ? -1 : stack.frames.findIndex((frame, index) => index >= struck && frame.function === logged);
  const from = inList >= 0 ? inList : common >= 0 ? common : struck;
  const guilty = guiltyFrame(stack, from) ?? cpu.guilty;
  const frames = verdictStack(still.kernel, stack, guilty, struck);
  return {
    frames,
    place: placeOf(stack, guilty, frames),
    text: functionText(guilty === undefined ? undefined : stack.frames[guilty]),
    sample: address === undefined ? undefined : logged,
  };
}

function checks(still: Standstill, { report, cpu }: Lockup, { chain, list, cpu: root }: LoopRoot, spins: boolean): readonly Check[] {
  const sure = chain.filter(({ via }) => via === "lock").every((edge) => isSureHolder(still, edge));
  return [
    {
      what:
        report !== undefined
          ? "the CPU still runs the task that was reported"
          : "the CPU took no interrupt, or ran no other task, for longer than the kernel allows",
      result: "held",
    },
    {
      what: "its code is known: the loop's registers were saved when the machine stopped",
      result: root.guilty === undefined ? "not possible" : "held",
    },
    ...(cpu.cpu !== root.cpu
      ? [{ what: "the holder of the lock that it spins for is known", result: sure ? ("held" as const) : ("not possible" as const) }]
      : []),
    ...(spins && chain.length === 0 && list === undefined
      ? [{ what: "no running task's code or stack holds the lock: it was left locked", result: "held" as const }]
      : []),
  ];
}

/** Others that spin, or sleep, for what the loop holds. */
function behindLines(still: Standstill, chain: readonly HangEdge[], behind: readonly HangEdge[]): string[] {
  const others = behind.filter(({ from }) => !chain.some((edge) => edge.from.address === from.address));
  const [first] = others;
  if (first === undefined) return [];
  return [
    `Behind it wait ${someOf(others.map(({ from }) => who(from)))}${first.lock === undefined ? "" : `, for ${awaited(still, first)}`}.`,
  ];
}

function story(still: Standstill, lockup: Lockup, { cpu, chain, list }: LoopRoot, text: string): string[] {
  const { report, seconds } = lockup;
  const lines: string[] = [];
  const own = lockup.cpu;
  const since = seconds === undefined ? "" : ` for ${ageText(seconds)}`;
  const state = [
    own.interruptsOff === true ? "interrupts off" : "",
    (own.preempt?.preempt ?? 0) > 0 ? "preemption off" : "",
    own.preempt?.servingSoftirq === true ? "in a softirq" : "",
  ].filter((each) => each !== "");
  lines.push(
    `CPU ${own.cpu} did not come back from ${who(own.task)}${since}${state.length === 0 ? "" : `, with ${state.join(" and ")}`}${report === undefined ? "; no watchdog had reported it" : ""}.`,
  );
  for (const edge of chain) lines.push(`${who(edge.from)} spins for ${awaited(still, edge)}, which ${who(edge.to)} holds.`);
  if (list !== undefined) {
    lines.push(
      `${list.function} goes from entry to entry at offset 0x${list.offset.toString(16)}${list.member === undefined ? "" : ` (${list.type?.replace(/^struct /, "") ?? ""}.${list.member})`}; from ${list.entries[0]?.toString(16) ?? "?"} that comes round after ${list.length} ${list.length === 1 ? "entry" : "entries"}, and the loop's end is not among them.`,
    );
  } else if (chain.length === 0 && isSpin(still.waitOf(cpu.task.address)?.kind)) {
    lines.push("No running task has the lock's address, and the code of none that runs took it: somebody left without releasing it.");
  } else lines.push(`The loop is in ${text}: where the CPU was struck, and what it had been called from.`);
  return lines;
}

function evidence(still: Standstill, { cpu: own, report }: Lockup, { cpu, chain, list }: LoopRoot, sample: string | undefined): Evidence[] {
  const { memory } = still.kernel;
  const found: Evidence[] = [
    { claim: `CPU ${cpu.cpu} stopped in ${functionText(cpu.stack.frames[cpu.struck])}`, command: `bt ${cpu.task.pid}`, values: [] },
  ];
  if (report?.event !== undefined) found.push({ claim: report.event.text, command: "log | grep -i lockup", values: [] });
  if (sample !== undefined)
    found.push({ claim: `the log's report has the same CPU in ${sample}`, command: "log | grep -A12 -i lockup", values: [] });
  const clock = own.clockAt === undefined ? undefined : memory.tryU64(own.clockAt);
  if (report === undefined && own.clockAt !== undefined && clock !== undefined)
    found.push({
      claim: `the clock of CPU ${own.cpu} stands at ${(Number(clock) / 1e9).toFixed(2)} s: ${own.noTick?.toFixed(1) ?? "?"} s without a tick`,
      command: `rd ${own.clockAt.toString(16)}`,
      values: [{ address: own.clockAt, value: clock }],
    });
  for (const edge of chain) {
    if (edge.lock !== undefined) found.push(...ownerEvidence(still, edge.lock));
    const section = sectionOf(still, edge);
    if (section !== undefined)
      found.push({
        claim: `${who(edge.to)} took the lock in ${functionText(section)}: ${section.by}()`,
        command: `dis ${section.at.toString(16)} 1`,
        values: [],
      });
  }
  const spun = chain.length === 0 ? still.lockOf(cpu.task.address) : undefined;
  if (spun !== undefined) found.push(...ownerEvidence(still, spun));
  if (list !== undefined) {
    for (const entry of list.entries.slice(0, 4)) {
      const at = BigInt.asUintN(64, entry + list.offset) as typeof entry;
      const value = memory.tryU64(at);
      if (value !== undefined)
        found.push({
          claim: `the entry at ${entry.toString(16)} leads to ${value.toString(16)}`,
          command: `rd ${at.toString(16)}`,
          values: [{ address: at, value }],
        });
    }
    found.push({ claim: `the loop's step to the next entry in ${list.function}`, command: `dis ${list.at.toString(16)} 1`, values: [] });
  }
  return found;
}

function participants(
  still: Standstill,
  lockup: Lockup,
  { cpu, chain }: LoopRoot,
  all: readonly Lockup[],
  behind: readonly HangEdge[],
): readonly Participant[] {
  const locks = [...chain, ...behind].flatMap(({ lock, to }) => (lock !== undefined && to.address === cpu.task.address ? [lock] : []));
  const held = [...new Map(locks.map((lock) => [lock.state.address, lockName(still, lock)])).values()];
  const found: Participant[] = [
    {
      cpu: cpu.cpu,
      pid: cpu.task.pid,
      comm: cpu.task.comm,
      task: cpu.task.address,
      role: `${held.length === 0 ? "" : `holds ${held.map(lockText).join(", ")}, `}loops on CPU ${cpu.cpu}${cpu.interruptsOff === true ? " with interrupts off" : ""}`,
      ...(held.length === 0 ? {} : { holds: held }),
      central: true,
    },
  ];
  for (const { cpu: other } of [lockup, ...all]) {
    if (found.some(({ task }) => task === other.task.address)) continue;
    const lock = still.lockOf(other.task.address);
    const wait = lock === undefined ? undefined : lockName(still, lock);
    found.push({
      cpu: other.cpu,
      pid: other.task.pid,
      comm: other.task.comm,
      task: other.task.address,
      role: wait === undefined ? `locked up on CPU ${other.cpu}` : `spins for ${lockText(wait)} on CPU ${other.cpu}`,
      ...(wait === undefined ? {} : { waitsFor: wait }),
    });
  }
  for (const edge of behind) if (!found.some(({ task }) => task === edge.from.address)) found.push(waiter(still, edge, [], false));
  return found;
}

const NEEDS = [
  "a CPU that the watchdog reported, or that took no tick or ran no other task for too long",
  "its registers when the machine stopped",
];

export const softLockup: Detector = {
  name: "soft-lockup",
  classes: ["soft-lockup"],
  needs: NEEDS,
  refutedBy: ["another task runs on the CPU by now", "the CPU was printing to a console"],
  appliesTo: (context) => !diedOfFault(context),
  detect: (context) => findings(context, "soft-lockup"),
};

export const hardLockup: Detector = {
  name: "hard-lockup",
  classes: ["hard-lockup"],
  needs: NEEDS,
  refutedBy: ["interrupts were on", "the CPU was printing to a console"],
  appliesTo: (context) => !diedOfFault(context),
  detect: (context) => findings(context, "hard-lockup"),
};
