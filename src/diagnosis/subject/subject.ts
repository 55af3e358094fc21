/**
 * The subject of a diagnosis: the first abnormal event of the log that the rest follows from, the task and the CPU it happened on, and
 * what is no cause (a crash that somebody asked for, reports that the first one brought about).
 *
 *   [ 21.43] BUG lab_widget: Right Redzone overwritten      ◄ subject: memory was found damaged
 *   [ 23.10] sysrq: Trigger a crash                           asked for: says why there is a dump, not what is wrong
 *   [ 23.10] Kernel panic - not syncing: sysrq triggered crash
 *
 * A warning, a stall or a killed process long before a fault of another kind is no cause by being earlier: it is told beside. Damaged memory
 * and machine checks are, however early.
 */
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { LogRecord } from "../../linux/log-record.ts";
import { readLog } from "../../linux/printk.ts";
import { currentTask } from "../../linux/runqueue.ts";
import { type Task, taskTable } from "../../linux/task.ts";
import { type EventFamily, type LogEvent, logEvents } from "./log-events.ts";
import { type LogFacts, logFacts } from "./log-facts.ts";
import { stoppedTask } from "./stopped-task.ts";

export interface Subject {
  /** Undefined when the log tells of nothing abnormal (it was overwritten, or the machine was healthy). */
  readonly event: LogEvent | undefined;
  /** The exception that the report led to, when the event itself is a check that found something before: the CPU's state is its. */
  readonly fault: LogEvent | undefined;
  /** What its report says of the CPU. */
  readonly facts: LogFacts | undefined;
  /** Somebody asked for the crash, and how; also when an event before it is the subject. */
  readonly deliberate: LogEvent | undefined;
  readonly cpu: number | undefined;
  readonly task: Task | undefined;
  /** How the task was found. */
  readonly taskBy: "log" | "panic" | undefined;
  /** Abnormal events that are not taken for the cause, and why. */
  readonly before: readonly { readonly event: LogEvent; readonly why: string }[];
  /** Consequences, and what came later. */
  readonly after: readonly LogEvent[];
  readonly notes: readonly string[];
}

/** Families that can be the cause of anything behind them. */
const ALWAYS: ReadonlySet<EventFamily> = new Set(["fault", "assertion", "corruption"]);
/** A warning this shortly before a fault, in seconds, is part of the same trouble. */
const SAME_TROUBLE = 0.5;
/** Reports of stalls less than this apart, in seconds, are of one trouble: watchdogs come round every two minutes or less. */
const SAME_STALL = 300;

/** The subject of a dump; once per dump. Never throws for damaged memory. */
export function subjectOf(kernel: Kernel): Subject {
  return kernel.memo(subjectOf, () => {
    let records: readonly LogRecord[] = [];
    const notes: string[] = [];
    try {
      records = readLog(kernel).records;
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      notes.push(`the log cannot be read: ${error.message}`);
    }
    const chosen = chooseEvent(logEvents(records));
    const fault = faultOf(chosen);
    const told = fault ?? chosen.event;
    const facts = told === undefined ? undefined : logFacts(records, told);
    return { ...chosen, fault, facts, ...taskOf(kernel, chosen.event, facts, notes), notes };
  });
}

/** Which of the events is the subject. Exported for its test. */
export function chooseEvent(events: readonly LogEvent[]): Pick<Subject, "event" | "deliberate" | "before" | "after"> {
  const deliberate = events.find(({ family }) => family === "deliberate");
  const until = deliberate === undefined ? events : events.slice(0, events.indexOf(deliberate));
  const hard = until.find(({ family }) => ALWAYS.has(family));
  const last = firstOfRun(until.filter(({ family }) => family !== "panic"));
  // What the kernel panicked of, when nothing faulted: a stall, a warning, memory that ran out, the machine.
  const panic = until.find(({ family }) => family === "panic");
  let event = hard ?? (deliberate === undefined ? (last ?? panic) : undefined);
  if (hard !== undefined) {
    const leading = until.slice(0, until.indexOf(hard)).find((each) => isSameTrouble(each, hard));
    event = leading ?? hard;
  } else if (deliberate !== undefined) event = last ?? deliberate;
  if (event === undefined) return { event: deliberate, deliberate, before: [], after: [] };
  const at = events.indexOf(event);
  return {
    event,
    deliberate,
    before: events.slice(0, at).map((each) => ({ event: each, why: whyNot(each, event) })),
    after: events.slice(at + 1),
  };
}

/** The last event; of stalls that are reported one after the other the first: a watchdog repeats itself, and names the victims in any order. */
function firstOfRun(events: readonly LogEvent[]): LogEvent | undefined {
  let first = events.length - 1;
  while (first > 0 && events[first]?.family === "stall") {
    const [earlier, later] = [events[first - 1] as LogEvent, events[first] as LogEvent];
    const gap = earlier.time === undefined || later.time === undefined ? 0 : later.time - earlier.time;
    if (earlier.family !== "stall" || gap > SAME_STALL) break;
    first--;
  }
  return events[first];
}

/** KASAN reports the access and lets it happen, WARN() goes on: the exception follows in the same task. */
function faultOf({ event, after }: Pick<Subject, "event" | "after">): LogEvent | undefined {
  if (event === undefined || event.family === "fault" || event.family === "assertion") return event;
  if (event.family !== "corruption" && event.family !== "warning") return undefined;
  const next = after.find(({ family }) => family !== "panic");
  const soon = event.time === undefined || next?.time === undefined || next.time - event.time <= SAME_TROUBLE;
  // Behind a warning BUG() may follow too: fortify warns of the copy first.
  const struck = next?.family === "fault" || (event.family === "warning" && next?.family === "assertion");
  return struck && soon && next?.caller === event.caller ? next : undefined;
}

function isSameTrouble(early: LogEvent, hard: LogEvent): boolean {
  if (early.family === "hardware") return true;
  if (early.family !== "warning" || early.time === undefined || hard.time === undefined) return false;
  return hard.time - early.time <= SAME_TROUBLE && (early.caller === undefined || early.caller === hard.caller);
}

function whyNot(each: LogEvent, event: LogEvent): string {
  const ago = each.time === undefined || event.time === undefined ? "earlier" : `${(event.time - each.time).toFixed(1)} s before`;
  return `${ago}, and of another kind: nothing in it leads to what followed`;
}

function taskOf(
  kernel: Kernel,
  event: LogEvent | undefined,
  facts: LogFacts | undefined,
  notes: string[],
): Pick<Subject, "cpu" | "task" | "taskBy"> {
  let panicked: ReturnType<typeof stoppedTask>;
  try {
    panicked = stoppedTask(kernel);
    if (event !== undefined && facts?.pid !== undefined && facts.cpu !== undefined) {
      const task = facts.pid === 0 ? idleTask(kernel, facts.cpu) : taskTable(kernel).byPid.get(facts.pid);
      if (task !== undefined && (facts.pid === 0 || facts.comm === undefined || task.comm.startsWith(facts.comm.slice(0, 15)))) {
        return { cpu: facts.cpu, task, taskBy: "log" };
      }
      notes.push(`task ${facts.pid} (${facts.comm ?? "?"}), which the log names, is not in the dump any more`);
      return { cpu: facts.cpu, task: undefined, taskBy: undefined };
    }
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    notes.push(`tasks cannot be read: ${error.message}`);
    return { cpu: facts?.cpu, task: undefined, taskBy: undefined };
  }
  if (panicked === undefined || panicked.flag === "ACTIVE") return { cpu: facts?.cpu, task: undefined, taskBy: undefined };
  return { cpu: panicked.cpu, task: panicked.task, taskBy: "panic" };
}

function idleTask(kernel: Kernel, cpu: number): Task | undefined {
  const address = currentTask(kernel, cpu);
  const task = address === undefined ? undefined : taskTable(kernel).byAddress.get(address);
  return task?.idle === true ? task : taskTable(kernel).tasks.find((each) => each.idle && each.cpu === cpu);
}
