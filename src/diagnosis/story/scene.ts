/**
 * How it began: when, which task on which CPU, in what (a system call, a timer, a work item), and through which functions it came to the
 * guilty one.
 *
 *   Task 1 (init) was in the system call write on CPU 0, 33.2 s after boot; by way of asocs_write it came to endpoint_shed [assocs].
 *   CPU 0 was in a timer, 12.1 s after boot, on top of task 0 (swapper/0); by way of shaper_dequeue it came to shaper_class_serve.
 */
import { callersOfNote, howItCameThere } from "../how-it-came-there.ts";
import { meaningfulFunctions, plainFunction as plain } from "../signature.ts";
import type { Subject } from "../subject/subject.ts";
import type { Verdict, VerdictFrame } from "../verdict.ts";
import { durationText, listed, sentence } from "./words.ts";

/** undefined where the dump does not tell who it was. */
export function sceneOf(subject: Subject, frames: readonly VerdictFrame[], verdict: Verdict): string | undefined {
  const { task, cpu, event } = subject;
  if (task === undefined && cpu === undefined) return undefined;
  const door = howItCameThere(frames);
  const when = event?.time === undefined ? "" : `, ${durationText(event.time)} after boot`;
  const who = task === undefined ? undefined : `task ${task.pid} (${task.comm})`;
  const on = cpu === undefined ? "" : ` on CPU ${cpu}`;
  const way = wayOf(frames, verdict);
  const behind = way === undefined ? "" : `; ${way}`;
  if (who === undefined || (door?.interrupts === true && cpu !== undefined)) {
    const top = who === undefined ? "" : `, on top of ${who}`;
    return sentence(`CPU ${cpu} was ${door?.words ?? "at work"}${when}${top}${behind}`);
  }
  return sentence(`${who} ${door === undefined ? "ran" : `was ${door.words}`}${on}${when}${behind}`);
}

/** "by way of sink_worker it came to sink_queue_purge [rxpurge]": not every caller is told, so none is said to be the next. */
function wayOf(frames: readonly VerdictFrame[], { function: guilty, module }: Verdict): string | undefined {
  // A place of the verdict's own, who freed the object, say, is not on this stack.
  if (guilty === undefined || !frames.some(({ function: each }) => each !== undefined && plain(each) === guilty)) return undefined;
  const name = `${guilty}${module === undefined ? "" : ` [${module}]`}`;
  const callers: string[] = [];
  for (const each of callersOfNote(meaningfulFunctions(frames, guilty).slice(1)))
    if (each !== guilty && callers.at(-1) !== each) callers.push(each);
  const way = callers.slice(0, 3).reverse();
  return way.length === 0 ? `it came to ${name}` : `by way of ${listed(way)} it came to ${name}`;
}
