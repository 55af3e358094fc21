/** How `runq` reads: queues with their groups, times (-t) and lags (-T). */
import { hex16 } from "../../bytes/address.ts";
import type { RunqCpu, RunqEntry, RunqGroup, RunqQueue, RunqTask } from "../runq.ts";
import { taskReferenceText } from "../support/task-reference.ts";

const isRunqGroup = (entry: RunqEntry): entry is RunqGroup => "entries" in entry;

/** The queues of a CPU by class, as crash shows them. */
export function* queueLines(cpu: RunqCpu): Iterable<string> {
  yield `CPU ${cpu.cpu} RUNQUEUE: ${hex16(cpu.address)}`;
  yield currentLine(cpu);
  if (cpu.stop !== undefined) yield `  STOP: ${taskReferenceText(cpu.stop)}`;
  if ((cpu.deadline?.entries.length ?? 0) > 0 || cpu.deadline?.incomplete === true) yield* section("DL RB_ROOT", cpu.deadline as RunqQueue);
  yield* section("RT PRIO_ARRAY", cpu.realtime);
  yield* section("CFS RB_ROOT", cpu.fair);
  if ((cpu.extensible?.entries.length ?? 0) > 0) yield* section("SCX RUNNABLE_LIST", cpu.extensible as RunqQueue);
  if (cpu.core !== undefined) {
    yield `  CORE: ${hex16(cpu.core.leader)}  COOKIE: ${cpu.core.cookie.toString(16)}`;
    for (const task of cpu.core.waiting) yield taskLine(task, 5);
  }
}

function currentLine({ current }: RunqCpu): string {
  return `  CURRENT: ${current === undefined ? "(unreadable)" : taskReferenceText(current)}`;
}

/** The running task stands in the line above, and not in its queue. */
function* section(label: string, { address, entries, incomplete }: RunqQueue): Iterable<string> {
  yield `  ${label}: ${hex16(address)}`;
  const waiting = [...waitingLines(entries, 5)];
  if (waiting.length === 0) yield emptyLine(incomplete);
  yield* waiting;
}

function emptyLine(incomplete: boolean | undefined): string {
  return incomplete === true ? "     (unreadable)" : "     [no tasks queued]";
}

function* waitingLines(entries: readonly RunqEntry[], indent: number): Iterable<string> {
  for (const entry of entries) {
    if (!isRunqGroup(entry)) {
      if (entry.current !== true) yield taskLine(entry, indent);
      continue;
    }
    const below = [...waitingLines(entry.entries, indent + 3)];
    if (below.length === 0) continue;
    yield groupLine(entry, indent);
    yield* below;
  }
}

function taskLine({ task, priority, current, delayed }: RunqTask, indent: number): string {
  const marks = `${current === true ? " [CURRENT]" : ""}${delayed === true ? " [DELAYED]" : ""}`;
  return `${" ".repeat(indent)}[${String(priority ?? "?").padStart(3)}] ${taskReferenceText(task)}${marks}`;
}

function groupLine({ group, queue, name, throttled, priority }: RunqGroup, indent: number): string {
  const level = priority === undefined ? "" : `[${String(priority).padStart(3)}] `;
  const kind = priority === undefined ? "CFS_RQ" : "RT_RQ";
  const title = name === undefined || name === "" ? "" : `  <${name}>`;
  return `${" ".repeat(indent)}${level}TASK_GROUP: ${group === undefined ? "?" : hex16(group)}  ${kind}: ${hex16(queue)}${title}${throttled ? " (THROTTLED)" : ""}`;
}

/** -g: by task group. @param rootGroup stands beside the CPU's own queues */
export function* groupLines(cpu: RunqCpu, rootGroup: bigint | undefined): Iterable<string> {
  yield `CPU ${cpu.cpu}`;
  yield currentLine(cpu);
  const root = rootGroup === undefined ? "" : `ROOT_TASK_GROUP: ${hex16(rootGroup)}  `;
  if (cpu.realtime.entries.length > 0 || cpu.realtime.incomplete === true) yield* groupSection(`${root}RT_RQ`, cpu.realtime);
  yield* groupSection(`${root}CFS_RQ`, cpu.fair);
}

function* groupSection(label: string, { queue, entries, incomplete }: RunqCpu["fair"]): Iterable<string> {
  yield `  ${label}: ${hex16(queue)}`;
  if (entries.length === 0) yield emptyLine(incomplete);
  yield* nestedLines(entries, 5);
}

function* nestedLines(entries: readonly RunqEntry[], indent: number): Iterable<string> {
  for (const entry of entries) {
    if (isRunqGroup(entry)) {
      yield groupLine(entry, indent);
      yield* nestedLines(entry.entries, indent + 3);
    } else yield taskLine(entry, indent);
  }
}

/** -t: the clock of each CPU and when its task began; -m: how long it has been running. */
export function* timeLines(cpus: readonly RunqCpu[], view: "times" | "running"): Iterable<string> {
  for (const { cpu, clock, arrival, onCpu, current } of cpus) {
    const task = current === undefined ? "(unreadable)" : taskReferenceText(current);
    const label = `CPU ${cpu}:`.padStart(7);
    if (view === "running") {
      // An idle task has no arrival: it counts from the boot on.
      const time = onCpu === undefined ? "(unknown)" : durationText(onCpu);
      yield `${label} [${time}]  ${task}`;
      continue;
    }
    yield `${label} ${clock ?? "(unreadable)"}`;
    const stamp = arrival === undefined ? "(unknown)" : String(arrival).padStart(String(clock ?? "").length, "0");
    yield `        ${stamp}  ${task}`;
  }
}

/** `0 00:00:14.200`: days, hours, minutes, seconds, milliseconds; cut, not rounded. */
function durationText(nanoseconds: number): string {
  const milliseconds = Math.floor(nanoseconds / 1e6);
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  const seconds = Math.floor(milliseconds / 1000);
  const rest = String(milliseconds % 1000).padStart(3, "0");
  return `${Math.floor(seconds / 86400)} ${two((seconds / 3600) % 24)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}.${rest}`;
}

/** -T: how far each CPU is behind the one that is ahead. */
export function* lagLines(cpus: readonly RunqCpu[]): Iterable<string> {
  for (const { cpu, lag } of cpus) if (lag === undefined) yield `${`CPU ${cpu}:`.padStart(8)} (unreadable)`;
  const known = cpus.filter(({ lag }) => lag !== undefined).sort((a, b) => (a.lag ?? 0) - (b.lag ?? 0));
  for (const { cpu, lag } of known) yield `${`CPU ${cpu}:`.padStart(8)} ${((lag ?? 0) / 1e9).toFixed(2)} secs`;
}
