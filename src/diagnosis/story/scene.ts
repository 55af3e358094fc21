/**
 * How it began: when, which task on which CPU, in what (a system call, a timer, a work item), and through which functions it came to the
 * guilty one.
 *
 *   Task 1 (init) was in the system call write on CPU 0, 33.2 s after boot; asocs_write called endpoint_shed [assocs].
 *   CPU 0 was in a timer, 12.1 s after boot, on top of task 0 (swapper/0); shaper_dequeue called shaper_class_serve [qdisc_lite].
 */
import { callersOfNote, howItCameThere } from "../how-it-came-there.ts";
import { meaningfulFunctions, plainFunction as plain } from "../signature.ts";
import type { Subject } from "../subject/subject.ts";
import type { Verdict, VerdictFrame } from "../verdict.ts";
import { durationText, sentence } from "./words.ts";

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
    return sentence(`CPU ${cpu} was ${door?.words ?? "in the kernel"}${when}${top}${behind}`);
  }
  return sentence(`${who} was ${door?.words ?? "in the kernel"}${on}${when}${behind}`);
}

/** "sink_worker called sink_queue_purge [rxpurge]". */
function wayOf(frames: readonly VerdictFrame[], { function: guilty, module }: Verdict): string | undefined {
  // A place of the verdict's own, who freed the object, say, is not on this stack.
  if (guilty === undefined || !frames.some(({ function: each }) => each !== undefined && plain(each) === guilty)) return undefined;
  const name = `${guilty}${module === undefined ? "" : ` [${module}]`}`;
  const callers: string[] = [];
  for (const each of callersOfNote(meaningfulFunctions(frames, guilty).slice(1)))
    if (each !== guilty && callers.at(-1) !== each) callers.push(each);
  const [first, second, third] = callers;
  if (first === undefined) return `it came to ${name}`;
  if (second === undefined) return `${first} called ${name}`;
  if (third === undefined) return `${second} called ${first}, which called ${name}`;
  return `${third} called ${second}, which called ${first}, which called ${name}`;
}
