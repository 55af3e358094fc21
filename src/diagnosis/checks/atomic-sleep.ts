/**
 * A task that gave up the CPU, or was about to, where that is forbidden: a spinlock is held, or an interrupt is being served. Row 35 of the
 * catalogue. kernel/sched/core.c: __schedule_bug() (the task really slept), __might_resched() (it called what may sleep).
 *
 *   __schedule_bug ◄ __schedule ◄ schedule ◄ schedule_timeout ◄ msleep ◄ poll_settle          poll_settle is to blame
 *
 * What forbade it is in preempt_count; who raised it may be another function further out.
 */

import { InquestError } from "../../bytes/errors.ts";
import { decodePreemptCount, type PreemptCount, preemptCount } from "../../linux/preempt-count.ts";
import type { DiagnosisContext } from "../context.ts";
import type { Detector } from "../detector.ts";
import type { Activation } from "../fault/activation.ts";
import { functionText, plainName } from "../fault/words.ts";
import type { Finding } from "../finding.ts";
import { isWaiting } from "../log-report/waiting-frames.ts";
import type { Check } from "../verdict.ts";
import { isTool } from "./blame.ts";
import { type ReporterCase, reporterCase, reporterFrames } from "./reporter-case.ts";
import { reportEvidence, reportFrames, type SubjectReport, subjectReport } from "./subject-report.ts";

export const atomicSleep: Detector = {
  name: "sleep in atomic context",
  classes: ["atomic-sleep"],
  needs: ["the report in the log, or __schedule_bug() on the stack"],
  refutedBy: ["preempt_count is 0: nothing forbade to sleep"],
  appliesTo: ({ subject }) => subject.event === undefined || subject.event.kind === "atomic" || subject.event.kind === "panic",
  detect(context) {
    const { event } = context.subject;
    if (event !== undefined && event.kind === "atomic" && !/scheduling while atomic|sleeping function called/.test(event.text)) return [];
    const found = reporterCase(context, /^(?:__schedule_bug|__might_resched|___might_sleep)$/, /^(?:v?panic|check_panic_on_warn)$/);
    if (found !== undefined) return [onStack(context, found)];
    const report = event?.kind === "atomic" ? subjectReport(context) : undefined;
    return report === undefined ? [] : [inLog(context, report)];
  },
};

const MAX_LEVELS = 16;

/** The first function that neither waits for anyone nor does what anyone asks. */
function sleeper({ activations }: ReporterCase): Activation | undefined {
  for (let level = 1; level < MAX_LEVELS; level++) {
    const activation = activations.at(level);
    if (activation === undefined) return undefined;
    const name = plainName(activation.function);
    const waits =
      activation.module === undefined &&
      (isWaiting(name) || /^(?:msleep\w*|usleep\w*|fsleep|ssleep|cond_resched|__cond_resched)$/.test(name));
    if (!waits && !isTool(activation)) return activation;
  }
  return undefined;
}

function onStack(context: DiagnosisContext, found: ReporterCase): Finding {
  const owner = sleeper(found);
  const frames = owner === undefined ? [] : reporterFrames(found, owner);
  const own = frames.find((frame) => frame.guilty === true);
  const place =
    owner === undefined
      ? undefined
      : {
          function: plainName(owner.function),
          ...(owner.module === undefined ? {} : { module: owner.module }),
          ...(own?.file === undefined || own.line === undefined ? {} : { file: own.file, line: own.line }),
        };
  return findingOf(context, countOf(context), owner === undefined ? undefined : functionText(owner), {
    ...(place === undefined ? {} : { place }),
    frames,
  });
}

function inLog(context: DiagnosisContext, report: SubjectReport): Finding {
  const { function: name, module } = report.told.verdict;
  const who = name === undefined ? undefined : `${name}${module === undefined ? "" : ` [${module}]`}`;
  return findingOf(context, countOf(context), who, {
    ...(name === undefined ? {} : { place: { function: name, ...(module === undefined ? {} : { module }) } }),
    frames: reportFrames(report),
  });
}

/** As the log says it; the CPU's own of now where the log is gone. */
function countOf({ kernel, subject }: DiagnosisContext): PreemptCount | undefined {
  const told = /scheduling while atomic: .*\/(?:0x)?([0-9a-f]{8})\s*$/.exec(subject.event?.text ?? "")?.[1];
  if (told !== undefined) return decodePreemptCount(Number.parseInt(told, 16), kernel.arch.name === "x86_64");
  if (subject.cpu === undefined || subject.event !== undefined) return undefined;
  try {
    const now = preemptCount(kernel, subject.cpu, subject.task?.address);
    // What the panic itself added is not told apart: that it is disabled is all that is known.
    return now === undefined ? undefined : { ...now, preempt: Math.min(now.preempt, 1) };
  } catch (error) {
    if (error instanceof InquestError) return undefined;
    throw error;
  }
}

/** "preemption is disabled once, a softirq is being served". */
export function whyAtomic(count: PreemptCount): string | undefined {
  const parts: string[] = [];
  // schedule() itself disables preemption once (PREEMPT_DISABLE_OFFSET).
  if (count.nmi > 0) parts.push("an NMI is being served");
  if (count.hardirq > 0) parts.push("an interrupt is being served");
  if (count.servingSoftirq) parts.push("a softirq is being served");
  if (count.bottomHalves > 0) parts.push(`bottom halves are disabled${count.bottomHalves > 1 ? ` ${count.bottomHalves} times` : ""}`);
  if (count.preempt > 0) parts.push(`preemption is disabled${count.preempt > 1 ? ` ${count.preempt} deep` : ""}`);
  return parts.length === 0 ? undefined : parts.join(", ");
}

function findingOf(
  context: DiagnosisContext,
  count: PreemptCount | undefined,
  who: string | undefined,
  more: Pick<Finding, "place" | "frames">,
): Finding {
  const why = count === undefined ? undefined : whyAtomic(count);
  const checks: Check[] = [
    {
      what:
        count === undefined
          ? "preempt_count is known"
          : `preempt_count is 0x${count.raw.toString(16)}: ${why ?? "nothing forbids to sleep"}`,
      result:
        count === undefined ? (context.subject.event === undefined ? "not possible" : "held") : why === undefined ? "refuted" : "held",
    },
  ];
  if (who === undefined) checks.push({ what: "the function that slept is known", result: "not possible" });
  return {
    class: "atomic-sleep",
    title: `${who ?? "a task"} sleeps where that is forbidden${why === undefined ? "" : `: ${why}`}`,
    checks,
    depth: "mechanism",
    ...more,
    story: [
      `${who ?? "The task"} gave up the CPU, or called what may do so, in atomic context${why === undefined ? "" : ` (${why})`}.`,
      ...(count !== undefined && count.preempt > 1
        ? ["One level of preempt_count is the scheduler's own; the others are spinlocks that are held, or preempt_disable()."]
        : []),
    ],
    evidence: [
      ...reportEvidence(context),
      { claim: "the stack of the task that slept", command: `bt ${context.subject.task?.pid ?? ""}`.trim(), values: [] },
    ],
  };
}
