/**
 * What the log says around the subject: what was abnormal before (or that nothing was), and how the machine came to its end.
 *
 *   Nothing abnormal was reported in the log before it.
 *   At 33.2 s the kernel panicked: "Fatal exception in interrupt" (panic_on_oops is set). No crash kernel was loaded: the memory was saved from outside.
 */
import { InquestError } from "../../bytes/errors.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { readLog } from "../../linux/printk.ts";
import type { LogEvent } from "../subject/log-events.ts";
import type { Subject } from "../subject/subject.ts";
import { durationText, sentence } from "./words.ts";

const SHOWN_BEFORE = 3;
/** Seconds. */
const ONE_EVENT = 0.2;
/** A log that begins later than this after boot has lost its beginning. */
const BOOT_SECONDS = 5;

/** Abnormal events before the subject; that there were none, where the log is whole. @param told the story so far */
export function beforeTold(kernel: Kernel, { event, before: all, deliberate }: Subject, told = ""): readonly string[] {
  if (event === undefined) return [];
  // What the machine says in several lines is one event.
  const before = all.filter((each) => !isOneWith(each.event, event));
  const lines = before.slice(0, SHOWN_BEFORE).map((each) => {
    const gap = each.event.time === undefined || event.time === undefined ? "" : `, ${durationText(event.time - each.event.time)} before`;
    return sentence(`earlier in the log${gap}: "${clipped(each.event.text)}"; whether it has to do with this is not proved`);
  });
  if (before.length > SHOWN_BEFORE) lines.push(`${before.length - SHOWN_BEFORE} more abnormal events stand in the log before it.`);
  if (lines.length > 0 || event === deliberate) return lines;
  const began = logBegan(kernel);
  if (began === undefined) return [];
  return began > BOOT_SECONDS
    ? [`The log begins at ${durationText(began)}: what was before is lost, and nothing abnormal was reported between that and this.`]
    : [
        `Nothing ${/ that could be corrected|Right before it the kernel said/.test(told) ? "else " : ""}abnormal was reported in the log before it.`,
      ];
}

function isOneWith(early: LogEvent, event: LogEvent): boolean {
  const gap = early.time === undefined || event.time === undefined ? undefined : event.time - early.time;
  return early.family === event.family && gap !== undefined && gap < ONE_EVENT;
}

/** Seconds after boot of the first record that is left; undefined when there is none. */
function logBegan(kernel: Kernel): number | undefined {
  try {
    const stamp = readLog(kernel).records.find(({ nanoseconds }) => nanoseconds !== undefined)?.nanoseconds;
    return stamp === undefined ? undefined : Number(stamp) / 1e9;
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

/** Why the kernel stopped for it, and who saved the memory. */
export function endTold(kernel: Kernel, { event, after, deliberate }: Subject, told: string): readonly string[] {
  const saved = savedBy(kernel);
  const panic = event?.family === "panic" ? undefined : after.find(({ family }) => family === "panic");
  const parts: string[] = [];
  if (deliberate !== undefined && event !== undefined && event !== deliberate) {
    const gap = deliberate.time === undefined || event.time === undefined ? "later" : `${durationText(deliberate.time - event.time)} later`;
    parts.push(`The dump was asked for ${gap}: ${deliberate.text}`);
  } else if (panic !== undefined) {
    const words = panic.text.replace(/^Kernel panic - not syncing: /, "").replace(/ \.{3}$/, "");
    const when = panic.time === undefined ? "Then" : `At ${durationText(panic.time)}`;
    const why = policyOf(kernel, event, words);
    if (!told.includes(words) && !told.includes("the dump was asked for"))
      parts.push(`${when} the kernel panicked: "${clipped(words)}"${why === undefined ? "" : ` (${why})`}`);
  }
  if (saved !== undefined) parts.push(saved);
  return parts.length === 0 ? [] : [parts.map(sentence).join(" ")];
}

/** The setting that made a panic of it. */
function policyOf(kernel: Kernel, event: LogEvent | undefined, words: string): string | undefined {
  const name = /^(?:Oops[^:]*: )?Fatal exception/.test(words)
    ? "panic_on_oops"
    : event?.family === "warning" || /panic_on_warn set/.test(words)
      ? "panic_on_warn"
      : event?.kind === "hung task"
        ? "sysctl_hung_task_panic"
        : event?.kind === "soft lockup"
          ? "softlockup_panic"
          : event?.kind === "rcu stall"
            ? "sysctl_panic_on_rcu_stall"
            : undefined;
  if (name === undefined || words.includes(name)) return undefined;
  const address = kernel.tryAddress(name);
  const value = address === undefined ? undefined : kernel.memory.tryU32(address);
  if (value === undefined) return undefined;
  if (value !== 0) return `${name.replace(/^sysctl_/, "")} is set`;
  return name === "panic_on_oops" && /in interrupt/.test(words) ? "an oops in an interrupt is always fatal" : undefined;
}

/** kernel/kexec_core.c: kexec_crash_image is NULL as long as no crash kernel is loaded. */
function savedBy(kernel: Kernel): string | undefined {
  const address = kernel.tryAddress("kexec_crash_image");
  const image = address === undefined ? undefined : kernel.memory.tryU64(address);
  if (image === undefined) return undefined;
  return image === 0n ? "No crash kernel was loaded: the memory was saved from outside" : "A crash kernel was loaded (kdump)";
}

function clipped(text: string): string {
  const line = text.split("\n", 1)[0] as string;
  return line.length > 110 ? `${line.slice(0, 109)}…` : line;
}
