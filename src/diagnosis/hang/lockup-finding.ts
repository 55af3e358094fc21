/** A CPU that loops, or spins for a lock, as a finding: its function, what it loops over, who holds the lock, who waits behind it. */
import type { DiagnosisContext } from "../context.ts";
import type { Finding } from "../finding.ts";
import type { Check, Evidence, Participant } from "../verdict.ts";
import { isSureHolder, sectionOf, waitersBehind } from "./circle-finding.ts";
import type { HangEdge } from "./edges.ts";
import { functionText, isMachinery } from "./guilty-frame.ts";
import { isSpin, lockName, lockObject, lockText } from "./lock-object.ts";
import { type Lockup, type LoopRoot, sentFor } from "./lockups.ts";
import { isSequence, loopObject } from "./loop-object.ts";
import { listObject, loopStack } from "./loop-stack.ts";
import { timerEvidence, timerLine, timerObject } from "./running-timer.ts";
import type { Standstill } from "./standstill.ts";
import { waitsForCall } from "./stopped-cpu.ts";
import { ageText, awaited, ownerEvidence, someOf, waiter, who } from "./who.ts";

const SEQUENCE_LINE =
  "It reads a sequence counter until it is even, and it stays odd: a writer began and did not end, or left without ending.";

export function lockupFinding(
  still: Standstill,
  context: DiagnosisContext,
  lockup: Lockup,
  root: LoopRoot,
  all: readonly Lockup[],
): Finding {
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
  const { timer } = shown;
  const object =
    list !== undefined
      ? listObject(list)
      : timer !== undefined
        ? timerObject(still, timer)
        : lock !== undefined
          ? lockObject(still, lock)
          : loopObject(still.kernel, cpu);
  return {
    class: lockup.class,
    title: `${victim}${who(cpu.task)} ${victim === "" ? "" : "who "}${leaked ? "spins" : "loops"} in ${where} on CPU ${cpu.cpu}${what}${cpu.interruptsOff === true ? ", with interrupts off" : ""}${seconds}`,
    depth: list === undefined && timer === undefined ? "mechanism" : "cause",
    checks: checks(still, lockup, root, isSpin(spin?.kind)),
    ...(object === undefined ? {} : { object }),
    place: shown.place,
    frames: shown.frames,
    story: [
      ...story(still, lockup, root, shown.text),
      ...(isSequence(object?.type, object?.member) && object?.state !== undefined ? [SEQUENCE_LINE] : []),
      ...(timer === undefined ? [] : [timerLine(timer)]),
      ...behindLines(still, chain, behind),
      ...senderLines(lockup, all),
    ],
    evidence: [...evidence(still, lockup, root, shown.sample), ...(timer === undefined ? [] : timerEvidence(still.kernel, timer))],
    participants: participants(still, lockup, root, all, behind),
    subject: { cpu: cpu.cpu, pid: cpu.task.pid, comm: cpu.task.comm },
  };
}

function checks(still: Standstill, { report, cpu }: Lockup, { chain, list, cpu: root }: LoopRoot, spins: boolean): readonly Check[] {
  const guilty = root.guilty === undefined ? undefined : root.stack.frames[root.guilty];
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
      // The kernel's own machinery does not loop by itself: whoever keeps it busy was not met.
      result: guilty === undefined || isMachinery(guilty) ? "not possible" : "held",
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

/** CPUs that sent the locked one a function to run. */
function senderLines(lockup: Lockup, all: readonly Lockup[]): string[] {
  return all.flatMap((each) =>
    sentFor(each, all).some(({ cpu }) => cpu.cpu === lockup.cpu.cpu)
      ? [
          `CPU ${each.cpu.cpu}, with ${who(each.cpu.task)}, spins in ${waitsForCall(each.cpu)} until others have run what it sent them: CPU ${lockup.cpu.cpu} takes no interrupt.`,
        ]
      : [],
  );
}

function story(still: Standstill, lockup: Lockup, { cpu, chain, list }: LoopRoot, text: string): string[] {
  const { report, seconds } = lockup;
  const lines: string[] = [];
  const own = lockup.cpu;
  const since = seconds === undefined ? "" : ` for ${ageText(seconds)}`;
  const state = [own.interruptsOff === true ? "interrupts off" : "", (own.preempt?.preempt ?? 0) > 0 ? "preemption off" : ""].filter(
    (each) => each !== "",
  );
  const softirq = own.preempt?.servingSoftirq === true ? ", in a softirq" : "";
  lines.push(
    `CPU ${own.cpu} did not come back from ${who(own.task)}${since}${softirq}${state.length === 0 ? "" : `, with ${state.join(" and ")}`}${report === undefined ? "; no watchdog had reported it" : ""}.`,
  );
  for (const edge of chain) lines.push(`${who(edge.from)} spins for ${awaited(still, edge)}, which ${who(edge.to)} holds.`);
  if (list !== undefined) {
    lines.push(
      `${list.function} goes from entry to entry at offset 0x${list.offset.toString(16)}${list.member === undefined ? "" : ` (${list.type?.replace(/^struct /, "") ?? ""}.${list.member})`}; from ${list.entries[0]?.toString(16) ?? "?"} that comes round after ${list.length} ${list.length === 1 ? "entry" : "entries"}, and the loop's end is not among them.`,
    );
  } else if (chain.length === 0 && isSpin(still.waitOf(cpu.task.address)?.kind)) {
    lines.push("No running task has the lock's address, and the code of none that runs took it: somebody left without releasing it.");
  } else lines.push(`The loop is in ${text}: the CPU was there when it was stopped.`);
  return lines;
}

function evidence(still: Standstill, { cpu: own, report }: Lockup, { cpu, chain, list }: LoopRoot, sample: string | undefined): Evidence[] {
  const { memory } = still.kernel;
  const found: Evidence[] = [
    {
      claim: `CPU ${cpu.cpu} stopped in ${functionText(cpu.stack.frames[cpu.struck])}`,
      command: cpu.task.idle ? `bt -c ${cpu.cpu}` : `bt ${cpu.task.pid}`,
      values: [],
    },
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
      role:
        wait === undefined
          ? `${waitsForCall(other) === undefined ? "locked up" : "waits for another CPU"} on CPU ${other.cpu}`
          : `spins for ${lockText(wait)} on CPU ${other.cpu}`,
      ...(wait === undefined ? {} : { waitsFor: wait }),
    });
  }
  for (const edge of behind) if (!found.some(({ task }) => task === edge.from.address)) found.push(waiter(still, edge, [], false));
  return found;
}
